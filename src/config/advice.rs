//! What to tell the author of a settings file whose names have not the effect that they seem to have.
//!
//! Unknown names stay harmless: every settings file has helper variables. Only names that are probably meant for a
//! setting are worth a line.

use super::error::Warning;
use super::raw::{Given, Raw};
use super::suggest::closest;
use super::table::SETTINGS;
use super::value::Value;

/// Names that people write, and the setting that they mean; `None` where no setting does it.
const MISTAKES: &[(&str, &str)] = &[
    ("preload", "preload_app"),
    ("keep_alive", "keepalive"),
    ("access_logfile", "accesslog"),
    ("access_log", "accesslog"),
    ("access_logformat", "access_log_format"),
    ("error_logfile", "errorlog"),
    ("error_log", "errorlog"),
    ("log_file", "errorlog"),
    ("logfile", "errorlog"),
    ("log_level", "loglevel"),
    ("pid", "pidfile"),
    ("pid_file", "pidfile"),
    ("name", "proc_name"),
    ("env", "raw_env"),
    ("uid", "user"),
    ("gid", "group"),
    ("worker_timeout", "timeout"),
    ("worker_threads", "threads"),
    ("reload_extra_file", "reload_extra_files"),
    ("max_memory", "max_worker_memory"),
];

/// One warning for each name of the settings file that has no effect but looks as if it should.
pub(super) fn on_names(file: &Raw) -> Vec<Warning> {
    file.iter().filter(|given| counts(given, file)).filter_map(|given| on_name(given, file)).collect()
}

/// A name that is given twice is spoken of once.
fn counts(given: &Given, file: &Raw) -> bool {
    file.last(&given.name).is_some_and(|last| std::ptr::eq(last, given))
}

fn on_name(given: &Given, file: &Raw) -> Option<Warning> {
    let Given { name, value, source } = given;
    if SETTINGS.iter().any(|setting| setting.name == name) {
        return None;
    }
    let is_variable = !matches!(value, Value::Callable(_) | Value::Other { .. });
    if name.starts_with('_') || !is_variable {
        return None;
    }
    let meant = match MISTAKES.iter().find(|(mistake, _)| mistake == name) {
        Some((_, meant)) => meant,
        None => closest(name, known_names())?,
    };
    // `log_level = os.environ[...]` and then `loglevel = log_level`: a helper, no mistake.
    if file.last(meant).is_some() {
        return None;
    }
    Some(Warning::new(format!("{source}: unknown setting '{name}' is ignored; did you mean '{meant}'?")))
}

fn known_names() -> impl Iterator<Item = &'static str> {
    SETTINGS.iter().map(|setting| setting.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::raw::Source;

    #[track_caller]
    fn check(names: &[(&str, Value)], want: &[&str]) {
        let mut file = Raw::new();
        for ((name, value), line) in names.iter().zip(1..) {
            let source = Source::SettingsFile { path: "gunicorn.conf.py".into(), line: Some(line) };
            file.push(*name, value.clone(), source);
        }
        let warnings: Vec<String> = on_names(&file).iter().map(Warning::to_string).collect();
        assert_eq!(warnings, want);
    }

    fn text(text: &str) -> Value {
        Value::Str(text.to_owned())
    }

    #[test]
    fn a_mistyped_name_is_answered_with_the_right_one() {
        let cases = [
            ("preload", "preload_app"),
            ("keep_alive", "keepalive"),
            ("log_level", "loglevel"),
            ("pid", "pidfile"),
            ("graceful_timout", "graceful_timeout"),
            ("worker", "workers"),
            ("worker_conections", "worker_connections"),
            ("when_redy", "when_ready"),
        ];
        for (name, meant) in cases {
            let want = format!("gunicorn.conf.py:1: unknown setting '{name}' is ignored; did you mean '{meant}'?");
            check(&[(name, Value::Int(1))], &[&want]);
        }
        check(
            &[("max_memory", Value::Int(1))],
            &["gunicorn.conf.py:1: unknown setting 'max_memory' is ignored; did you mean 'max_worker_memory'?"],
        );
    }

    #[test]
    fn helpers_of_a_settings_file_are_nobodys_business() {
        check(
            &[
                ("cmd_args", text("-w 3")),
                ("cores", Value::Int(4)),
                ("host", text("0.0.0.0")),
                ("port", Value::Int(80)),
                ("path", text("/srv")),
                ("_worker", Value::Int(4)),
                ("TIMEOUT", Value::Int(4)),
                ("__file__", text("gunicorn.conf.py")),
                ("worker", Value::Callable("worker".into())),
                ("thread", Value::Other { type_name: "module".into(), text: "<module>".into() }),
            ],
            &[],
        );
        check(&[("log_level", text("debug")), ("loglevel", text("debug"))], &[]);
    }
}
