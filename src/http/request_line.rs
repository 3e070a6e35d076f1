//! The request line: which methods, targets and versions are served, and where path, query and authority stand in a
//! target. Its parts are judged here for both ways of finding them (`head_reader`).

use super::error::{Error, Excerpt};
use super::grammar::{is_token, is_visible};
use super::head::{Span, Version};
use super::host;
use super::policy::Policy;

/// The methods that change how an answer is framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum MethodKind {
    Head,
    Connect,
    #[default]
    Other,
}

/// The parts of a request line, as places in the head.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct RequestLine {
    pub(super) method: Span,
    pub(super) method_kind: MethodKind,
    pub(super) target: Span,
    /// `None`: an absolute-form target without a path, which means `/`.
    pub(super) path: Option<Span>,
    pub(super) query: Span,
    /// The authority of an absolute-form or authority-form target.
    pub(super) authority: Option<Span>,
    /// The port that an absolute-form target leaves unsaid.
    pub(super) default_port: Option<u64>,
    pub(super) version: Version,
}

impl RequestLine {
    /// Reads `line`, which lies at `start` of the head, without its CRLF.
    ///
    /// Errors: [`Error::RequestLine`], [`Error::Method`], [`Error::Target`], [`Error::Version`],
    /// [`Error::Http2Preface`]. Source: RFC 9112 §3.
    pub(super) fn read(line: &[u8], start: usize, policy: &Policy) -> Result<Self, Error> {
        let mut words = line.splitn(3, |&b| b == b' ');
        let (Some(method), Some(target), Some(version)) = (words.next(), words.next(), words.next()) else {
            return Err(Error::RequestLine(Excerpt::of(line)));
        };
        // RFC 9113 §3.4 chose this line so that no HTTP/1.1 server would take it for a request.
        if line == b"PRI * HTTP/2.0" {
            return Err(Error::Http2Preface);
        }
        RequestLine::judge(method, target, start, policy)?.with_version(version, policy)
    }

    /// Judges a method and a target that stand at `start` of the head, one space between them.
    ///
    /// Errors: [`Error::Method`], [`Error::Target`].
    pub(super) fn judge(method: &[u8], target: &[u8], start: usize, policy: &Policy) -> Result<Self, Error> {
        if !is_method(method, policy) {
            return Err(Error::Method(Excerpt::of(method)));
        }
        let mut line = RequestLine {
            method: Span::new(start, method.len()),
            method_kind: match method {
                b"HEAD" => MethodKind::Head,
                b"CONNECT" => MethodKind::Connect,
                _ => MethodKind::Other,
            },
            ..RequestLine::default()
        };
        line.locate(method, target, start + method.len() + 1)
            .then_some(line)
            .ok_or_else(|| Error::Target(Excerpt::of(target)))
    }

    /// Finds the parts of `target`, which lies at `start` of the head; `false` if its form does not fit the method.
    ///
    /// Source: RFC 9112 §3.2.
    fn locate(&mut self, method: &[u8], target: &[u8], start: usize) -> bool {
        self.target = Span::new(start, target.len());
        if !is_visible(target) {
            return false;
        }
        if self.method_kind == MethodKind::Connect {
            self.path = Some(Span::new(start, 0));
            self.authority = Some(self.target);
            // RFC 9110 §9.3.6: an empty or invalid port must be refused.
            return host::is_named(target, true);
        }
        match target {
            // `//` too: in this place it is a path, whatever it would be in a reference.
            [b'/', ..] => {
                self.split(target, start);
                true
            }
            b"*" => {
                self.path = Some(self.target);
                method == b"OPTIONS"
            }
            _ => self.locate_absolute(target, start),
        }
    }

    /// `scheme "://" authority [path] ["?" query]`.
    fn locate_absolute(&mut self, target: &[u8], start: usize) -> bool {
        let scheme_len = target.iter().take_while(|&&b| is_scheme(b)).count();
        let (scheme, rest) = target.split_at(scheme_len);
        let Some(rest) = rest.strip_prefix(b"://") else {
            return false;
        };
        let authority_len = rest.iter().position(|b| b"/?#".contains(b)).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at(authority_len);
        let authority_start = start + scheme_len + 3;
        self.authority = Some(Span::new(authority_start, authority_len));
        self.default_port = match scheme.to_ascii_lowercase().as_slice() {
            b"http" => Some(80),
            b"https" => Some(443),
            _ => None,
        };
        self.split(rest, authority_start + authority_len);
        // An authority must name a host (RFC 9110 §4.2.1) and no user (§4.2.4): such a target was made to mislead.
        scheme.first().is_some_and(u8::is_ascii_alphabetic) && host::is_named(authority, false)
    }

    /// Splits path, query and fragment; the last is forgotten.
    fn split(&mut self, target: &[u8], start: usize) {
        let path_len = target.iter().position(|&b| b == b'?' || b == b'#').unwrap_or(target.len());
        self.path = (path_len > 0).then_some(Span::new(start, path_len));
        if let [b'?', rest @ ..] = &target[path_len..] {
            let query_len = rest.iter().position(|&b| b == b'#').unwrap_or(rest.len());
            self.query = Span::new(start + path_len + 1, query_len);
        }
    }

