//! The settings as `--print-config` shows them.

use super::meant::Config;
use super::raw::{Layers, Source};
use super::settle::Settled;
use super::table::{SETTINGS, Setting};
use super::value::Value;

/// One line per setting, sorted: the name, blanks up to the longest one, `=`, and the value that counts as Python's `str`
/// writes it. Where somebody gave the value, two blanks, `#` and the source follow.
///
/// `config` and `layers`: what [`resolve`](super::resolve) made, and what it made it from; where they do not belong
/// together the text is empty.
///
/// Source: Gunicorn's `print_config`.
pub fn print(config: &Config, layers: &Layers) -> String {
    let mut all = effective(config, layers);
    all.sort_unstable_by_key(|one| one.name);
    let width = all.iter().map(|one| one.name.len()).max().unwrap_or(0);
    let mut out = String::new();
    for Effective { name, value, source } in all {
        let origin = match source {
            Source::Default => String::new(),
            given => format!("  # {given}"),
        };
        out.push_str(&format!("{name:width$} = {value}{origin}\n"));
    }
    out
}

/// The value of one setting that counts, and who gave it.
#[derive(Clone, Debug, PartialEq)]
pub struct Effective {
    /// Name of the setting.
    pub name: &'static str,
    /// In the shape of its kind.
    pub value: Value,
    /// Where it came from.
    pub source: Source,
}

/// The value of each setting that counts, in the order of the table. Parameters: as [`print`].
pub fn effective(config: &Config, layers: &Layers) -> Vec<Effective> {
    // `resolve` has judged the same layers, or there would be no `config`.
    let Ok(settled) = Settled::from(layers) else {
        return Vec::new();
    };
    let one = |setting: &Setting| {
        let value = match setting.name {
            "chdir" => Value::Str(config.chdir.display().to_string()),
            "workers" => Value::Int(i64::try_from(config.workers).unwrap_or(i64::MAX)),
            // The application as it was named names the processes, too.
            "default_proc_name" if config.default_proc_name.is_none() && config.wsgi_app.is_some() => {
                Value::Str(config.wsgi_app.clone().unwrap_or_default())
            }
            other => settled.value(other).clone(),
        };
        Effective { name: setting.name, value, source: settled.source(setting.name).clone() }
    };
    SETTINGS.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::{Raw, resolve};

    #[test]
    fn settings_are_printed_as_gunicorn_prints_them() {
        let mut command_line = Raw::new();
        let mut give = |name: &str, value: Value| {
            command_line.push(name, value, Source::Flag { flag: format!("--{name}") });
        };
        give("bind", Value::List(vec![Value::Str(":80".into()), Value::Str("unix:a".into())]));
        give("timeout", Value::Str("0x0".into()));
        give("chdir", Value::Str("src".into()));
        give("proxy_protocol", Value::Bool(true));
        let layers = Layers { command_line, ..Layers::default() };
        let (config, _) = resolve(&layers, Path::new("/srv")).unwrap();
        let text = print(&config, &layers);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), SETTINGS.len());
        assert!(lines.is_sorted());
        for (name, value) in [
            ("accesslog", "None"),
            ("bind", "[':80', 'unix:a']  # --bind"),
            ("chdir", "/srv/src  # --chdir"),
            ("limit_request_field_size", "8190"),
            ("loglevel", "info"),
            ("preload_app", "False"),
            ("timeout", "0  # --timeout"),
            ("access_log_format", "%(h)s %(l)s %(u)s %(t)s \"%(r)s\" %(s)s %(b)s \"%(f)s\" \"%(a)s\""),
            ("forwarded_allow_ips", "['127.0.0.1', '::1']"),
            ("permit_unconventional_http_version", "False"),
            ("proxy_protocol", "auto  # --proxy_protocol"),
            ("sendfile", "True"),
        ] {
            let want = format!("{name:34} = {value}");
            assert!(lines.contains(&want.as_str()), "{want}\n{text}");
        }
    }
}
