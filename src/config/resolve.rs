//! From the settings as typed to the settings as meant.
//!
//! Gives every checked value its final type, joins relative paths, and settles what only makes sense together. Looks at
//! no file, directory or clock; only the system is asked for its directory for temporary files. Called at start and at
//! each reload.

use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use super::advice;
use super::choice::{Account, ClientIpHeader, HeaderMap, ProxyProtocol};
use super::error::{Error, Warning};
use super::meant::{Config, Level, WorkerClass};
use super::peers::{Peers, Words};
use super::raw::{Layers, Source};
use super::settle::Settled;
use super::suggest::closest;
use super::table::{SETTINGS, Verdict};
use super::value::Value;
use super::worker_class::worker_class;

/// Most bytes of a request line. Gunicorn stops at 8190, which URLs of single sign-on exceed.
const MOST_LINE: u64 = 65_536;

/// Most header fields, as Gunicorn's `MAX_HEADERS`.
const MOST_FIELDS: u64 = 32_768;

/// Gunicorn's `DEFAULT_MAX_HEADERFIELD_SIZE`, which 0 stands for.
const FIELD_SIZE: u64 = 8190;

/// The settings that count, and what to warn of.
///
/// `cwd`: the directory that the server was started in, absolute; relative paths start there.
///
/// Errors: [`Error::Value`] for a value that its setting does not take, in whichever layer; [`Error::WorkerClass`].
///
/// Source: Gunicorn's order of precedence and its rules for values.
pub fn resolve(layers: &Layers, cwd: &Path) -> Result<(Config, Vec<Warning>), Error> {
    let settled = Settled::from(layers)?;
    check_port(&settled)?;
    refuse(&settled)?;
    let (worker_class, threads) = workers(&settled)?;
    let mut warnings = advice::on_names(&layers.file);
    warnings.extend(postponed(&settled));
    warnings.extend(risky(&settled));
    let loglevel = level(&settled, &mut warnings);

    let seconds = |name| Duration::from_secs(settled.number(name));
    let count = |name| size(settled.number(name));
    let chdir = absolute(cwd, settled.text("chdir").unwrap_or_default());
    let config = Config {
        config: settled.text("config"),
        wsgi_app: settled.text("wsgi_app"),
        bind: settled.texts("bind").map(str::to_owned).collect(),
        backlog: u32::try_from(settled.number("backlog")).unwrap_or(u32::MAX),
        workers: match settled.value("workers") {
            Value::Str(_) => 1,
            _ => count("workers"),
        },
        workers_by_machine: matches!(settled.value("workers"), Value::Str(_)),
        worker_class,
        threads,
        worker_connections: count("worker_connections"),
        max_requests: settled.number("max_requests"),
        max_requests_jitter: settled.number("max_requests_jitter"),
        timeout: Some(seconds("timeout")).filter(|timeout| !timeout.is_zero()),
        request_timeout: request_timeout(&settled, threads),
        request_interrupt: settled.is_on("request_interrupt"),
        queue_timeout: Some(seconds("queue_timeout")).filter(|timeout| !timeout.is_zero()),
        graceful_timeout: seconds("graceful_timeout"),
        boot_timeout: seconds("boot_timeout"),
        reload_surge: count("reload_surge"),
        shutdown_delay: seconds("shutdown_delay"),
        max_worker_lifetime: Some(seconds("max_worker_lifetime")).filter(|lifetime| !lifetime.is_zero()),
        max_worker_lifetime_jitter: seconds("max_worker_lifetime_jitter"),
        max_worker_memory: Some(settled.number("max_worker_memory")).filter(|most| *most > 0),
        keepalive: seconds("keepalive"),
        pythonpath: python_path(&settled, &chdir),
        raw_env: settled.texts("raw_env").filter_map(pair).collect(),
        pidfile: settled.text("pidfile").map(|path| absolute(&chdir, &path)),
        accesslog: settled.text("accesslog"),
        access_log_format: settled.text("access_log_format").unwrap_or_default(),
        access_log_skip: settled.texts("access_log_skip").map(str::to_owned).collect(),
        // Without a file Gunicorn's messages end on standard error as well, through Python's handler of last resort.
        errorlog: settled.text("errorlog").unwrap_or_else(|| "-".to_owned()),
        loglevel,
        limit_request_line: limit(settled.number("limit_request_line"), MOST_LINE),
        limit_request_fields: limit(settled.number("limit_request_fields"), MOST_FIELDS),
        limit_request_field_size: match settled.number("limit_request_field_size") {
            0 => size(FIELD_SIZE),
            given => size(given),
        },
        check_config: settled.is_on("check_config"),
        print_config: settled.is_on("print_config"),
        proc_name: settled.text("proc_name"),
        preload_app: settled.is_on("preload_app"),
        body_memory: settled.number("body_memory"),
        header_timeout: seconds("header_timeout"),
        body_timeout: seconds("body_timeout"),
        write_timeout: seconds("write_timeout"),
        body_min_rate: settled.number("body_min_rate"),
        request_buffering: settled.is_on("request_buffering"),
        buffer_memory: settled.number("buffer_memory"),
        tmp_upload_dir: match settled.text("tmp_upload_dir") {
            Some(path) => absolute(&chdir, path),
            None => absolute(cwd, std::env::temp_dir()),
        },
        response_high_water: count("response_high_water"),
        response_spool: settled.number("response_spool"),
        sendfile: settled.is_on("sendfile"),
        limit_request_body: Some(settled.number("limit_request_body")).filter(|most| *most > 0),
        header_map: chosen(&settled, "header_map", HeaderMap::named),
        permit_obsolete_folding: settled.is_on("permit_obsolete_folding"),
        strip_header_spaces: settled.is_on("strip_header_spaces"),
        permit_unconventional_http_method: settled.is_on("permit_unconventional_http_method"),
        permit_unconventional_http_version: settled.is_on("permit_unconventional_http_version"),
        casefold_http_method: settled.is_on("casefold_http_method"),
        forwarded_allow_ips: peers(&settled, "forwarded_allow_ips", Words::Everybody),
        secure_scheme_headers: pairs(&settled, "secure_scheme_headers"),
        forwarder_headers: settled.texts("forwarder_headers").map(str::to_owned).collect(),
        trusted_proxies: peers(&settled, "trusted_proxies", Words::Unix),
        client_ip_header: chosen(&settled, "client_ip_header", ClientIpHeader::named),
        proxy_protocol: chosen(&settled, "proxy_protocol", ProxyProtocol::named),
        proxy_allow_ips: peers(&settled, "proxy_allow_ips", Words::Everybody),
        daemon: settled.is_on("daemon"),
        enable_stdio_inheritance: settled.is_on("enable_stdio_inheritance"),
        reuse_port: settled.is_on("reuse_port"),
        user: account(&settled, "user"),
        group: account(&settled, "group"),
        initgroups: settled.is_on("initgroups"),
        umask: u32::try_from(settled.number("umask")).unwrap_or(u32::MAX),
        unix_socket_mode: match settled.value("unix_socket_mode") {
            Value::Int(mode) => u32::try_from(*mode).ok(),
            _ => None,
        },
        unix_socket_user: account(&settled, "unix_socket_user").or_else(|| account(&settled, "user")),
        unix_socket_group: account(&settled, "unix_socket_group").or_else(|| account(&settled, "group")),
        worker_tmp_dir: settled.text("worker_tmp_dir").map(|path| absolute(&chdir, path)),
        reload: settled.is_on("reload"),
        reload_extra_files: settled.texts("reload_extra_files").map(str::to_owned).collect(),
        capture_output: settled.is_on("capture_output"),
        logs_by_python: logs_by_python(&settled),
        enable_backlog_metric: settled.is_on("enable_backlog_metric"),
        default_proc_name: settled.text("default_proc_name").filter(|name| name != "gunicorn"),
        paste: settled.text("paste"),
        raw_paste_global_conf: settled.texts("raw_paste_global_conf").map(str::to_owned).collect(),
        chdir,
    };
    Ok((config, warnings))
}

