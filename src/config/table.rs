//! The ONE table of settings: everything that can be set, declared once.
//!
//! The command line, the rules for values, `--help`, `--print-config` and `docs/settings.md` are made from it. It does
//! not say what a setting does to the server; that stands where the server does it.

use super::kind::Kind;
use super::value::Value;

/// One setting.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Name in a settings file.
    pub name: &'static str,
    /// Heading that it stands under in `--help` and the documentation.
    pub section: &'static str,
    /// Letter of its short option.
    pub short: Option<char>,
    /// Its option without the dashes; `None`: only a settings file can set it.
    pub long: Option<&'static str>,
    /// Other spellings of the option, without the dashes.
    pub aliases: &'static [&'static str],
    /// What the option's value is called in `--help`; empty for one without a value.
    pub metavar: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// Its value when nobody sets it.
    pub default: Preset,
    /// What a plain value cannot say of the default; empty if nothing.
    pub default_note: &'static str,
    /// Unit of the value; empty if it has none.
    pub unit: &'static str,
    /// What it does, in one sentence.
    pub help: &'static str,
    /// What else is to be known; only the documentation shows it.
    pub more: &'static str,
    /// First version that has it.
    pub since: &'static str,
    /// How it stands to Gunicorn's setting of that name.
    pub verdict: Verdict,
}

/// A default, as a table can hold it.
#[derive(Clone, Copy, Debug)]
pub enum Preset {
    /// `None`.
    None,
    /// `False`: all switches are off.
    Off,
    /// An integer.
    Int(i64),
    /// Text.
    Text(&'static str),
    /// A list of texts.
    List(&'static [&'static str]),
}

