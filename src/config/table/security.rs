//! What a request may look like.
//!
//! A part of the table of settings.

use super::{BLANK, COUNT, Preset, Setting, Verdict};
use crate::config::kind::Kind;

/// Section by section.
pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        name: "limit_request_line",
        section: "Security",
        long: Some("limit-request-line"),
        metavar: "INT",
        kind: COUNT,
        default: Preset::Int(4094),
        unit: "bytes",
        help: "Longest request line; 0: 65536.",
        more: "More than 65536 means 65536. A longer line is answered with 414.",
        verdict: Verdict::Adapted("up to 65536, where Gunicorn stops at 8190"),
        ..BLANK
    },
    Setting {
        name: "limit_request_fields",
        section: "Security",
        long: Some("limit-request-fields"),
        metavar: "INT",
        kind: COUNT,
        default: Preset::Int(100),
        unit: "fields",
        help: "Most header fields of a request; 0: 32768.",
        more: "More than 32768 means 32768. More fields are answered with 431.",
        ..BLANK
    },
    Setting {
        name: "limit_request_field_size",
        section: "Security",
        // Gunicorn's spelling has the underscore.
        long: Some("limit-request-field_size"),
        aliases: &["limit-request-field-size"],
        metavar: "INT",
        kind: COUNT,
        default: Preset::Int(8190),
        unit: "bytes",
        help: "Longest header field: name, colon, value and CRLF; 0: 8190.",
        more: "A longer field is answered with 431.",
        ..BLANK
    },
    Setting {
        name: "limit_request_body",
        section: "Security",
        long: Some("limit-request-body"),
        metavar: "BYTES",
        kind: COUNT,
        default: Preset::Int(0),
        unit: "bytes",
        help: "Largest body of a request; 0: any.",
        more: "A larger one is answered with 413: at once if `Content-Length` says so, else when it has grown too large.",
        verdict: Verdict::New,
        ..BLANK
    },
    Setting {
        name: "header_map",
        section: "Security",
        long: Some("header-map"),
        metavar: "MODE",
        kind: Kind::Choice(&["drop", "refuse", "dangerous"]),
        default: Preset::Text("drop"),
        help: "Header fields with `_` in their name: drop, refuse or dangerous (they pass, and can forge other fields).",
        more: "In the environ `X_User` and `X-User` have one name: where such fields pass, a client can set what a proxy \
               means to set, and the proxy does not remove it. `refuse` answers with 400. `None` means `drop`.",
        ..BLANK
    },
    Setting {
        name: "permit_obsolete_folding",
        section: "Security",
        long: Some("permit-obsolete-folding"),
        kind: Kind::Bool,
        default: Preset::Off,
        help: "Take header fields that go over several lines (risk of request smuggling).",
        more: "The lines are joined with one space. A proxy in front may see other fields in them than the server does. \
               Only for clients that cannot be mended: clients must not send such fields since RFC 7230.",
        ..BLANK
    },
    Setting {
        name: "strip_header_spaces",
        section: "Security",
        long: Some("strip-header-spaces"),
        kind: Kind::Bool,
        default: Preset::Off,
        help: "Take header fields with blanks before the colon (risk of request smuggling).",
        more: "A proxy in front that passes such a field on, and does not take it for what it is without the blanks, lets \
               a client hide a request in another. The server warns of it at start.",
        verdict: Verdict::Adapted("a warning is given at start"),
        ..BLANK
    },
    Setting {
        name: "permit_unconventional_http_method",
        section: "Security",
        long: Some("permit-unconventional-http-method"),
        kind: Kind::Bool,
        default: Preset::Off,
        help: "Take methods in lower case, with `#`, or of unusual length (risk of request smuggling).",
        more: "What is not a token by RFC 9110 stays refused. A proxy in front may take `get` for `GET` where the \
               application does not.",
        ..BLANK
    },
    Setting {
        name: "permit_unconventional_http_version",
        section: "Security",
        long: Some("permit-unconventional-http-version"),
        kind: Kind::Bool,
        default: Preset::Off,
        help: "Take HTTP versions other than 1.x (risk of request smuggling).",
        more: "The request is read as HTTP/1 all the same, and a proxy in front may have read it otherwise.",
        ..BLANK
    },
    Setting {
        name: "casefold_http_method",
        section: "Security",
        long: Some("casefold-http-method"),
        kind: Kind::Bool,
        default: Preset::Off,
        help: "Turn methods to upper case (risk of request smuggling).",
        more: "Methods in lower case also need `permit_unconventional_http_method`. Methods are case-sensitive by RFC \
               9110: a rule of a proxy for `POST` does not hold for `post`.",
        ..BLANK
    },
];
