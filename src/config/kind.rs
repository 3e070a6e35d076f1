//! What kinds of values settings take, and how strict each is: as strict as Gunicorn's validators.
//!
//! Brings a given value into one shape per kind, or says what it expected instead. What the value is for, `resolve`
//! knows.

use super::value::{Value, literal};

/// Longest time that can be set, in seconds: about a century, so that adding it to any clock is safe. Configurations in
/// the wild write `999999999` for "never"; more than this is taken for this.
const MOST_SECONDS: i64 = u32::MAX as i64;

/// What a setting takes, and the shape in which it comes out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// An integer from `least` to `most`; text is read as Python's `int(text, 0)`, `True` is 1.
    Int {
        /// Smallest allowed.
        least: i64,
        /// Largest allowed; `i64::MAX` stands for no limit.
        most: i64,
    },
    /// Whole seconds, as an integer of at least `least`.
    Seconds {
        /// Smallest allowed.
        least: i64,
    },
    /// `True` and `False`, also as text; `None` is `False`.
    Bool,
    /// Text without the blanks around it.
    Text,
    /// As [`Text`](Kind::Text); `None` and the empty text both mean that there is none.
    OptionalText,
    /// Name of a log level. Any text passes, since Gunicorn takes an unknown one for `info`.
    Level,
    /// Name of a worker class, or the class.
    WorkerClass,
    /// One text, or a list of at least one.
    Addresses,
    /// One `KEY=VALUE`, or a list of any number of them.
    Pairs,
}

impl Kind {
    /// The value in the shape of this kind: [`Value::Int`] for integers and seconds, [`Value::Str`] or [`Value::None`]
    /// for text, [`Value::List`] of [`Value::Str`] for lists; a worker class may stay a [`Value::Callable`].
    ///
    /// Errors: what was expected instead, to stand behind the word "expected".
    pub(super) fn accept(&self, value: &Value) -> Result<Value, String> {
        let accepted = match self {
            Kind::Int { least, most } => {
                integer(value).filter(|number| (least..=most).contains(&number)).map(Value::Int)
            }
            Kind::Seconds { least } => {
                integer(value).filter(|number| number >= least).map(|number| Value::Int(number.min(MOST_SECONDS)))
            }
            Kind::Bool => boolean(value).map(Value::Bool),
            Kind::Text | Kind::Level => text(value).map(Value::Str),
            Kind::OptionalText => match value {
                Value::None => Some(Value::None),
                given => text(given).map(|text| if text.is_empty() { Value::None } else { Value::Str(text) }),
            },
            Kind::WorkerClass => match value.callable_name() {
                Some(name) => Some(Value::Callable(name.to_owned())),
                None => text(value).map(Value::Str),
            },
            Kind::Addresses => texts(value).filter(|items| !items.is_empty()).map(Value::List),
            Kind::Pairs => texts(value).filter(|items| items.iter().all(is_pair)).map(Value::List),
        };
        accepted.ok_or_else(|| self.expected())
    }

    /// The allowed values in words.
    pub(super) fn expected(&self) -> String {
        match self {
            Kind::Int { least, most: i64::MAX } => format!("an integer of at least {least}"),
            Kind::Int { least, most } => format!("an integer from {least} to {most}"),
            Kind::Seconds { least } => format!("whole seconds, an integer of at least {least}"),
            Kind::Bool => "True or False".to_owned(),
            Kind::Text => "text".to_owned(),
            Kind::OptionalText => "text or None".to_owned(),
            Kind::Level => "'debug', 'info', 'warning', 'error' or 'critical'".to_owned(),
            Kind::WorkerClass => "'sync' or 'gthread'".to_owned(),
            Kind::Addresses => "an address, or a list of at least one".to_owned(),
            Kind::Pairs => "text of the form KEY=VALUE, or a list of such".to_owned(),
        }
    }
}

fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::Int(number) => Some(*number),
        Value::Bool(on) => Some(i64::from(*on)),
        Value::Str(text) => literal(text),
        Value::None | Value::List(_) | Value::Dict(_) | Value::Callable(_) | Value::Other { .. } => None,
    }
}

fn boolean(value: &Value) -> Option<bool> {
    match value {
        Value::None => Some(false),
        Value::Bool(on) => Some(*on),
        Value::Str(text) => match text.trim().to_ascii_lowercase().as_str() {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        },
        Value::Int(_) | Value::List(_) | Value::Dict(_) | Value::Callable(_) | Value::Other { .. } => None,
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        // A NUL ends a path and an environment variable early; no system call takes one.
        Value::Str(text) if !text.contains('\0') => Some(text.trim().to_owned()),
        _ => None,
    }
}

/// A lone text is a list of one; what Python takes for false is an empty list.
fn texts(value: &Value) -> Option<Vec<Value>> {
    match value {
        falsy if falsy.is_falsy() => Some(Vec::new()),
        Value::List(items) => items.iter().map(|item| text(item).map(Value::Str)).collect(),
        lone => text(lone).map(|text| vec![Value::Str(text)]),
    }
}

