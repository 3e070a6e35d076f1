//! Gunicorn's settings and hooks that this version does not have yet.
//!
//! They stay known, so that a settings file which sets one is told so, so that an abbreviation which is ambiguous for
//! Gunicorn stays ambiguous, and so that nobody takes such a name for a typing error.

use super::value::Value;

/// One setting of Gunicorn without effect here.
#[derive(Clone, Copy, Debug)]
pub struct Later {
    /// Name in a settings file.
    pub name: &'static str,
    /// Its options, with their dashes.
    pub flags: &'static [&'static str],
    /// What stands behind an option.
    pub argument: Argument,
    harmless: Harmless,
}

/// What stands behind an option.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Argument {
    /// Nothing: a switch.
    None,
    /// A value.
    Required,
}

/// Which values change nothing, so that no word need be said.
#[derive(Clone, Copy, Debug)]
enum Harmless {
    /// What Python takes for false, and these: Gunicorn's default.
    Default(&'static [&'static str]),
    /// All: indrik has no use for the setting, or already does what it asks for.
    Every,
}

impl Later {
    /// Whether the value leaves everything as it is.
    pub(super) fn is_harmless(&self, value: &Value) -> bool {
        let defaults = match self.harmless {
            Harmless::Every => return true,
            Harmless::Default(defaults) => defaults,
        };
        let text = plain(value);
        value.is_falsy()
            || text.eq_ignore_ascii_case("false")
            || matches!(text.as_str(), "" | "0")
            || defaults.iter().any(|default| text.eq_ignore_ascii_case(default))
    }
}

/// The value as one would type it on a command line: lists with commas, without quotes.
fn plain(value: &Value) -> String {
    match value {
        Value::List(items) => items.iter().map(plain).collect::<Vec<_>>().join(","),
        other => match other.callable_name() {
            Some(name) => name.to_owned(),
            None => other.to_string().trim().to_owned(),
        },
    }
}

