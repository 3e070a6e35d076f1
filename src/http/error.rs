//! Why a peer's bytes were refused, the status that says so, and the text for the log. All of it is the peer's
//! doing; what an answer can do wrong stands with the answer (`SendError`, `FieldError`).

use std::fmt;

use super::page;

/// The most bytes of a peer's that a log line repeats.
const EXCERPT_LEN: usize = 100;

/// Bytes that the peer sent, for the log: at most 100 of them, shown in quotes with everything escaped that is not
/// visible ASCII, so that a peer can neither flood nor forge log lines.
#[derive(Clone, PartialEq, Eq)]
pub struct Excerpt {
    bytes: Box<[u8]>,
    is_cut: bool,
}

impl Excerpt {
    pub(super) fn of(bytes: &[u8]) -> Self {
        Excerpt { bytes: bytes[..bytes.len().min(EXCERPT_LEN)].into(), is_cut: bytes.len() > EXCERPT_LEN }
    }
}

impl fmt::Display for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}{}'", self.bytes.escape_ascii(), if self.is_cut { "..." } else { "" })
    }
}

impl fmt::Debug for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What a peer did that ends the connection. [`Error::status`] is the answer, `Display` the text for the log.
///
/// Values of header fields are never repeated in full, since they may be secrets; names and framing values are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// The first bytes are a TLS handshake record: somebody speaks https to a plain port.
    TlsHello,
    /// `PRI * HTTP/2.0`: HTTP/2 with prior knowledge.
    Http2Preface,
    /// The peer ended its side in the middle of a request.
    Truncated,
    /// A line that ends in LF without CR.
    BareLineFeed,

    /// Not three words, or empty.
    RequestLine(Excerpt),
    /// Not a token, lower case, `#`, or not of 3 to 20 characters.
    Method(Excerpt),
    /// Empty, not visible ASCII, or of a form that does not fit the method.
    Target(Excerpt),
    /// Not `HTTP/1.` and a digit.
    Version(Excerpt),
    /// Longer than `limit_request_line`.
    RequestLineTooLong {
        /// The limit in bytes.
        limit: usize,
    },

    /// A field line without a colon.
    FieldLine(Excerpt),
    /// A field name that is empty or no token.
    FieldName(Excerpt),
    /// Control bytes in the value of the field with this name.
    FieldValue(Excerpt),
    /// A field name with an underscore, where `header_map` is `refuse`.
    FieldUnderscore(Excerpt),
    /// A field line that begins with a blank.
    Folding(Excerpt),
    /// Control bytes in a folded line, where such lines are permitted.
    FoldedValue,
    /// More fields than `limit_request_fields`.
    TooManyFields {
        /// The limit in fields.
        limit: usize,
    },
    /// A field line longer than `limit_request_field_size`.
    FieldTooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// A header or trailer section longer than all its fields may be together.
    SectionTooLong {
        /// The limit in bytes.
        limit: usize,
    },

    /// HTTP/1.1 without Host.
    HostMissing,
    /// More than one Host.
    HostRepeated,
    /// Host is not `host [":" port]`.
    HostInvalid(Excerpt),
    /// Host names another authority than the absolute-form target.
    HostConflict(Excerpt),
    /// More than one Content-Type.
    ContentTypeRepeated,
    /// Two of `secure_scheme_headers`, and one says https, the other http.
    SchemeConflict,
    /// Expect asks for something else than `100-continue`.
    Expectation(Excerpt),

    /// Content-Length is not `1*DIGIT` or above `u64::MAX`.
    ContentLength(Excerpt),
    /// More than one Content-Length, even if equal.
    ContentLengthRepeated,
    /// Content-Length and Transfer-Encoding.
    BothFramings,
    /// Transfer-Encoding in HTTP/1.0.
    TransferEncodingInHttp10,
    /// Transfer-Encoding does not end in exactly one `chunked`.
    TransferEncoding(Excerpt),
    /// A transfer coding that we do not undo.
    TransferCoding(Excerpt),

    /// Not 1 to 16 hexadecimal digits where a chunk begins.
    ChunkSize(Excerpt),
    /// A chunk-size line longer than `limit_request_field_size`.
    ChunkLineTooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// A malformed chunk extension.
    ChunkExtension(Excerpt),
    /// Far more bytes of chunk extensions than of data.
    ChunkExtensionsTooLong,
    /// No CRLF after the data of a chunk.
    ChunkEnd,
    /// A trailer that would change framing, routing or authority.
    Trailer(Excerpt),
}