    /// Errors: [`Error::Version`].
    fn with_version(mut self, version: &[u8], policy: &Policy) -> Result<Self, Error> {
        self.version = match version.strip_prefix(b"HTTP/") {
            Some(b"1.0") => Version::Http10,
            Some([b'1', b'.', b'1'..=b'9']) => Version::Http11,
            Some([b'0', b'.', b'0'..=b'9']) if policy.unconventional_version => Version::Http10,
            Some([b'2'..=b'9', b'.', b'0'..=b'9']) if policy.unconventional_version => Version::Http11,
            Some(_) | None => return Err(Error::Version(Excerpt::of(version))),
        };
        Ok(self)
    }
}

/// Puts the method that `line` begins with in upper case, if it is one that `policy` accepts. It must be done before the
/// line is read, so that a folded `head` is treated as HEAD.
pub(super) fn casefold_method(line: &mut [u8], policy: &Policy) {
    let method_len = line.iter().position(|&b| b == b' ').unwrap_or(line.len());
    let method = &mut line[..method_len];
    if is_method(method, policy) {
        method.make_ascii_uppercase();
    }
}

/// A token; by default of 3 to 20 characters without lower case and `#`, as Gunicorn wants it: no method in use is
/// otherwise, and case has been used to slip past rules of proxies.
fn is_method(method: &[u8], policy: &Policy) -> bool {
    is_token(method) && (policy.unconventional_method || is_conventional(method))
}

fn is_conventional(method: &[u8]) -> bool {
    (3..=20).contains(&method.len()) && !method.iter().any(|&b| b.is_ascii_lowercase() || b == b'#')
}

/// A character of a URI scheme. Source: RFC 3986 §3.1.
fn is_scheme(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"+-.".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Authority (`-` for none), path (`/` also for none) and query.
    #[track_caller]
    fn check(line: &str, want: &str) {
        let padded = format!("..{line}");
        let bytes = padded.as_bytes();
        let got = match RequestLine::read(line.as_bytes(), 2, &Policy::default()) {
            Ok(parts) => {
                let text = |span: Span| String::from_utf8(span.of(bytes).to_vec()).unwrap();
                assert_eq!(text(parts.method), line.split(' ').next().unwrap());
                assert_eq!(text(parts.target), line.split(' ').nth(1).unwrap());
                let authority = parts.authority.map_or("-".into(), text);
                format!("{authority} {} {}", parts.path.map_or("/".into(), text), text(parts.query))
            }
            Err(error) => error.to_string(),
        };
        assert_eq!(got, want);
    }

    #[test]
    fn targets_of_each_form_are_taken_apart() {
        check("GET /a/b?c=d?e HTTP/1.1", "- /a/b c=d?e");
        check("GET /a?b#c?d HTTP/1.1", "- /a b");
        check("GET /a#b?c HTTP/1.1", "- /a ");
        check("GET //a/b HTTP/1.1", "- //a/b ");
        check("GET /? HTTP/1.0", "- / ");
        check("OPTIONS * HTTP/1.1", "- * ");
        check("CONNECT a:443 HTTP/1.1", "a:443  ");
        check("GET http://a HTTP/1.1", "a / ");
        check("GET http://a?b HTTP/1.1", "a / b");
        check("GET HTTPS://a:1/b?c#d HTTP/1.9", "a:1 /b c");
    }

    #[test]
    fn targets_that_do_not_fit_are_refused() {
        for target in [
            "a",
            "a/b",
            "*",
            "?a",
            "://a/",
            "1http://a/",
            "http:/a",
            "http://",
            "http:///a",
            "http://u@a/",
            "http://[a/",
            "http://a:b/",
            "a?b://c",
            "/\u{7f}",
            "/\u{e9}",
            "/\t",
            "",
        ] {
            let want = Error::Target(Excerpt::of(target.as_bytes()));
            check(&format!("GET {target} HTTP/1.1"), &want.to_string());
        }
        for target in ["a", "a:", ":1", "/", "*", "http://a:1/", "a:1/", "u@a:1"] {
            let want = Error::Target(Excerpt::of(target.as_bytes()));
            check(&format!("CONNECT {target} HTTP/1.1"), &want.to_string());
        }
    }

    #[test]
    fn methods_are_tokens_in_upper_case() {
        check("M-SEARCH / HTTP/1.1", "- / ");
        check("ABCDEFGHIJKLMNOPQRST / HTTP/1.1", "- / ");
        for method in ["get", "GEt", "GE", "ABCDEFGHIJKLMNOPQRSTU", "G#T", "G(T", "G\u{e9}T", ""] {
            let want = Error::Method(Excerpt::of(method.as_bytes()));
            check(&format!("{method} / HTTP/1.1"), &want.to_string());
        }
    }

    #[test]
    fn versions_are_one_point_something() {
        for version in ["http/1.1", "HTTP/1.10", "HTTP/0.9", "HTTP/2.0", "HTTP/1.1 ", "HTTP/1", " HTTP/1.1", ""] {
            check(&format!("GET / {version}"), &format!("Invalid HTTP Version: '{version}'"));
        }
        check("PRI * HTTP/2.0", "HTTP/2 preface on an HTTP/1.1 port");
        check("GET /", "Invalid HTTP request line: 'GET /'");
    }
}
