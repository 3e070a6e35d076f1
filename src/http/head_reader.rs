//! Reads a request head, in one of two ways that must agree. Most heads come whole and are sound: those go through
//! httparse, and what it is lenient about is checked per line. All others are read line by line, which is the
//! definition of what is accepted, knows what to blame, and looks at each byte once however slowly they come.

use std::mem::MaybeUninit;

use super::error::Error;
use super::head::{FieldSpan, Parts, Span, Version};
use super::limits::Limits;
use super::policy::{Policy, Trust};
use super::request_line::{RequestLine, casefold_method};
use super::section::{LineScan, Section, Step, without_crlf};

/// Fields that the quick way can hold; it is Gunicorn's limit. A head with more is read line by line.
const QUICK_FIELDS: usize = 100;
/// What follows the target in a head that the quick way takes; the digit is 0 or 1.
const QUICK_VERSION: &[u8] = b" HTTP/1.";

/// How far a head was read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Progress {
    NeedBytes,
    /// An empty line before the request line, of so many bytes. The next call gets the bytes behind it.
    Blank(usize),
    /// The head is complete and so many bytes long.
    Complete(usize),
}

/// A head in progress.
#[derive(Debug, Default)]
pub(super) struct HeadReader {
    stage: Stage,
    blank_seen: bool,
    /// Where the line that is being read begins.
    line_start: usize,
    scan: LineScan,
    section: Section,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Untouched,
    RequestLine,
    Fields,
}

impl HeadReader {
    /// Reads the head that `bytes` begins with into `parts`, which are cleared by the caller between heads. Each call
    /// gets the same bytes and whatever has come since. They are changed only where `policy` has something put
    /// differently than it was sent: a method in upper case, folded lines joined.
    ///
    /// Errors: all of [`Error`] but those of chunks. The first fault in wire order is named; faults of meaning, such as
    /// two framings, come after faults of form.
    pub(super) fn read(
        &mut self,
        bytes: &mut [u8],
        policy: &Policy,
        trust: Trust,
        parts: &mut Parts,
    ) -> Result<Progress, Error> {
        if self.stage == Stage::Untouched && !bytes.is_empty() {
            if let Some(len) = read_quickly(bytes, policy, parts) {
                parts.understand(bytes, policy, trust)?;
                return Ok(Progress::Complete(len));
            }
            parts.clear();
            self.stage = Stage::RequestLine;
        }
        let progress = self.read_lines(bytes, policy, parts)?;
        if matches!(progress, Progress::Complete(_)) {
            parts.understand(bytes, policy, trust)?;
        }
        Ok(progress)
    }

    /// Reads the form of a head line by line. Errors: see [`HeadReader::read`].
    fn read_lines(&mut self, bytes: &mut [u8], policy: &Policy, parts: &mut Parts) -> Result<Progress, Error> {
        if self.stage == Stage::RequestLine {
            // A record of type handshake, version 3.x: nothing in HTTP begins so.
            if bytes.starts_with(b"\x16\x03") {
                return Err(Error::TlsHello);
            }
            let Some(len) = self.find_request_line(bytes, &policy.limits)? else {
                return Ok(Progress::NeedBytes);
            };
            let line = without_crlf(&bytes[..len])?;
            // RFC 9112 §2.2: one empty line is forgiven, for old clients end a body with it.
            if line.is_empty() && !self.blank_seen {
                *self = HeadReader { blank_seen: true, ..HeadReader::default() };
                return Ok(Progress::Blank(len));
            }
            if policy.casefold_method {
                casefold_method(&mut bytes[..len], policy);
            }
            parts.line = RequestLine::read(without_crlf(&bytes[..len])?, 0, policy)?;
            self.line_start = len;
            self.stage = Stage::Fields;
        }
        loop {
            let start = self.line_start;
            match self.section.read(&bytes[start..], policy)? {
                Step::NeedBytes => return Ok(Progress::NeedBytes),
                Step::Field { len, name_len, value } => {
                    let name = Span::new(start, name_len);
                    let value = Span::new(start + value.start, value.len());
                    parts.fields.push(FieldSpan { name, value });
                    self.line_start += len;
                }
                Step::Fold { len, text } => {
                    if let Some(field) = parts.fields.last_mut() {
                        field.value = join(bytes, field.value, Span::new(start + text.start, text.len()));
                    }
                    self.line_start += len;
                }
                Step::End { len } => return Ok(Progress::Complete(start + len)),
            }
        }
    }

