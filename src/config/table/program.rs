//! What the program does around serving: checks, its process, its logs.
//!
//! A part of the table of settings.

use super::{BLANK, Preset, Setting, Verdict};
use crate::config::kind::Kind;

/// Section by section.
pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        name: "check_config",
        section: "Debugging",
        long: Some("check-config"),
        kind: Kind::Bool,
        default: Preset::Off,
        help: "Check the settings, load the application and exit.",
        more: "The exit code is 0 if both are sound, else 1.",
        ..BLANK
    },
    Setting {
        name: "print_config",
        section: "Debugging",
        long: Some("print-config"),
        kind: Kind::Bool,
        default: Preset::Off,
        help: "Print all settings, then go on as --check-config.",
        ..BLANK
    },
    Setting {
        name: "preload_app",
        section: "Processes",
        long: Some("preload"),
        kind: Kind::Bool,
        default: Preset::Off,
        help: "Load the application before the workers are forked (comes later).",
        verdict: Verdict::Later("the application is loaded in each worker"),
        ..BLANK
    },
    Setting {
        name: "chdir",
        section: "Processes",
        long: Some("chdir"),
        metavar: "DIR",
        kind: Kind::Text,
        default: Preset::Text(""),
        default_note: "the directory that the server was started in",
        help: "Directory to change to before the application is loaded.",
        more: "It is put first on `sys.path`.",
        ..BLANK
    },
    Setting {
        name: "pythonpath",
        section: "Processes",
        long: Some("pythonpath"),
        metavar: "DIRS",
        help: "Directories to put first on sys.path, separated by commas.",
        more: "Relative ones start at `chdir`.",
        ..BLANK
    },
    Setting {
        name: "raw_env",
        section: "Processes",
        short: Some('e'),
        long: Some("env"),
        metavar: "KEY=VALUE",
        kind: Kind::Pairs,
        default: Preset::List(&[]),
        help: "Environment variable for the application; may be repeated.",
        ..BLANK
    },
    Setting {
        name: "pidfile",
        section: "Processes",
        short: Some('p'),
        long: Some("pid"),
        metavar: "FILE",
        help: "File that holds the pid of the master while it runs.",
        more: "A relative path starts at `chdir`.",
        ..BLANK
    },
    Setting {
        name: "proc_name",
        section: "Processes",
        short: Some('n'),
        long: Some("name"),
        metavar: "NAME",
        default_note: "the application as it was named",
        help: "Name that the process titles show.",
        ..BLANK
    },
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
];
