//! What Gunicorn can do and this server cannot: TLS, HTTP/2, ASGI, the uwsgi protocol, dirty workers.
//!
//! The names stay settings, so that a settings file that spells out Gunicorn's defaults runs, and one that asks for more
//! learns of it. A part of the table of settings.

use super::{BLANK, COUNT, Preset, Setting, Verdict};
use crate::config::kind::Kind;

const TLS: &str = "TLS ends in the proxy in front, such as NGINX";
const ASGI: &str = "indrik serves WSGI applications only; for ASGI keep Gunicorn or use an ASGI server";
const HTTP2: &str = "HTTP/2 ends in the proxy in front, such as NGINX";
const UWSGI: &str = "let NGINX use proxy_pass, not uwsgi_pass";
const DIRTY: &str = "there are no dirty workers; run such tasks in a task queue";

const fn refused(section: &'static str, why: &'static str) -> Setting {
    Setting { section, verdict: Verdict::Refused(why), ..BLANK }
}

const fn idle(section: &'static str, how: &'static str) -> Setting {
    Setting { section, verdict: Verdict::Adapted(how), ..BLANK }
}

const NO_SOCKET: &str = "it has no effect yet: there is no control socket";

/// Section by section.
pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        name: "keyfile",
        long: Some("keyfile"),
        metavar: "FILE",
        help: "Key of the server's certificate.",
        ..refused("TLS", TLS)
    },
    Setting {
        name: "certfile",
        long: Some("certfile"),
        metavar: "FILE",
        help: "The server's certificate.",
        ..refused("TLS", TLS)
    },
    Setting {
        name: "ssl_version",
        long: Some("ssl-version"),
        metavar: "VERSION",
        kind: Kind::Anything,
        default: Preset::Int(2),
        help: "Ignored, as by Gunicorn.",
        ..idle("TLS", "there is no warning")
    },
    Setting {
        name: "cert_reqs",
        long: Some("cert-reqs"),
        metavar: "INT",
        kind: COUNT,
        default: Preset::Int(0),
        help: "Whether clients must show a certificate.",
        ..refused("TLS", TLS)
    },
    Setting {
        name: "ca_certs",
        long: Some("ca-certs"),
        metavar: "FILE",
        help: "Certificates that those of clients are checked with.",
        ..refused("TLS", TLS)
    },
    Setting {
        name: "suppress_ragged_eofs",
        long: Some("suppress-ragged-eofs"),
        kind: Kind::Bool,
        default: Preset::On,
        help: "A detail of Gunicorn's TLS.",
        ..idle("TLS", "it has no effect")
    },
    Setting {
        name: "do_handshake_on_connect",
        long: Some("do-handshake-on-connect"),
        kind: Kind::Bool,
        default: Preset::Off,
        help: "A detail of Gunicorn's TLS.",
        ..idle("TLS", "it has no effect")
    },
    Setting {
        name: "ciphers",
        long: Some("ciphers"),
        metavar: "LIST",
        help: "Ciphers that may be used.",
        ..refused("TLS", TLS)
    },
    Setting {
        name: "ssl_context",
        kind: Kind::Hook { arities: &[2] },
        default: Preset::Hook("NewSSLContext.ssl_context"),
        help: "Makes the context of TLS connections: ssl_context(config, default_ssl_context_factory).",
        ..refused("TLS", TLS)
    },
    Setting {
        name: "http_protocols",
        long: Some("http-protocols"),
        metavar: "LIST",
        kind: Kind::Protocols,
        default: Preset::Text("h1"),
        help: "Versions of HTTP, separated by commas: h1, h2.",
        ..refused("HTTP/2", HTTP2)
    },
    Setting {
        name: "http2_cleartext",
        long: Some("http2-cleartext"),
        metavar: "MODE",
        kind: Kind::Choice(&["off", "prior-knowledge", "upgrade", "both"]),
        default: Preset::Text("off"),
        help: "HTTP/2 without TLS.",
        ..refused("HTTP/2", HTTP2)
    },
    Setting {
        name: "http2_max_concurrent_streams",
        long: Some("http2-max-concurrent-streams"),
        metavar: "INT",
        kind: Kind::Int { least: 1, most: i64::MAX },
        default: Preset::Int(100),
        help: "Streams of one HTTP/2 connection.",
        ..refused("HTTP/2", HTTP2)
    },
    Setting {
        name: "http2_initial_window_size",
        long: Some("http2-initial-window-size"),
        metavar: "INT",
        kind: Kind::Int { least: 0, most: 2_147_483_647 },
        default: Preset::Int(65_535),
        help: "Flow control window of an HTTP/2 stream.",
        ..refused("HTTP/2", HTTP2)
    },
    Setting {
        name: "http2_max_frame_size",
        long: Some("http2-max-frame-size"),
        metavar: "INT",
        kind: Kind::Int { least: 16_384, most: 16_777_215 },
        default: Preset::Int(16_384),
        help: "Largest HTTP/2 frame.",
        ..refused("HTTP/2", HTTP2)
    },
    Setting {
        name: "http2_max_header_list_size",
        long: Some("http2-max-header-list-size"),
        metavar: "INT",
        kind: COUNT,
        default: Preset::Int(65_536),
        help: "Largest header list of an HTTP/2 request.",
        ..refused("HTTP/2", HTTP2)
    },
    Setting {
        name: "asgi_loop",
        long: Some("asgi-loop"),
        metavar: "NAME",
        kind: Kind::Choice(&["auto", "asyncio", "uvloop"]),
        default: Preset::Text("auto"),
        help: "Event loop of ASGI workers.",
        ..refused("ASGI", ASGI)
    },
    Setting {
        name: "asgi_lifespan",
        long: Some("asgi-lifespan"),
        metavar: "MODE",
        kind: Kind::Choice(&["auto", "on", "off"]),
        default: Preset::Text("auto"),
        help: "Lifespan protocol of ASGI applications.",
        ..refused("ASGI", ASGI)
    },
    Setting {
        name: "asgi_disconnect_grace_period",
        long: Some("asgi-disconnect-grace-period"),
        metavar: "INT",
        kind: COUNT,
        default: Preset::Int(3),
        help: "Time that an ASGI application has after a disconnect.",
        ..refused("ASGI", ASGI)
    },
    Setting {
        name: "websocket_max_message_size",
        long: Some("websocket-max-message-size"),
        metavar: "INT",
        kind: COUNT,
        default: Preset::Int(16_777_216),
        help: "Largest WebSocket message of ASGI applications.",
        ..refused("ASGI", ASGI)
    },
    Setting {
        name: "root_path",
        long: Some("root-path"),
        metavar: "PATH",
        kind: Kind::OptionalText,
        default: Preset::None,
        help: "The root_path of ASGI applications.",
        ..refused("ASGI", ASGI)
    },
    Setting {
        name: "protocol",
        long: Some("protocol"),
        metavar: "NAME",
        kind: Kind::Choice(&["http", "uwsgi"]),
        default: Preset::Text("http"),
        help: "Protocol of the proxy in front.",
        ..refused("The uwsgi protocol", UWSGI)
    },
    Setting {
        name: "uwsgi_allow_ips",
        long: Some("uwsgi-allow-from"),
        metavar: "ADDRESSES",
        kind: Kind::AllowList,
        default: Preset::Text("127.0.0.1,::1"),
        help: "Peers that may speak the uwsgi protocol.",
        ..refused("The uwsgi protocol", UWSGI)
    },
    Setting {
        name: "dirty_apps",
        long: Some("dirty-app"),
        metavar: "APP",
        kind: Kind::Texts,
        default: Preset::List(&[]),
        help: "Applications of dirty workers.",
        ..refused("Dirty workers", DIRTY)
    },
    Setting {
        name: "dirty_workers",
        long: Some("dirty-workers"),
        metavar: "INT",
        kind: COUNT,
        default: Preset::Int(0),
        help: "Dirty workers.",
        ..refused("Dirty workers", DIRTY)
    },
    Setting {
        name: "dirty_timeout",
        long: Some("dirty-timeout"),
        metavar: "SECONDS",
        kind: COUNT,
        default: Preset::Int(300),
        help: "Time of a dirty task.",
        ..refused("Dirty workers", DIRTY)
    },
    Setting {
        name: "dirty_threads",
        long: Some("dirty-threads"),
        metavar: "INT",
        kind: COUNT,
        default: Preset::Int(1),
        help: "Threads of a dirty worker.",
        ..refused("Dirty workers", DIRTY)
    },
    Setting {
        name: "dirty_graceful_timeout",
        long: Some("dirty-graceful-timeout"),
        metavar: "SECONDS",
        kind: COUNT,
        default: Preset::Int(30),
        help: "Time for dirty tasks when the server stops.",
        ..refused("Dirty workers", DIRTY)
    },
    Setting {
        name: "control_socket",
        long: Some("control-socket"),
        metavar: "PATH",
        help: "Unix socket of Gunicorn's control client.",
        ..idle("Control socket", NO_SOCKET)
    },
    Setting {
        name: "control_socket_mode",
        long: Some("control-socket-mode"),
        metavar: "INT",
        kind: Kind::Mode,
        default: Preset::Int(0o600),
        help: "Permissions of the control socket.",
        ..idle("Control socket", NO_SOCKET)
    },
    Setting {
        name: "control_socket_disable",
        long: Some("no-control-socket"),
        kind: Kind::Bool,
        default: Preset::Off,
        help: "No control socket.",
        ..idle("Control socket", NO_SOCKET)
    },
];