const fn later(name: &'static str, flags: &'static [&'static str], argument: Argument, harmless: Harmless) -> Later {
    Later { name, flags, argument, harmless }
}

const fn switch(name: &'static str, flags: &'static [&'static str]) -> Later {
    later(name, flags, Argument::None, UNSET)
}

const fn option(name: &'static str, flags: &'static [&'static str], defaults: &'static [&'static str]) -> Later {
    later(name, flags, Argument::Required, Harmless::Default(defaults))
}

const fn file_only(name: &'static str, defaults: &'static [&'static str]) -> Later {
    later(name, &[], Argument::None, Harmless::Default(defaults))
}

const fn hook(name: &'static str) -> Later {
    later(name, &[], Argument::None, UNSET)
}

const UNSET: Harmless = Harmless::Default(&[]);
const LOOPBACK: &[&str] = &["127.0.0.1,::1"];

/// All of them, in Gunicorn's order.
pub static LATER: &[Later] = &[
    switch("reload", &["--reload"]),
    option("reload_engine", &["--reload-engine"], &["auto"]),
    option("reload_extra_files", &["--reload-extra-file"], &[]),
    switch("spew", &["--spew"]),
    switch("reuse_port", &["--reuse-port"]),
    switch("daemon", &["-D", "--daemon"]),
    // Workers report through shared memory: there is no heartbeat file to place.
    later("worker_tmp_dir", &["--worker-tmp-dir"], Argument::Required, Harmless::Every),
    option("user", &["-u", "--user"], &[]),
    option("group", &["-g", "--group"], &[]),
    option("umask", &["-m", "--umask"], &["0o0", "0x0"]),
    switch("initgroups", &["--initgroups"]),
    switch("disable_redirect_access_to_syslog", &["--disable-redirect-access-to-syslog"]),
    switch("capture_output", &["--capture-output"]),
    option("logger_class", &["--logger-class"], &["gunicorn.glogging.Logger", "Logger", "simple"]),
    option("logconfig", &["--log-config"], &[]),
    file_only("logconfig_dict", &[]),
    option("logconfig_json", &["--log-config-json"], &[]),
    option("syslog_addr", &["--log-syslog-to"], &["udp://localhost:514"]),
    switch("syslog", &["--log-syslog"]),
    option("syslog_prefix", &["--log-syslog-prefix"], &[]),
    option("syslog_facility", &["--log-syslog-facility"], &["user"]),
    switch("enable_stdio_inheritance", &["-R", "--enable-stdio-inheritance"]),
    option("statsd_host", &["--statsd-host"], &[]),
    option("dogstatsd_tags", &["--dogstatsd-tags"], &[]),
    option("statsd_prefix", &["--statsd-prefix"], &[]),
    switch("enable_backlog_metric", &["--enable-backlog-metric"]),
    file_only("default_proc_name", &["gunicorn"]),
    option("paste", &["--paste", "--paster"], &[]),
    hook("on_starting"),
    hook("on_reload"),
    hook("when_ready"),
    hook("pre_fork"),
    hook("post_fork"),
    hook("post_worker_init"),
    hook("worker_int"),
    hook("worker_abort"),
    hook("pre_exec"),
    hook("pre_request"),
    hook("post_request"),
    hook("child_exit"),
    hook("worker_exit"),
    hook("nworkers_changed"),
    hook("on_exit"),
    hook("ssl_context"),
    option("protocol", &["--protocol"], &["http"]),
    option("uwsgi_allow_ips", &["--uwsgi-allow-from"], LOOPBACK),
    option("keyfile", &["--keyfile"], &[]),
    option("certfile", &["--certfile"], &[]),
    // 2 is ssl.PROTOCOL_TLS, which negotiates; Gunicorn ignores all others as well.
    option("ssl_version", &["--ssl-version"], &["2"]),
    option("cert_reqs", &["--cert-reqs"], &[]),
    option("ca_certs", &["--ca-certs"], &[]),
    // These two tune a blocking handshake and a blocking read, and no worker does either.
    later("suppress_ragged_eofs", &["--suppress-ragged-eofs"], Argument::None, Harmless::Every),
    later("do_handshake_on_connect", &["--do-handshake-on-connect"], Argument::None, Harmless::Every),
    option("ciphers", &["--ciphers"], &[]),
    option("http_protocols", &["--http-protocols"], &["h1"]),
    option("http2_cleartext", &["--http2-cleartext"], &["off"]),
    option("http2_max_concurrent_streams", &["--http2-max-concurrent-streams"], &["100"]),
    option("http2_initial_window_size", &["--http2-initial-window-size"], &["65535"]),
    option("http2_max_frame_size", &["--http2-max-frame-size"], &["16384"]),
    option("http2_max_header_list_size", &["--http2-max-header-list-size"], &["65536"]),
    option("raw_paste_global_conf", &["--paste-global"], &[]),
    option("asgi_loop", &["--asgi-loop"], &["auto"]),
    option("asgi_lifespan", &["--asgi-lifespan"], &["auto"]),
    option("asgi_disconnect_grace_period", &["--asgi-disconnect-grace-period"], &["3"]),
    option("websocket_max_message_size", &["--websocket-max-message-size"], &["16777216"]),
    // There is one parser, and it is native.
    later("http_parser", &["--http-parser"], Argument::Required, Harmless::Every),
    option("root_path", &["--root-path"], &[]),
    option("dirty_apps", &["--dirty-app"], &[]),
    option("dirty_workers", &["--dirty-workers"], &[]),
    option("dirty_timeout", &["--dirty-timeout"], &["300"]),
    option("dirty_threads", &["--dirty-threads"], &["1"]),
    option("dirty_graceful_timeout", &["--dirty-graceful-timeout"], &["30"]),
    hook("on_dirty_starting"),
    hook("dirty_post_fork"),
    hook("dirty_worker_init"),
    hook("dirty_worker_exit"),
    // Where there is no control socket, it does not matter where it should be.
    later("control_socket", &["--control-socket"], Argument::Required, Harmless::Every),
    later("control_socket_mode", &["--control-socket-mode"], Argument::Required, Harmless::Every),
    later("control_socket_disable", &["--no-control-socket"], Argument::None, Harmless::Every),
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::config::{SETTINGS, Verdict};

    fn named(name: &str) -> &'static Later {
        LATER.iter().find(|later| later.name == name).expect("a name of the list")
    }

    #[test]
    fn the_list_and_the_table_together_are_gunicorns_settings_and_ours() {
        let table: HashSet<&str> = SETTINGS.iter().map(|setting| setting.name).collect();
        let later: HashSet<&str> = LATER.iter().map(|later| later.name).collect();
        assert!(table.is_disjoint(&later));
        assert_eq!(later.len(), LATER.len());
        let new = SETTINGS.iter().filter(|setting| setting.verdict == Verdict::New).count();
        // Gunicorn 27 has 120.
        assert_eq!(table.len() + later.len(), 120 + new);
    }

    #[test]
    fn no_option_is_in_both() {
        let mut seen = HashSet::new();
        for setting in SETTINGS {
            seen.extend(setting.short.map(|short| format!("-{short}")));
            seen.extend(setting.long.iter().chain(setting.aliases).map(|long| format!("--{long}")));
        }
        for flag in LATER.iter().flat_map(|later| later.flags) {
            assert!(seen.insert((*flag).to_owned()), "{flag}");
        }
    }

    #[test]
    fn gunicorns_defaults_and_empty_values_are_harmless() {
        let text = |text: &str| Value::Str(text.to_owned());
        let harmless = [
            ("user", Value::None),
            ("daemon", Value::Bool(false)),
            ("daemon", text("false")),
            ("umask", Value::Int(0)),
            ("umask", text("0o0")),
            ("dirty_timeout", Value::Int(300)),
            ("dirty_timeout", text("300")),
            ("uwsgi_allow_ips", text("127.0.0.1,::1")),
            ("logger_class", Value::Callable("Logger".into())),
            (
                "logger_class",
                Value::Other { type_name: "type".into(), text: "<class 'gunicorn.glogging.Logger'>".into() },
            ),
            ("logconfig_dict", Value::Dict(vec![])),
            ("reload_extra_files", Value::List(vec![])),
            ("worker_tmp_dir", text("/dev/shm")),
            ("control_socket_disable", Value::Bool(true)),
        ];
        for (name, value) in harmless {
            assert!(named(name).is_harmless(&value), "{name} = {value}");
        }
        let telling = [
            ("user", text("www-data")),
            ("daemon", Value::Bool(true)),
            ("uwsgi_allow_ips", text("*")),
            ("post_fork", Value::Callable("post_fork".into())),
            ("logger_class", Value::Callable("SafeLogger".into())),
            ("umask", Value::Int(7)),
        ];
        for (name, value) in telling {
            assert!(!named(name).is_harmless(&value), "{name} = {value}");
        }
    }
}
