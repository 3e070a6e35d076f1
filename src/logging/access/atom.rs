//! The values of an access line, Gunicorn's atoms, and how each is written.
//!
//! All that a peer can choose is escaped here; `format` adds the operator's own text between the values.

use std::io::Write;
use std::process;

use super::basic;
use super::entry::Entry;
use crate::logging::clock::Stamp;
use crate::logging::escape;

/// The values that a format can show.
#[derive(Clone, Debug)]
pub(super) enum Atom {
    Nothing,
    RemoteAddr,
    ClientAddr,
    User,
    Time,
    Request,
    Method,
    Path,
    Query,
    Protocol,
    Status,
    Bytes,
    Referer,
    UserAgent,
    Seconds,
    Millis,
    Micros,
    Decimal,
    QueueMicros,
    Pid,
    RequestField(String),
    ResponseField(String),
    Variable(String),
}

impl Atom {
    /// The atom that `%(name)s` stands for; [`Atom::Nothing`] when nobody knows it.
    pub fn named(name: &str) -> Atom {
        match name {
            "h" => Atom::RemoteAddr,
            "c" => Atom::ClientAddr,
            "u" => Atom::User,
            "t" => Atom::Time,
            "r" => Atom::Request,
            "m" => Atom::Method,
            "U" => Atom::Path,
            "q" => Atom::Query,
            "H" => Atom::Protocol,
            "s" => Atom::Status,
            "B" | "b" => Atom::Bytes,
            "f" => Atom::Referer,
            "a" => Atom::UserAgent,
            "T" => Atom::Seconds,
            "M" => Atom::Millis,
            "D" => Atom::Micros,
            "L" => Atom::Decimal,
            "Q" => Atom::QueueMicros,
            "p" => Atom::Pid,
            braced => Atom::braced(braced),
        }
    }

    /// `{name}i`, `{name}o`, `{name}e`; anything else, `l` among it, has no value.
    fn braced(name: &str) -> Atom {
        let Some((field, kind)) = name.strip_prefix('{').and_then(|name| name.rsplit_once('}')) else {
            return Atom::Nothing;
        };
        // Gunicorn compares the whole atom in lower case, the letter behind the brace included.
        match kind {
            "i" | "I" => Atom::RequestField(field.to_ascii_lowercase()),
            "o" | "O" => Atom::ResponseField(field.to_ascii_lowercase()),
            "e" | "E" => Atom::Variable(field.to_owned()),
            _ => Atom::Nothing,
        }
    }

    /// Appends the value, escaped; `-` when there is none.
    pub fn write(&self, entry: &dyn Entry, now: &Stamp, line: &mut Vec<u8>) {
        match self {
            Atom::Nothing => line.push(b'-'),
            Atom::RemoteAddr => text_or_dash(entry.remote_addr(), line),
            Atom::ClientAddr => text_or_dash(entry.client_addr(), line),
            Atom::User => {
                let mut room = [0; basic::USER_LEN];
                let authorization = entry.request_field("authorization");
                let user = authorization.and_then(|value| basic::user(value, &mut room));
                value_or_dash(user, line);
            }
            Atom::Time => line.extend_from_slice(now.common().as_bytes()),
            Atom::Request => request(entry, line),
            Atom::Method => text_or_dash(entry.method(), line),
            Atom::Path => escape::line(&entry.path(), line),
            Atom::Query => escape::line(entry.query(), line),
            Atom::Protocol => text_or_dash(entry.protocol(), line),
            Atom::Status => number_or_dash(entry.status().map(u128::from), line),
            Atom::Bytes => number_or_dash(Some(u128::from(entry.body_len())), line),
            Atom::Referer => value_or_dash(entry.request_field("referer"), line),
            Atom::UserAgent => value_or_dash(entry.request_field("user-agent"), line),
            Atom::Seconds => number_or_dash(Some(u128::from(entry.duration().as_secs())), line),
            Atom::Millis => number_or_dash(Some(entry.duration().as_millis()), line),
            Atom::Micros => number_or_dash(Some(entry.duration().as_micros()), line),
            Atom::Decimal => {
                let duration = entry.duration();
                let (seconds, micros) = (duration.as_secs(), duration.subsec_micros());
                // Writing to a Vec cannot fail.
                let _ = write!(line, "{seconds}.{micros:06}");
            }
            Atom::QueueMicros => {
                let queue_time = entry.queue_time();
                number_or_dash(queue_time.map(|time| time.as_micros()), line);
            }
            Atom::Pid => {
                let _ = write!(line, "<{}>", process::id());
            }
            Atom::RequestField(name) => value_or_dash(entry.request_field(name), line),
            Atom::ResponseField(name) => value_or_dash(entry.response_field(name), line),
            Atom::Variable(name) => value_or_dash(entry.variable(name), line),
        }
    }
}

/// The request line as it was sent; `-` when there was none.
fn request(entry: &dyn Entry, line: &mut Vec<u8>) {
    if entry.method().is_empty() {
        return line.push(b'-');
    }
    escape::line(entry.method(), line);
    for word in [entry.target(), entry.protocol()] {
        line.push(b' ');
        escape::line(word, line);
    }
}

fn text_or_dash(text: &[u8], line: &mut Vec<u8>) {
    value_or_dash(Some(text).filter(|text| !text.is_empty()), line);
}

fn value_or_dash(value: Option<&[u8]>, line: &mut Vec<u8>) {
    match value {
        Some(value) => escape::line(value, line),
        None => line.push(b'-'),
    }
}

fn number_or_dash(number: Option<u128>, line: &mut Vec<u8>) {
    match number.map(u64::try_from) {
        Some(Ok(number)) => push_number(number, line),
        // Longer than half a million years in microseconds.
        Some(Err(_)) => push_number(u64::MAX, line),
        None => line.push(b'-'),
    }
}

/// Appends decimal digits. The standard formatting, with all that it can, costs several times as much.
fn push_number(mut number: u64, line: &mut Vec<u8>) {
    let mut digits = [0; 20];
    let mut first = digits.len();
    loop {
        first -= 1;
        digits[first] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    line.extend_from_slice(&digits[first..]);
}