impl Error {
    /// The status code of the answer: 400, 414, 417, 431 or 501.
    pub fn status(&self) -> u16 {
        match self {
            Error::RequestLineTooLong { .. } => 414,
            Error::Expectation(_) => 417,
            Error::TooManyFields { .. } | Error::FieldTooLong { .. } | Error::SectionTooLong { .. } => 431,
            Error::TransferCoding(_) => 501,
            Error::TlsHello
            | Error::Http2Preface
            | Error::Truncated
            | Error::BareLineFeed
            | Error::RequestLine(_)
            | Error::Method(_)
            | Error::Target(_)
            | Error::Version(_)
            | Error::FieldLine(_)
            | Error::FieldName(_)
            | Error::FieldValue(_)
            | Error::FieldUnderscore(_)
            | Error::Folding(_)
            | Error::FoldedValue
            | Error::HostMissing
            | Error::HostRepeated
            | Error::HostInvalid(_)
            | Error::HostConflict(_)
            | Error::ContentTypeRepeated
            | Error::SchemeConflict
            | Error::ContentLength(_)
            | Error::ContentLengthRepeated
            | Error::BothFramings
            | Error::TransferEncodingInHttp10
            | Error::TransferEncoding(_)
            | Error::ChunkSize(_)
            | Error::ChunkLineTooLong { .. }
            | Error::ChunkExtension(_)
            | Error::ChunkExtensionsTooLong
            | Error::ChunkEnd
            | Error::Trailer(_) => 400,
        }
    }

