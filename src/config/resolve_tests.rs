//! From typed to meant, row by row: what Gunicorn accepts and refuses, and which layer wins.

use super::*;
use crate::config::UNFIT;
use crate::config::raw::Raw;

fn text(text: &str) -> Value {
    Value::Str(text.to_owned())
}

fn list(texts: &[&str]) -> Value {
    Value::List(texts.iter().map(|item| text(item)).collect())
}

fn float(text: &str) -> Value {
    Value::Other { type_name: "float".into(), text: text.into() }
}

fn file(pairs: &[(&str, Value)]) -> Raw {
    let mut raw = Raw::new();
    for ((name, value), line) in pairs.iter().zip(1..) {
        let source = Source::SettingsFile { path: "gunicorn.conf.py".into(), line: Some(line) };
        raw.push(*name, value.clone(), source);
    }
    raw
}

fn flags(pairs: &[(&str, Value)]) -> Raw {
    let mut raw = Raw::new();
    for (name, value) in pairs {
        raw.push(*name, value.clone(), Source::Flag { flag: format!("--{name}") });
    }
    raw
}

fn variable(pairs: &[(&str, Value)]) -> Raw {
    let mut raw = Raw::new();
    for (name, value) in pairs {
        let source = Source::ArgsVariable { variable: "GUNICORN_CMD_ARGS".into(), flag: format!("--{name}") };
        raw.push(*name, value.clone(), source);
    }
    raw
}

fn environment(pairs: &'static [(&str, &str)]) -> Raw {
    Layers::environment_from(|name| {
        pairs.iter().find(|(variable, _)| *variable == name).map(|(_, value)| value.to_string())
    })
    .unwrap()
}

fn outcome(layers: &Layers) -> Result<(Config, Vec<String>), String> {
    let (config, warnings) = resolve(layers, Path::new("/srv/shop")).map_err(|error| error.to_string())?;
    Ok((config, warnings.iter().map(Warning::to_string).collect()))
}

/// Resolves a settings file of these names; it must give no warning.
#[track_caller]
fn meant(pairs: &[(&str, Value)]) -> Config {
    let (config, warnings) = outcome(&Layers { file: file(pairs), ..Layers::default() }).unwrap();
    assert_eq!(warnings, [""; 0]);
    config
}

#[track_caller]
fn refused(name: &str, value: Value) -> String {
    let shown = format!("{name} = {value:?}");
    outcome(&Layers { file: file(&[(name, value)]), ..Layers::default() }).expect_err(&shown)
}

fn allow(list: &str) -> Peers {
    Peers::parse(list.split(','), Words::Everybody).unwrap()
}

