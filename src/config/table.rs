//! The ONE table of settings: everything that can be set, declared once.
//!
//! The command line, the rules for values, `--help`, `--print-config` and `docs/settings.md` are made from it. It does
//! not say what a setting does to the server; that stands where the server does it. The entries stand in one file for
//! every few sections.

mod clients;
mod foreign;
mod hooks;
mod logs;
mod program;
mod proxies;
mod security;
mod serving;

use super::kind::{Kind, Unfit};
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
    /// `False`.
    Off,
    /// `True`.
    On,
    /// An integer.
    Int(i64),
    /// Text.
    Text(&'static str),
    /// A list of texts.
    List(&'static [&'static str]),
    /// A dict of texts.
    Dict(&'static [(&'static str, &'static str)]),
    /// No function, under the name that Gunicorn prints for it.
    Hook(&'static str),
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
    /// Accepted, with a warning but without effect; the text says what happens instead.
    Later(&'static str),
    /// Only its default is accepted; the text says why, and the way out.
    Refused(&'static str),
}

impl Setting {
    /// The default as a settings file would hold it.
    pub fn default_value(&self) -> Value {
        let text = |text: &str| Value::Str(text.to_owned());
        match self.default {
            Preset::None => Value::None,
            Preset::Off => Value::Bool(false),
            Preset::On => Value::Bool(true),
            Preset::Int(number) => Value::Int(number),
            Preset::Text(one) => text(one),
            Preset::List(texts) => Value::List(texts.iter().map(|one| text(one)).collect()),
            Preset::Dict(pairs) => Value::Dict(pairs.iter().map(|(key, value)| (text(key), text(value))).collect()),
            Preset::Hook(name) => Value::Callable(name.to_owned()),
        }
    }

    /// The default in the shape of its kind.
    ///
    /// Errors: none; a test holds every default against its kind.
    pub(super) fn accepted_default(&self) -> Result<Value, Unfit> {
        self.kind.accept(&self.default_value())
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

/// Section by section, as the page of settings shows them.
const PARTS: [&[Setting]; 8] = [
    serving::SETTINGS,
    clients::SETTINGS,
    security::SETTINGS,
    proxies::SETTINGS,
    program::SETTINGS,
    logs::SETTINGS,
    hooks::SETTINGS,
    foreign::SETTINGS,
];

const TOTAL: usize = {
    let mut total = 0;
    let mut part = 0;
    while part < PARTS.len() {
        total += PARTS[part].len();
        part += 1;
    }
    total
};

/// All settings, section by section.
pub static SETTINGS: &[Setting] = &joined();

/// The parts in one array. Made by the compiler, where `for` does not exist yet.
const fn joined() -> [Setting; TOTAL] {
    let mut all = [BLANK; TOTAL];
    let (mut part, mut entry, mut end) = (0, 0, 0);
    while part < PARTS.len() {
        if entry < PARTS[part].len() {
            all[end] = PARTS[part][entry];
            entry += 1;
            end += 1;
        } else {
            part += 1;
            entry = 0;
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_default_is_a_value_that_its_setting_takes() {
        for setting in SETTINGS {
            let accepted = setting.accepted_default().unwrap_or_else(|unfit| panic!("{}: {unfit:?}", setting.name));
            // A comma list comes out as the list that it means.
            let commas = matches!((&setting.default, &accepted), (Preset::Text(_), Value::List(_)));
            assert!(commas || accepted == setting.default_value(), "{}", setting.name);
        }
    }

    #[test]
    fn the_table_has_all_of_gunicorns_settings() {
        let theirs = SETTINGS.iter().filter(|setting| setting.verdict != Verdict::New).count();
        // Gunicorn 27 has 120.
        assert_eq!(theirs, 120);
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
    fn a_switch_that_is_on_is_turned_off_by_its_option() {
        for setting in SETTINGS {
            // Gunicorn's option turns on what is on already.
            let on = matches!(setting.default, Preset::On) && setting.name != "suppress_ragged_eofs";
            assert_eq!(setting.kind == Kind::OffSwitch, on, "{}", setting.name);
            assert!(!on || setting.long.is_none_or(|long| long.starts_with("no-")), "{}", setting.name);
        }
    }

    #[test]
    fn every_setting_says_what_it_does() {
        for setting in SETTINGS {
            assert!(setting.help.ends_with('.'), "{}", setting.name);
            let switch = matches!(setting.kind, Kind::Bool | Kind::OffSwitch) || setting.long.is_none();
            assert_eq!(setting.metavar.is_empty(), switch, "{}", setting.name);
        }
    }
}
