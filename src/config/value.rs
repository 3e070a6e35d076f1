//! What a settings file or an option can hold, and how Python would write it.
//!
//! Knows Python's spelling of values (`repr`, `str`, `int`) but no setting; filled by whoever reads the command line or
//! runs the settings file.

use std::fmt;

/// One value as it was given, before anybody asked what it means.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Python's `None`.
    None,
    /// `True` or `False`.
    Bool(bool),
    /// An integer that fits 64 bits; a larger one comes as [`Value::Other`] of type `int`.
    Int(i64),
    /// Text.
    Str(String),
    /// A list, tuple or set, in its order.
    List(Vec<Value>),
    /// A dict, in its order.
    Dict(Vec<(Value, Value)>),
    /// A function or class: its qualified name, with or without the module in front.
    Callable(String),
    /// Anything else, such as a float or a module.
    Other {
        /// Name of its Python type, such as `float`.
        type_name: String,
        /// What `repr` said of it.
        text: String,
    },
}

/// Type name of a [`Value::Other`] that stands for a function which does not fit its hook; the text says why.
pub const UNFIT: &str = "unfit function";

/// Type name of a [`Value::Other`] that stands for a worker class of somebody's own; the text names it, and what it overrides.
pub const FOREIGN_WORKER: &str = "worker class";

/// Longest text that a message shows of a value, in characters; settings files hold whole logging dictionaries.
const SHOWN: usize = 200;

impl Value {
    /// Python's `repr`, on one line.
    pub fn repr(&self) -> String {
        match self {
            Value::None => "None".to_owned(),
            Value::Bool(true) => "True".to_owned(),
            Value::Bool(false) => "False".to_owned(),
            Value::Int(number) => number.to_string(),
            Value::Str(text) => quoted(text),
            Value::List(items) => {
                let items: Vec<String> = items.iter().map(Value::repr).collect();
                format!("[{}]", items.join(", "))
            }
            Value::Dict(pairs) => {
                let pairs: Vec<String> =
                    pairs.iter().map(|(key, value)| format!("{}: {}", key.repr(), value.repr())).collect();
                format!("{{{}}}", pairs.join(", "))
            }
            Value::Callable(name) => one_line(&format!("<{name}()>")),
            Value::Other { text, .. } => one_line(text),
        }
    }

    /// [`repr`](Value::repr), cut to a length that fits a message.
    pub(super) fn shown(&self) -> String {
        let text = self.repr();
        match text.char_indices().nth(SHOWN) {
            Some((end, _)) => format!("{}...", &text[..end]),
            None => text,
        }
    }

    /// Name of the function or class that it is, if it is one. A class may also come as [`Value::Other`], with what
    /// Python's `str` says of it: `<class 'gunicorn.glogging.Logger'>`.
    pub(super) fn callable_name(&self) -> Option<&str> {
        match self {
            Value::Callable(name) => Some(name),
            Value::Other { text, .. } => text.strip_prefix("<class '")?.strip_suffix("'>"),
            Value::None | Value::Bool(_) | Value::Int(_) | Value::Str(_) | Value::List(_) | Value::Dict(_) => None,
        }
    }

    /// Whether Python takes it for false: nothing is set by it.
    pub fn is_falsy(&self) -> bool {
        match self {
            Value::None => true,
            Value::Bool(on) => !on,
            Value::Int(number) => *number == 0,
            Value::Str(text) => text.is_empty(),
            Value::List(items) => items.is_empty(),
            Value::Dict(pairs) => pairs.is_empty(),
            Value::Callable(_) | Value::Other { .. } => false,
        }
    }
}

impl fmt::Display for Value {
    /// Python's `str`: text stands without quotes.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Str(text) => out.write_str(&one_line(text)),
            Value::None
            | Value::Bool(_)
            | Value::Int(_)
            | Value::List(_)
            | Value::Dict(_)
            | Value::Callable(_)
            | Value::Other { .. } => out.write_str(&self.repr()),
        }
    }
}

/// Python's `int(text)`: a decimal with optional sign, leading zeros and `_` between digits. `None` if it is none, or
/// does not fit 64 bits.
pub fn decimal(text: &str) -> Option<i64> {
    let (negative, digits) = signed(text.trim());
    based(digits, 10, negative)
}

/// A number where a leading 0 means octal, as in a mode; else as Python's `int(text, 0)`.
///
/// Source: Gunicorn's `auto_int`.
pub fn octal(text: &str) -> Option<i64> {
    let digits = text.trim();
    match digits.strip_prefix('0') {
        Some(rest) if rest.starts_with(|first: char| first.is_ascii_digit()) => based(rest, 8, false),
        Some(_) | None => literal(digits),
    }
}

