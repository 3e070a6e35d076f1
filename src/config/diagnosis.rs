//! What becomes here of settings that were made for Gunicorn, line by line: for `indrik doctor`.
//!
//! Looks at every value that somebody gave, also at one that a stronger layer replaces.

use std::fmt;

use super::advice;
use super::raw::{Given, Layers, Source};
use super::resolve::resolve;
use super::table::{SETTINGS, Verdict};
use super::value::Value;

/// One given value, and what becomes of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// Name of the setting, as given.
    pub name: String,
    /// The value as Python writes it, cut if it is long.
    pub value: String,
    /// Where it came from.
    pub source: Source,
    /// What becomes of it.
    pub judgement: Judgement,
}

/// What becomes of a value.
#[derive(Clone, Debug, PartialEq)]
pub enum Judgement {
    /// What becomes of it in Gunicorn.
    Same,
    /// It works, but the text says what differs.
    Adapted(String),
    /// It is indrik's own.
    New,
    /// The server does not start with it; the text says why, and the way out.
    Refused(String),
    /// Gunicorn passes over it as well; the text says what was probably meant.
    Idle(String),
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Finding { name, value, source, judgement } = self;
        let (word, text) = match judgement {
            Judgement::Same => ("same", ""),
            Judgement::New => ("new", "Gunicorn has no such setting"),
            Judgement::Adapted(how) => ("adapted", how.as_str()),
            Judgement::Refused(why) => ("refused", why.as_str()),
            Judgement::Idle(why) => ("no effect", why.as_str()),
        };
        write!(out, "{word:9}  {name} = {value}  # {source}")?;
        if text.is_empty() { Ok(()) } else { write!(out, "\n           {text}") }
    }
}

/// All given values, from the weakest layer to the strongest. Helper variables of a settings file are left out.
pub fn diagnose(layers: &Layers) -> Vec<Finding> {
    let mut findings = Vec::new();
    for layer in layers.rising() {
        for given in layer.iter() {
            let judgement = match SETTINGS.iter().find(|setting| setting.name == given.name) {
                Some(setting) => judge(setting.verdict, given),
                None => {
                    let warning = advice::on_names(layer).into_iter().map(|warning| warning.to_string());
                    match warning.into_iter().find(|text| text.contains(&format!("'{}'", given.name))) {
                        Some(text) => Judgement::Idle(text),
                        None => continue,
                    }
                }
            };
            let Given { name, value, source } = given.clone();
            findings.push(Finding { name, value: value.shown(), source, judgement });
        }
    }
    findings
}

fn judge(verdict: Verdict, given: &Given) -> Judgement {
    // Alone among defaults, the value shows whether it is what is refused.
    let mut alone = Layers::default();
    alone.command_line.push(given.name.clone(), given.value.clone(), given.source.clone());
    if let Err(error) = resolve(&alone, std::path::Path::new("/")) {
        return Judgement::Refused(error.to_string());
    }
    if given.name == "config" && matches!(given.source, Source::SettingsFile { .. }) {
        return Judgement::Idle("a settings file cannot name another one".to_owned());
    }
    match verdict {
        // What asks for nothing gets nothing, here and there.
        Verdict::Same | Verdict::Refused(_) => Judgement::Same,
        Verdict::New => Judgement::New,
        Verdict::Adapted(how) => Judgement::Adapted(how.to_owned()),
        Verdict::Later(_) if given.value.is_falsy() || given.value == Value::Str("False".to_owned()) => Judgement::Same,
        Verdict::Later(instead) => Judgement::Adapted(format!("it has no effect: {instead}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Raw;

    #[track_caller]
    fn check(name: &str, value: Value, want: &str) {
        let mut file = Raw::new();
        file.push(name, value, Source::SettingsFile { path: "gunicorn.conf.py".into(), line: Some(1) });
        let findings = diagnose(&Layers { file, ..Layers::default() });
        let lines: Vec<String> = findings.iter().map(Finding::to_string).collect();
        assert!(lines.join("\n").starts_with(want), "{lines:?}");
        assert_eq!(lines.is_empty(), want.is_empty());
    }

    #[test]
    fn every_value_is_judged() {
        let text = |text: &str| Value::Str(text.to_owned());
        check("workers", Value::Int(3), "same       workers = 3  # gunicorn.conf.py:1");
        check(
            "keepalive",
            Value::Int(2),
            "adapted    keepalive = 2  # gunicorn.conf.py:1\n           the default is 75",
        );
        check("certfile", Value::None, "same ");
        check("certfile", text("a.pem"), "refused    certfile = 'a.pem'");
        check("worker_class", text("gevent"), "refused    worker_class = 'gevent'");
        check("workers", text("many"), "refused    workers = 'many'");
        check("header_timeout", Value::Int(3), "new        header_timeout = 3");
        check("keep_alive", Value::Int(3), "no effect  keep_alive = 3");
        check("config", text("other.py"), "no effect  config = 'other.py'");
        check("cores", Value::Int(3), "");
    }
}
