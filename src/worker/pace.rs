//! Whether a body comes fast enough: some byte within `body_timeout`, and `body_min_rate` on the average of a minute. The
//! second catches a client that sends a byte now and then, for ever.

use std::time::{Duration, Instant};

/// Over which time the rate is measured.
const WINDOW: Duration = Duration::from_secs(60);

/// What is asked of a client.
#[derive(Clone, Copy, Debug)]
pub(super) struct Demand {
    /// Time without any byte.
    pub(super) patience: Duration,
    /// Bytes per second; 0 asks for none.
    pub(super) min_rate: u64,
}

/// How a body has come so far.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    last: Instant,
    window_end: Instant,
    window_len: u64,
    /// Bytes in all.
    len: u64,
}

impl Pace {
    /// The body begins now.
    pub(super) fn begin(now: Instant) -> Self {
        Self { last: now, window_end: now + WINDOW, window_len: 0, len: 0 }
    }

    /// So many bytes have come.
    pub(super) fn note(&mut self, len: u64, now: Instant) {
        if len > 0 {
            self.last = now;
            self.window_len += len;
            self.len += len;
        }
    }

    /// Bytes that have come in all.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Nobody has read for a while, so nothing could come: what is measured begins again now.
    pub(super) fn restart(&mut self, now: Instant) {
        *self = Self { len: self.len, ..Self::begin(now) };
    }

    /// When to look at it.
    pub(super) fn deadline(&self, demand: Demand) -> Instant {
        let silence = self.last + demand.patience;
        if demand.min_rate > 0 { silence.min(self.window_end) } else { silence }
    }

    /// Looks at the client when the deadline may have come, and tells the next; `None`: it is too slow. A window that was
    /// fine is followed by another.
    pub(super) fn look(&mut self, demand: Demand, now: Instant) -> Option<Instant> {
        if now >= self.last + demand.patience {
            return None;
        }
        if now >= self.window_end {
            let is_slow = self.window_len < demand.min_rate * WINDOW.as_secs();
            self.window_end = now + WINDOW;
            self.window_len = 0;
            if is_slow {
                return None;
            }
        }
        Some(self.deadline(demand))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods)]
    use super::*;

    const DEMAND: Demand = Demand { patience: Duration::from_secs(30), min_rate: 256 };

    /// A client that sends `len` bytes every `every` seconds: after how many seconds is it found too slow?
    fn found_after(len: u64, every: u64, demand: Demand) -> Option<u64> {
        let start = Instant::now();
        let mut pace = Pace::begin(start);
        (1..=600).find(|&second| {
            let now = start + Duration::from_secs(second);
            let is_slow = pace.look(demand, now).is_none();
            if second % every == 0 {
                pace.note(len, now);
            }
            is_slow
        })
    }

    #[test]
    fn silence_is_found_after_the_timeout() {
        assert_eq!(found_after(0, 1, DEMAND), Some(30));
        assert_eq!(found_after(1 << 20, 40, DEMAND), Some(30));
    }

    #[test]
    fn a_trickle_is_found_after_a_minute() {
        assert_eq!(found_after(1, 1, DEMAND), Some(60));
        assert_eq!(found_after(255, 1, DEMAND), Some(60));
    }

    #[test]
    fn a_steady_client_is_left_alone() {
        assert_eq!(found_after(300, 1, DEMAND), None);
        assert_eq!(found_after(8000, 25, DEMAND), None);
    }

    #[test]
    fn no_rate_may_be_asked_for() {
        assert_eq!(found_after(1, 20, Demand { min_rate: 0, ..DEMAND }), None);
    }
}