    /// The length of the request line with its LF. Errors: [`Error::RequestLineTooLong`].
    fn find_request_line(&mut self, bytes: &[u8], limits: &Limits) -> Result<Option<usize>, Error> {
        let found = self.scan.find(bytes);
        // The limit leaves out the CRLF.
        if found.unwrap_or(bytes.len()) > limits.request_line.saturating_add(2) {
            return Err(Error::RequestLineTooLong { limit: limits.request_line });
        }
        Ok(found)
    }
}

/// Puts `text` behind `value`, one space between them, and returns the place of both. Blanks fill what is left over, so
/// that a head that is handed on before it is complete reads the same again.
///
/// Source: RFC 9112 §5.2 for the space; blanks at the ends of a value are no part of it (§5.1), also behind a fold.
fn join(bytes: &mut [u8], value: Span, text: Span) -> Span {
    match (value.len(), text.len()) {
        (_, 0) => value,
        (0, _) => text,
        (value_len, text_len) => {
            // There is room: CRLF and a blank.
            bytes[value.end()] = b' ';
            bytes.copy_within(text.start()..text.end(), value.end() + 1);
            let joined = Span::new(value.start(), value_len + 1 + text_len);
            bytes[joined.end()..text.end()].fill(b' ');
            joined
        }
    }
}

/// Reads a whole head with httparse and returns its length; `None` if it is not complete, not sound, or not ordinary.
///
/// httparse takes LF for CRLF, empty lines before the request line, methods and targets of any kind, and heads of any
/// size. Since it hands out slices of `bytes`, each of these shows in a look at the ends of a line.
fn read_quickly(bytes: &[u8], policy: &Policy, parts: &mut Parts) -> Option<usize> {
    let limits = &policy.limits;
    if matches!(bytes[0], b'\r' | b'\n') {
        return None;
    }
    let mut fields = [const { MaybeUninit::uninit() }; QUICK_FIELDS];
    let mut request = httparse::Request::new(&mut []);
    let Ok(httparse::Status::Complete(len)) = request.parse_with_uninit_headers(bytes, &mut fields) else {
        return None;
    };
    let (method, target) = (request.method?.as_bytes(), request.path?.as_bytes());
    let target_end = method.len() + 1 + target.len();
    let fields_start = target_end + QUICK_VERSION.len() + 3;
    let request_line = &bytes[..fields_start];
    if !(request_line[target_end..].starts_with(QUICK_VERSION)
        && request_line.ends_with(b"\r\n")
        && fields_start - 2 <= limits.request_line
        && len - fields_start <= limits.section()
        && request.headers.len() <= limits.fields)
    {
        return None;
    }
    if policy.casefold_method && method.iter().any(u8::is_ascii_lowercase) {
        return None;
    }
    parts.line = RequestLine::judge(method, target, 0, policy).ok()?;
    parts.line.version = if request.version? == 0 { Version::Http10 } else { Version::Http11 };

    let place = |part: &[u8]| part.as_ptr().addr().wrapping_sub(bytes.as_ptr().addr());
    let mut line_start = fields_start;
    for field in request.headers.iter() {
        let name_start = place(field.name.as_bytes());
        let value_start = match field.value {
            // An empty value lies anywhere in its line.
            [] => name_start + field.name.len() + 1,
            value => place(value),
        };
        if !is_line_end(bytes, name_start) || name_start - line_start > limits.field_size {
            return None;
        }
        line_start = name_start;
        parts.fields.push(FieldSpan {
            name: Span::new(name_start, field.name.len()),
            value: Span::new(value_start, field.value.len()),
        });
    }
    let section_end = len - 2;
    (is_line_end(bytes, len) && is_line_end(bytes, section_end) && section_end - line_start <= limits.field_size)
        .then_some(len)
}

/// Whether a line ends properly before `at`.
fn is_line_end(bytes: &[u8], at: usize) -> bool {
    bytes[..at].ends_with(b"\r\n")
}