/// How a setting stands to Gunicorn's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Verdict {
    /// Same name, same meaning.
    Same,
    /// Same name; the text says what differs.
    Adapted(&'static str),
    /// Gunicorn has none of that name.
    New,
    /// Accepted, but without effect in this version; the text says what happens instead.
    Later(&'static str),
}

impl Setting {
    /// The default as a settings file would hold it.
    pub fn default_value(&self) -> Value {
        match self.default {
            Preset::None => Value::None,
            Preset::Off => Value::Bool(false),
            Preset::Int(number) => Value::Int(number),
            Preset::Text(text) => Value::Str(text.to_owned()),
            Preset::List(texts) => Value::List(texts.iter().map(|text| Value::Str((*text).to_owned())).collect()),
        }
    }

    /// The option in its long form, such as `--workers`.
    pub fn flag(&self) -> Option<String> {
        self.long.map(|long| format!("--{long}"))
    }
}

/// What most entries share.
const BLANK: Setting = Setting {
    name: "",
    section: "",
    short: None,
    long: None,
    aliases: &[],
    metavar: "",
    kind: Kind::OptionalText,
    default: Preset::None,
    default_note: "",
    unit: "",
    help: "",
    more: "",
    since: "0.1.0",
    verdict: Verdict::Same,
};

const COUNT: Kind = Kind::Int { least: 0, most: i64::MAX };

/// Seats of the scoreboard that the workers of a server share.
const MOST_WORKERS: i64 = 1024;

/// Places for threads in one seat of the scoreboard.
const MOST_THREADS: i64 = 256;

/// listen(2) takes a C int.
const MOST_BACKLOG: i64 = i32::MAX as i64;

/// All settings, section by section.
pub static SETTINGS: &[Setting] = &[
    Setting {
        name: "config",
        section: "Settings file",
        short: Some('c'),
        long: Some("config"),
        metavar: "FILE",
        default_note: "`./indrik.conf.py`, else `./gunicorn.conf.py`, if there is one",
        help: "Settings file to run: PATH, file:PATH or python:MODULE.",
        more: "Counts only on the command line and in `INDRIK_CMD_ARGS` or `GUNICORN_CMD_ARGS`; in a settings file it has \
               no effect.",
        verdict: Verdict::Adapted("`indrik.conf.py` is looked for before `gunicorn.conf.py`"),
        ..BLANK
    },
    Setting {
        name: "wsgi_app",
        section: "Settings file",
        help: "The application, MODULE:NAME, when the command line names none.",
        more: "Without `:NAME` the name is `application`.",
        ..BLANK
    },
    Setting {
        name: "bind",
        section: "Server socket",
        short: Some('b'),
        long: Some("bind"),
        metavar: "ADDRESS",
        kind: Kind::Addresses,
        default: Preset::List(&["127.0.0.1:8000"]),
        default_note: "`0.0.0.0:$PORT` if the environment has `PORT`",
        help: "Address to listen at: HOST, HOST:PORT, :PORT, [IPV6]:PORT or unix:PATH; may be repeated.",
        more: "A settings file gives one text or a list; a comma does not separate. A list on the command line takes the \
               place of the one in the settings file.",
        ..BLANK
    },
    Setting {
        name: "backlog",
        section: "Server socket",
        long: Some("backlog"),
        metavar: "INT",
        kind: Kind::Int { least: 0, most: MOST_BACKLOG },
        default: Preset::Int(2048),
        unit: "connections",
        help: "Connections that may wait to be accepted.",
        more: "The kernel cuts it to `net.core.somaxconn`.",
        ..BLANK
    },
    Setting {
        name: "workers",
        section: "Workers",
        short: Some('w'),
        long: Some("workers"),
        metavar: "INT",
        kind: Kind::Int { least: 0, most: MOST_WORKERS },
        default: Preset::Int(1),
        default_note: "`$WEB_CONCURRENCY` if the environment has it",
        unit: "processes",
        help: "Worker processes that handle requests.",
        more: "The signals TTIN and TTOU change the number while the server runs; HUP brings it back.",
        ..BLANK
    },
    Setting {
        name: "worker_class",
        section: "Workers",
        short: Some('k'),
        long: Some("worker-class"),
        metavar: "CLASS",
        kind: Kind::WorkerClass,
        default: Preset::Text("sync"),
        help: "Kind of worker: sync (one thread) or gthread (several).",
        more: "The dotted names of Gunicorn's two classes mean the same. `sync` with more than one thread is `gthread`.",
        verdict: Verdict::Adapted("other classes are refused with a line that names the way out"),
        ..BLANK
    },
    Setting {
        name: "threads",
        section: "Workers",
        long: Some("threads"),
        metavar: "INT",
        kind: Kind::Int { least: 0, most: MOST_THREADS },
        default: Preset::Int(1),
        unit: "threads per worker",
        help: "Threads of each worker that run the application.",
        ..BLANK
    },
    Setting {
        name: "worker_connections",
        section: "Workers",
        long: Some("worker-connections"),
        metavar: "INT",
        kind: COUNT,
        default: Preset::Int(1000),
        unit: "connections per worker",
        help: "Connections that one worker holds open at most.",
        verdict: Verdict::Adapted("holds for every kind of worker"),
        ..BLANK
    },
    Setting {
        name: "max_requests",
        section: "Workers",
        long: Some("max-requests"),
        metavar: "INT",
        kind: COUNT,
        default: Preset::Int(0),
        unit: "requests",
        help: "Requests after which a worker is replaced; 0: never.",
        ..BLANK
    },
    Setting {
        name: "max_requests_jitter",
        section: "Workers",
        long: Some("max-requests-jitter"),
        metavar: "INT",
        kind: COUNT,
        default: Preset::Int(0),
        unit: "requests",
        help: "Adds 0 to INT requests, drawn per worker, to max_requests.",
        more: "So workers that started together are not replaced together.",
        ..BLANK
    },
    Setting {
        name: "timeout",
        section: "Workers",
        short: Some('t'),
        long: Some("timeout"),
        metavar: "SECONDS",
        kind: Kind::Seconds { least: 0 },
        default: Preset::Int(30),
        unit: "seconds",
        help: "A worker silent for longer is killed and replaced; 0: never.",
        verdict: Verdict::Adapted("a client that is slow to send or to read does not count"),
        ..BLANK
    },
    Setting {
        name: "graceful_timeout",
        section: "Workers",
        long: Some("graceful-timeout"),
        metavar: "SECONDS",
        kind: Kind::Seconds { least: 0 },
        default: Preset::Int(30),
        unit: "seconds",
        help: "Time for running requests when a worker stops.",
        more: "What has not finished by then is killed; 0 kills at once.",
        ..BLANK
    },
    Setting {
        name: "keepalive",
        section: "Workers",
        long: Some("keep-alive"),
        metavar: "SECONDS",
        kind: Kind::Seconds { least: 0 },
        default: Preset::Int(75),
        unit: "seconds",
        help: "Time that an idle connection stays open for the next request.",
        more: "0 closes after each answer. Keep it above the idle timeout of the proxy in front, usually 60 seconds: the \
               side that closes first should be the proxy.",
        verdict: Verdict::Adapted("the default is 75, where Gunicorn has 2; holds for `sync` as well"),
        ..BLANK
    },
    Setting {
        name: "header_timeout",
        section: "Slow clients",
        long: Some("header-timeout"),
        metavar: "SECONDS",
        kind: Kind::Seconds { least: 1 },
        default: Preset::Int(30),
        unit: "seconds",
        help: "Time for the head of a request to arrive whole.",
        verdict: Verdict::New,
        ..BLANK
    },
    Setting {
        name: "body_timeout",
        section: "Slow clients",
        long: Some("body-timeout"),
        metavar: "SECONDS",
        kind: Kind::Seconds { least: 1 },
        default: Preset::Int(30),
        unit: "seconds",
        help: "Time without any byte of a request's body.",
        verdict: Verdict::New,
        ..BLANK
    },
    Setting {
        name: "write_timeout",
        section: "Slow clients",
        long: Some("write-timeout"),
        metavar: "SECONDS",
        kind: Kind::Seconds { least: 1 },
        default: Preset::Int(60),
        unit: "seconds",
        help: "Time in which a client takes no byte of its answer.",
        verdict: Verdict::New,
        ..BLANK
    },
    Setting {
        name: "body_memory",
        section: "Slow clients",
        long: Some("body-memory"),
        metavar: "BYTES",
        kind: COUNT,
        default: Preset::Int(1_048_576),
        unit: "bytes",
        help: "Largest body of a request that is received into memory.",
        more: "The body is received before the application is called. In this version a larger one is answered with 413.",
        verdict: Verdict::New,
        ..BLANK
    },
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
        help: "Longest header field, name and value; 0: 8190.",
        more: "A longer field is answered with 431.",
        ..BLANK
    },
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

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_default_is_a_value_that_its_setting_takes() {
        for setting in SETTINGS {
            assert_eq!(setting.kind.accept(&setting.default_value()), Ok(setting.default_value()), "{}", setting.name);
        }
    }

    #[test]
    fn names_and_options_are_unique() {
        let mut seen = HashSet::new();
        for setting in SETTINGS {
            assert!(seen.insert(setting.name.to_owned()), "{}", setting.name);
            let shorts = setting.short.map(|short| format!("-{short}"));
            let longs = setting.long.iter().chain(setting.aliases).map(|long| format!("--{long}"));
            for option in longs.chain(shorts) {
                assert!(seen.insert(option.clone()), "{option}");
            }
        }
    }

    #[test]
    fn sections_stand_together() {
        let mut sections: Vec<&str> = SETTINGS.iter().map(|setting| setting.section).collect();
        sections.dedup();
        assert_eq!(sections.len(), sections.iter().collect::<HashSet<_>>().len());
    }

    #[test]
    fn every_setting_says_what_it_does() {
        for setting in SETTINGS {
            assert!(setting.help.ends_with('.'), "{}", setting.name);
            let switch = setting.kind == Kind::Bool || setting.long.is_none();
            assert_eq!(setting.metavar.is_empty(), switch, "{}", setting.name);
        }
    }
}
