//! Words in, layers or a refusal out: argparse's ways, one by one.

use std::path::Path;

use super::*;
use crate::config::{Kind, SETTINGS, Verdict};

fn read(door: Door, words: &[&str], environment: &[(&str, &str)]) -> Result<Invocation, Stop> {
    let argv = ["/venv/bin/indrik"].iter().chain(words).map(OsString::from).collect();
    let lookup = |name: &str| {
        let found = environment.iter().find(|(variable, _)| *variable == name);
        found.map(|(_, value)| (*value).to_owned())
    };
    invocation(argv, door, &lookup)
}

/// `name = value` of every setting that the command line gives, in the order of the table, the application last.
fn shown(raw: &Raw) -> String {
    let pairs: Vec<String> = raw.iter().map(|given| format!("{} = {}", given.name, given.value.repr())).collect();
    pairs.join("; ")
}

#[track_caller]
fn check(words: &[&str], want: &str) {
    let invocation = read(Door::Wheel, words, &[]).unwrap_or_else(|stop| panic!("{words:?}: {}", stop.text));
    assert_eq!(shown(&invocation.layers.command_line), want, "{words:?}");
}

#[track_caller]
fn refuses(words: &[&str], want: &str) {
    let stop = read(Door::Wheel, words, &[]).expect_err(&format!("{words:?}"));
    assert_eq!(stop.code, exit::USAGE, "{words:?}");
    assert!(stop.text.starts_with("error: "), "{words:?}: {}", stop.text);
    assert!(stop.text.contains(want), "{words:?}: {}", stop.text);
}

#[test]
fn options_have_all_the_spellings_of_argparse() {
    for words in [
        &["-w", "4"] as &[&str],
        &["-w4"],
        &["-w=4"],
        &["--workers", "4"],
        &["--workers=4"],
        &["--workers", " 4 "],
        &["--workers", "04"],
        &["-w", "2", "-w", "4"],
        &["--workers=2", "-w4"],
    ] {
        check(words, "workers = 4");
    }
    check(&["-b:8000"], "bind = [':8000']");
    check(&["--bind="], "bind = ['']");
    check(&["-w", "-1"], "workers = -1");
    check(&["-w", "Auto"], "workers = 'auto'");
    check(&["-c gunicorn.conf.py"], "config = ' gunicorn.conf.py'");
    check(&["--error-logfile", "-", "--access-logfile=-"], "accesslog = '-'; errorlog = '-'");
    check(&["--log-file=-"], "errorlog = '-'");
    check(&["--limit-request-field_size", "1"], "limit_request_field_size = 1");
    check(&["--limit-request-field-size", "1"], "limit_request_field_size = 1");
    check(&["--check-config", "--check-config", "--preload"], "check_config = True; preload_app = True");
}

#[test]
fn repeated_lists_append() {
    check(&["-b", "a", "--bind", "b", "-bc"], "bind = ['a', 'b', 'c']");
    check(&["-e", "A=1", "--env=B=2"], "raw_env = ['A=1', 'B=2']");
}

#[test]
fn switches_that_are_on_are_turned_off() {
    check(&["--no-sendfile"], "sendfile = False");
    check(&["--no-s"], "sendfile = False");
    check(&["--no-request-buffering", "--no-request-buffering"], "request_buffering = False");
    refuses(&["--no-sendfile=1"], "--no-sendfile");
    refuses(&["--sendfile"], "--sendfile");
}

#[test]
fn the_proxy_protocol_may_stand_without_its_value() {
    check(&["--proxy-protocol"], "proxy_protocol = 'auto'");
    check(&["--proxy-protocol", "v1"], "proxy_protocol = 'v1'");
    check(&["--proxy-protocol=v2"], "proxy_protocol = 'v2'");
    check(&["--proxy-protocol", "-w4"], "workers = 4; proxy_protocol = 'auto'");
    check(&["shop:app", "--proxy-protocol"], "proxy_protocol = 'auto'; wsgi_app = 'shop:app'");
    // As argparse does; the rules for settings then refuse it.
    check(&["--proxy-protocol", "shop:app"], "proxy_protocol = 'shop:app'");
}

#[test]
fn lists_with_commas_are_one_word() {
    let words = ["--forwarded-allow-ips", "*", "--proxy-allow-from=10.0.0.0/8,::1"];
    check(&words, "forwarded_allow_ips = '*'; proxy_allow_ips = '10.0.0.0/8,::1'");
    check(&["--trusted-proxies", "unix", "--trusted-proxies", "::1"], "trusted_proxies = '::1'");
}

