//! The settings as `--print-config` shows them.

use super::meant::Config;
use super::raw::Layers;
use super::settle::Settled;
use super::table::SETTINGS;

/// One line per setting, sorted: the name, blanks up to the longest one, `=`, and the value that counts as Python's `str`
/// writes it.
///
/// `config` and `layers`: what [`resolve`](super::resolve) made, and what it made it from; where they do not belong
/// together the text is empty.
///
/// Source: Gunicorn's `print_config`.
pub fn print(config: &Config, layers: &Layers) -> String {
    // `resolve` has judged the same layers, or there would be no `config`.
    let Ok(settled) = Settled::from(layers) else {
        return String::new();
    };
    let width = SETTINGS.iter().map(|setting| setting.name.len()).max().unwrap_or(0);
    let mut names: Vec<&str> = SETTINGS.iter().map(|setting| setting.name).collect();
    names.sort_unstable();
    let mut out = String::new();
    for name in names {
        let value = match name {
            "chdir" => config.chdir.display().to_string(),
            other => settled.value(other).to_string(),
        };
        out.push_str(&format!("{name:width$} = {value}\n"));
    }
    out
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::{Raw, Source, Value, resolve};

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
            ("bind", "[':80', 'unix:a']"),
            ("chdir", "/srv/src"),
            ("limit_request_field_size", "8190"),
            ("loglevel", "info"),
            ("preload_app", "False"),
            ("timeout", "0"),
            ("access_log_format", "%(h)s %(l)s %(u)s %(t)s \"%(r)s\" %(s)s %(b)s \"%(f)s\" \"%(a)s\""),
            ("forwarded_allow_ips", "['127.0.0.1', '::1']"),
            ("permit_unconventional_http_version", "False"),
            ("proxy_protocol", "auto"),
            ("sendfile", "True"),
        ] {
            let want = format!("{name:34} = {value}");
            assert!(lines.contains(&want.as_str()), "{want}\n{text}");
        }
    }
}
