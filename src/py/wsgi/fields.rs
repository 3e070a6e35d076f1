//! From header field names to environ keys: a bounded cache, so that a name that was seen before costs a comparison.
//!
//! Direct-mapped: hostile names replace entries but can neither grow the cache nor make it slow. Each entry also keeps
//! the last value, since most fields of most clients repeat.

use pyo3::prelude::*;
use pyo3::types::PyString;

use super::strings;

/// Entries; a power of two. Browsers and proxies together use some forty names.
const SLOTS: usize = 256;

/// Longer names and values are made anew each time.
const MAX_NAME: usize = 64;
const MAX_VALUE: usize = 512;

/// A cache per thread.
#[derive(Debug)]
pub(super) struct FieldCache {
    slots: Vec<Slot>,
}

/// One field name.
#[derive(Debug)]
pub(super) struct Slot {
    name: Vec<u8>,
    key: Option<Py<PyString>>,
    is_script_name: bool,
    value: Vec<u8>,
    value_text: Option<Py<PyString>>,
}

impl Default for FieldCache {
    fn default() -> Self {
        Self { slots: (0..SLOTS).map(|_| Slot::empty()).collect() }
    }
}

impl Slot {
    const fn empty() -> Self {
        Self { name: Vec::new(), key: None, is_script_name: false, value: Vec::new(), value_text: None }
    }

    /// The environ key.
    pub(super) fn key<'py>(&self, py: Python<'py>) -> &Bound<'py, PyString> {
        self.key.as_ref().expect("only slots that `FieldCache::slot` has filled are given out").bind(py)
    }

    /// Is this the field by which a proxy says where the application is mounted?
    /// Source: Gunicorn setting `forwarder_headers`.
    pub(super) fn is_script_name(&self) -> bool {
        self.is_script_name
    }

    /// The value as a native string.
    pub(super) fn value<'a, 'py>(&'a mut self, py: Python<'py>, value: &[u8]) -> PyResult<&'a Bound<'py, PyString>> {
        if self.value_text.is_none() || self.value != value {
            self.value_text = Some(strings::native(py, value)?.unbind());
            self.value.clear();
            self.value.extend_from_slice(value);
        }
        let text = self.value_text.as_ref().expect("set above");
        Ok(text.bind(py))
    }

    /// Does not keep values that are too long to be worth it.
    pub(super) fn trim(&mut self) {
        if self.value.len() > MAX_VALUE {
            self.value = Vec::new();
            self.value_text = None;
        }
    }
}

impl FieldCache {
    /// The entry of this field name, as sent.
    pub(super) fn slot(&mut self, py: Python<'_>, name: &[u8]) -> &mut Slot {
        let slot = &mut self.slots[index(name)];
        if slot.name != name || name.is_empty() {
            *slot = Slot::empty();
            // Not interned: some versions of CPython never free interned strings, and names come from clients.
            slot.key = Some(PyString::new(py, &environ_key(name)).unbind());
            slot.is_script_name = name.eq_ignore_ascii_case(b"SCRIPT_NAME");
            if name.len() <= MAX_NAME {
                slot.name.extend_from_slice(name);
            }
        }
        slot
    }
}

/// Names of one length mostly differ in their first, middle or last letters.
fn index(name: &[u8]) -> usize {
    let at = |position: usize| name.get(position).copied().map_or(0, |byte| usize::from(byte | 0x20));
    let len = name.len();
    let mixed = at(0) + at(len / 2) * 31 + at(len.wrapping_sub(1)) * 131 + at(len / 3) * 257 + len * 17;
    mixed % SLOTS
}

/// `HTTP_` and the name in upper case with underscores; the two names of CGI without it, if they are spelled with a
/// hyphen: `Content_Length` is no length. Source: RFC 3875 §4.1.18.
fn environ_key(name: &[u8]) -> String {
    // A field name is a token, so plain ASCII.
    let key = String::from_utf8_lossy(name).to_ascii_uppercase().replace('-', "_");
    let is_of_cgi = [&b"content-type"[..], b"content-length"].iter().any(|known| name.eq_ignore_ascii_case(known));
    if is_of_cgi { key } else { format!("HTTP_{key}") }
}

/// Do two field names get the same environ key?
pub(super) fn is_same_key(one: &[u8], other: &[u8]) -> bool {
    let plain = |byte: &u8| if *byte == b'_' { b'-' } else { byte.to_ascii_lowercase() };
    one.iter().map(plain).eq(other.iter().map(plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_keys_as_cgi_has_them() {
        assert_eq!(environ_key(b"User-Agent"), "HTTP_USER_AGENT");
        assert_eq!(environ_key(b"content-type"), "CONTENT_TYPE");
        assert_eq!(environ_key(b"Content-Length"), "CONTENT_LENGTH");
        assert_eq!(environ_key(b"X-Content-Length"), "HTTP_X_CONTENT_LENGTH");
        assert_eq!(environ_key(b"Content_Length"), "HTTP_CONTENT_LENGTH");
    }

    #[test]
    fn spellings_that_share_a_key_are_known() {
        assert!(is_same_key(b"X-Foo", b"x_foo"));
        assert!(!is_same_key(b"X-Foo", b"X-Fo"));
    }

    #[test]
    fn the_usual_names_do_not_push_each_other_out() {
        let names = [
            "Host",
            "User-Agent",
            "Accept",
            "Accept-Encoding",
            "Accept-Language",
            "Connection",
            "Cookie",
            "Referer",
            "Cache-Control",
            "X-Forwarded-For",
            "X-Forwarded-Proto",
            "X-Real-IP",
            "Content-Type",
            "Content-Length",
            "Upgrade-Insecure-Requests",
            "Sec-Fetch-Dest",
            "Sec-Fetch-Mode",
            "Sec-Fetch-Site",
            "Sec-Fetch-User",
            "If-None-Match",
            "If-Modified-Since",
            "Origin",
            "Authorization",
            "X-Request-ID",
            "Priority",
            "TE",
        ];
        let mut indices: Vec<_> = names.iter().map(|name| index(name.as_bytes())).collect();
        indices.sort_unstable();
        indices.dedup();
        assert!(indices.len() >= names.len() - 2, "{} of {} apart", indices.len(), names.len());
    }
}