/// Addresses are parsed where they are bound; but what came from `PORT` is not an address that anybody wrote.
fn check_port(settled: &Settled) -> Result<(), Error> {
    let source = settled.source("bind");
    if !matches!(source, Source::Environment { .. }) {
        return Ok(());
    }
    let address = settled.texts("bind").next().unwrap_or_default();
    let port = address.rsplit(':').next().unwrap_or_default();
    match port.trim().parse::<u16>() {
        Ok(_) => Ok(()),
        Err(_) => {
            let expected = "a port number from 0 to 65535 in the variable".to_owned();
            Err(Error::value("bind", &Value::Str(address.to_owned()), source.clone(), expected))
        }
    }
}

/// The first setting that asks for what the server does not do. What Python takes for false asks for nothing.
fn refuse(settled: &Settled) -> Result<(), Error> {
    for setting in SETTINGS {
        let Verdict::Refused(why) = setting.verdict else { continue };
        let value = settled.value(setting.name);
        if !value.is_falsy() && Ok(value) != setting.accepted_default().as_ref() {
            let (value, source) = (value.shown().into(), settled.source(setting.name).clone());
            return Err(Error::Refused { setting: setting.name, value, source, why });
        }
    }
    Ok(())
}

/// Is something asked for that only Python's logging does?
fn logs_by_python(settled: &Settled) -> bool {
    let class = settled.value("logger_class");
    let is_ours = match class.callable_name() {
        Some(name) => name == "gunicorn.glogging.Logger",
        None => matches!(class, Value::Str(name) if name == "gunicorn.glogging.Logger" || name == "simple"),
    };
    let asked = ["logconfig", "logconfig_dict", "logconfig_json", "syslog", "statsd_host"];
    !is_ours || asked.into_iter().any(|name| !settled.value(name).is_falsy())
}

