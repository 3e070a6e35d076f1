//! The logs: where they go, what stands in them, and metrics.
//!
//! A part of the table of settings.

use super::{BLANK, Preset, Setting, Verdict};
use crate::config::kind::Kind;

const PYTHON: &str = "the logs then take their way through Python, which costs time per request";

/// Section by section.
pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        name: "accesslog",
        section: "Logging",
        long: Some("access-logfile"),
        metavar: "FILE",
        help: "File for the access log; `-`: standard output.",
        more: "Without it there is no access log. A relative path starts at `chdir`.",
        ..BLANK
    },
    Setting {
        name: "access_log_format",
        section: "Logging",
        long: Some("access-logformat"),
        metavar: "FORMAT",
        kind: Kind::Text,
        default: Preset::Text("%(h)s %(l)s %(u)s %(t)s \"%(r)s\" %(s)s %(b)s \"%(f)s\" \"%(a)s\""),
        help: "Format of a line of the access log, or json.",
        verdict: Verdict::Adapted("`json` writes one JSON object per line"),
        ..BLANK
    },
    Setting {
        name: "access_log_skip",
        section: "Logging",
        long: Some("access-log-skip"),
        metavar: "PREFIXES",
        kind: Kind::Paths,
        default: Preset::List(&[]),
        help: "Requests whose path begins like one of these are not in the access log.",
        more: "Separated by commas, or a list, such as `/healthz,/readyz`. The path is that of `%(U)s`: decoded, without the \
               query. `/health` means `/healthz` too. For health checks; a request that fails is left out as well.",
        verdict: Verdict::New,
        ..BLANK
    },
    Setting {
        name: "errorlog",
        section: "Logging",
        long: Some("error-logfile"),
        aliases: &["log-file"],
        metavar: "FILE",
        default: Preset::Text("-"),
        help: "File for the error log; `-`: standard error.",
        more: "`None` and an empty text are the same as `-`. A relative path starts at `chdir`.",
        ..BLANK
    },
    Setting {
        name: "loglevel",
        section: "Logging",
        long: Some("log-level"),
        metavar: "LEVEL",
        kind: Kind::Level,
        default: Preset::Text("info"),
        help: "Least level of the error log: debug, info, warning, error or critical.",
        verdict: Verdict::Adapted("an unknown level means `info`, with a warning"),
        ..BLANK
    },
    Setting {
        name: "capture_output",
        section: "Logging",
        long: Some("capture-output"),
        kind: Kind::Bool,
        default: Preset::Off,
        help: "Send what the application prints to the error log.",
        more: "Only where `errorlog` is a file.",
        ..BLANK
    },
    Setting {
        name: "enable_stdio_inheritance",
        section: "Logging",
        short: Some('R'),
        long: Some("enable-stdio-inheritance"),
        kind: Kind::Bool,
        default: Preset::Off,
        help: "Keep standard output and error when the server becomes a daemon.",
        more: "Unless they are terminals.",
        ..BLANK
    },
    Setting {
        name: "logger_class",
        section: "Python logging",
        long: Some("logger-class"),
        metavar: "CLASS",
        kind: Kind::Class,
        default: Preset::Text("gunicorn.glogging.Logger"),
        help: "Class that writes the logs, a subclass of gunicorn.glogging.Logger.",
        more: "A class, or its dotted name.",
        verdict: Verdict::Adapted(PYTHON),
        ..BLANK
    },
    Setting {
        name: "logconfig",
        section: "Python logging",
        long: Some("log-config"),
        metavar: "FILE",
        help: "Configuration file of Python's logging.",
        more: "Read with `logging.config.fileConfig`.",
        verdict: Verdict::Adapted(PYTHON),
        ..BLANK
    },
    Setting {
        name: "logconfig_dict",
        section: "Python logging",
        kind: Kind::Dict,
        default: Preset::Dict(&[]),
        help: "Configuration of Python's logging as a dict.",
        more: "Read with `logging.config.dictConfig`, over Gunicorn's defaults. It goes before `logconfig_json`, which goes \
               before `logconfig`.",
        verdict: Verdict::Adapted(PYTHON),
        ..BLANK
    },
    Setting {
        name: "logconfig_json",
        section: "Python logging",
        long: Some("log-config-json"),
        metavar: "FILE",
        help: "The same from a file of JSON.",
        verdict: Verdict::Adapted("a file that is missing is an error; the logs take their way through Python"),
        ..BLANK
    },
    Setting {
        name: "syslog",
        section: "Syslog",
        long: Some("log-syslog"),
        kind: Kind::Bool,
        default: Preset::Off,
        help: "Send the logs to syslog as well.",
        more: "Through Python's own handler.",
        ..BLANK
    },
    Setting {
        name: "syslog_addr",
        section: "Syslog",
        long: Some("log-syslog-to"),
        metavar: "ADDRESS",
        kind: Kind::Text,
        default: Preset::Text("udp://localhost:514"),
        help: "Address of syslog: udp://HOST:PORT, tcp://HOST:PORT or unix://PATH.",
        more: "A unix path may end with `#stream` or `#dgram`.",
        ..BLANK
    },
    Setting {
        name: "syslog_prefix",
        section: "Syslog",
        long: Some("log-syslog-prefix"),
        metavar: "NAME",
        help: "Middle part of the tag gunicorn.NAME.error.",
        default_note: "`proc_name`",
        ..BLANK
    },
    Setting {
        name: "syslog_facility",
        section: "Syslog",
        long: Some("log-syslog-facility"),
        metavar: "NAME",
        kind: Kind::Text,
        default: Preset::Text("user"),
        help: "Facility of the lines.",
        ..BLANK
    },
    Setting {
        name: "disable_redirect_access_to_syslog",
        section: "Syslog",
        long: Some("disable-redirect-access-to-syslog"),
        kind: Kind::Bool,
        default: Preset::Off,
        help: "Do not send the access log to syslog.",
        ..BLANK
    },
    Setting {
        name: "statsd_host",
        section: "Metrics",
        long: Some("statsd-host"),
        metavar: "ADDRESS",
        kind: Kind::Statsd,
        default: Preset::None,
        help: "Where metrics go in the format of statsd: HOST:PORT or unix://PATH.",
        more: "Without `:PORT` the port is 8125.",
        verdict: Verdict::Adapted("an empty text is the same as `None`"),
        ..BLANK
    },
    Setting {
        name: "statsd_prefix",
        section: "Metrics",
        long: Some("statsd-prefix"),
        metavar: "PREFIX",
        help: "What stands in front of the names of metrics; a dot follows it.",
        ..BLANK
    },
    Setting {
        name: "dogstatsd_tags",
        section: "Metrics",
        long: Some("dogstatsd-tags"),
        metavar: "TAGS",
        help: "Tags of all metrics, as DogStatsD knows them, separated by commas.",
        ..BLANK
    },
    Setting {
        name: "enable_backlog_metric",
        section: "Metrics",
        long: Some("enable-backlog-metric"),
        kind: Kind::Bool,
        default: Preset::Off,
        help: "Measure how many connections wait to be accepted.",
        ..BLANK
    },
];