    /// The reason phrase of [`Error::status`].
    pub fn reason(&self) -> &'static str {
        page::reason(self.status())
    }

    /// A short name of the fault, the same whatever the bytes: for counting in the log and in metrics.
    pub fn kind(&self) -> &'static str {
        match self {
            Error::TlsHello => "TLS hello",
            Error::Http2Preface => "HTTP/2 preface",
            Error::Truncated => "truncated",
            Error::BareLineFeed => "bare LF",
            Error::RequestLine(_) => "request line",
            Error::Method(_) => "method",
            Error::Target(_) => "target",
            Error::Version(_) => "version",
            Error::RequestLineTooLong { .. } => "request line size",
            Error::FieldLine(_) => "header line",
            Error::FieldName(_) => "header name",
            Error::FieldValue(_) => "header value",
            Error::FieldUnderscore(_) => "header underscore",
            Error::Folding(_) => "header folding",
            Error::FoldedValue => "folded header value",
            Error::TooManyFields { .. } => "header count",
            Error::FieldTooLong { .. } => "header size",
            Error::SectionTooLong { .. } => "header section size",
            Error::HostMissing => "missing Host",
            Error::HostRepeated => "repeated Host",
            Error::HostInvalid(_) => "invalid Host",
            Error::HostConflict(_) => "contradictory Host",
            Error::ContentTypeRepeated => "repeated Content-Type",
            Error::SchemeConflict => "contradictory scheme",
            Error::Expectation(_) => "expectation",
            Error::ContentLength(_) => "Content-Length",
            Error::ContentLengthRepeated => "repeated Content-Length",
            Error::BothFramings => "both framings",
            Error::TransferEncodingInHttp10 => "Transfer-Encoding in HTTP/1.0",
            Error::TransferEncoding(_) => "Transfer-Encoding",
            Error::TransferCoding(_) => "transfer coding",
            Error::ChunkSize(_) => "chunk size",
            Error::ChunkLineTooLong { .. } => "chunk line size",
            Error::ChunkExtension(_) => "chunk extension",
            Error::ChunkExtensionsTooLong => "chunk extension size",
            Error::ChunkEnd => "chunk end",
            Error::Trailer(_) => "trailer",
        }
    }

    /// Whether the peer could read an answer: one that speaks TLS or HTTP/2 could not, and is closed at once.
    pub fn is_answered(&self) -> bool {
        !matches!(self, Error::TlsHello | Error::Http2Preface)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::TlsHello => write!(f, "TLS ClientHello on a plain HTTP port"),
            Error::Http2Preface => write!(f, "HTTP/2 preface on an HTTP/1.1 port"),
            Error::Truncated => write!(f, "Connection closed in the middle of a request"),
            Error::BareLineFeed => write!(f, "Invalid line ending: LF without CR"),
            Error::RequestLine(line) => write!(f, "Invalid HTTP request line: {line}"),
            Error::Method(method) => write!(f, "Invalid HTTP method: {method}"),
            Error::Target(target) => write!(f, "Invalid HTTP request target: {target}"),
            Error::Version(version) => write!(f, "Invalid HTTP Version: {version}"),
            Error::RequestLineTooLong { limit } => {
                write!(f, "Request Line is too large (> {limit} bytes)")
            }
            Error::FieldLine(line) => write!(f, "Invalid HTTP Header: {line}"),
            Error::FieldName(name) | Error::FieldUnderscore(name) => {
                write!(f, "Invalid HTTP header name: {name}")
            }
            Error::FieldValue(name) => write!(f, "Invalid value of HTTP Header: {name}"),
            Error::Folding(line) => write!(f, "Obsolete line folding is unacceptable: {line}"),
            Error::FoldedValue => write!(f, "Invalid value in a folded line of an HTTP Header"),
            Error::TooManyFields { limit } => write!(f, "Too many header fields (> {limit})"),
            Error::FieldTooLong { limit } => {
                write!(f, "Header field is too large (> {limit} bytes)")
            }
            Error::SectionTooLong { limit } => {
                write!(f, "Header section is too large (> {limit} bytes)")
            }
            Error::HostMissing => write!(f, "Missing HTTP Header: 'Host'"),
            Error::HostRepeated => write!(f, "Repeated HTTP Header: 'Host'"),
            Error::HostInvalid(host) => write!(f, "Invalid Host: {host}"),
            Error::HostConflict(host) => write!(f, "Host differs from the request target: {host}"),
            Error::ContentTypeRepeated => write!(f, "Repeated HTTP Header: 'Content-Type'"),
            Error::SchemeConflict => write!(f, "Contradictory scheme headers"),
            Error::Expectation(value) => write!(f, "Unable to comply with expectation: {value}"),
            Error::ContentLength(value) => write!(f, "Invalid Content-Length: {value}"),
            Error::ContentLengthRepeated => write!(f, "Repeated HTTP Header: 'Content-Length'"),
            Error::BothFramings => write!(f, "Content-Length and Transfer-Encoding in one request"),
            Error::TransferEncodingInHttp10 => write!(f, "Transfer-Encoding in HTTP/1.0"),
            Error::TransferEncoding(value) => write!(f, "Invalid Transfer-Encoding: {value}"),
            Error::TransferCoding(coding) => write!(f, "Unsupported transfer coding: {coding}"),
            Error::ChunkSize(line) => write!(f, "Invalid chunk size: {line}"),
            Error::ChunkLineTooLong { limit } => {
                write!(f, "Chunk size line is too large (> {limit} bytes)")
            }
            Error::ChunkExtension(line) => write!(f, "Invalid chunk extension: {line}"),
            Error::ChunkExtensionsTooLong => {
                write!(f, "Chunk extensions are too large for their data")
            }
            Error::ChunkEnd => write!(f, "Invalid chunk terminator is not '\\r\\n'"),
            Error::Trailer(name) => write!(f, "Forbidden trailer: {name}"),
        }
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_a_peer_is_cut_and_cannot_forge_a_line() {
        let forged = Error::Method(Excerpt::of(b"a'\n\x1b[2J\xff")).to_string();
        assert_eq!(forged, r"Invalid HTTP method: 'a\'\n\x1b[2J\xff'");
        let long = Error::Target(Excerpt::of(&[b'a'; 5000])).to_string();
        assert_eq!(long, format!("Invalid HTTP request target: '{}...'", "a".repeat(100)));
    }

    #[test]
    fn a_kind_is_the_same_whatever_the_bytes() {
        assert_eq!(Error::Method(Excerpt::of(b"a")).kind(), Error::Method(Excerpt::of(b"b")).kind());
        assert_eq!(Error::BareLineFeed.kind(), "bare LF");
        assert_ne!(Error::FieldName(Excerpt::of(b"")).kind(), Error::FieldUnderscore(Excerpt::of(b"")).kind());
    }

    #[test]
    fn each_status_has_its_own_reason() {
        let reasons = [
            (Error::ChunkEnd, 400, "Bad Request"),
            (Error::RequestLineTooLong { limit: 1 }, 414, "URI Too Long"),
            (Error::Expectation(Excerpt::of(b"")), 417, "Expectation Failed"),
            (Error::FieldTooLong { limit: 1 }, 431, "Request Header Fields Too Large"),
            (Error::TransferCoding(Excerpt::of(b"")), 501, "Not Implemented"),
        ];
        for (error, status, reason) in reasons {
            assert_eq!((error.status(), error.reason()), (status, reason));
        }
    }
}