/// Python's `int(text, 0)`: as [`decimal`], with `0x`, `0o` and `0b`, and without leading zeros.
pub(super) fn literal(text: &str) -> Option<i64> {
    let (negative, digits) = signed(text.trim());
    let prefix = digits.get(..2).map(str::to_ascii_lowercase);
    let base = match prefix.as_deref() {
        Some("0x") => 16,
        Some("0o") => 8,
        Some("0b") => 2,
        Some(_) | None => {
            let zero_first = digits.starts_with('0');
            let only_zeros = digits.bytes().all(|digit| matches!(digit, b'0' | b'_'));
            return if zero_first && !only_zeros { None } else { based(digits, 10, negative) };
        }
    };
    // One underscore may follow the prefix.
    let digits = &digits[2..];
    based(digits.strip_prefix('_').unwrap_or(digits), base, negative)
}

fn signed(text: &str) -> (bool, &str) {
    match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    }
}

fn based(digits: &str, base: u32, negative: bool) -> Option<i64> {
    if digits.starts_with('_') || digits.ends_with('_') || digits.contains("__") {
        return None;
    }
    let digits: String = digits.chars().filter(|digit| *digit != '_').collect();
    // `from_str_radix` would take a second sign.
    if !digits.chars().all(|digit| digit.is_digit(base)) {
        return None;
    }
    let sign = if negative { "-" } else { "" };
    i64::from_str_radix(&format!("{sign}{digits}"), base).ok()
}

/// Python's quoting: single quotes, unless only double ones spare an escape.
fn quoted(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut out = String::from(quote);
    for letter in text.chars() {
        if letter == quote || letter == '\\' {
            out.push('\\');
        }
        push_visible(letter, &mut out);
    }
    out.push(quote);
    out
}

/// A message is one line, whatever was in the value.
pub(super) fn one_line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    text.chars().for_each(|letter| push_visible(letter, &mut out));
    out
}

fn push_visible(letter: char, out: &mut String) {
    match letter {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        letter if letter.is_control() => out.push_str(&format!("\\x{:02x}", u32::from(letter))),
        letter => out.push(letter),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_are_read_as_python_reads_them() {
        let cases: &[(&str, Option<i64>)] = &[
            ("3", Some(3)),
            (" 3 ", Some(3)),
            ("+3", Some(3)),
            ("-1", Some(-1)),
            ("1_000", Some(1000)),
            ("0x1e", Some(30)),
            ("0X_1E", Some(30)),
            ("0o007", Some(7)),
            ("0b11", Some(3)),
            ("0", Some(0)),
            ("0_0", Some(0)),
            ("-0x8000000000000000", Some(i64::MIN)),
            ("9223372036854775808", None),
            ("007", None),
            ("", None),
            ("-", None),
            ("--1", None),
            ("+-1", None),
            ("0x", None),
            ("0x-1", None),
            ("_1", None),
            ("1_", None),
            ("1__0", None),
            ("3.0", None),
            ("120s", None),
            ("é", None),
        ];
        for (text, want) in cases {
            assert_eq!(literal(text), *want, "{text:?}");
        }
    }

    #[test]
    fn decimals_may_have_leading_zeros_but_no_prefix() {
        assert_eq!(decimal("007"), Some(7));
        assert_eq!(decimal(" 1_0 "), Some(10));
        assert_eq!(decimal("0x4"), None);
        assert_eq!(decimal(""), None);
    }

    #[test]
    fn values_are_written_as_python_writes_them() {
        let cases: Vec<(Value, &str)> = vec![
            (Value::None, "None"),
            (Value::Bool(true), "True"),
            (Value::Str("it's".into()), "\"it's\""),
            (Value::Str("a'b\"c\\\n\x1b".into()), "'a\\'b\"c\\\\\\n\\x1b'"),
            (Value::List(vec![Value::Int(1), Value::Str("a".into())]), "[1, 'a']"),
            (Value::Dict(vec![(Value::Str("a".into()), Value::None)]), "{'a': None}"),
            (Value::Callable("post_fork".into()), "<post_fork()>"),
            (Value::Other { type_name: "float".into(), text: "3.0".into() }, "3.0"),
        ];
        for (value, want) in cases {
            assert_eq!(value.repr(), want);
        }
        assert_eq!(Value::Str("info".into()).to_string(), "info");
    }

    #[test]
    fn a_long_value_is_cut_in_messages() {
        assert_eq!(Value::Str("é".repeat(1000)).shown().chars().count(), SHOWN + 3);
    }
}
