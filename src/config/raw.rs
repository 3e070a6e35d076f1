//! Settings as typed: every value with its name and where it came from, in four layers.
//!
//! Knows which layer wins and what the environment may say, but not what any value means. Filled by the command line
//! and by whoever runs the settings file; read by `resolve`.

use std::fmt;

use super::error::Error;
use super::kind::AUTO;
use super::value::{Value, decimal};

/// Where a value came from, as messages name it.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// Nobody gave it.
    Default,
    /// An environment variable that stands in for one setting.
    Environment {
        /// Its name, such as `PORT`.
        variable: String,
    },
    /// The settings file.
    SettingsFile {
        /// As it was named by the operator.
        path: String,
        /// Line of the assignment, from 1, where it is known.
        line: Option<u32>,
    },
    /// An option in `INDRIK_CMD_ARGS` or `GUNICORN_CMD_ARGS`.
    ArgsVariable {
        /// Which of the two.
        variable: String,
        /// The option in its long form, such as `--workers`.
        flag: String,
    },
    /// An option of the command line, or its `APP_MODULE`.
    Flag {
        /// The option in its long form, such as `--workers`.
        flag: String,
    },
}

impl fmt::Display for Source {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Default => write!(out, "default"),
            Source::Environment { variable } => write!(out, "${variable}"),
            Source::SettingsFile { path, line: Some(line) } => write!(out, "{path}:{line}"),
            Source::SettingsFile { path, line: None } => write!(out, "{path}"),
            Source::ArgsVariable { variable, flag } => write!(out, "{flag} in ${variable}"),
            Source::Flag { flag } => write!(out, "{flag}"),
        }
    }
}

/// One value that somebody gave.
#[derive(Clone, Debug, PartialEq)]
pub struct Given {
    /// As written, so not always the name of a setting.
    pub name: String,
    /// Whole: a repeated option is one list.
    pub value: Value,
    /// For messages.
    pub source: Source,
}

/// What one layer gives, in its order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Raw {
    given: Vec<Given>,
}

impl Raw {
    /// A layer that gives nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one value; a later one of the same name takes the place of an earlier one.
    pub fn push(&mut self, name: impl Into<String>, value: Value, source: Source) {
        self.given.push(Given { name: name.into(), value, source });
    }

    /// All values, in the order of [`push`](Raw::push).
    pub fn iter(&self) -> impl Iterator<Item = &Given> {
        self.given.iter()
    }

    /// The value of that name which counts.
    pub fn last(&self, name: &str) -> Option<&Given> {
        self.given.iter().rev().find(|given| given.name == name)
    }
}

/// Everything that was typed, from the weakest layer to the strongest. A stronger one replaces whole values: lists are
/// not merged.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Layers {
    /// `PORT`, `WEB_CONCURRENCY`, `FORWARDED_ALLOW_IPS` and `SENDFILE`.
    pub environment: Raw,
    /// The settings file; empty until it has been run.
    pub file: Raw,
    /// `INDRIK_CMD_ARGS`, else `GUNICORN_CMD_ARGS`.
    pub args_variable: Raw,
    /// The command line.
    pub command_line: Raw,
}

impl Layers {
    /// The settings file that the operator named, untouched: a path, `file:PATH` or `python:MODULE`.
    ///
    /// `None`: take the first of [`SETTINGS_FILES`](super::SETTINGS_FILES) that exists.
    pub fn settings_file(&self) -> Option<&str> {
        [&self.command_line, &self.args_variable].into_iter().find_map(|layer| match &layer.last("config")?.value {
            Value::Str(location) if !location.is_empty() => Some(location.as_str()),
            _ => None,
        })
    }

    /// Where the value of that setting comes from.
    pub fn source(&self, name: &str) -> Source {
        [&self.command_line, &self.args_variable, &self.file, &self.environment]
            .into_iter()
            .find_map(|layer| layer.last(name))
            .map_or(Source::Default, |given| given.source.clone())
    }

