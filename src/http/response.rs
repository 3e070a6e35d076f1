//! The answer on its way out: its head for the wire, how its body is framed, whether the connection stays. Pieces of a
//! body need not be copied: [`Frame`] says what goes around them.

use std::fmt;
use std::sync::OnceLock;

use super::error::Excerpt;
use super::fields::Fields;
use super::grammar::is_value;
use super::head::{Head, Version};
use super::request_line::MethodKind;

/// The name that answers carry in `Server`, unless the connection was told another or the application sets it.
pub const SERVER: &str = "indrik";

/// The name that stands in for [`SERVER`] in this process.
static NAME: OnceLock<String> = OnceLock::new();

/// Has all answers of this process carry another name. The first call counts; what is unfit for a field value is passed
/// over.
pub fn name_server(name: String) {
    if is_value(name.as_bytes()) {
        let _ = NAME.set(name);
    }
}

/// The name that answers carry in `Server`.
pub(super) fn server() -> &'static str {
    NAME.get().map_or(SERVER, String::as_str)
}

/// What is sent next.
#[derive(Debug, Clone, Copy)]
pub enum Outgoing<'a> {
    /// `100 Continue`, while the application has not answered.
    Continue,
    /// `103 Early Hints` with these fields, while the application has not answered. Source: RFC 8297.
    EarlyHints(&'a Fields),
    /// Status line and fields.
    Head(&'a Response<'a>),
    /// A piece of the body, copied and framed. What exceeds Content-Length is cut off silently; ask
    /// [`Connection::frame`](super::Connection::frame) to know.
    Body(&'a [u8]),
    /// The body is complete.
    End,
}

/// What the application answers.
#[derive(Debug, Clone, Copy)]
pub struct Response<'a> {
    /// Code and reason, `200 OK`; judged by [`status`].
    pub status: &'a [u8],
    /// The application's fields.
    pub fields: &'a Fields,
    /// The length of the whole body in bytes, if it is known before the first piece.
    pub length: Option<u64>,
    /// The time as IMF-fixdate, 29 bytes.
    pub date: &'a [u8],
    /// Whether the server would go on with the connection.
    pub persistence: Persistence,
}

/// The server's wish; the client, the application and the framing have a say too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Persistence {
    /// Keep the connection if all others agree.
    Allow,
    /// Close it behind this answer.
    Close,
}

/// What goes around a piece of a body: send what `frame` appended, then so many bytes of the piece, then the suffix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    /// Bytes from the start of the piece that are sent; 0 for an answer without a body.
    pub take: u64,
    /// What follows them.
    pub suffix: &'static [u8],
    /// The piece reaches beyond Content-Length. Never set for an answer that has no body by its nature.
    pub excess: bool,
}

/// Why an answer could not be sent: the application's fault, or ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SendError {
    /// The status is not fit for the wire.
    Status(StatusError),
    /// The body ended before Content-Length: the connection must be closed, or the client would take the next answer
    /// for the rest of this one.
    ShortBody {
        /// Bytes that are missing.
        missing: u64,
    },
    /// Not now: no request, a second head, a body before the head.
    OutOfTurn,
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SendError::Status(error) => error.fmt(f),
            SendError::ShortBody { missing } => {
                write!(f, "The response body is {missing} bytes shorter than its Content-Length")
            }
            SendError::OutOfTurn => write!(f, "Part of a response out of turn"),
        }
    }
}

impl std::error::Error for SendError {}

/// A status that an application may not send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StatusError {
    /// Not three digits from 100 on, or a reason with control bytes.
    Malformed(Excerpt),
    /// 1xx other than 101: such an answer would not be the final one.
    Interim(u16),
}

impl fmt::Display for StatusError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StatusError::Malformed(status) => {
                write!(f, "Invalid response status from the application: {status}")
            }
            StatusError::Interim(code) => {
                write!(f, "Interim response status from the application: {code}")
            }
        }
    }
}

impl std::error::Error for StatusError {}

/// The code of an application's status, `3DIGIT [ SP reason ]`.
///
/// Errors: [`StatusError`]. Source: RFC 9112 §4, RFC 9110 §15 (codes begin at 100); the reason may be left out as PEP
/// 3333 servers always allowed.
pub fn status(line: &[u8]) -> Result<u16, StatusError> {
    let malformed = || StatusError::Malformed(Excerpt::of(line));
    let (digits, reason) = line.split_first_chunk::<3>().ok_or_else(malformed)?;
    let is_reason = matches!(reason, [] | [b' ', ..]) && is_value(reason);
    if !is_reason || !digits.iter().all(u8::is_ascii_digit) || digits[0] == b'0' {
        return Err(malformed());
    }
    match digits.iter().fold(0, |code, digit| code * 10 + u16::from(digit - b'0')) {
        code @ (100 | 102..=199) => Err(StatusError::Interim(code)),
        code => Ok(code),
    }
}

