//! What kinds of values settings take, and how strict each is: as strict as Gunicorn's validators.
//!
//! Brings a given value into one shape per kind, or says what it expected instead. What the value is for, `resolve`
//! knows.

use super::choice::ProxyProtocol;
use super::peers::{Peers, Words};
use super::value::{FOREIGN_WORKER, UNFIT, Value, decimal, literal};

/// Longest time that can be set, in seconds: about a century, so that adding it to any clock is safe. Configurations in
/// the wild write `999999999` for "never"; more than this is taken for this.
const MOST_SECONDS: i64 = u32::MAX as i64;

/// As many as the machine has use for.
pub const AUTO: &str = "auto";

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
    /// As [`Int`](Kind::Int) from 0, or the word `auto`.
    Workers {
        /// Largest allowed.
        most: i64,
    },
    /// Whole seconds, as an integer of at least `least`.
    Seconds {
        /// Smallest allowed.
        least: i64,
    },
    /// `True` and `False`, also as text; `None` is `False`.
    Bool,
    /// As [`Bool`](Kind::Bool), but `True` when nobody sets it: its option makes it `False`. `None` leaves it as it is.
    OffSwitch,
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
    /// One of these words, in any case; `None` means the first.
    Choice(&'static [&'static str]),
    /// `off`, `v1`, `v2` or `auto`, or a switch; the option may stand without a value.
    ProxyProtocol,
    /// Text: addresses and networks with commas between them, `*` for all.
    AllowList,
    /// Text with commas, or a list: addresses, networks and the word `unix`.
    Proxies,
    /// Text with commas, or a list: names of header fields, or `*`.
    Names,
    /// Text with commas, or a list: beginnings of paths.
    Paths,
    /// A dict: names of header fields, and a text for each.
    SchemeHeaders,
    /// A function with one of these numbers of arguments; the first is the usual one. Whoever runs the settings file has
    /// found out how many it has, and has resolved dotted names.
    Hook {
        /// Most usual first.
        arities: &'static [usize],
    },
    /// A class, or its dotted name.
    Class,
    /// Any dict.
    Dict,
    /// One text, or a list of any number of them.
    Texts,
    /// Name or number of a user or a group.
    Account,
    /// An integer of at least 0; with an option a leading 0 means octal.
    Mode,
    /// Permissions of a file: an integer up to `0o777`, or text in octal; `None` where there are none.
    Permissions,
    /// Versions of HTTP, separated by commas.
    Protocols,
    /// `HOST`, `HOST:PORT` or `unix://PATH`.
    Statsd,
    /// Whatever it is.
    Anything,
}

/// Why a value is not of its kind.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Unfit {
    /// What would be, to stand behind the word "expected".
    pub expected: String,
    /// What was probably meant.
    pub hint: Option<String>,
}

