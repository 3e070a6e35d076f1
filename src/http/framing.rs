//! What the fields of a head mean to the server: where the body ends, whom the request is for, whether the connection
//! stays. Every rule here has a smuggling or routing attack behind it.

use super::error::{Error, Excerpt};
use super::grammar::{digits, has_underscore, members};
use super::head::{FieldSpan, Span, Version};
use super::host;
use super::policy::{HeaderMap, Policy, Trust};
use super::request_line::{MethodKind, RequestLine};

/// How the body of a request ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// After so many bytes; 0 without a body.
    Length(u64),
    /// With a chunk of size 0.
    Chunked,
}

/// What the server itself reads out of a head.
#[derive(Debug, Clone, Copy)]
pub(super) struct Meaning {
    pub(super) framing: Framing,
    pub(super) content_length: Option<u64>,
    pub(super) host: Option<Span>,
    pub(super) expects_continue: bool,
    /// Whether the client would go on with this connection.
    pub(super) persists: bool,
    /// Whether the peer is a trusted forwarder.
    pub(super) is_from_forwarder: bool,
    /// Whether the client came by https, if a trusted peer says so or says otherwise.
    pub(super) is_secure: Option<bool>,
    /// Whether there are fields that must not be seen.
    pub(super) drops_fields: bool,
}

impl Default for Meaning {
    fn default() -> Self {
        Meaning {
            framing: Framing::Length(0),
            content_length: None,
            host: None,
            expects_continue: false,
            persists: false,
            is_from_forwarder: false,
            is_secure: None,
            drops_fields: false,
        }
    }
}

impl Meaning {
    /// Reads the fields of a head whose bytes are `head`.
    ///
    /// Errors: each of [`Error`] that concerns underscores, Host, Content-Type, the scheme, Expect, Content-Length or
    /// Transfer-Encoding; of several, one that a single field shows comes before one that takes the whole head.
    pub(super) fn read(
        line: &RequestLine,
        fields: &[FieldSpan],
        head: &[u8],
        policy: &Policy,
        trust: Trust,
    ) -> Result<Self, Error> {
        let mut seen = Seen::default();
        let is_forwarder = trust.is_forwarder();
        for field in fields {
            let name = field.name.of(head);
            if has_underscore(name) && !seen.passes(name, policy, trust)? {
                continue;
            }
            if is_forwarder && trust.may_tell_scheme(name.len()) {
                seen.note_scheme(name, field.value.of(head), policy)?;
            }
            seen.note(name, field.value, head)?;
        }
        check_host(line, seen.host.map(|span| span.of(head)), head)?;
        let framing = framing(line.version, seen.content_length, &seen.codings)?;
        Ok(Meaning {
            framing,
            content_length: seen.content_length,
            host: seen.host,
            expects_continue: seen.expects_continue && line.version == Version::Http11 && framing != Framing::Length(0),
            persists: persists(line, &seen),
            is_from_forwarder: trust.is_forwarder(),
            is_secure: seen.is_secure,
            drops_fields: seen.drops_fields,
        })
    }
}

/// What has been seen on the way through the fields.
#[derive(Default)]
struct Seen {
    host: Option<Span>,
    content_type: Option<Span>,
    content_length: Option<u64>,
    codings: Codings,
    expects_continue: bool,
    close: bool,
    keep_alive: bool,
    is_secure: Option<bool>,
    drops_fields: bool,
}

impl Seen {
    /// Whether a field with an underscore in its name goes on to whoever asks for it. It means nothing to us in any case:
    /// none of the names below has one.
    ///
    /// Errors: [`Error::FieldUnderscore`].
    #[cold]
    fn passes(&mut self, name: &[u8], policy: &Policy, trust: Trust) -> Result<bool, Error> {
        match policy.underscored(name, trust) {
            HeaderMap::Dangerous => Ok(true),
            HeaderMap::Refuse => Err(Error::FieldUnderscore(Excerpt::of(name))),
            HeaderMap::Drop => {
                self.drops_fields = true;
                Ok(false)
            }
        }
    }

    /// Errors: [`Error::SchemeConflict`].
    fn note_scheme(&mut self, name: &[u8], value: &[u8], policy: &Policy) -> Result<(), Error> {
        match (policy.scheme_is_secure(name, value), self.is_secure) {
            (Some(new), Some(before)) if new != before => Err(Error::SchemeConflict),
            (Some(new), _) => {
                self.is_secure = Some(new);
                Ok(())
            }
            (None, _) => Ok(()),
        }
    }