fn is_pair(item: &Value) -> bool {
    matches!(item, Value::Str(text) if text.split_once('=').is_some_and(|(key, _)| !key.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const COUNT: Kind = Kind::Int { least: 0, most: 100 };

    fn text_value(text: &str) -> Value {
        Value::Str(text.to_owned())
    }

    fn float(text: &str) -> Value {
        Value::Other { type_name: "float".into(), text: text.into() }
    }

    #[track_caller]
    fn takes(kind: Kind, given: Value, want: Value) {
        assert_eq!(kind.accept(&given), Ok(want), "{kind:?} {given:?}");
    }

    #[track_caller]
    fn refuses(kind: Kind, given: Value) {
        assert!(kind.accept(&given).is_err(), "{kind:?} {given:?}");
    }

    #[test]
    fn integers_come_from_numbers_texts_and_booleans() {
        takes(COUNT, Value::Int(3), Value::Int(3));
        takes(COUNT, Value::Bool(true), Value::Int(1));
        takes(COUNT, text_value("3"), Value::Int(3));
        takes(COUNT, text_value("0x1e"), Value::Int(30));
        for bad in [Value::Int(-1), Value::Int(101), Value::None, text_value("x"), text_value(""), float("3.0")] {
            refuses(COUNT, bad);
        }
        refuses(Kind::Seconds { least: 0 }, float("30.5"));
        refuses(Kind::Seconds { least: 0 }, text_value("120s"));
        refuses(Kind::Seconds { least: 1 }, Value::Int(0));
    }

    #[test]
    fn endless_times_are_cut_to_a_century() {
        takes(Kind::Seconds { least: 0 }, Value::Int(999_999_999), Value::Int(999_999_999));
        takes(Kind::Seconds { least: 0 }, Value::Int(i64::MAX), Value::Int(MOST_SECONDS));
    }

    #[test]
    fn booleans_are_true_and_false_only() {
        takes(Kind::Bool, Value::Bool(true), Value::Bool(true));
        takes(Kind::Bool, text_value(" True "), Value::Bool(true));
        takes(Kind::Bool, text_value("false"), Value::Bool(false));
        takes(Kind::Bool, Value::None, Value::Bool(false));
        for bad in [Value::Int(1), text_value("on"), text_value("yes"), text_value(""), Value::List(vec![])] {
            refuses(Kind::Bool, bad);
        }
    }

    #[test]
    fn text_is_text_without_the_blanks_around_it() {
        takes(Kind::Text, text_value(" a b "), text_value("a b"));
        takes(Kind::Text, text_value(""), text_value(""));
        takes(Kind::OptionalText, Value::None, Value::None);
        takes(Kind::OptionalText, text_value(" "), Value::None);
        for kind in [Kind::Text, Kind::OptionalText, Kind::Level] {
            refuses(kind, Value::Int(1));
            refuses(kind, Value::List(vec![text_value("a")]));
            refuses(kind, text_value("a\0b"));
        }
        refuses(Kind::Text, Value::None);
    }

    #[test]
    fn a_class_is_known_by_its_name() {
        let text = "<class 'gunicorn.workers.sync.SyncWorker'>".to_owned();
        let class = Value::Other { type_name: "type".into(), text };
        let want = Value::Callable("gunicorn.workers.sync.SyncWorker".into());
        takes(Kind::WorkerClass, class, want);
        takes(Kind::WorkerClass, Value::Callable("make".into()), Value::Callable("make".into()));
        takes(Kind::WorkerClass, text_value(" sync "), text_value("sync"));
        refuses(Kind::WorkerClass, Value::Other { type_name: "module".into(), text: "<module 'sync'>".into() });
        refuses(Kind::WorkerClass, Value::None);
    }

    #[test]
    fn a_lone_text_is_a_list_of_one_and_commas_do_not_split() {
        let list = |texts: &[&str]| Value::List(texts.iter().map(|text| text_value(text)).collect());
        takes(Kind::Addresses, text_value(":8000,:8001"), list(&[":8000,:8001"]));
        takes(Kind::Addresses, list(&["a", " b "]), list(&["a", "b"]));
        takes(Kind::Addresses, list(&[""]), list(&[""]));
        for bad in [Value::Int(8000), Value::None, text_value(""), Value::List(vec![Value::Int(1)])] {
            refuses(Kind::Addresses, bad);
        }
        takes(Kind::Pairs, text_value("A=b"), list(&["A=b"]));
        takes(Kind::Pairs, list(&["A=", "B=c=d"]), list(&["A=", "B=c=d"]));
        takes(Kind::Pairs, Value::None, Value::List(vec![]));
        for bad in [text_value("A"), text_value("=b"), Value::List(vec![text_value("A=1"), Value::Int(3)])] {
            refuses(Kind::Pairs, bad);
        }
    }
}
