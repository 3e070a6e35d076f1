//! The request head as the rest of the program sees it: a view of bytes that the connection holds, and places in them.
//! Nothing is copied or decoded here, and all of it has been judged before a `Head` can be had.

use std::fmt;
use std::str;

use super::error::Error;
use super::framing::{Framing, Meaning};
use super::grammar::has_underscore;
use super::policy::{HeaderMap, Policy, Trust};
use super::request_line::{MethodKind, RequestLine};

/// The version in which a request is answered: HTTP/1.2 to 1.9 are answered as 1.1 (RFC 9110 §2.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Version {
    /// HTTP/1.0: no chunks, no 100, closes unless asked not to.
    Http10,
    /// HTTP/1.1.
    #[default]
    Http11,
}

/// A place in the head: bytes from its start. 32 bits are plenty, since a head is bounded by about 1.1 MiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Span {
    start: u32,
    len: u32,
}

impl Span {
    #[inline]
    pub(super) fn new(start: usize, len: usize) -> Self {
        Span { start: start as u32, len: len as u32 }
    }

    #[inline]
    pub(super) fn start(self) -> usize {
        self.start as usize
    }

    #[inline]
    pub(super) fn len(self) -> usize {
        self.len as usize
    }

    #[inline]
    pub(super) fn end(self) -> usize {
        self.start as usize + self.len as usize
    }

    #[inline]
    pub(super) fn of(self, bytes: &[u8]) -> &[u8] {
        &bytes[self.start()..self.end()]
    }
}

/// The places of one field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FieldSpan {
    pub(super) name: Span,
    pub(super) value: Span,
}

/// What was found in a head. A connection keeps one and fills it anew for each request.
#[derive(Debug, Default)]
pub(super) struct Parts {
    pub(super) line: RequestLine,
    pub(super) fields: Vec<FieldSpan>,
    /// Names of fields that were there and must not be seen.
    dropped: Vec<Span>,
    pub(super) meaning: Meaning,
}

impl Parts {
    pub(super) fn clear(&mut self) {
        self.line = RequestLine::default();
        self.fields.clear();
        self.dropped.clear();
        self.meaning = Meaning::default();
    }

    /// Reads the meaning of a head of sound form, whose bytes are `head`, and drops what must not be seen.
    ///
    /// Errors: those of [`Meaning::read`]; nothing is dropped then.
    pub(super) fn understand(&mut self, head: &[u8], policy: &Policy, trust: Trust) -> Result<(), Error> {
        self.meaning = Meaning::read(&self.line, &self.fields, head, policy, trust)?;
        if self.meaning.drops_fields {
            self.drop_fields(head, policy, trust);
        }
        Ok(())
    }

    /// Takes out the fields that `policy` does not let pass.
    #[cold]
    pub(super) fn drop_fields(&mut self, head: &[u8], policy: &Policy, trust: Trust) {
        let dropped = &mut self.dropped;
        self.fields.retain(|field| {
            let name = field.name.of(head);
            let passes = !has_underscore(name) || policy.underscored(name, trust) == HeaderMap::Dangerous;
            if !passes {
                dropped.push(field.name);
            }
            passes
        });
    }
}

/// A request head, borrowed from the connection. After an error it shows as much as was understood before it.
#[derive(Clone, Copy)]
pub struct Head<'a> {
    bytes: &'a [u8],
    parts: &'a Parts,
}

impl<'a> Head<'a> {
    pub(super) fn new(bytes: &'a [u8], parts: &'a Parts) -> Self {
        Head { bytes, parts }
    }