    fn note(&mut self, name: &[u8], span: Span, head: &[u8]) -> Result<(), Error> {
        let value = span.of(head);
        // The length tells most fields apart without looking at their names.
        match name.len() {
            4 if name.eq_ignore_ascii_case(b"host") => {
                let earlier = self.host.replace(span);
                earlier.map_or(Ok(()), |_| Err(Error::HostRepeated))?;
            }
            6 if name.eq_ignore_ascii_case(b"expect") => {
                if !value.eq_ignore_ascii_case(b"100-continue") {
                    return Err(Error::Expectation(Excerpt::of(value)));
                }
                self.expects_continue = true;
            }
            10 if name.eq_ignore_ascii_case(b"connection") => {
                for option in members(value) {
                    self.close |= option.eq_ignore_ascii_case(b"close");
                    self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
                }
            }
            12 if name.eq_ignore_ascii_case(b"content-type") => {
                let earlier = self.content_type.replace(span);
                earlier.map_or(Ok(()), |_| Err(Error::ContentTypeRepeated))?;
            }
            14 if name.eq_ignore_ascii_case(b"content-length") => {
                let length = digits(value).ok_or_else(|| Error::ContentLength(Excerpt::of(value)))?;
                if self.content_length.replace(length).is_some() {
                    return Err(Error::ContentLengthRepeated);
                }
            }
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => self.codings.note(value),
            _ => {}
        }
        Ok(())
    }
}

/// The members of all Transfer-Encoding fields.
#[derive(Default)]
struct Codings {
    is_present: bool,
    /// `chunked` was seen, and is the last one as long as there is no refusal.
    is_chunked: bool,
    /// The last value with a coding that would have to be undone.
    compression: Option<Excerpt>,
    last: Option<Excerpt>,
    refusal: Option<Error>,
}

impl Codings {
    /// Refusals wait until the whole head is known, for Content-Length or HTTP/1.0 make a better one.
    fn note(&mut self, value: &[u8]) {
        self.is_present = true;
        for coding in members(value) {
            if self.is_chunked {
                // RFC 9112 §6.1: chunked is applied once, and last.
                self.refusal.get_or_insert(Error::TransferEncoding(Excerpt::of(value)));
            } else if coding.eq_ignore_ascii_case(b"chunked") {
                self.is_chunked = true;
            } else if [&b"gzip"[..], b"x-gzip", b"deflate", b"compress", b"x-compress"]
                .iter()
                .any(|known| coding.eq_ignore_ascii_case(known))
            {
                self.compression = Some(Excerpt::of(coding));
            } else if !coding.eq_ignore_ascii_case(b"identity") {
                self.refusal.get_or_insert(Error::TransferCoding(Excerpt::of(coding)));
            }
        }
        if !self.is_chunked {
            self.last = Some(Excerpt::of(value));
        }
    }

    /// Errors: [`Error::TransferEncoding`], [`Error::TransferCoding`].
    fn check(&self) -> Result<(), Error> {
        match (&self.refusal, &self.compression, &self.last) {
            (Some(refusal), _, _) => Err(refusal.clone()),
            // RFC 9112 §6.3: without chunked at the end nobody knows where the body ends.
            (None, _, Some(last)) if !self.is_chunked => Err(Error::TransferEncoding(last.clone())),
            (None, Some(coding), _) => Err(Error::TransferCoding(coding.clone())),
            (None, None, _) => Ok(()),
        }
    }
}

/// How the body of a request ends. With neither field it is empty.
///
/// Errors: [`Error::BothFramings`], [`Error::TransferEncodingInHttp10`], and those of the codings.
///
/// Source: RFC 9112 §6.1, §6.3.
fn framing(version: Version, content_length: Option<u64>, codings: &Codings) -> Result<Framing, Error> {
    match (codings.is_present, content_length, version) {
        // §6.1: a server of HTTP/1.0 in front would not have understood the field.
        (true, _, Version::Http10) => Err(Error::TransferEncodingInHttp10),
        // §6.1 lets us go on with `chunked`. We refuse: a proxy in front may have believed the other field, and then
        // the next request we read is one that an attacker wrote.
        (true, Some(_), Version::Http11) => Err(Error::BothFramings),
        (true, None, Version::Http11) => codings.check().map(|()| Framing::Chunked),
        (false, length, _) => Ok(Framing::Length(length.unwrap_or(0))),
    }
}