    /// The weakest layer: `PORT` gives `bind`, `WEB_CONCURRENCY` gives `workers`, `FORWARDED_ALLOW_IPS` the setting of
    /// that name, and `SENDFILE` gives `sendfile`.
    ///
    /// `lookup`: value of an environment variable, `None` if it is not set.
    ///
    /// Errors: [`Error::Value`] for a `WEB_CONCURRENCY` that is neither an integer of at least 0 nor `auto`, even when a stronger layer
    /// sets `workers`. `PORT` is looked at by [`resolve`](super::resolve), and only where it counts.
    ///
    /// Source: Gunicorn's `bind`, `workers`, `forwarded_allow_ips` and `sendfile`.
    pub fn environment_from(lookup: impl Fn(&str) -> Option<String>) -> Result<Raw, Error> {
        let mut raw = Raw::new();
        if let Some(port) = lookup("PORT") {
            let source = Source::Environment { variable: "PORT".to_owned() };
            raw.push("bind", Value::List(vec![Value::Str(format!("0.0.0.0:{port}"))]), source);
        }
        if let Some(text) = lookup("WEB_CONCURRENCY") {
            let source = Source::Environment { variable: "WEB_CONCURRENCY".to_owned() };
            match decimal(&text) {
                _ if text.trim().eq_ignore_ascii_case(AUTO) => raw.push("workers", Value::Str(AUTO.to_owned()), source),
                Some(count) if count >= 0 => raw.push("workers", Value::Int(count), source),
                Some(_) | None => {
                    let expected = "an integer of at least 0, or 'auto'".to_owned();
                    return Err(Error::value("workers", &Value::Str(text), source, expected));
                }
            }
        }
        if let Some(text) = lookup("FORWARDED_ALLOW_IPS") {
            let source = Source::Environment { variable: "FORWARDED_ALLOW_IPS".to_owned() };
            raw.push("forwarded_allow_ips", Value::Str(text), source);
        }
        if let Some(text) = lookup("SENDFILE") {
            let source = Source::Environment { variable: "SENDFILE".to_owned() };
            // All else means no, as in Gunicorn.
            let is_yes = ["y", "1", "yes", "true"].iter().any(|yes| text.eq_ignore_ascii_case(yes));
            raw.push("sendfile", Value::Bool(is_yes), source);
        }
        Ok(raw)
    }

    /// The four layers, weakest first.
    pub(super) fn rising(&self) -> [&Raw; 4] {
        [&self.environment, &self.file, &self.args_variable, &self.command_line]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &'static [(&str, &str)]) -> Result<Raw, Error> {
        Layers::environment_from(|name| {
            pairs.iter().find(|(variable, _)| *variable == name).map(|(_, value)| value.to_string())
        })
    }

    #[test]
    fn sources_read_as_an_operator_would_name_them() {
        let file = |line| Source::SettingsFile { path: "gunicorn.conf.py".into(), line };
        assert_eq!(file(Some(3)).to_string(), "gunicorn.conf.py:3");
        assert_eq!(file(None).to_string(), "gunicorn.conf.py");
        assert_eq!(Source::Environment { variable: "PORT".into() }.to_string(), "$PORT");
        assert_eq!(Source::Flag { flag: "--workers".into() }.to_string(), "--workers");
        let variable = "GUNICORN_CMD_ARGS".into();
        let source = Source::ArgsVariable { variable, flag: "--workers".into() };
        assert_eq!(source.to_string(), "--workers in $GUNICORN_CMD_ARGS");
    }

    #[test]
    fn the_environment_gives_bind_and_workers() {
        let raw = environment(&[("PORT", "5000"), ("WEB_CONCURRENCY", " 3 ")]).unwrap();
        assert_eq!(raw.last("bind").unwrap().value, Value::List(vec![Value::Str("0.0.0.0:5000".into())]));
        assert_eq!(raw.last("workers").unwrap().value, Value::Int(3));
        assert_eq!(environment(&[]).unwrap(), Raw::new());
        let auto = environment(&[("WEB_CONCURRENCY", "auto")]).unwrap();
        assert_eq!(auto.last("workers").unwrap().value, Value::Str("auto".into()));
    }

    #[test]
    fn the_environment_gives_trusted_peers_and_sendfile() {
        let raw = environment(&[("FORWARDED_ALLOW_IPS", "*"), ("SENDFILE", "YES")]).unwrap();
        assert_eq!(raw.last("forwarded_allow_ips").unwrap().value, Value::Str("*".into()));
        assert_eq!(raw.last("forwarded_allow_ips").unwrap().source.to_string(), "$FORWARDED_ALLOW_IPS");
        assert_eq!(raw.last("sendfile").unwrap().value, Value::Bool(true));
        for no in [&[("SENDFILE", "")], &[("SENDFILE", "0")], &[("SENDFILE", "on")]] {
            assert_eq!(environment(no).unwrap().last("sendfile").unwrap().value, Value::Bool(false));
        }
    }

    #[test]
    fn junk_in_web_concurrency_is_refused_by_name() {
        for junk in [&[("WEB_CONCURRENCY", "")], &[("WEB_CONCURRENCY", "-1")], &[("WEB_CONCURRENCY", "two")]] {
            let error = environment(junk).unwrap_err().to_string();
            assert!(error.contains("($WEB_CONCURRENCY): expected an integer of at least 0"), "{error}");
        }
    }

    #[test]
    fn the_command_line_names_the_settings_file_before_the_variable() {
        let named = |location: &str| {
            let mut raw = Raw::new();
            raw.push("config", Value::Str(location.into()), Source::Flag { flag: "--config".into() });
            raw
        };
        let mut layers = Layers { args_variable: named("b.py"), ..Layers::default() };
        assert_eq!(layers.settings_file(), Some("b.py"));
        layers.command_line = named("a.py");
        assert_eq!(layers.settings_file(), Some("a.py"));
        layers.command_line = named("");
        assert_eq!(layers.settings_file(), Some("b.py"));
        assert_eq!(Layers { file: named("c.py"), ..Layers::default() }.settings_file(), None);
    }
}
