//! Whom the server believes who the client is, when somebody stands in between.
//!
//! A part of the table of settings.

use super::{BLANK, Preset, Setting, Verdict};
use crate::config::kind::Kind;

/// Section by section.
pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        name: "forwarded_allow_ips",
        section: "Server behind a proxy",
        long: Some("forwarded-allow-ips"),
        metavar: "ADDRESSES",
        kind: Kind::AllowList,
        default: Preset::Text("127.0.0.1,::1"),
        default_note: "`$FORWARDED_ALLOW_IPS` if the environment has it",
        help: "Peers whose secure_scheme_headers and forwarder_headers are believed: addresses and networks, or *.",
        more: "Separated by commas. Who connects through a unix socket is always believed; the empty text believes nobody \
               else. With `*` keep the port out of reach of clients.",
        ..BLANK
    },
    Setting {
        name: "secure_scheme_headers",
        section: "Server behind a proxy",
        kind: Kind::SchemeHeaders,
        default: Preset::Dict(&[
            ("X-FORWARDED-PROTOCOL", "ssl"),
            ("X-FORWARDED-PROTO", "https"),
            ("X-FORWARDED-SSL", "on"),
        ]),
        help: "Header fields, and the value of each by which a proxy says that the client came by https.",
        more: "Only from peers in `forwarded_allow_ips`. Another value means http; two fields that disagree are answered \
               with 400.",
        verdict: Verdict::Adapted(
            "names count in any case, and a number counts as its text; in Gunicorn those never match",
        ),
        ..BLANK
    },
    Setting {
        name: "forwarder_headers",
        section: "Server behind a proxy",
        long: Some("forwarder-headers"),
        metavar: "NAMES",
        kind: Kind::Names,
        default: Preset::Text("SCRIPT_NAME,PATH_INFO"),
        help: "Header fields with `_` in their name that pass when a peer in forwarded_allow_ips sends them, or *.",
        more: "Separated by commas, or a list. `SCRIPT_NAME` is also the mount point of the application.",
        verdict: Verdict::Adapted("a list is taken as well, and lower case counts as upper case"),
        ..BLANK
    },
    Setting {
        name: "trusted_proxies",
        section: "Server behind a proxy",
        long: Some("trusted-proxies"),
        metavar: "ADDRESSES",
        kind: Kind::Proxies,
        default: Preset::List(&[]),
        help: "Proxies that say in client_ip_header who the client is: addresses, networks and the word unix.",
        more: "Separated by commas, or a list; `unix` stands for whoever connects through a unix socket. The right-most \
               address of the header that is none of these proxies becomes `REMOTE_ADDR` and the client of the access \
               log. Without proxies the header is not read, as in Gunicorn.",
        verdict: Verdict::New,
        ..BLANK
    },
    Setting {
        name: "client_ip_header",
        section: "Server behind a proxy",
        long: Some("client-ip-header"),
        metavar: "NAME",
        kind: Kind::Choice(&["X-Forwarded-For", "Forwarded"]),
        default: Preset::Text("X-Forwarded-For"),
        help: "Header field in which trusted_proxies name the client: X-Forwarded-For or Forwarded.",
        more: "The proxy must set it or append to it: one that passes on what the client sent lets every client choose \
               its address.",
        verdict: Verdict::New,
        ..BLANK
    },
    Setting {
        name: "proxy_protocol",
        section: "Server behind a proxy",
        long: Some("proxy-protocol"),
        metavar: "MODE",
        kind: Kind::ProxyProtocol,
        default: Preset::Text("off"),
        help: "PROXY header in front of the first request of a connection: off, v1, v2 or auto (both).",
        more: "The option without a value means `auto`, as `True` does in a settings file. The header is read where it \
               comes and not demanded; it names the client of all requests of its connection.",
        verdict: Verdict::Adapted("the client holds for the whole connection, and `UNKNOWN` is understood"),
        ..BLANK
    },
    Setting {
        name: "proxy_allow_ips",
        section: "Server behind a proxy",
        long: Some("proxy-allow-from"),
        metavar: "ADDRESSES",
        kind: Kind::AllowList,
        default: Preset::Text("127.0.0.1,::1"),
        help: "Peers that may send a PROXY header: addresses and networks, or *.",
        more: "Separated by commas. Who connects through a unix socket always may; others are answered with 403.",
        ..BLANK
    },
];