impl Kind {
    /// The value in the shape of this kind: [`Value::Int`] for integers and seconds, [`Value::Str`] or [`Value::None`]
    /// for text, [`Value::List`] of [`Value::Str`] for lists, also where commas make them; a worker class may stay a
    /// [`Value::Callable`], and an off-switch [`Value::None`].
    ///
    /// Errors: what was expected instead.
    pub(super) fn accept(&self, value: &Value) -> Result<Value, Unfit> {
        let mut hint = None;
        let accepted = match self {
            Kind::Int { least, most } => {
                integer(value).filter(|number| (least..=most).contains(&number)).map(Value::Int)
            }
            Kind::Workers { most } => match value {
                Value::Str(word) if word.trim().eq_ignore_ascii_case(AUTO) => Some(Value::Str(AUTO.to_owned())),
                other => integer(other).filter(|number| (0..=*most).contains(number)).map(Value::Int),
            },
            Kind::Seconds { least } => {
                integer(value).filter(|number| number >= least).map(|number| Value::Int(number.min(MOST_SECONDS)))
            }
            Kind::Bool => boolean(value).map(Value::Bool),
            Kind::OffSwitch if *value == Value::None => Some(Value::None),
            Kind::OffSwitch => boolean(value).map(Value::Bool),
            Kind::Text | Kind::Level => text(value).map(Value::Str),
            Kind::OptionalText => match value {
                Value::None => Some(Value::None),
                given => text(given).map(|text| if text.is_empty() { Value::None } else { Value::Str(text) }),
            },
            Kind::WorkerClass => match value.callable_name() {
                _ if matches!(value, Value::Other { type_name, .. } if type_name == FOREIGN_WORKER) => {
                    Some(value.clone())
                }
                Some(name) => Some(Value::Callable(name.to_owned())),
                None => text(value).map(Value::Str),
            },
            Kind::Addresses => texts(value).filter(|items| !items.is_empty()).map(Value::List),
            Kind::Pairs => texts(value).filter(|items| items.iter().all(is_pair)).map(Value::List),
            Kind::Choice(words) => choice(value, words),
            Kind::ProxyProtocol => {
                hint = swallowed(value);
                ProxyProtocol::word(value).map(|word| Value::Str(word.to_owned()))
            }
            Kind::AllowList => match value {
                Value::List(_) => None,
                given => commas(given).and_then(|items| peers(items, Words::Everybody, &mut hint)),
            },
            Kind::Proxies => commas(value).and_then(|items| peers(items, Words::Unix, &mut hint)),
            Kind::Names => commas(value).and_then(names),
            Kind::Paths => commas(value).filter(|items| items.iter().all(|item| item.starts_with('/'))).map(listed),
            Kind::SchemeHeaders => scheme_headers(value),
            Kind::Hook { .. } => match value {
                Value::Callable(_) => Some(value.clone()),
                Value::Other { type_name, text } if type_name == UNFIT => {
                    hint = Some(text.clone());
                    None
                }
                _ => None,
            },
            Kind::Class => match value.callable_name() {
                Some(name) => Some(Value::Callable(name.to_owned())),
                None => text(value).map(Value::Str),
            },
            Kind::Dict => matches!(value, Value::Dict(_)).then(|| value.clone()),
            Kind::Texts => texts(value).map(Value::List),
            Kind::Account => match value {
                Value::None => Some(Value::None),
                Value::Int(number) => Some(Value::Int(*number)).filter(|_| is_account(*number)),
                Value::Str(_) => text(value).filter(|text| !text.is_empty()).and_then(|text| match decimal(&text) {
                    Some(number) if number >= 0 => Some(Value::Int(number)).filter(|_| is_account(number)),
                    _ => Some(Value::Str(text)),
                }),
                _ => None,
            },
            Kind::Mode => integer(value).filter(|number| *number >= 0).map(Value::Int),
            Kind::Permissions => match value {
                Value::None => Some(Value::None),
                Value::Int(number) => Some(*number).filter(is_permissions).map(Value::Int),
                Value::Str(text) => octal_text(text).filter(is_permissions).map(Value::Int),
                _ => None,
            },
            Kind::Protocols => protocols(value),
            Kind::Statsd => statsd(value),
            Kind::Anything => Some(value.clone()),
        };
        accepted.ok_or_else(|| Unfit { expected: self.expected(), hint })
    }