/// How far the answer to the request at hand is.
#[derive(Debug, Default)]
pub(super) struct Answer {
    stage: Stage,
    keeps_alive: bool,
    is_bodyless: bool,
    code: Option<u16>,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    AwaitHead,
    /// HEAD, 1xx, 204, 304: no bytes, whatever the application says.
    Bodyless,
    /// So many bytes of Content-Length are missing.
    Length(u64),
    Chunked,
    UntilClose,
    Complete,
}

impl Answer {
    pub(super) fn keeps_alive(&self) -> bool {
        self.keeps_alive
    }

    /// Whether nothing more has to be sent.
    pub(super) fn is_over(&self) -> bool {
        match self.stage {
            Stage::Complete | Stage::Bodyless | Stage::Length(0) => true,
            Stage::AwaitHead | Stage::Length(_) | Stage::Chunked | Stage::UntilClose => false,
        }
    }

    /// The status, once the head was sent.
    pub(super) fn code(&self) -> Option<u16> {
        self.code
    }

    pub(super) fn is_bodyless(&self) -> bool {
        self.is_bodyless
    }

    /// Errors: [`SendError::OutOfTurn`] once the head is out.
    pub(super) fn send_continue(&self, out: &mut Vec<u8>) -> Result<(), SendError> {
        if self.stage != Stage::AwaitHead {
            return Err(SendError::OutOfTurn);
        }
        out.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
        Ok(())
    }

    /// Errors: [`SendError::OutOfTurn`] once the head is out.
    pub(super) fn send_early_hints(&self, fields: &Fields, out: &mut Vec<u8>) -> Result<(), SendError> {
        if self.stage != Stage::AwaitHead {
            return Err(SendError::OutOfTurn);
        }
        out.extend_from_slice(b"HTTP/1.1 103 Early Hints\r\n");
        out.extend_from_slice(fields.lines());
        out.extend_from_slice(b"\r\n");
        Ok(())
    }

