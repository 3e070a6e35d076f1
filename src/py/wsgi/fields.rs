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

/// What a header field means to environ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// It gets its key.
    Plain,
    /// It gets its key, and from a trusted peer its value says which scheme the client used.
    /// Source: Gunicorn setting `secure_scheme_headers`.
    Scheme(&'static [u8]),
    /// It is left out: an underscore in its name could pass for a hyphen. Source: Gunicorn setting `header_map`.
    Dropped,
}

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
    meaning: Meaning,
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
        Self { name: Vec::new(), key: None, meaning: Meaning::Dropped, value: Vec::new(), value_text: None }
    }

    /// The environ key; `None` for a dropped field.
    pub(super) fn key<'py>(&self, py: Python<'py>) -> Option<&Bound<'py, PyString>> {
        self.key.as_ref().map(|key| key.bind(py))
    }

    /// What the field means.
    pub(super) fn meaning(&self) -> Meaning {
        self.meaning
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
            if !name.contains(&b'_') {
                // Not interned: some versions of CPython never free interned strings, and names come from clients.
                slot.key = Some(PyString::new(py, &environ_key(name)).unbind());
                slot.meaning = scheme_value(name).map_or(Meaning::Plain, Meaning::Scheme);
            }
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

/// `HTTP_` and the name in upper case with underscores; the two names of CGI without it. Source: RFC 3875 §4.1.18.
fn environ_key(name: &[u8]) -> String {
    // A field name is a token, so plain ASCII.
    let upper = String::from_utf8_lossy(name).to_ascii_uppercase().replace('-', "_");
    if upper == "CONTENT_TYPE" || upper == "CONTENT_LENGTH" { upper } else { format!("HTTP_{upper}") }
}

/// The value that means https, of a field that a proxy tells the scheme with.
fn scheme_value(name: &[u8]) -> Option<&'static [u8]> {
    [("x-forwarded-protocol", "ssl"), ("x-forwarded-proto", "https"), ("x-forwarded-ssl", "on")]
        .into_iter()
        .find(|(known, _)| name.eq_ignore_ascii_case(known.as_bytes()))
        .map(|(_, value)| value.as_bytes())
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
