//! Which value of each setting counts: the one of the strongest layer that gives it, checked for its kind.
//!
//! Every given value is checked, also one that a stronger layer replaces, as Gunicorn does. Used by `resolve` and by
//! `print`.

use super::error::Error;
use super::kind::Kind;
use super::raw::{Layers, Source};
use super::table::SETTINGS;
use super::value::Value;

/// One checked value per setting of the table, in its order.
pub(super) struct Settled {
    values: Vec<(Value, Source)>,
}

/// The value in the shape that the setting `name` gives it. Errors: [`Error::Value`]; for an unknown name, too.
pub fn accept(name: &str, value: &Value, source: Source) -> Result<Value, Error> {
    match SETTINGS.iter().find(|setting| setting.name == name) {
        Some(setting) => setting.kind.accept(value).map_err(|unfit| Error::unfit(setting.name, value, source, unfit)),
        None => Err(Error::value("an unknown setting", value, source, "the name of a setting".to_owned())),
    }
}

impl Settled {
    /// Goes through the layers from the weakest to the strongest.
    ///
    /// Errors: [`Error::Value`] for the first value that its setting does not take.
    ///
    /// Source: Gunicorn's order of precedence; `config` in a settings file has no effect, and `None` for a switch that is
    /// on by default leaves the weaker value.
    pub(super) fn from(layers: &Layers) -> Result<Self, Error> {
        let mut values = Vec::with_capacity(SETTINGS.len());
        for setting in SETTINGS {
            let value = setting
                .accepted_default()
                .map_err(|unfit| Error::unfit(setting.name, &setting.default_value(), Source::Default, unfit))?;
            values.push((value, Source::Default));
        }
        for layer in layers.rising() {
            for given in layer.iter() {
                let Some(position) = SETTINGS.iter().position(|setting| setting.name == given.name) else {
                    continue;
                };
                let setting = &SETTINGS[position];
                let value = setting
                    .kind
                    .accept(&given.value)
                    .map_err(|unfit| Error::unfit(setting.name, &given.value, given.source.clone(), unfit))?;
                if setting.name == "config" && matches!(given.source, Source::SettingsFile { .. }) {
                    continue;
                }
                if setting.kind == Kind::OffSwitch && value == Value::None {
                    continue;
                }
                values[position] = (value, given.source.clone());
            }
        }
        Ok(Self { values })
    }

    /// The value that counts. `name` is a name of the table.
    pub(super) fn value(&self, name: &str) -> &Value {
        &self.entry(name).0
    }

    /// Where it came from.
    pub(super) fn source(&self, name: &str) -> &Source {
        &self.entry(name).1
    }

    /// An integer or a number of seconds. Both are at least 0.
    pub(super) fn number(&self, name: &str) -> u64 {
        match self.value(name) {
            Value::Int(number) => number.unsigned_abs(),
            other => unreachable!("{name} is an integer in the table, and holds {other:?}"),
        }
    }

    /// A switch.
    pub(super) fn is_on(&self, name: &str) -> bool {
        matches!(self.value(name), Value::Bool(true))
    }

    /// Text, `None` where there is none.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        match self.value(name) {
            Value::Str(text) => Some(text.clone()),
            _ => None,
        }
    }

    /// A list of texts.
    pub(super) fn texts(&self, name: &str) -> impl Iterator<Item = &str> {
        let items = match self.value(name) {
            Value::List(items) => items.as_slice(),
            _ => &[],
        };
        items.iter().filter_map(|item| match item {
            Value::Str(text) => Some(text.as_str()),
            _ => None,
        })
    }

    /// A dict of texts.
    pub(super) fn pairs(&self, name: &str) -> impl Iterator<Item = (&str, &str)> {
        let pairs = match self.value(name) {
            Value::Dict(pairs) => pairs.as_slice(),
            _ => &[],
        };
        pairs.iter().filter_map(|pair| match pair {
            (Value::Str(key), Value::Str(value)) => Some((key.as_str(), value.as_str())),
            _ => None,
        })
    }

    fn entry(&self, name: &str) -> &(Value, Source) {
        let position = SETTINGS.iter().position(|setting| setting.name == name);
        &self.values[position.expect("only names of the table are asked for")]
    }
}