/// Errors: [`Error::HostMissing`], [`Error::HostInvalid`], [`Error::HostConflict`]. Source: RFC 9112 §3.2.
fn check_host(line: &RequestLine, host: Option<&[u8]>, head: &[u8]) -> Result<(), Error> {
    let Some(host) = host else {
        return match line.version {
            Version::Http10 => Ok(()),
            Version::Http11 => Err(Error::HostMissing),
        };
    };
    if !host::is_valid(host) {
        return Err(Error::HostInvalid(Excerpt::of(host)));
    }
    match line.authority {
        // §3.2.2 has us ignore Host here. We refuse: what routed the request in front may have looked at it.
        Some(authority) if !host::is_same(authority.of(head), host, line.default_port) => {
            Err(Error::HostConflict(Excerpt::of(host)))
        }
        Some(_) | None => Ok(()),
    }
}

/// Source: RFC 9112 §9.3; after CONNECT nothing that follows can be trusted to be HTTP.
fn persists(line: &RequestLine, seen: &Seen) -> bool {
    let wanted = match line.version {
        Version::Http10 => seen.keep_alive,
        Version::Http11 => true,
    };
    wanted && !seen.close && line.method_kind != MethodKind::Connect
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Framing of a 1.1 head with these fields (`Name: value`, the Host left out), or the refusal.
    #[track_caller]
    fn check(fields: &[&str], want: &str) {
        let mut head = b"POST / HTTP/1.1".to_vec();
        let line = RequestLine::read(&head, 0, &Policy::default()).unwrap();
        let mut spans = Vec::new();
        for field in ["Host: a"].iter().chain(fields) {
            let (name, value) = field.split_once(": ").unwrap();
            let name_start = head.len();
            head.extend_from_slice(field.as_bytes());
            let value_start = head.len() - value.len();
            spans.push(FieldSpan {
                name: Span::new(name_start, name.len()),
                value: Span::new(value_start, value.len()),
            });
        }
        let got = match Meaning::read(&line, &spans, &head, &Policy::default(), Trust::default()) {
            Ok(meaning) => format!("{:?}", meaning.framing),
            Err(error) => format!("{} {error}", error.status()),
        };
        assert_eq!(got, want, "{fields:?}");
    }

    #[test]
    fn a_body_has_a_length_or_chunks() {
        check(&[], "Length(0)");
        check(&["content-length: 12"], "Length(12)");
        check(&["Transfer-Encoding: Chunked"], "Chunked");
        check(&["Transfer-Encoding: identity, chunked"], "Chunked");
        check(&["Transfer-Encoding: identity", "transfer-encoding: chunked"], "Chunked");
    }

    #[test]
    fn codings_that_could_be_read_in_two_ways_are_refused() {
        let stacked = |value: &str| format!("400 Invalid Transfer-Encoding: '{value}'");
        let unknown = |value: &str| format!("501 Unsupported transfer coding: '{value}'");
        for value in ["gzip", "identity", "chunked, chunked", "chunked, gzip", "chunked,", "chunked, identity"] {
            check(&[&format!("Transfer-Encoding: {value}")], &stacked(value));
        }
        check(&["Transfer-Encoding: chunked", "Transfer-Encoding: identity"], &stacked("identity"));
        check(&["Transfer-Encoding: gzip, chunked"], &unknown("gzip"));
        check(&["Transfer-Encoding: deflate", "Transfer-Encoding: chunked"], &unknown("deflate"));
        check(&["Transfer-Encoding: xchunked"], &unknown("xchunked"));
        check(&["Transfer-Encoding: chunked;q=1"], &unknown("chunked;q=1"));
        check(&["Transfer-Encoding: , chunked"], &unknown(""));
        check(&["Transfer-Encoding: \x0bchunked"], &unknown(r"\x0bchunked"));
    }

    #[test]
    fn two_framings_are_refused_whatever_the_codings() {
        let both = "400 Content-Length and Transfer-Encoding in one request";
        check(&["Content-Length: 5", "Transfer-Encoding: chunked"], both);
        check(&["Transfer-Encoding: gzip, chunked", "Content-Length: 5"], both);
        check(&["Content-Length: 5", "Content-Length: 5"], "400 Repeated HTTP Header: 'Content-Length'");
    }
}