    /// Appends the head and settles framing and persistence; on an error nothing is appended.
    ///
    /// `request_persists`: the client's wish, as its head says. Errors: [`SendError::Status`],
    /// [`SendError::OutOfTurn`].
    pub(super) fn send_head(
        &mut self,
        response: &Response<'_>,
        request: Head<'_>,
        request_persists: bool,
        server: &str,
        out: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        if self.stage != Stage::AwaitHead {
            return Err(SendError::OutOfTurn);
        }
        let code = status(response.status).map_err(SendError::Status)?;
        self.code = Some(code);
        let fields = response.fields;
        self.stage = framing(code, response, request);
        self.is_bodyless = self.stage == Stage::Bodyless;
        self.keeps_alive = request_persists
            && response.persistence == Persistence::Allow
            && !fields.closes()
            && self.stage != Stage::UntilClose
            && code != 101;

        out.reserve(160 + response.status.len() + fields.lines().len());
        out.extend_from_slice(request.protocol().as_bytes());
        out.push(b' ');
        out.extend_from_slice(response.status);
        if response.status.len() == 3 {
            // RFC 9112 §4: the space before the reason is sent even if there is none.
            out.push(b' ');
        }
        out.extend_from_slice(b"\r\n");
        if !fields.has_server() {
            out.extend_from_slice(b"Server: ");
            out.extend_from_slice(server.as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        if !fields.has_date() {
            out.extend_from_slice(b"Date: ");
            out.extend_from_slice(response.date);
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(match (code == 101 && fields.upgrades(), self.keeps_alive) {
            (true, _) => b"Connection: upgrade\r\n",
            (false, true) => b"Connection: keep-alive\r\n",
            (false, false) => b"Connection: close\r\n",
        });
        self.send_framing(code, response, request, out);
        out.extend_from_slice(b"\r\n");
        Ok(())
    }

    /// Appends Transfer-Encoding or an automatic Content-Length, and the application's fields.
    fn send_framing(&self, code: u16, response: &Response<'_>, request: Head<'_>, out: &mut Vec<u8>) {
        let fields = response.fields;
        if has_no_length(code) || is_tunnel(code, request) {
            // RFC 9110 §8.6, §9.3.6: a Content-Length here is forbidden.
            fields.lines_without_length().iter().for_each(|lines| out.extend_from_slice(lines));
            return;
        }
        let is_head = request.method_kind() == MethodKind::Head;
        match (&self.stage, response.length) {
            (Stage::Chunked, _) => out.extend_from_slice(b"Transfer-Encoding: chunked\r\n"),
            // For HEAD an empty body tells nothing: frameworks leave it out.
            (_, Some(length)) if fields.content_length().is_none() && code != 304 && !(is_head && length == 0) => {
                out.extend_from_slice(b"Content-Length: ");
                push_number(length, out);
                out.extend_from_slice(b"\r\n");
            }
            (_, _) => {}
        }
        out.extend_from_slice(fields.lines());
    }

    /// Accounts for a piece of `len` bytes; see [`Frame`].
    pub(super) fn frame(&mut self, len: u64, out: &mut Vec<u8>) -> Frame {
        let plain = |take, excess| Frame { take, suffix: b"", excess };
        match &mut self.stage {
            Stage::AwaitHead | Stage::Bodyless | Stage::Complete => plain(0, false),
            // A chunk of size 0 would end the body.
            Stage::Chunked if len == 0 => plain(0, false),
            Stage::Chunked => {
                push_hex(len, out);
                out.extend_from_slice(b"\r\n");
                Frame { take: len, suffix: b"\r\n", excess: false }
            }
            Stage::Length(missing) => {
                let take = len.min(*missing);
                *missing -= take;
                plain(take, take < len)
            }
            Stage::UntilClose => plain(len, false),
        }
    }

    /// Errors: [`SendError::OutOfTurn`] before the head and behind the end.
    pub(super) fn send_body(&mut self, piece: &[u8], out: &mut Vec<u8>) -> Result<(), SendError> {
        if matches!(self.stage, Stage::AwaitHead | Stage::Complete) {
            return Err(SendError::OutOfTurn);
        }
        let frame = self.frame(piece.len() as u64, out);
        out.extend_from_slice(&piece[..usize::try_from(frame.take).map_or(piece.len(), |take| take)]);
        out.extend_from_slice(frame.suffix);
        Ok(())
    }

    /// Errors: [`SendError::ShortBody`], [`SendError::OutOfTurn`] before the head.
    pub(super) fn send_end(&mut self, out: &mut Vec<u8>) -> Result<(), SendError> {
        match self.stage {
            Stage::AwaitHead => return Err(SendError::OutOfTurn),
            Stage::Length(missing) if missing > 0 => {
                self.keeps_alive = false;
                return Err(SendError::ShortBody { missing });
            }
            Stage::Chunked => out.extend_from_slice(b"0\r\n\r\n"),
            Stage::Length(_) | Stage::Bodyless | Stage::UntilClose | Stage::Complete => {}
        }
        self.stage = Stage::Complete;
        Ok(())
    }
}

/// How the body of an answer ends. Source: RFC 9112 §6.3.
fn framing(code: u16, response: &Response<'_>, request: Head<'_>) -> Stage {
    if has_no_length(code) || code == 304 || request.method_kind() == MethodKind::Head {
        return Stage::Bodyless;
    }
    if is_tunnel(code, request) {
        return Stage::UntilClose;
    }
    match (response.fields.content_length().or(response.length), request.version()) {
        (Some(length), _) => Stage::Length(length),
        (None, Version::Http11) => Stage::Chunked,
        (None, Version::Http10) => Stage::UntilClose,
    }
}

/// 1xx and 204 have no body and may not even state a length. Source: RFC 9110 §8.6.
fn has_no_length(code: u16) -> bool {
    matches!(code, 100..=199 | 204)
}

/// Behind a 2xx to CONNECT the client sees a tunnel and no framing. Source: RFC 9110 §9.3.6.
fn is_tunnel(code: u16, request: Head<'_>) -> bool {
    matches!(code, 200..=299) && request.method_kind() == MethodKind::Connect
}

/// Appends `number` in decimal.
pub(super) fn push_number(mut number: u64, out: &mut Vec<u8>) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// Appends `number` in hexadecimal.
fn push_hex(number: u64, out: &mut Vec<u8>) {
    let digit_count = (u64::BITS - number.leading_zeros()).div_ceil(4).max(1);
    for shift in (0..digit_count).rev() {
        out.push(b"0123456789abcdef"[(number >> (shift * 4) & 15) as usize]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_three_digits_and_perhaps_a_reason() {
        for (line, code) in [("200 OK", 200), ("404", 404), ("999 \u{e9}\t", 999), ("500 ", 500), ("101 S", 101)] {
            assert_eq!(status(line.as_bytes()), Ok(code), "{line}");
        }
        for bad in ["", "20", "2000", "200OK", "200\tOK", "20x", "+20 OK", "099 A", "200 \r\n", "200 \0", " 200 OK"] {
            assert_eq!(status(bad.as_bytes()), Err(StatusError::Malformed(Excerpt::of(bad.as_bytes()))));
        }
        assert_eq!(status(b"100 Continue"), Err(StatusError::Interim(100)));
        assert_eq!(status(b"103 Early Hints"), Err(StatusError::Interim(103)));
    }

    #[test]
    fn numbers_are_written_as_they_are() {
        for number in [0, 7, 10, 15, 16, 255, 256, 4096, u64::MAX] {
            let mut out = Vec::new();
            push_number(number, &mut out);
            out.push(b' ');
            push_hex(number, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), format!("{number} {number:x}"));
        }
    }
}