/// How long a request may run. Where nobody says it, `timeout` says it for one thread; Gunicorn's threads may take any
/// time.
fn request_timeout(settled: &Settled, threads: usize) -> Option<Duration> {
    let name = match settled.source("request_timeout") {
        Source::Default if threads > 1 => return None,
        Source::Default => "timeout",
        _ => "request_timeout",
    };
    Some(Duration::from_secs(settled.number(name))).filter(|timeout| !timeout.is_zero())
}

/// The worker class and its threads: `sync` with several threads is `gthread`, and has one otherwise.
fn workers(settled: &Settled) -> Result<(WorkerClass, usize), Error> {
    let class = worker_class(settled.value("worker_class"), settled.source("worker_class"))?;
    match (class, size(settled.number("threads"))) {
        (WorkerClass::Sync, 0 | 1) => Ok((WorkerClass::Sync, 1)),
        (WorkerClass::Gthread, 0) => {
            let expected = "an integer of at least 1 for worker class gthread".to_owned();
            Err(Error::value("threads", settled.value("threads"), settled.source("threads").clone(), expected))
        }
        (WorkerClass::Sync | WorkerClass::Gthread, threads) => Ok((WorkerClass::Gthread, threads)),
    }
}

/// One warning for each switch of the table that is on but comes later.
fn postponed(settled: &Settled) -> Vec<Warning> {
    let later = SETTINGS.iter().filter_map(|setting| match setting.verdict {
        Verdict::Later(instead) => Some((setting.name, instead)),
        Verdict::Same | Verdict::Adapted(_) | Verdict::New | Verdict::Refused(_) => None,
    });
    later
        .filter(|(name, _)| settled.is_on(name))
        .map(|(name, instead)| Warning::new(format!("{name} has no effect: {instead}")))
        .collect()
}

/// One warning for each setting that does harm, or nothing.
fn risky(settled: &Settled) -> Vec<Warning> {
    let mut warnings = Vec::new();
    if settled.is_on("strip_header_spaces") {
        let source = settled.source("strip_header_spaces");
        warnings.push(Warning::new(format!(
            "{source}: strip_header_spaces lets clients smuggle requests past proxies that read such fields otherwise"
        )));
    }
    let source = settled.source("client_ip_header");
    if *source != Source::Default && settled.texts("trusted_proxies").next().is_none() {
        warnings.push(Warning::new(format!("{source}: client_ip_header has no effect without trusted_proxies")));
    }
    warnings
}

fn level(settled: &Settled, warnings: &mut Vec<Warning>) -> Level {
    let name = settled.text("loglevel").unwrap_or_default();
    Level::named(&name).unwrap_or_else(|| {
        let levels = [Level::Debug, Level::Info, Level::Warning, Level::Error, Level::Critical];
        let near = closest(&name.to_ascii_lowercase(), levels.iter().map(Level::name));
        // `warn` is too short for the measure, and the one that people write.
        let meant = if name.eq_ignore_ascii_case("warn") { Some("warning") } else { near };
        let hint = meant.map(|meant| format!("; did you mean '{meant}'?")).unwrap_or_default();
        let value = settled.value("loglevel").shown();
        let source = settled.source("loglevel");
        warnings.push(Warning::new(format!("{source}: unknown loglevel {value} means 'info'{hint}")));
        Level::Info
    })
}

fn account(settled: &Settled, name: &str) -> Option<Account> {
    Account::of(settled.value(name))
}

fn python_path(settled: &Settled, chdir: &Path) -> Vec<PathBuf> {
    let list = settled.text("pythonpath").unwrap_or_default();
    list.split(',').filter(|path| !path.is_empty()).map(|path| absolute(chdir, path)).collect()
}

/// A word that its kind has let through, as its variant.
fn chosen<T>(settled: &Settled, name: &str, named: fn(&str) -> Option<T>) -> T {
    let word = settled.text(name).unwrap_or_default();
    named(&word).unwrap_or_else(|| unreachable!("{name} is one of its words in the table, and holds {word:?}"))
}

fn peers(settled: &Settled, name: &str, words: Words) -> Peers {
    Peers::parse(settled.texts(name), words).expect("the kind of the setting has read them once")
}

fn pairs(settled: &Settled, name: &str) -> Vec<(String, String)> {
    settled.pairs(name).map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

fn pair(text: &str) -> Option<(String, String)> {
    text.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned()))
}

/// A limit that 0 lifts to the most, and that nothing lifts above.
fn limit(given: u64, most: u64) -> usize {
    size(if given == 0 { most } else { given.min(most) })
}

fn size(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// Python's `abspath`: joined and without `.` and `..`, by the text alone.
fn absolute(start: &Path, path: impl AsRef<Path>) -> PathBuf {
    let mut whole = PathBuf::new();
    for component in start.join(path).components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                whole.pop();
            }
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => whole.push(component),
        }
    }
    whole
}

#[cfg(test)]
#[path = "resolve_tests.rs"]
mod tests;