#[test]
fn the_defaults_are_gunicorns_but_for_keepalive() {
    let config = meant(&[]);
    assert_eq!(
        config,
        Config {
            config: None,
            wsgi_app: None,
            bind: vec!["127.0.0.1:8000".to_owned()],
            backlog: 2048,
            workers: 1,
            workers_by_machine: false,
            worker_class: WorkerClass::Sync,
            threads: 1,
            worker_connections: 1000,
            max_requests: 0,
            max_requests_jitter: 0,
            timeout: Some(Duration::from_secs(30)),
            request_timeout: Some(Duration::from_secs(30)),
            request_interrupt: false,
            queue_timeout: None,
            graceful_timeout: Duration::from_secs(30),
            boot_timeout: Duration::from_secs(300),
            reload_surge: 1,
            shutdown_delay: Duration::ZERO,
            max_worker_lifetime: None,
            max_worker_lifetime_jitter: Duration::ZERO,
            max_worker_memory: None,
            keepalive: Duration::from_secs(75),
            chdir: PathBuf::from("/srv/shop"),
            pythonpath: vec![],
            raw_env: vec![],
            pidfile: None,
            accesslog: None,
            access_log_format: "%(h)s %(l)s %(u)s %(t)s \"%(r)s\" %(s)s %(b)s \"%(f)s\" \"%(a)s\"".to_owned(),
            access_log_skip: Vec::new(),
            errorlog: "-".to_owned(),
            loglevel: Level::Info,
            limit_request_line: 4094,
            limit_request_fields: 100,
            limit_request_field_size: 8190,
            check_config: false,
            print_config: false,
            proc_name: None,
            preload_app: false,
            body_memory: 1_048_576,
            header_timeout: Duration::from_secs(30),
            body_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(60),
            body_min_rate: 256,
            request_buffering: true,
            buffer_memory: 64 << 20,
            tmp_upload_dir: std::env::temp_dir(),
            response_high_water: 1 << 20,
            response_spool: 64 << 20,
            sendfile: true,
            limit_request_body: None,
            header_map: HeaderMap::Drop,
            permit_obsolete_folding: false,
            strip_header_spaces: false,
            permit_unconventional_http_method: false,
            permit_unconventional_http_version: false,
            casefold_http_method: false,
            forwarded_allow_ips: allow("127.0.0.1,::1"),
            secure_scheme_headers: vec![
                ("X-FORWARDED-PROTOCOL".to_owned(), "ssl".to_owned()),
                ("X-FORWARDED-PROTO".to_owned(), "https".to_owned()),
                ("X-FORWARDED-SSL".to_owned(), "on".to_owned()),
            ],
            forwarder_headers: vec!["SCRIPT_NAME".to_owned(), "PATH_INFO".to_owned()],
            trusted_proxies: Peers::parse([].into_iter(), Words::Unix).unwrap(),
            client_ip_header: ClientIpHeader::XForwardedFor,
            proxy_protocol: ProxyProtocol::Off,
            proxy_allow_ips: allow("127.0.0.1,::1"),
            daemon: false,
            enable_stdio_inheritance: false,
            reuse_port: false,
            user: None,
            group: None,
            initgroups: false,
            umask: 0,
            unix_socket_mode: None,
            unix_socket_user: None,
            unix_socket_group: None,
            worker_tmp_dir: None,
            reload: false,
            reload_extra_files: vec![],
            capture_output: false,
            logs_by_python: false,
            enable_backlog_metric: false,
            default_proc_name: None,
            paste: None,
            raw_paste_global_conf: vec![],
        }
    );
}

