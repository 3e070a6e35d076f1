//! What is wrong with the settings, and what is merely worth a line.
//!
//! Every error is the operator's: it names the setting, the source and what would be allowed. No error here ends the
//! program; whoever asked decides.

use std::fmt;

use super::kind::Unfit;
use super::raw::Source;
use super::value::Value;

/// Why the settings make no [`Config`](super::Config).
///
/// Displayed as one line, and a second one that begins with `hint: ` where a hint helps.
#[derive(Clone, Debug, PartialEq)]
pub enum Error {
    /// A value that its setting does not take.
    Value {
        /// Name of the setting.
        setting: &'static str,
        /// The value as Python writes it, cut if it is long.
        value: Box<str>,
        /// Where it came from.
        source: Source,
        /// What would be allowed, such as `an integer of at least 0`.
        expected: String,
        /// A likely cause, or what was probably meant.
        hint: Option<Box<str>>,
    },
    /// A worker class that exists for Gunicorn but cannot run here.
    WorkerClass {
        /// Where it came from.
        source: Source,
        /// Names the class, the reason and the way out.
        text: String,
        /// A likely cause.
        hint: Option<String>,
    },
    /// A setting of Gunicorn that only its default is accepted of.
    Refused {
        /// Name of the setting.
        setting: &'static str,
        /// The value as Python writes it, cut if it is long.
        value: Box<str>,
        /// Where it came from.
        source: Source,
        /// Why, and the way out.
        why: &'static str,
    },
}

impl Error {
    pub(super) fn value(setting: &'static str, value: &Value, source: Source, expected: String) -> Self {
        Self::unfit(setting, value, source, Unfit { expected, hint: None })
    }

    /// A value that is not of its setting's kind.
    pub(super) fn unfit(setting: &'static str, value: &Value, source: Source, unfit: Unfit) -> Self {
        let from_shell = match value {
            Value::Str(text) => hint(text),
            Value::List(items) => items.iter().find_map(|item| match item {
                Value::Str(text) => hint(text),
                _ => None,
            }),
            _ => None,
        };
        let hint = unfit.hint.map(String::into_boxed_str).or_else(|| from_shell.map(Box::from));
        Error::Value { setting, value: value.shown().into(), source, expected: unfit.expected, hint }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hint = match self {
            Error::Value { setting, value, source, expected, hint } => {
                write!(out, "invalid value for {setting}: {value} ({source}): expected {expected}")?;
                hint.as_deref()
            }
            Error::WorkerClass { source, text, hint } => {
                write!(out, "invalid value for worker_class ({source}): {text}")?;
                hint.as_deref()
            }
            Error::Refused { setting, value, source, why } => {
                write!(out, "setting {setting} = {value} ({source}) is not supported: {why}")?;
                None
            }
        };
        match hint {
            Some(hint) => write!(out, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}

/// A setting that has not the effect its author may expect; the server runs all the same.
#[derive(Clone, Debug, PartialEq)]
pub struct Warning {
    text: String,
}

impl Warning {
    pub(super) fn new(text: String) -> Self {
        Self { text }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.text)
    }
}

/// The likely cause of a text that makes no sense as an address, a path or a number: something that a shell would have
/// taken away. `None` if nothing of the kind is in it.
pub fn hint(text: &str) -> Option<&'static str> {
    let variable = |rest: &str| rest.starts_with(|next: char| next == '{' || next == '_' || next.is_ascii_alphabetic());
    let quote = |letter: char| matches!(letter, '\'' | '"');
    if text.split('$').skip(1).any(variable) {
        Some("a $VARIABLE was not replaced: no shell has read this command line")
    } else if text.starts_with(quote) || text.ends_with(quote) {
        Some("the quotes are part of the value: no shell has taken them away")
    } else if text.starts_with(char::is_whitespace) {
        Some("the value begins with a space: write the option and its value as two words")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_setting_value_source_and_what_is_allowed() {
        let source = Source::SettingsFile { path: "gunicorn.conf.py".into(), line: Some(3) };
        let error = Error::value("workers", &Value::Str("x".into()), source, "an integer of at least 0".into());
        assert_eq!(
            error.to_string(),
            "invalid value for workers: 'x' (gunicorn.conf.py:3): expected an integer of at least 0"
        );
    }

    #[test]
    fn what_a_shell_would_have_taken_away_gets_a_hint() {
        for text in ["$PORT", "0.0.0.0:$PORT", "${WEB_CONCURRENCY:-4}"] {
            assert!(hint(text).unwrap().contains("$VARIABLE"), "{text}");
        }
        assert!(hint("'*'").unwrap().contains("quotes"));
        assert!(hint(" gunicorn.conf.py").unwrap().contains("space"));
        for text in ["", "4", "a$", "cost: 5$ or 6$", "127.0.0.1:8000"] {
            assert_eq!(hint(text), None, "{text}");
        }
    }

    #[test]
    fn the_hint_is_a_second_line() {
        let source = Source::Environment { variable: "PORT".into() };
        let error = Error::value("bind", &Value::Str("0.0.0.0:$P".into()), source, "a port".into()).to_string();
        assert_eq!(error.lines().count(), 2);
        assert!(error.lines().nth(1).unwrap().starts_with("hint: "));
    }
}
