//! The header fields of an answer, judged and serialised at once into one buffer that is used again and again.
//! What the server decides itself (framing, persistence) is noted and left out.

use std::fmt;
use std::ops::Range;

use super::error::Excerpt;
use super::grammar::{digits, is_token, is_value, members, trim};

/// An application's header fields, in order, as lines for the wire.
#[derive(Debug, Default)]
pub struct Fields {
    lines: Vec<u8>,
    content_length: Option<u64>,
    /// Where the line of Content-Length stands.
    content_length_line: Range<usize>,
    has_server: bool,
    has_date: bool,
    closes: bool,
    upgrades: bool,
}

/// A field that an application may not send. Names the field, never its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldError {
    /// The name is no token.
    Name(Excerpt),
    /// The value of the field with this name has control bytes (CR and LF among them), or is no length.
    Value(Excerpt),
    /// A second Content-Length.
    ContentLengthRepeated,
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FieldError::Name(name) => write!(f, "Invalid response header name from the application: {name}"),
            FieldError::Value(name) => {
                write!(f, "Invalid response header from the application: {name}")
            }
            FieldError::ContentLengthRepeated => {
                write!(f, "Repeated response header from the application: 'Content-Length'")
            }
        }
    }
}

impl std::error::Error for FieldError {}

/// What becomes of a field.
enum Fate {
    Keep,
    Drop,
}

impl Fields {
    /// No fields, nothing allocated.
    pub fn new() -> Self {
        Fields::default()
    }

    /// Forgets all fields and keeps the memory.
    pub fn clear(&mut self) {
        let mut lines = std::mem::take(&mut self.lines);
        lines.clear();
        *self = Fields { lines, ..Fields::default() };
    }

    /// Adds a field; blanks around `value` are taken off. On an error nothing is added.
    ///
    /// Left out without an error: hop-by-hop fields, which are the server's to decide, but `Connection: close` is
    /// remembered and `Connection: upgrade` with `Upgrade: websocket` kept; a second Server or Date.
    ///
    /// Errors: [`FieldError`]. Source: RFC 9110 §5.1, §5.5, §7.6.1; PEP 3333 on hop-by-hop fields.
    pub fn push(&mut self, name: &[u8], value: &[u8]) -> Result<(), FieldError> {
        if !is_token(name) {
            return Err(FieldError::Name(Excerpt::of(name)));
        }
        if !is_value(value) {
            return Err(FieldError::Value(Excerpt::of(name)));
        }
        let value = trim(value);
        let start = self.lines.len();
        match self.note(name, value)? {
            Fate::Drop => return Ok(()),
            Fate::Keep => {}
        }
        self.lines.reserve(name.len() + value.len() + 4);
        self.lines.extend_from_slice(name);
        self.lines.extend_from_slice(b": ");
        self.lines.extend_from_slice(value);
        self.lines.extend_from_slice(b"\r\n");
        if self.content_length.is_some() && self.content_length_line.is_empty() {
            self.content_length_line = start..self.lines.len();
        }
        Ok(())
    }

    /// Takes note of fields that mean something to the server. The length tells most others apart.
    fn note(&mut self, name: &[u8], value: &[u8]) -> Result<Fate, FieldError> {
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        let first = |seen: &mut bool| {
            if std::mem::replace(seen, true) { Fate::Drop } else { Fate::Keep }
        };
        Ok(match name.len() {
            2 if is("te") => Fate::Drop,
            4 if is("date") => first(&mut self.has_date),
            6 if is("server") => first(&mut self.has_server),
            7 if is("upgrade") && !value.eq_ignore_ascii_case(b"websocket") => Fate::Drop,
            8 if is("trailers") => Fate::Drop,
            10 if is("keep-alive") => Fate::Drop,
            10 if is("connection") => {
                for option in members(value) {
                    self.closes |= option.eq_ignore_ascii_case(b"close");
                    self.upgrades |= option.eq_ignore_ascii_case(b"upgrade");
                }
                Fate::Drop
            }
            14 if is("content-length") => {
                if self.content_length.is_some() {
                    return Err(FieldError::ContentLengthRepeated);
                }
                let length = digits(value).ok_or_else(|| FieldError::Value(Excerpt::of(name)))?;
                self.content_length = Some(length);
                Fate::Keep
            }
            17 if is("transfer-encoding") => Fate::Drop,
            18 if is("proxy-authenticate") => Fate::Drop,
            19 if is("proxy-authorization") => Fate::Drop,
            _ => Fate::Keep,
        })
    }

    /// The fields as they go out, `Name: value` and CRLF each.
    pub fn lines(&self) -> &[u8] {
        &self.lines
    }

    /// The same without Content-Length, in two pieces.
    pub(super) fn lines_without_length(&self) -> [&[u8]; 2] {
        let Range { start, end } = self.content_length_line;
        [&self.lines[..start], &self.lines[end..]]
    }

    /// The value of Content-Length, in bytes.
    pub fn content_length(&self) -> Option<u64> {
        self.content_length
    }