    /// The method, a token of upper-case letters, digits and signs (any token with `unconventional_method`); `""` if no
    /// request line was understood.
    pub fn method(&self) -> &'a str {
        text(self.parts.line.method.of(self.bytes))
    }

    /// As [`Head::method`], as bytes: a text costs a check of each.
    pub fn raw_method(&self) -> &'a [u8] {
        self.parts.line.method.of(self.bytes)
    }

    /// As [`Head::target`], as bytes.
    pub fn raw_target(&self) -> &'a [u8] {
        self.parts.line.target.of(self.bytes)
    }

    /// As [`Head::path`], as bytes.
    pub fn raw_path(&self) -> &'a [u8] {
        self.parts.line.path.map_or(b"/", |span| span.of(self.bytes))
    }

    /// As [`Head::query`], as bytes.
    pub fn raw_query(&self) -> &'a [u8] {
        self.parts.line.query.of(self.bytes)
    }

    pub(super) fn method_kind(&self) -> MethodKind {
        self.parts.line.method_kind
    }

    /// The request target exactly as sent, visible ASCII.
    pub fn target(&self) -> &'a str {
        text(self.parts.line.target.of(self.bytes))
    }

    /// The path of the target, still percent-encoded, without query and fragment. `*` for `OPTIONS *`, `""` for
    /// CONNECT, `/` where an absolute-form target has none.
    pub fn path(&self) -> &'a str {
        match self.parts.line.path {
            Some(span) => text(span.of(self.bytes)),
            None => "/",
        }
    }

    /// What stands between the first `?` of the target and its end or fragment.
    pub fn query(&self) -> &'a str {
        text(self.parts.line.query.of(self.bytes))
    }

    /// The version in which the request is answered.
    pub fn version(&self) -> Version {
        self.parts.line.version
    }

    /// `HTTP/1.0` or `HTTP/1.1`, the version in which the request is answered.
    pub fn protocol(&self) -> &'static str {
        match self.parts.line.version {
            Version::Http10 => "HTTP/1.0",
            Version::Http11 => "HTTP/1.1",
        }
    }

    /// The fields in wire order, duplicates kept, without those that were dropped.
    pub fn fields(&self) -> impl ExactSizeIterator<Item = Field<'a>> + Clone + use<'a> {
        let bytes = self.bytes;
        let field = move |span: &FieldSpan| Field { name: text(span.name.of(bytes)), value: span.value.of(bytes) };
        self.parts.fields.iter().map(field)
    }

    /// Names and values as [`Head::fields`] has them, but the names as bytes: spares a check of each that costs as much
    /// as all else of an iteration.
    pub fn raw_fields(
        &self,
    ) -> impl ExactSizeIterator<Item = (&'a [u8], &'a [u8])> + DoubleEndedIterator + Clone + use<'a> {
        let bytes = self.bytes;
        self.parts.fields.iter().map(move |span| (span.name.of(bytes), span.value.of(bytes)))
    }

    /// The value of the first field of that name, ASCII case ignored.
    pub fn field(&self, name: &str) -> Option<&'a [u8]> {
        let is_it = |span: &&FieldSpan| span.name.of(self.bytes).eq_ignore_ascii_case(name.as_bytes());
        self.parts.fields.iter().find(is_it).map(|span| span.value.of(self.bytes))
    }

    /// The names of fields that were sent and dropped for their underscore, in wire order.
    pub fn dropped(&self) -> impl ExactSizeIterator<Item = &'a str> + Clone + use<'a> {
        let bytes = self.bytes;
        self.parts.dropped.iter().map(move |name| text(name.of(bytes)))
    }

    /// Whether the peer that sent it is a trusted forwarder ([`super::Connection::trust_forwarder`]).
    pub fn is_from_forwarder(&self) -> bool {
        self.parts.meaning.is_from_forwarder
    }

    /// Whether the client came by https, as a trusted peer tells by one of `secure_scheme_headers`; `None`: it does not
    /// tell, or nobody asked.
    pub fn is_secure(&self) -> Option<bool> {
        self.parts.meaning.is_secure
    }

    /// The authority that the request is for: the target's if it names one, else the value of Host (may be empty).
    pub fn host(&self) -> Option<&'a [u8]> {
        self.parts.line.authority.or(self.parts.meaning.host).map(|span| span.of(self.bytes))
    }

    /// The value of Content-Length, in bytes.
    pub fn content_length(&self) -> Option<u64> {
        self.parts.meaning.content_length
    }

    /// Whether the body comes in chunks.
    pub fn is_chunked(&self) -> bool {
        self.parts.meaning.framing == Framing::Chunked
    }

    /// Whether the client waits for `100 Continue` before it sends its body; never without a body, never in HTTP/1.0.
    pub fn expects_continue(&self) -> bool {
        self.parts.meaning.expects_continue
    }

    /// `METHOD SP target SP protocol`, for logs: printable as it is, since the line was visible ASCII.
    pub fn first_line(&self) -> FirstLine<'a> {
        FirstLine { head: *self }
    }
}

impl fmt::Debug for Head<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Head({}, {} fields)", self.first_line(), self.parts.fields.len())
    }
}

/// One header field.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Field<'a> {
    /// As sent, case kept, a token.
    pub name: &'a str,
    /// Without blanks at its ends; may hold HTAB and bytes above 0x7f.
    pub value: &'a [u8],
}

impl fmt::Debug for Field<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.value.escape_ascii())
    }
}

/// Displays the request line of a head.
#[derive(Debug, Clone, Copy)]
pub struct FirstLine<'a> {
    head: Head<'a>,
}

impl fmt::Display for FirstLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.head.method(), self.head.target(), self.head.protocol())
    }
}

/// Bytes of a head that were seen to be ASCII when it was read.
fn text(bytes: &[u8]) -> &str {
    str::from_utf8(bytes).expect("tokens and targets are ASCII, or the head would have been refused")
}