#[test]
fn the_first_positional_word_is_the_application() {
    check(&["shop.wsgi"], "wsgi_app = 'shop.wsgi'");
    check(&["shop.wsgi", "-w", "4"], "workers = 4; wsgi_app = 'shop.wsgi'");
    check(&["-w4", "shop.wsgi", "--timeout", "0", "extra", "more"], "workers = 4; timeout = 0; wsgi_app = 'shop.wsgi'");
    check(&["--", "check"], "wsgi_app = 'check'");
    check(&["app:create_app('production')"], "wsgi_app = \"app:create_app('production')\"");
    check(&[], "");
    let invocation = read(Door::Wheel, &["shop.wsgi"], &[]).unwrap();
    let source = &invocation.layers.command_line.last("wsgi_app").unwrap().source;
    assert_eq!(source.to_string(), "APP_MODULE");
    assert_eq!(invocation.program, "/venv/bin/indrik");
    assert_eq!(invocation.argv, ["/venv/bin/indrik", "shop.wsgi"]);
}

#[test]
fn unique_abbreviations_are_options() {
    check(&["--conf", "a.py"], "config = 'a.py'");
    check(&["--bin", ":1"], "bind = [':1']");
    check(&["--error-log", "-"], "errorlog = '-'");
    check(&["--log-f=-"], "errorlog = '-'");
    check(&["--timeo", "3"], "timeout = 3");
    check(&["--thread", "2"], "threads = 2");
    check(&["--keep", "2"], "keepalive = 2");
    check(&["--check"], "check_config = True");
}

#[test]
fn ambiguous_abbreviations_are_refused() {
    refuses(&["--worker", "2"], "--worker could match --worker");
    refuses(&["--access-log", "-"], "--access-log could match --access-logfile, --access-logformat");
    refuses(&["--max-request", "5"], "ambiguous option");
    refuses(&["--limit-request-field", "5"], "ambiguous option");
    // Ambiguous only because of options of what the server does not do.
    refuses(&["--ke", "5"], "ambiguous option: --ke could match --keep-alive, --keyfile");
    refuses(&["--header", "5"], "ambiguous option");
}

#[test]
fn what_argparse_refuses_is_a_usage_error() {
    refuses(&["--nope"], "--nope");
    refuses(&["--keepalive", "5"], "--keepalive");
    refuses(&["--preload-app"], "--preload-app");
    refuses(&["--preload=1"], "--preload");
    refuses(&["--timeout=120s"], "invalid value '120s' for '--timeout <SECONDS>': expected an integer");
    refuses(&["-t", "1.5"], "expected an integer");
    refuses(&["-w", ""], "--workers");
    refuses(&["-w", "0x4"], "expected an integer");
    refuses(&["-w", "$WEB_CONCURRENCY"], "no shell has read this command line");
    refuses(&["-b"], "--bind");
    refuses(&["-Z"], "-Z");
}

#[test]
fn an_unknown_option_is_answered_with_the_usage() {
    for word in ["--nope", "--worker"] {
        refuses(&[word], "\nUsage: indrik [OPTIONS] [APP_MODULE]\n");
    }
}

#[test]
fn modes_may_be_octal_as_a_shell_writes_them() {
    check(&["-m", "022"], "umask = 18");
    check(&["--umask=0o22"], "umask = 18");
    check(&["-m", "0"], "umask = 0");
    check(&["--control-socket-mode", "0660"], "control_socket_mode = 432");
    refuses(&["-m", "999x"], "expected an integer, such as 022");
}

#[test]
fn options_of_what_the_server_does_not_do_are_read_all_the_same() {
    check(&["--keyfile", "key.pem"], "keyfile = 'key.pem'");
    check(&["-Dw4"], "workers = 4; daemon = True");
    check(&["--dirty-app", "a:A", "--dirty-app", "b:B"], "dirty_apps = ['a:A', 'b:B']");
}

#[test]
fn version_and_help_end_well() {
    for word in ["-v", "--version", "--vers"] {
        let stop = read(Door::Wheel, &[word], &[]).unwrap_err();
        assert_eq!(stop, Stop { text: format!("indrik (version {})\n", env!("CARGO_PKG_VERSION")), code: exit::OK });
    }
    for word in ["-h", "--help"] {
        assert_eq!(read(Door::Wheel, &[word], &[]).unwrap_err().code, exit::OK);
    }
}

#[test]
fn help_shows_every_option_under_its_section() {
    let help = read(Door::Wheel, &["--help"], &[]).unwrap_err().text;
    for setting in SETTINGS {
        if matches!(setting.verdict, Verdict::Refused(_)) {
            let flag = setting.flag().unwrap_or_else(|| setting.name.to_owned());
            assert!(!help.contains(&format!("{flag} ")), "{flag}\n{help}");
            continue;
        }
        if let Some(flag) = setting.flag() {
            assert!(help.contains(&format!("\n{}:\n", setting.section)), "{}\n{help}", setting.section);
            let option = match (setting.metavar, setting.kind) {
                ("", _) => flag,
                (metavar, Kind::ProxyProtocol) => format!("{flag} [<{metavar}>]"),
                (metavar, _) => format!("{flag} <{metavar}>"),
            };
            assert!(help.contains(&option), "{option}\n{help}");
        }
        if let Some(short) = setting.short {
            assert!(help.contains(&format!("-{short}, --")), "-{short}\n{help}");
        }
    }
    assert!(help.lines().all(|line| line.chars().count() <= 100), "{help}");
}