#[test]
fn what_gunicorn_accepts_is_accepted() {
    assert_eq!(meant(&[("workers", Value::Bool(true))]).workers, 1);
    assert_eq!(meant(&[("workers", Value::Int(0))]).workers, 0);
    assert_eq!(meant(&[("workers", text("3"))]).workers, 3);
    assert_eq!(meant(&[("workers", text("0x1e"))]).workers, 30);
    assert_eq!(meant(&[("timeout", Value::Int(0))]).timeout, None);
    assert_eq!(meant(&[("timeout", text("120"))]).timeout, Some(Duration::from_secs(120)));
    let request_timeout =
        |settings: &[(&'static str, Value)]| meant(settings).request_timeout.map(|time| time.as_secs());
    assert_eq!(request_timeout(&[("timeout", Value::Int(7))]), Some(7));
    assert_eq!(request_timeout(&[("timeout", Value::Int(7)), ("request_timeout", Value::Int(0))]), None);
    assert_eq!(request_timeout(&[("threads", Value::Int(2))]), None);
    assert_eq!(request_timeout(&[("threads", Value::Int(2)), ("request_timeout", Value::Int(5))]), Some(5));
    assert_eq!(meant(&[("keepalive", Value::Int(0))]).keepalive, Duration::ZERO);
    assert_eq!(meant(&[("bind", text(":8000,:8001"))]).bind, [":8000,:8001"]);
    assert_eq!(meant(&[("bind", list(&["[::]:5006", "unix:/tmp/x.sock"]))]).bind, ["[::]:5006", "unix:/tmp/x.sock"]);
    assert_eq!(meant(&[("raw_env", text("A=b"))]).raw_env, [("A".to_owned(), "b".to_owned())]);
    let two = meant(&[("raw_env", list(&["A=b=c", "B="]))]).raw_env;
    assert_eq!(two, [("A".to_owned(), "b=c".to_owned()), ("B".to_owned(), String::new())]);
    assert_eq!(meant(&[("limit_request_line", Value::Int(0))]).limit_request_line, 65_536);
    assert_eq!(meant(&[("limit_request_line", Value::Int(100_000))]).limit_request_line, 65_536);
    assert_eq!(meant(&[("limit_request_fields", Value::Int(0))]).limit_request_fields, 32_768);
    assert_eq!(meant(&[("limit_request_field_size", Value::Int(0))]).limit_request_field_size, 8190);
    assert_eq!(meant(&[("chdir", text(""))]).chdir, Path::new("/srv/shop"));
    assert_eq!(meant(&[("chdir", text("../shop/./src/DJBot/"))]).chdir, Path::new("/srv/shop/src/DJBot"));
    assert_eq!(meant(&[("errorlog", text(""))]).errorlog, "-");
    assert_eq!(meant(&[("errorlog", Value::None)]).errorlog, "-");
    assert_eq!(meant(&[("accesslog", text("logs/access.log"))]).accesslog.as_deref(), Some("logs/access.log"));
    assert_eq!(meant(&[("accesslog", Value::None)]).accesslog, None);
    assert_eq!(meant(&[("pidfile", Value::None), ("proc_name", Value::None)]).pidfile, None);
    assert_eq!(meant(&[("loglevel", text("WARNING"))]).loglevel, Level::Warning);
    assert!(meant(&[("check_config", text("true"))]).check_config);
    assert_eq!(meant(&[("wsgi_app", text("shop.wsgi"))]).wsgi_app.as_deref(), Some("shop.wsgi"));
    assert_eq!(meant(&[("threads", Value::Int(0))]).threads, 1);
}

#[test]
fn what_gunicorn_refuses_is_refused() {
    let cases: Vec<(&str, Value)> = vec![
        ("workers", float("3.0")),
        ("workers", Value::None),
        ("workers", Value::Int(-1)),
        ("workers", text("x")),
        ("workers", text("")),
        ("timeout", float("0.5")),
        ("timeout", text("120s")),
        ("preload_app", Value::Int(1)),
        ("check_config", text("on")),
        ("check_config", text("yes")),
        ("bind", Value::Int(8000)),
        ("chdir", Value::None),
        ("pythonpath", list(&["a"])),
        ("raw_env", text("A")),
        ("raw_env", Value::List(vec![text("A=1"), Value::Int(3)])),
        ("config", Value::Int(1)),
        ("access_log_format", Value::None),
        ("loglevel", Value::None),
        ("forwarded_allow_ips", list(&["127.0.0.1"])),
        ("forwarded_allow_ips", text("nginx")),
        ("forwarded_allow_ips", text("'*'")),
        ("proxy_allow_ips", text("10.0.0.1/8")),
        ("proxy_protocol", text("v3")),
        ("proxy_protocol", Value::Int(1)),
        ("header_map", text("keep")),
        ("secure_scheme_headers", Value::None),
        ("secure_scheme_headers", text("X-FORWARDED-PROTO: https")),
        ("sendfile", text("on")),
        ("strip_header_spaces", Value::Int(1)),
        ("tmp_upload_dir", Value::Int(1)),
    ];
    for (name, value) in cases {
        let error = refused(name, value);
        assert!(error.starts_with(&format!("invalid value for {name}: ")), "{error}");
        assert!(error.contains("(gunicorn.conf.py:1): expected "), "{error}");
    }
}

#[test]
fn what_would_serve_nobody_or_overflow_is_refused() {
    for (name, value) in [
        ("bind", Value::None),
        ("bind", Value::List(vec![])),
        ("workers", Value::Int(1025)),
        ("threads", Value::Int(257)),
        ("backlog", Value::Int(1 << 31)),
        ("header_timeout", Value::Int(0)),
        ("response_high_water", Value::Int(65_535)),
        ("limit_request_body", Value::Int(-1)),
        ("client_ip_header", text("X-Real-IP")),
        ("trusted_proxies", text("*")),
    ] {
        refused(name, value);
    }
}

#[test]
fn an_error_is_one_line_that_says_what_to_change() {
    assert_eq!(
        refused("backlog", text("x")),
        "invalid value for backlog: 'x' (gunicorn.conf.py:1): expected an integer from 0 to 2147483647"
    );
    assert_eq!(
        refused("max_requests", text("a\nb")),
        "invalid value for max_requests: 'a\\nb' (gunicorn.conf.py:1): expected an integer of at least 0"
    );
    let error = refused("workers", text("$WEB_CONCURRENCY"));
    assert_eq!(error.lines().nth(1), Some("hint: a $VARIABLE was not replaced: no shell has read this command line"));
}

#[test]
fn sync_with_threads_is_gthread() {
    let class = |name: &str, threads| {
        let config = meant(&[("worker_class", text(name)), ("threads", Value::Int(threads))]);
        (config.worker_class, config.threads)
    };
    assert_eq!(class("sync", 1), (WorkerClass::Sync, 1));
    assert_eq!(class("sync", 4), (WorkerClass::Gthread, 4));
    assert_eq!(class("gunicorn.workers.sync.SyncWorker", 4), (WorkerClass::Gthread, 4));
    assert_eq!(class("gthread", 1), (WorkerClass::Gthread, 1));
    let layers = Layers {
        file: file(&[("threads", Value::Int(0))]),
        command_line: flags(&[("worker_class", text("gthread"))]),
        ..Layers::default()
    };
    let error = outcome(&layers).unwrap_err();
    assert_eq!(
        error,
        "invalid value for threads: 0 (gunicorn.conf.py:1): expected an integer of at least 1 for worker class gthread"
    );
}

#[test]
fn each_layer_replaces_the_one_below() {
    let mut layers = Layers { environment: environment(&[("WEB_CONCURRENCY", "2")]), ..Layers::default() };
    let workers = |layers: &Layers| outcome(layers).unwrap().0.workers;
    assert_eq!(workers(&Layers::default()), 1);
    assert_eq!(workers(&layers), 2);
    layers.file = file(&[("workers", Value::Int(3))]);
    assert_eq!(workers(&layers), 3);
    layers.args_variable = variable(&[("workers", Value::Int(4))]);
    assert_eq!(workers(&layers), 4);
    layers.command_line = flags(&[("workers", Value::Int(5))]);
    assert_eq!(workers(&layers), 5);
}

#[test]
fn lists_are_replaced_whole() {
    let layers = Layers {
        environment: environment(&[("PORT", "5000")]),
        file: file(&[("bind", list(&["a", "b"])), ("raw_env", list(&["A=1", "B=2"]))]),
        command_line: flags(&[("bind", list(&["c"])), ("raw_env", list(&["C=3"]))]),
        ..Layers::default()
    };
    let config = outcome(&layers).unwrap().0;
    assert_eq!(config.bind, ["c"]);
    assert_eq!(config.raw_env, [("C".to_owned(), "3".to_owned())]);
}

#[test]
fn a_wrong_value_is_refused_even_where_a_stronger_layer_replaces_it() {
    let layers = Layers {
        file: file(&[("workers", text("x"))]),
        command_line: flags(&[("workers", Value::Int(2))]),
        ..Layers::default()
    };
    assert!(outcome(&layers).unwrap_err().contains("(gunicorn.conf.py:1)"));
}

#[test]
fn the_port_variable_is_judged_only_where_it_counts() {
    let with = |environment| Layers { environment, ..Layers::default() };
    assert_eq!(outcome(&with(environment(&[("PORT", "5000")]))).unwrap().0.bind, ["0.0.0.0:5000"]);
    for junk in [environment(&[("PORT", "")]), environment(&[("PORT", "http")]), environment(&[("PORT", "65536")])] {
        let mut layers = with(junk);
        let error = outcome(&layers).unwrap_err();
        assert!(error.contains("($PORT): expected a port number from 0 to 65535"), "{error}");
        layers.command_line = flags(&[("bind", list(&[":80"]))]);
        assert_eq!(outcome(&layers).unwrap().0.bind, [":80"]);
    }
}

#[test]
fn config_in_the_settings_file_has_no_effect() {
    let mut layers = Layers { file: file(&[("config", text("b.py"))]), ..Layers::default() };
    assert_eq!(outcome(&layers).unwrap().0.config, None);
    layers.command_line = flags(&[("config", text("a.py"))]);
    assert_eq!(outcome(&layers).unwrap().0.config.as_deref(), Some("a.py"));
}

#[test]
fn relative_paths_start_at_chdir_and_chdir_at_the_working_directory() {
    let config = meant(&[
        ("chdir", text("src")),
        ("pidfile", text("run/shop.pid")),
        ("pythonpath", text("lib,/opt/lib,,../vendor")),
    ]);
    assert_eq!(config.chdir, Path::new("/srv/shop/src"));
    assert_eq!(config.pidfile.as_deref(), Some(Path::new("/srv/shop/src/run/shop.pid")));
    let want = ["/srv/shop/src/lib", "/opt/lib", "/srv/shop/vendor"].map(PathBuf::from);
    assert_eq!(config.pythonpath, want);
}

#[test]
fn preloading_is_taken_as_it_is_written() {
    for on in [Value::Bool(true), text("True")] {
        let layers = Layers { file: file(&[("preload_app", on)]), ..Layers::default() };
        let (config, warnings) = outcome(&layers).unwrap();
        assert!(config.preload_app);
        assert!(warnings.is_empty());
    }
    assert!(!meant(&[("preload_app", Value::Bool(false))]).preload_app);
}

#[test]
fn what_the_server_does_not_do_is_accepted_at_its_default_only() {
    let outcome_of = |name: &str, value: Value| {
        outcome(&Layers { file: file(&[(name, value)]), ..Layers::default() }).map(|(_, warnings)| warnings)
    };
    let function = |name: &str| Value::Callable(name.into());
    for (name, value) in [
        ("keyfile", Value::None),
        ("certfile", text("")),
        ("dirty_timeout", text("300")),
        ("http_protocols", text("H1")),
        ("http2_cleartext", Value::Bool(false)),
        ("uwsgi_allow_ips", text("127.0.0.1,::1")),
        ("user", Value::None),
        ("umask", Value::Int(0)),
        ("daemon", text("false")),
        ("logconfig_dict", Value::Dict(vec![])),
        ("control_socket_disable", Value::Bool(true)),
        ("post_fork", function("post_fork")),
    ] {
        assert_eq!(outcome_of(name, value), Ok(vec![]), "{name}");
    }
    for (name, value) in [
        ("certfile", text("server.pem")),
        ("dirty_timeout", Value::Int(60)),
        ("http_protocols", text("h2,h1")),
        ("http2_cleartext", Value::Bool(true)),
        ("uwsgi_allow_ips", text("*")),
        ("protocol", text("uwsgi")),
        ("ssl_context", function("ssl_context")),
        ("on_dirty_starting", function("f")),
    ] {
        let error = outcome_of(name, value).unwrap_err();
        assert!(error.starts_with(&format!("setting {name} = ")), "{error}");
        assert!(error.contains("(gunicorn.conf.py:1) is not supported: "), "{error}");
    }
}

#[test]
fn a_function_that_does_not_fit_its_hook_is_told_why() {
    let unfit = Value::Other { type_name: UNFIT.into(), text: "<post_fork()> has 1 argument".into() };
    let layers = Layers { file: file(&[("post_fork", unfit)]), ..Layers::default() };
    let error = outcome(&layers).unwrap_err();
    assert!(error.contains("expected a function with 2 arguments, or its dotted name"), "{error}");
    assert!(error.ends_with("hint: <post_fork()> has 1 argument"), "{error}");
    assert!(outcome(&Layers { file: file(&[("on_exit", Value::None)]), ..Layers::default() }).is_err());
}

#[test]
fn logs_take_their_way_through_python_only_when_asked() {
    assert!(!meant(&[("logger_class", text("gunicorn.glogging.Logger"))]).logs_by_python);
    assert!(!meant(&[("statsd_host", text("")), ("logconfig_dict", Value::Dict(vec![]))]).logs_by_python);
    for (name, value) in [
        ("logger_class", Value::Callable("SafeLogger".into())),
        ("syslog", Value::Bool(true)),
        ("statsd_host", text("localhost:8125")),
        ("logconfig", text("log.ini")),
    ] {
        assert!(meant(&[(name, value)]).logs_by_python, "{name}");
    }
}

#[test]
fn an_unknown_level_means_info_and_is_told() {
    let warned = |name: &str| {
        let layers = Layers { file: file(&[("loglevel", text(name))]), ..Layers::default() };
        let (config, warnings) = outcome(&layers).unwrap();
        assert_eq!(config.loglevel, Level::Info);
        warnings
    };
    assert_eq!(warned("verbose"), ["gunicorn.conf.py:1: unknown loglevel 'verbose' means 'info'"]);
    let want = "gunicorn.conf.py:1: unknown loglevel 'WARN' means 'info'; did you mean 'warning'?";
    assert_eq!(warned("WARN"), [want]);
    assert!(warned("eror")[0].ends_with("did you mean 'error'?"));
}

#[test]
fn names_without_effect_are_told_with_the_settings() {
    let layers =
        Layers { file: file(&[("spew", Value::Bool(true)), ("keep_alive", Value::Int(5))]), ..Layers::default() };
    let (config, warnings) = outcome(&layers).unwrap();
    assert_eq!(config.keepalive, Duration::from_secs(75));
    assert_eq!(
        warnings,
        [
            "gunicorn.conf.py:2: unknown setting 'keep_alive' is ignored; did you mean 'keepalive'?",
            "spew has no effect: no line is printed; use python -m trace"
        ]
    );
}

#[test]
fn sizes_that_are_off_are_off() {
    assert_eq!(meant(&[("limit_request_body", Value::Int(10))]).limit_request_body, Some(10));
    assert_eq!(meant(&[("limit_request_body", text("0"))]).limit_request_body, None);
    let off = meant(&[("response_spool", Value::Int(0)), ("body_min_rate", Value::Int(0))]);
    assert_eq!((off.response_spool, off.body_min_rate), (0, 0));
    assert_eq!(meant(&[("response_high_water", Value::Int(65_536))]).response_high_water, 65_536);
}

#[test]
fn words_are_chosen_in_any_case() {
    assert_eq!(meant(&[("header_map", text("Refuse"))]).header_map, HeaderMap::Refuse);
    assert_eq!(meant(&[("header_map", text("dangerous"))]).header_map, HeaderMap::Dangerous);
    assert_eq!(meant(&[("header_map", Value::None)]).header_map, HeaderMap::Drop);
    let proxied = meant(&[("client_ip_header", text("FORWARDED")), ("trusted_proxies", text("unix"))]);
    assert_eq!(proxied.client_ip_header, ClientIpHeader::Forwarded);
    for (value, want) in [
        (Value::Bool(true), ProxyProtocol::Auto),
        (text("V1"), ProxyProtocol::V1),
        (text("v2"), ProxyProtocol::V2),
        (Value::None, ProxyProtocol::Off),
    ] {
        assert_eq!(meant(&[("proxy_protocol", value)]).proxy_protocol, want);
    }
}

#[test]
fn peers_are_those_that_their_setting_names() {
    let config = meant(&[
        ("forwarded_allow_ips", text("*")),
        ("proxy_allow_ips", text("")),
        ("trusted_proxies", list(&["10.0.0.0/8", "unix"])),
    ]);
    assert_eq!(config.forwarded_allow_ips, allow("*"));
    assert!(config.proxy_allow_ips.admits_unix());
    assert!(!config.proxy_allow_ips.admits_ip([127, 0, 0, 1].into()));
    assert!(config.trusted_proxies.admits_unix());
    assert!(config.trusted_proxies.admits_ip([10, 9, 9, 9].into()));
    assert!(meant(&[]).trusted_proxies.is_empty());
}

#[test]
fn a_network_that_is_none_is_refused_with_what_was_meant() {
    assert_eq!(
        refused("proxy_allow_ips", text("::1,10.1.2.3/8")),
        "invalid value for proxy_allow_ips: '::1,10.1.2.3/8' (gunicorn.conf.py:1): expected text: IP addresses and \
         networks separated by commas, or '*'\nhint: '10.1.2.3/8' is one address of a network: write 10.0.0.0/8 for \
         the network, 10.1.2.3 for the address"
    );
    let quoted = refused("forwarded_allow_ips", text("'*'"));
    assert!(quoted.ends_with("hint: the quotes are part of the value: no shell has taken them away"), "{quoted}");
}

#[test]
fn the_variable_for_trusted_peers_is_a_default() {
    let mut layers = Layers { environment: environment(&[("FORWARDED_ALLOW_IPS", "*")]), ..Layers::default() };
    assert_eq!(outcome(&layers).unwrap().0.forwarded_allow_ips, allow("*"));
    layers.command_line = flags(&[("forwarded_allow_ips", text("10.0.0.1"))]);
    assert_eq!(outcome(&layers).unwrap().0.forwarded_allow_ips, allow("10.0.0.1"));
    let junk = Layers { environment: environment(&[("FORWARDED_ALLOW_IPS", "lb")]), ..Layers::default() };
    let error = outcome(&junk).unwrap_err();
    assert!(error.contains("($FORWARDED_ALLOW_IPS)") && error.contains("'lb' is a name"), "{error}");
}

#[test]
fn sendfile_in_the_settings_file_means_what_it_says() {
    let sendfile = |environment, value| {
        let layers = Layers { environment, file: file(&[("sendfile", value)]), ..Layers::default() };
        outcome(&layers).unwrap().0.sendfile
    };
    let off = || environment(&[("SENDFILE", "no")]);
    assert!(sendfile(Raw::new(), Value::Bool(true)));
    assert!(!sendfile(Raw::new(), Value::Bool(false)));
    assert!(sendfile(Raw::new(), Value::None));
    assert!(sendfile(off(), Value::Bool(true)));
    assert!(!sendfile(off(), Value::None));
}

#[test]
fn scheme_headers_are_named_in_upper_case() {
    let dict = Value::Dict(vec![(text("X-Forwarded-Proto"), text("https")), (text("X-PORT"), Value::Int(443))]);
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let want = [pair("X-FORWARDED-PROTO", "https"), pair("X-PORT", "443")];
    assert_eq!(meant(&[("secure_scheme_headers", dict)]).secure_scheme_headers, want);
    assert_eq!(meant(&[("forwarder_headers", text("remote_user"))]).forwarder_headers, ["REMOTE_USER"]);
}

#[test]
fn paths_that_the_access_log_skips_begin_with_a_slash() {
    let skipped = |value| meant(&[("access_log_skip", value)]).access_log_skip;
    assert_eq!(skipped(text("/healthz, /readyz")), ["/healthz", "/readyz"]);
    assert_eq!(skipped(Value::List(vec![text("/a,b")])), ["/a,b"]);
    assert_eq!(skipped(Value::None), [""; 0]);
    let refused = outcome(&Layers { file: file(&[("access_log_skip", text("healthz"))]), ..Layers::default() });
    assert!(refused.unwrap_err().contains("each with '/' in front"));
}

#[test]
fn the_directory_for_uploads_starts_at_chdir() {
    let directory = |value| meant(&[("chdir", text("src")), ("tmp_upload_dir", value)]).tmp_upload_dir;
    assert_eq!(directory(text("up")), Path::new("/srv/shop/src/up"));
    assert_eq!(directory(text("/var/tmp")), Path::new("/var/tmp"));
    assert_eq!(directory(Value::None), std::env::temp_dir());
}

#[test]
fn what_does_harm_or_nothing_is_told() {
    let warned = |pairs: &[(&str, Value)]| outcome(&Layers { file: file(pairs), ..Layers::default() }).unwrap().1;
    let stripped = warned(&[("strip_header_spaces", Value::Bool(true))]);
    assert!(matches!(stripped.as_slice(), [only] if only.contains("smuggle")), "{stripped:?}");
    let want = "gunicorn.conf.py:1: client_ip_header has no effect without trusted_proxies";
    assert_eq!(warned(&[("client_ip_header", text("Forwarded"))]), [want]);
    let both = [("client_ip_header", text("Forwarded")), ("trusted_proxies", text("::1"))];
    assert_eq!(warned(&both), [""; 0]);
}