    /// The allowed values in words.
    pub(super) fn expected(&self) -> String {
        match self {
            Kind::Int { least, most: i64::MAX } => format!("an integer of at least {least}"),
            Kind::Int { least, most } => format!("an integer from {least} to {most}"),
            Kind::Workers { most } => format!("an integer from 0 to {most}, or 'auto'"),
            Kind::Seconds { least } => format!("whole seconds, an integer of at least {least}"),
            Kind::Bool | Kind::OffSwitch => "True or False".to_owned(),
            Kind::Text => "text".to_owned(),
            Kind::OptionalText => "text or None".to_owned(),
            Kind::Level => "'debug', 'info', 'warning', 'error' or 'critical'".to_owned(),
            Kind::WorkerClass => "'sync' or 'gthread'".to_owned(),
            Kind::Addresses => "an address, or a list of at least one".to_owned(),
            Kind::Pairs => "text of the form KEY=VALUE, or a list of such".to_owned(),
            Kind::Choice([others @ .., last]) => {
                let others: Vec<String> = others.iter().map(|word| format!("'{word}'")).collect();
                format!("{} or '{last}'", others.join(", "))
            }
            Kind::Choice([]) => "nothing".to_owned(),
            Kind::ProxyProtocol => "'off', 'v1', 'v2' or 'auto', or True or False".to_owned(),
            Kind::AllowList => "text: IP addresses and networks separated by commas, or '*'".to_owned(),
            Kind::Proxies => "IP addresses, networks and 'unix', separated by commas or in a list".to_owned(),
            Kind::Names => "names of header fields, or '*', separated by commas or in a list".to_owned(),
            Kind::Paths => "beginnings of paths, each with '/' in front, separated by commas or in a list".to_owned(),
            Kind::SchemeHeaders => "a dict of header fields, each once, and what each holds for https".to_owned(),
            Kind::Hook { arities } => {
                let (usual, others) = arities.split_first().expect("a hook has an arity");
                let others: String = others.iter().map(|arity| format!(" or {arity}")).collect();
                let plural = if arities == &[1] { "" } else { "s" };
                format!("a function with {usual}{others} argument{plural}, or its dotted name")
            }
            Kind::Class => "a class, or its dotted name".to_owned(),
            Kind::Dict => "a dict".to_owned(),
            Kind::Texts => "text, or a list of texts".to_owned(),
            Kind::Account => "a name, a number or None".to_owned(),
            Kind::Mode => "an integer of at least 0, such as 0o022".to_owned(),
            Kind::Permissions => "permissions up to 0o777, such as 0o660 or '660', or None".to_owned(),
            Kind::Protocols => "'h1', 'h2' or both, separated by a comma".to_owned(),
            Kind::Statsd => "HOST:PORT, unix://PATH or None".to_owned(),
            Kind::Anything => "anything".to_owned(),
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

/// The largest number of 32 bits means "leave it as it is" to the system calls.
fn is_account(number: i64) -> bool {
    (0..i64::from(u32::MAX)).contains(&number)
}

fn is_permissions(number: &i64) -> bool {
    (0..=0o777).contains(number)
}

/// Octal digits, with or without `0o` in front.
fn octal_text(text: &str) -> Option<i64> {
    let text = text.trim();
    let digits = text.strip_prefix("0o").unwrap_or(text);
    let is_octal = !digits.is_empty() && digits.bytes().all(|digit| (b'0'..=b'7').contains(&digit));
    is_octal.then(|| i64::from_str_radix(digits, 8).ok()).flatten()
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

/// A text split at its commas, or a list as it is; what Python takes for false is an empty list.
fn commas(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::List(items) => items.iter().map(text).collect(),
        // Gunicorn drops an entry of no letters, and takes one of blanks only for an entry.
        Value::Str(_) => {
            let text = text(value)?;
            let entries = text.split(',').filter(|entry| !entry.is_empty());
            Some(entries.map(|entry| entry.trim().to_owned()).collect())
        }
        falsy if falsy.is_falsy() => Some(Vec::new()),
        _ => None,
    }
}

fn listed(items: Vec<String>) -> Value {
    Value::List(items.into_iter().map(Value::Str).collect())
}

fn peers(items: Vec<String>, words: Words, hint: &mut Option<String>) -> Option<Value> {
    match Peers::parse(items.iter().map(String::as_str), words) {
        Ok(_) => Some(listed(items)),
        Err(text) => {
            *hint = text;
            None
        }
    }
}

/// Names in upper case.
fn names(items: Vec<String>) -> Option<Value> {
    let is_sound = |item: &String| item == "*" || is_token(item);
    items.iter().all(is_sound).then(|| listed(items.iter().map(|item| item.to_ascii_uppercase()).collect()))
}

/// Names in upper case, each once; numbers as their text.
fn scheme_headers(value: &Value) -> Option<Value> {
    let Value::Dict(given) = value else {
        return None;
    };
    let mut pairs: Vec<(Value, Value)> = Vec::with_capacity(given.len());
    for (name, value) in given {
        let name = text(name).filter(|name| is_token(name))?;
        let name = Value::Str(name.to_ascii_uppercase());
        let value = match value {
            Value::Int(number) => number.to_string(),
            other => text(other)?,
        };
        if pairs.iter().any(|(known, _)| *known == name) {
            return None;
        }
        pairs.push((name, Value::Str(value)));
    }
    Some(Value::Dict(pairs))
}

fn protocols(value: &Value) -> Option<Value> {
    let words = match value {
        Value::None => Vec::new(),
        Value::Str(_) => commas(value)?,
        _ => return None,
    };
    let words: Vec<String> =
        words.iter().map(|word| word.to_ascii_lowercase()).filter(|word| !word.is_empty()).collect();
    let is_sound = words.iter().all(|word| matches!(word.as_str(), "h1" | "h2"));
    let repeats = (1..words.len()).any(|end| words[..end].contains(&words[end]));
    match words.is_empty() {
        true => Some(listed(vec!["h1".to_owned()])),
        false => (is_sound && !repeats).then(|| listed(words)),
    }
}

fn statsd(value: &Value) -> Option<Value> {
    let text = match value {
        Value::None => return Some(Value::None),
        given => text(given)?,
    };
    if text.is_empty() {
        return Some(Value::None);
    }
    let port = match text.strip_prefix("unix://") {
        Some(path) if !path.is_empty() => "",
        _ => {
            text.rsplit_once(']').map_or(text.as_str(), |(_, port)| port).rsplit_once(':').map_or("", |(_, port)| port)
        }
    };
    (port.is_empty() || port.parse::<u16>().is_ok()).then_some(Value::Str(text))
}

fn choice(value: &Value, words: &[&'static str]) -> Option<Value> {
    let word = match value {
        // Gunicorn keeps switches meaning something that have become a choice.
        Value::Bool(on) if words.first() == Some(&"off") => words.get(usize::from(*on)).copied(),
        Value::None => words.first().copied(),
        given => {
            let text = text(given)?;
            words.iter().copied().find(|word| word.eq_ignore_ascii_case(&text))
        }
    };
    word.map(|word| Value::Str(word.to_owned()))
}

/// An option that may stand without a value takes the word behind it, such as the application.
fn swallowed(value: &Value) -> Option<String> {
    match value {
        Value::Str(text) if text.contains([':', '.']) => {
            Some("the option takes the word behind it for its value; write --proxy-protocol=auto".to_owned())
        }
        _ => None,
    }
}

/// RFC 9110 section 5.6.2.
fn is_token(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
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
    fn workers_are_a_number_or_the_machine_says_how_many() {
        let kind = Kind::Workers { most: 1024 };
        takes(kind, text_value("4"), Value::Int(4));
        takes(kind, Value::Int(0), Value::Int(0));
        takes(kind, text_value(" Auto "), text_value("auto"));
        for bad in [Value::Int(-1), Value::Int(1025), text_value("many"), text_value(""), Value::None] {
            refuses(kind, bad);
        }
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

    #[test]
    fn an_off_switch_knows_when_nobody_has_touched_it() {
        takes(Kind::OffSwitch, Value::Bool(false), Value::Bool(false));
        takes(Kind::OffSwitch, text_value("True"), Value::Bool(true));
        takes(Kind::OffSwitch, Value::None, Value::None);
        refuses(Kind::OffSwitch, Value::Int(0));
    }

    #[test]
    fn a_choice_comes_out_in_the_spelling_of_the_table() {
        let kind = Kind::Choice(&["X-Forwarded-For", "Forwarded"]);
        takes(kind, text_value(" x-forwarded-for "), text_value("X-Forwarded-For"));
        takes(kind, Value::None, text_value("X-Forwarded-For"));
        for bad in [text_value(""), text_value("X-Real-IP"), Value::Bool(true)] {
            refuses(kind, bad);
        }
        assert_eq!(kind.expected(), "'X-Forwarded-For' or 'Forwarded'");
        assert_eq!(Kind::Choice(&["a", "b", "c"]).expected(), "'a', 'b' or 'c'");
    }

    #[test]
    fn commas_make_lists_of_peers_and_names() {
        let list = |texts: &[&str]| Value::List(texts.iter().map(|text| text_value(text)).collect());
        takes(Kind::AllowList, text_value(" 127.0.0.1, ::1,"), list(&["127.0.0.1", "::1"]));
        takes(Kind::AllowList, text_value("*"), list(&["*"]));
        for nobody in [text_value(""), text_value(" "), Value::None] {
            takes(Kind::AllowList, nobody, Value::List(vec![]));
        }
        for bad in [list(&["127.0.0.1"]), text_value("nginx"), text_value("::1, ,::1"), text_value("unix")] {
            refuses(Kind::AllowList, bad);
        }
        takes(Kind::Proxies, text_value("10.0.0.0/8,unix"), list(&["10.0.0.0/8", "unix"]));
        takes(Kind::Proxies, list(&["10.0.0.0/8 ", "unix"]), list(&["10.0.0.0/8", "unix"]));
        refuses(Kind::Proxies, text_value("*"));
        refuses(Kind::Proxies, Value::List(vec![Value::Int(1)]));
        takes(Kind::Names, text_value("script_name, REMOTE_USER"), list(&["SCRIPT_NAME", "REMOTE_USER"]));
        takes(Kind::Names, list(&["*"]), list(&["*"]));
        takes(Kind::Names, Value::None, list(&[]));
        for bad in [text_value("A B"), text_value("A:B"), list(&[""]), Value::Int(1)] {
            refuses(Kind::Names, bad);
        }
    }

    #[test]
    fn scheme_headers_are_a_dict_of_names_and_texts() {
        let dict = |pairs: &[(&str, Value)]| {
            Value::Dict(pairs.iter().map(|(name, value)| (text_value(name), value.clone())).collect())
        };
        takes(
            Kind::SchemeHeaders,
            dict(&[("X-Forwarded-Proto", text_value("https")), ("X-FORWARDED-PORT", Value::Int(443))]),
            dict(&[("X-FORWARDED-PROTO", text_value("https")), ("X-FORWARDED-PORT", text_value("443"))]),
        );
        takes(Kind::SchemeHeaders, dict(&[]), dict(&[]));
        for bad in [
            dict(&[("X-A", text_value("on")), ("x-a", text_value("off"))]),
            dict(&[("X A", text_value("on"))]),
            dict(&[("X-A", Value::Bool(true))]),
            Value::Dict(vec![(Value::Int(1), text_value("on"))]),
            text_value("X-FORWARDED-PROTO=https"),
            Value::None,
        ] {
            refuses(Kind::SchemeHeaders, bad);
        }
    }

    #[test]
    fn accounts_are_names_or_numbers() {
        takes(Kind::Account, text_value("www-data"), text_value("www-data"));
        takes(Kind::Account, text_value("33"), Value::Int(33));
        takes(Kind::Account, Value::Int(0), Value::Int(0));
        takes(Kind::Account, Value::None, Value::None);
        for bad in [Value::Int(-1), Value::Int(i64::from(u32::MAX)), text_value("4294967295"), text_value("")] {
            refuses(Kind::Account, bad);
        }
    }

    #[test]
    fn permissions_are_octal() {
        for text in ["660", "0660", "0o660"] {
            takes(Kind::Permissions, text_value(text), Value::Int(0o660));
        }
        takes(Kind::Permissions, Value::Int(0o660), Value::Int(0o660));
        takes(Kind::Permissions, Value::None, Value::None);
        // What `unix_socket_mode = 660` is to Python has bits that are no permissions.
        for bad in [Value::Int(660), Value::Int(-1), text_value("1777"), text_value("0x1"), text_value("rw")] {
            refuses(Kind::Permissions, bad);
        }
    }

    #[test]
    fn a_mode_that_is_no_mode_may_be_the_next_word() {
        takes(Kind::ProxyProtocol, text_value("V2"), text_value("v2"));
        let unfit = Kind::ProxyProtocol.accept(&text_value("shop:app")).unwrap_err();
        assert!(unfit.hint.is_some_and(|hint| hint.contains("--proxy-protocol=auto")));
        assert_eq!(Kind::ProxyProtocol.accept(&text_value("on")).unwrap_err().hint, None);
    }
}