#[test]
fn the_variable_gives_options_but_no_application() {
    let environment = [("GUNICORN_CMD_ARGS", "-w 3 -cgunicorn.py --access-logformat '%(h)s %(r)s' other:app")];
    let layers = read(Door::Wheel, &["-w", "2"], &environment).unwrap().layers;
    let want = "config = 'gunicorn.py'; workers = 3; access_log_format = '%(h)s %(r)s'";
    assert_eq!(shown(&layers.args_variable), want);
    assert_eq!(shown(&layers.command_line), "workers = 2");
    let source = &layers.args_variable.last("workers").unwrap().source;
    assert_eq!(source.to_string(), "--workers in $GUNICORN_CMD_ARGS");
    assert_eq!(layers.settings_file(), Some("gunicorn.py"));
}

#[test]
fn a_hash_in_the_variable_begins_no_comment() {
    let environment = [("GUNICORN_CMD_ARGS", "--name #1 -e 'A=#' -w 3")];
    let layers = read(Door::Wheel, &[], &environment).unwrap().layers;
    let want = "workers = 3; raw_env = ['A=#']; proc_name = '#1'";
    assert_eq!(shown(&layers.args_variable), want);
}

#[test]
fn our_variable_takes_the_place_of_gunicorns() {
    let environment = [("GUNICORN_CMD_ARGS", "-w 3 -t 5"), ("INDRIK_CMD_ARGS", "-w 4")];
    let layers = read(Door::Wheel, &[], &environment).unwrap().layers;
    assert_eq!(shown(&layers.args_variable), "workers = 4");
    assert_eq!(shown(&read(Door::Wheel, &[], &[("INDRIK_CMD_ARGS", "")]).unwrap().layers.args_variable), "");
}

#[test]
fn a_wrong_variable_is_named() {
    let stop = read(Door::Wheel, &[], &[("GUNICORN_CMD_ARGS", "-w x")]).unwrap_err();
    assert_eq!(stop.code, exit::USAGE);
    assert!(stop.text.ends_with("hint: the options come from $GUNICORN_CMD_ARGS\n"), "{}", stop.text);
    let stop = read(Door::Wheel, &[], &[("INDRIK_CMD_ARGS", "-w '3")]).unwrap_err();
    let text = "Error: cannot split $INDRIK_CMD_ARGS into words: a quote is not closed\n".to_owned();
    assert_eq!(stop, Stop { text, code: exit::CONFIG });
    let stop = read(Door::Wheel, &[], &[("WEB_CONCURRENCY", "")]).unwrap_err();
    assert_eq!(stop.code, exit::CONFIG);
    assert!(stop.text.starts_with("Error: invalid value for workers: '' ($WEB_CONCURRENCY)"), "{}", stop.text);
}

#[test]
fn the_environment_is_the_weakest_layer() {
    let environment = [("PORT", "5000"), ("WEB_CONCURRENCY", "2"), ("FORWARDED_ALLOW_IPS", "*"), ("SENDFILE", "no")];
    let layers = read(Door::Wheel, &[], &environment).unwrap().layers;
    let want = "bind = ['0.0.0.0:5000']; workers = 2; forwarded_allow_ips = '*'; sendfile = False";
    assert_eq!(shown(&layers.environment), want);
}

#[test]
fn only_the_binary_takes_an_interpreter() {
    let python = |environment: &[(&str, &str)], words: &[&str]| read(Door::Binary, words, environment).unwrap().python;
    assert_eq!(python(&[], &["--python", "/venv"]).as_deref(), Some(Path::new("/venv")));
    assert_eq!(python(&[], &[]), None);
    let variable = [("INDRIK_CMD_ARGS", "--python /other")];
    assert_eq!(python(&variable, &[]).as_deref(), Some(Path::new("/other")));
    assert_eq!(python(&variable, &["--python=/venv"]).as_deref(), Some(Path::new("/venv")));
    // In the wheel it is what it is for Gunicorn, an abbreviation.
    check(&["--python", "/lib"], "pythonpath = '/lib'");
    assert!(read(Door::Binary, &["-h"], &[]).unwrap_err().text.contains("--python <PATH>"));
    assert!(!read(Door::Wheel, &["-h"], &[]).unwrap_err().text.contains("--python <PATH>"));
}

#[test]
fn nothing_is_needed_to_be_called() {
    let invocation = invocation(vec![], Door::Wheel, &|_| None).unwrap();
    assert_eq!(invocation.program, "indrik");
    assert_eq!(shown(&invocation.layers.command_line), "");
}
