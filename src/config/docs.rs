//! `docs/settings.md`, written from the table.

use super::kind::Kind;
use super::table::{Preset, SETTINGS, Setting, Verdict};

const OPENING: &str = "\
# Settings

<!-- Written from the table of settings; a test fails when the two differ. -->

A setting has one name in the settings file and, mostly, an option on the command line. From the weakest to the strongest, its
value comes from

1. the default, or the environment variable that stands in for it (`PORT`, `WEB_CONCURRENCY`, `FORWARDED_ALLOW_IPS`,
   `SENDFILE`);
2. the settings file: the one that `--config` names, else `./indrik.conf.py`, else `./gunicorn.conf.py`;
3. the options in `INDRIK_CMD_ARGS`, else in `GUNICORN_CMD_ARGS`, split into words as a shell does;
4. the command line.

A stronger value replaces a weaker one whole: lists are not merged. A value that a setting does not take ends the program with
exit code 1, wherever it stands; an option that does not exist, with exit code 2. Options may be shortened as long as only one
begins so. The settings file is Python; names that are no settings have no effect, and one that looks like a mistyped setting is
answered with a warning.

What each kind of value may be:

- An integer may be text, as Python's `int(text, 0)` reads it; a float is refused.
- A switch is `True` or `False`, also as text; on the command line it stands without a value. The option of a switch that is on
  by default begins with `--no-` and turns it off.
- Text loses the blanks around it.
";

/// The whole page.
pub fn settings_markdown() -> String {
    let mut page = OPENING.to_owned();
    let mut section = "";
    for setting in SETTINGS {
        if setting.section != section {
            section = setting.section;
            page.push_str(&format!("\n## {section}\n"));
        }
        page.push_str(&entry(setting));
    }
    page
}

fn entry(setting: &Setting) -> String {
    let mut text = format!("\n### {}\n\n{}", setting.name, setting.help);
    if !setting.more.is_empty() {
        text.push_str(&format!(" {}", setting.more));
    }
    text.push_str("\n\n");
    let mut fact = |name: &str, value: String| text.push_str(&format!("- {name}: {value}\n"));
    fact("Option", options(setting));
    fact("Value", setting.kind.expected());
    fact("Default", default(setting));
    if !setting.unit.is_empty() {
        fact("Unit", setting.unit.to_owned());
    }
    fact(
        "In Gunicorn",
        match setting.verdict {
            Verdict::Same => "the same".to_owned(),
            Verdict::Adapted(how) => format!("the same, but {how}"),
            Verdict::New => "does not exist".to_owned(),
            Verdict::Later(instead) => format!("has an effect; here a warning is given, and {instead}"),
            Verdict::Refused(why) => format!("has an effect; here only the default is accepted: {why}"),
        },
    );
    fact("Since", setting.since.to_owned());
    text
}

fn options(setting: &Setting) -> String {
    let short = setting.short.map(|short| format!("-{short}"));
    let long = setting.long.iter().chain(setting.aliases).map(|long| format!("--{long}"));
    let value = match (setting.metavar, setting.kind) {
        ("", _) => String::new(),
        (metavar, Kind::ProxyProtocol) => format!(" [{metavar}]"),
        (metavar, _) => format!(" {metavar}"),
    };
    let all: Vec<String> = short.into_iter().chain(long).map(|option| format!("`{option}{value}`")).collect();
    if all.is_empty() { "none, only in the settings file".to_owned() } else { all.join(", ") }
}

fn default(setting: &Setting) -> String {
    let note = setting.default_note;
    if let Preset::Hook(_) = setting.default {
        return "none".to_owned();
    }
    let value = format!("`{}`", setting.default_value().repr());
    match setting.default {
        Preset::None | Preset::Text("") if !note.is_empty() => note.to_owned(),
        _ if note.is_empty() => value,
        _ => format!("{value}; {note}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_has_its_entry_with_its_options() {
        let page = settings_markdown();
        for setting in SETTINGS {
            assert!(page.contains(&format!("\n### {}\n", setting.name)), "{}", setting.name);
            assert!(setting.flag().is_none_or(|flag| page.contains(&flag)), "{}", setting.name);
        }
    }

    #[test]
    fn a_default_that_is_no_plain_value_is_told_in_words() {
        let named = |name: &str| SETTINGS.iter().find(|setting| setting.name == name).expect("a setting");
        assert_eq!(default(named("workers")), "`1`; `$WEB_CONCURRENCY` if the environment has it");
        assert_eq!(default(named("chdir")), "the directory that the server was started in");
        assert_eq!(default(named("pidfile")), "`None`");
    }

    #[test]
    fn switches_show_no_value() {
        let switches = SETTINGS.iter().filter(|setting| matches!(setting.kind, Kind::Bool | Kind::OffSwitch));
        assert!(switches.map(options).all(|option| option.split(", ").all(|one| !one.contains(' '))));
    }
}
