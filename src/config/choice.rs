//! Settings that choose one of a few words, as meant.
//!
//! The words themselves stand in the table and in `kind`, which let no other through; here each has its variant.

use super::value::Value;

/// What becomes of header fields with `_` in their name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderMap {
    /// They are left out, as if the client had not sent them.
    Drop,
    /// The request is refused.
    Refuse,
    /// They pass. In the environ they cannot be told from fields with `-`.
    Dangerous,
}

/// Which PROXY headers are read in front of the first request of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyProtocol {
    /// None.
    Off,
    /// The line of text.
    V1,
    /// The binary header.
    V2,
    /// Either.
    Auto,
}

/// The header field in which trusted proxies say who the client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientIpHeader {
    /// `X-Forwarded-For`: addresses with commas between them.
    XForwardedFor,
    /// `Forwarded`. Source: RFC 7239.
    Forwarded,
}

/// A user or a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Account {
    /// By its number.
    Number(u32),
    /// By its name. Who asks the system replaces it by the number.
    Name(String),
}

impl Account {
    /// The account that a value names, as its kind has let it through; `None` if it names none.
    pub(super) fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Int(number) => u32::try_from(*number).ok().map(Self::Number),
            Value::Str(name) => Some(Self::Name(name.clone())),
            _ => None,
        }
    }

    /// Its number; `None` as long as nobody has asked the system for it.
    pub fn number(&self) -> Option<u32> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Name(_) => None,
        }
    }
}

impl HeaderMap {
    /// The variant of a word that the table allows; `None` for all others.
    pub(super) fn named(word: &str) -> Option<Self> {
        match word {
            "drop" => Some(Self::Drop),
            "refuse" => Some(Self::Refuse),
            "dangerous" => Some(Self::Dangerous),
            _ => None,
        }
    }
}

impl ProxyProtocol {
    /// The word that stands for what was given: Gunicorn takes several for one. `None` for what it refuses.
    ///
    /// Source: Gunicorn's `proxy_protocol`.
    pub(super) fn word(value: &Value) -> Option<&'static str> {
        match value {
            Value::None | Value::Bool(false) => Some("off"),
            Value::Bool(true) => Some("auto"),
            Value::Str(text) => match text.trim().to_ascii_lowercase().as_str() {
                "off" | "false" | "none" | "0" => Some("off"),
                "auto" | "true" | "1" => Some("auto"),
                "v1" => Some("v1"),
                "v2" => Some("v2"),
                _ => None,
            },
            Value::Int(_) | Value::List(_) | Value::Dict(_) | Value::Callable(_) | Value::Other { .. } => None,
        }
    }

    /// The variant of one of the four words; `None` for all others.
    pub(super) fn named(word: &str) -> Option<Self> {
        match word {
            "off" => Some(Self::Off),
            "v1" => Some(Self::V1),
            "v2" => Some(Self::V2),
            "auto" => Some(Self::Auto),
            _ => None,
        }
    }
}

impl ClientIpHeader {
    /// The variant of a word that the table allows; `None` for all others.
    pub(super) fn named(word: &str) -> Option<Self> {
        match word {
            "X-Forwarded-For" => Some(Self::XForwardedFor),
            "Forwarded" => Some(Self::Forwarded),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Kind, SETTINGS};

    fn words(name: &str) -> &'static [&'static str] {
        match SETTINGS.iter().find(|setting| setting.name == name).expect("a setting").kind {
            Kind::Choice(words) => words,
            other => panic!("{name} is {other:?}"),
        }
    }

    #[test]
    fn every_word_of_the_table_has_its_variant() {
        assert!(words("header_map").iter().all(|word| HeaderMap::named(word).is_some()));
        assert!(words("client_ip_header").iter().all(|word| ClientIpHeader::named(word).is_some()));
    }

    #[test]
    fn proxy_modes_have_gunicorns_spellings() {
        let text = |text: &str| Value::Str(text.to_owned());
        let mode = |value: &Value| ProxyProtocol::word(value).and_then(ProxyProtocol::named);
        for value in [Value::None, Value::Bool(false), text("off"), text("False"), text("none"), text("0")] {
            assert_eq!(mode(&value), Some(ProxyProtocol::Off), "{value}");
        }
        for value in [Value::Bool(true), text(" AUTO "), text("true"), text("1")] {
            assert_eq!(mode(&value), Some(ProxyProtocol::Auto), "{value}");
        }
        assert_eq!(mode(&text("V1")), Some(ProxyProtocol::V1));
        assert_eq!(mode(&text("v2")), Some(ProxyProtocol::V2));
        for value in [Value::Int(1), text(""), text("on"), text("v3"), Value::List(vec![])] {
            assert_eq!(mode(&value), None, "{value}");
        }
    }
}
