//! The settings that change what is accepted, and how much a peer's word counts. One policy serves a whole worker; every
//! switch is off by default, and whoever turns one on widens the gap between us and a proxy in front.

use super::limits::Limits;

/// What a worker accepts beyond and below the rules. Each switch is named for the setting of Gunicorn that sets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// `limit_request_line`, `limit_request_fields`, `limit_request_field_size`.
    pub limits: Limits,
    /// `permit_obsolete_folding`: a field may go on in lines that begin with a blank; they are joined with one space.
    /// Holds for trailers too.
    pub obsolete_folding: bool,
    /// `strip_header_spaces`: blanks between a field's name and its colon are taken off.
    pub header_spaces: bool,
    /// `permit_unconventional_http_method`: any token is a method.
    pub unconventional_method: bool,
    /// `permit_unconventional_http_version`: `HTTP/x.y` outside of 1.x, answered as the nearest version that we speak.
    pub unconventional_version: bool,
    /// `casefold_http_method`: methods are put in upper case once they are found valid.
    pub casefold_method: bool,
    /// `header_map`: what becomes of names with an underscore.
    pub header_map: HeaderMap,
    /// `forwarder_headers`: names with an underscore, in upper case, that a trusted peer may send whatever
    /// `header_map` says; `*` stands for all.
    pub forwarder_headers: Vec<String>,
    /// `secure_scheme_headers`: names, and the value by which a trusted peer says that its client came by https.
    pub secure_scheme_headers: Vec<(String, String)>,
}

/// What becomes of a field whose name holds `_`, which CGI cannot tell from `-`: `Content_Length` and
/// `Content-Length` would be one variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HeaderMap {
    /// It counts for the limits and is then forgotten.
    #[default]
    Drop,
    /// The request is refused.
    Refuse,
    /// It is kept, and whoever reads it cannot know what was sent.
    Dangerous,
}

impl Default for Policy {
    /// Gunicorn's defaults.
    fn default() -> Self {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        Policy {
            limits: Limits::default(),
            obsolete_folding: false,
            header_spaces: false,
            unconventional_method: false,
            unconventional_version: false,
            casefold_method: false,
            header_map: HeaderMap::Drop,
            forwarder_headers: vec!["SCRIPT_NAME".to_owned(), "PATH_INFO".to_owned()],
            secure_scheme_headers: vec![
                pair("X-FORWARDED-PROTOCOL", "ssl"),
                pair("X-FORWARDED-PROTO", "https"),
                pair("X-FORWARDED-SSL", "on"),
            ],
        }
    }
}

impl Policy {
    /// What becomes of a field with this `name`, which holds an underscore.
    pub(super) fn underscored(&self, name: &[u8], trust: Trust) -> HeaderMap {
        let passes = |allowed: &String| allowed == "*" || name.eq_ignore_ascii_case(allowed.as_bytes());
        if trust.is_forwarder && self.forwarder_headers.iter().any(passes) {
            return HeaderMap::Dangerous;
        }
        self.header_map
    }

    /// Whether a field says that the client came by https; `None` if it does not speak of that.
    pub(super) fn scheme_is_secure(&self, name: &[u8], value: &[u8]) -> Option<bool> {
        // The last letters tell fields of one length apart for less than a comparison of all.
        let end = |name: &[u8]| name.last().map(u8::to_ascii_lowercase);
        let is_it = |pair: &&(String, String)| {
            end(name) == end(pair.0.as_bytes()) && name.eq_ignore_ascii_case(pair.0.as_bytes())
        };
        self.secure_scheme_headers.iter().find(is_it).map(|(_, secure)| value == secure.as_bytes())
    }
}

/// How much the peer's word counts. By default not at all.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Trust {
    /// The peer is one of `forwarded_allow_ips`.
    is_forwarder: bool,
    /// Bit n: a name of n bytes may be one of `secure_scheme_headers`. Tells all other fields apart at no cost.
    scheme_lens: u64,
}

impl Trust {
    /// Trust in a proxy that forwards for others.
    pub(super) fn forwarder(policy: &Policy) -> Self {
        let lens = policy.secure_scheme_headers.iter().map(|(name, _)| len_bit(name.len()));
        Trust { is_forwarder: true, scheme_lens: lens.fold(0, |all, bit| all | bit) }
    }

    #[inline]
    pub(super) fn is_forwarder(self) -> bool {
        self.is_forwarder
    }

    /// Whether a field with a name of `len` bytes may be one of `secure_scheme_headers`, and would be believed.
    #[inline]
    pub(super) fn may_tell_scheme(self, len: usize) -> bool {
        self.scheme_lens & len_bit(len) != 0
    }
}

#[inline]
fn len_bit(len: usize) -> u64 {
    1 << len.min(63)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_forwarder_may_send_its_underscores() {
        let policy = Policy::default();
        let trust = Trust::forwarder(&policy);
        assert_eq!(policy.underscored(b"script_Name", trust), HeaderMap::Dangerous);
        assert_eq!(policy.underscored(b"SCRIPT_NAME", Trust::default()), HeaderMap::Drop);
        assert_eq!(policy.underscored(b"REMOTE_USER", trust), HeaderMap::Drop);
        let policy =
            Policy { forwarder_headers: vec!["*".to_owned()], header_map: HeaderMap::Refuse, ..Policy::default() };
        assert_eq!(policy.underscored(b"A_B", Trust::forwarder(&policy)), HeaderMap::Dangerous);
        assert_eq!(policy.underscored(b"A_B", Trust::default()), HeaderMap::Refuse);
    }

    #[test]
    fn a_scheme_field_matches_by_name_and_exact_value() {
        let policy = Policy::default();
        assert_eq!(policy.scheme_is_secure(b"x-forwarded-Proto", b"https"), Some(true));
        assert_eq!(policy.scheme_is_secure(b"X-Forwarded-Proto", b"HTTPS"), Some(false));
        assert_eq!(policy.scheme_is_secure(b"X-Forwarded-Ssl", b""), Some(false));
        assert_eq!(policy.scheme_is_secure(b"X-Forwarded-For", b"https"), None);
        assert!(Trust::forwarder(&policy).may_tell_scheme(17));
        assert!(!Trust::forwarder(&policy).may_tell_scheme(4));
        assert!(!Trust::default().may_tell_scheme(17));
    }

    #[test]
    fn long_names_tell_schemes_too() {
        let policy = Policy { secure_scheme_headers: vec![("X".repeat(80), "1".to_owned())], ..Policy::default() };
        assert!(Trust::forwarder(&policy).may_tell_scheme(80));
    }
}
