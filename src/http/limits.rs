//! How much head a peer may send before it is refused. Settings are given as typed; here they become the bounds
//! that hold. Bodies have no bound in this room: the worker counts what it takes in.

/// The largest request line that can be allowed, and what 0 means (`limit_request_line`).
const MOST_REQUEST_LINE: usize = 65_536;
/// The largest number of fields that can be allowed, and what 0 means (Gunicorn's figure).
const MOST_FIELDS: usize = 32_768;
/// Gunicorn's `limit_request_field_size`, and what 0 means.
const FIELD_SIZE: usize = 8190;
/// No header section is buffered beyond this, whatever the settings multiply to.
const MOST_SECTION: usize = 1 << 20;

/// Bounds on a request head, in bytes and fields; trailers share those of the fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the request line without its CRLF (`limit_request_line`).
    pub request_line: usize,
    /// Number of header fields (`limit_request_fields`).
    pub fields: usize,
    /// Bytes of one field line: name, colon, value and CRLF (`limit_request_field_size`).
    pub field_size: usize,
}

impl Limits {
    /// The settings as meant: a `request_line` of 0 or above 65536 is 65536, `fields` of 0 or above 32768 are 32768,
    /// a `field_size` of 0 is 8190.
    pub fn new(request_line: usize, fields: usize, field_size: usize) -> Self {
        let within = |value, most| {
            if value == 0 || value > most { most } else { value }
        };
        Limits {
            request_line: within(request_line, MOST_REQUEST_LINE),
            fields: within(fields, MOST_FIELDS),
            field_size: if field_size == 0 { FIELD_SIZE } else { field_size },
        }
    }

    /// Bytes of a whole header or trailer section, its closing empty line included.
    pub(super) fn section(&self) -> usize {
        self.field_size.saturating_add(2).saturating_mul(self.fields).saturating_add(4).min(MOST_SECTION)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Limits { request_line: 4094, fields: 100, field_size: FIELD_SIZE }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_and_excess_mean_the_most() {
        assert_eq!(Limits::new(0, 0, 0), Limits { request_line: 65_536, fields: 32_768, field_size: 8190 });
        assert_eq!(Limits::new(65_537, 32_769, 9), Limits { request_line: 65_536, fields: 32_768, field_size: 9 });
        assert_eq!(Limits::new(4094, 100, 8190), Limits::default());
    }

    #[test]
    fn a_section_is_bounded_by_the_settings_and_by_a_mebibyte() {
        assert_eq!(Limits::default().section(), 819_204);
        assert_eq!(Limits::new(0, 0, usize::MAX).section(), 1 << 20);
    }
}