    /// The value of the last field of that name that goes out, ASCII case ignored.
    pub fn find(&self, name: &str) -> Option<&[u8]> {
        find_field(&self.lines, name)
    }

    /// Whether the application named the server, so that we do not.
    pub fn has_server(&self) -> bool {
        self.has_server
    }

    /// Whether the application dated the answer, so that we do not.
    pub fn has_date(&self) -> bool {
        self.has_date
    }

    /// Whether the application said `Connection: close`.
    pub fn closes(&self) -> bool {
        self.closes
    }

    /// Whether the application said `Connection: upgrade`.
    pub fn upgrades(&self) -> bool {
        self.upgrades
    }
}

/// The value of the last field of that name in `lines` (as [`Fields::lines`] has them), ASCII case ignored.
pub fn find_field<'a>(lines: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let mut found = None;
    for line in lines.split(|&b| b == b'\n') {
        let Some(colon) = line.iter().position(|&b| b == b':') else {
            continue;
        };
        if line[..colon].eq_ignore_ascii_case(name.as_bytes()) {
            found = Some(trim(line[colon + 1..].strip_suffix(b"\r").unwrap_or(&[])));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(pairs: &[(&str, &str)]) -> Fields {
        let mut fields = Fields::new();
        for (name, value) in pairs {
            fields.push(name.as_bytes(), value.as_bytes()).unwrap();
        }
        fields
    }

    #[test]
    fn fields_keep_order_case_and_duplicates() {
        let fields =
            fields(&[("Content-Type", " text/html\t"), ("set-cookie", "a=1"), ("Set-Cookie", "b=2"), ("X", "")]);
        assert_eq!(fields.lines(), b"Content-Type: text/html\r\nset-cookie: a=1\r\nSet-Cookie: b=2\r\nX: \r\n");
        assert_eq!(fields.find("SET-cookie"), Some(&b"b=2"[..]));
        assert_eq!(fields.find("x"), Some(&b""[..]));
        assert_eq!(fields.find("y"), None);
    }

    #[test]
    fn what_is_the_servers_to_say_is_left_out() {
        let fields = fields(&[
            ("Connection", "keep-alive"),
            ("Keep-Alive", "5"),
            ("Proxy-Authenticate", "a"),
            ("Proxy-Authorization", "a"),
            ("TE", "a"),
            ("Trailers", "a"),
            ("Transfer-Encoding", "chunked"),
            ("Upgrade", "h2c"),
        ]);
        assert_eq!(fields.lines(), b"");
        assert!(!fields.closes() && !fields.upgrades());
    }

    #[test]
    fn close_and_upgrade_are_remembered() {
        assert!(fields(&[("connection", "x, Close")]).closes());
        let fields = fields(&[("Upgrade", "WebSocket"), ("Connection", "Upgrade")]);
        assert!(fields.upgrades());
        assert_eq!(fields.lines(), b"Upgrade: WebSocket\r\n");
    }

    #[test]
    fn the_first_server_and_date_count() {
        let fields = fields(&[("Server", "a"), ("server", "b"), ("Date", "c"), ("DATE", "d")]);
        assert_eq!(fields.lines(), b"Server: a\r\nDate: c\r\n");
        assert!(fields.has_server() && fields.has_date());
    }

    #[test]
    fn a_content_length_is_digits_and_comes_once() {
        let mut fields = fields(&[("A", "1"), ("content-length", " 12 "), ("B", "2")]);
        assert_eq!(fields.content_length(), Some(12));
        assert_eq!(fields.lines_without_length().concat(), b"A: 1\r\nB: 2\r\n");
        assert_eq!(fields.push(b"Content-Length", b"12"), Err(FieldError::ContentLengthRepeated));
        fields.clear();
        assert_eq!((fields.lines(), fields.content_length()), (&b""[..], None));
        for bad in ["", "+5", "-1", "1_0", "0x1", "5 5", "18446744073709551616"] {
            let error = fields.push(b"Content-Length", bad.as_bytes()).unwrap_err();
            assert_eq!(error.to_string(), "Invalid response header from the application: 'Content-Length'");
        }
    }

    #[test]
    fn bad_names_and_values_are_refused_without_telling_the_value() {
        let mut fields = Fields::new();
        for bad in [&b"a\r\nb"[..], b"a\nb", b"a\rb", b"a\0", b"\x7f"] {
            let error = fields.push(b"X-Foo", bad).unwrap_err();
            assert_eq!(error.to_string(), "Invalid response header from the application: 'X-Foo'");
        }
        for bad in ["bad name", "", "a:", "a\r\n", "\u{e9}"] {
            let error = fields.push(bad.as_bytes(), b"").unwrap_err();
            assert!(error.to_string().starts_with("Invalid response header name from the application: '"));
        }
        assert_eq!(fields.lines(), b"");
        assert_eq!(fields.push("A".as_bytes(), b"\t\xe9\xff "), Ok(()));
    }
}
