//! The `Date` of answers, formatted once a second. One per thread.
#![allow(clippy::disallowed_methods)] // The wall clock is read here, at most once a second.

use std::time::{Duration, Instant};

use jiff::Timestamp;

/// The current IMF-fixdate. Source: RFC 9110 §5.6.7.
#[derive(Debug, Default)]
pub(super) struct Date {
    text: String,
    good_until: Option<Instant>,
}

impl Date {
    /// The date at `now`: 29 bytes.
    pub(super) fn at(&mut self, now: Instant) -> &[u8] {
        if self.good_until.is_none_or(|until| now >= until) {
            let time = Timestamp::now();
            let rest_of_second = 1_000_000_000 - time.subsec_nanosecond().unsigned_abs();
            self.good_until = Some(now + Duration::from_nanos(u64::from(rest_of_second)));
            self.text = time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        }
        self.text.as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_an_imf_fixdate() {
        let text = String::from_utf8(Date::default().at(Instant::now()).to_vec()).unwrap();
        assert_eq!(text.len(), 29, "{text}");
        assert!(text.ends_with(" GMT") && text.as_bytes()[3] == b',', "{text}");
    }
}
