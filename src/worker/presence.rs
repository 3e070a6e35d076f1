//! Whether the deputy of a single application thread is worth its while: a second thread makes each system call a little
//! dearer, and is of use only where calls take long.
//!
//! Pure: told how long each call took, says when the deputy shall leave or come.

use std::time::Duration;

use crate::sys::Monotonic;

/// A call that takes so long is one that a deputy relieves.
const LONG: Duration = super::deputy::THRESHOLD;

/// A call that takes so long holds others up noticeably, however rare it is.
const VERY_LONG: Duration = Duration::from_millis(5);

/// Calls are looked at in spans of at least so many, and of at least so long.
const SPAN_CALLS: u32 = 2000;
const SPAN_TIME: Duration = Duration::from_secs(2);

/// One long call in so many is the machine's fault: on a shared one every process is kept off its processor for a
/// millisecond now and then, and no deputy would have got on any better.
const RARE: u32 = 256;

/// What is to be done about the deputy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Leave,
    Come,
}

/// The calls of the present span.
#[derive(Debug)]
pub(super) struct Presence {
    is_there: bool,
    calls: u32,
    long_calls: u32,
    since: Option<Monotonic>,
}

impl Presence {
    /// The deputy is there from the first call on.
    pub(super) fn new() -> Self {
        Self { is_there: true, calls: 0, long_calls: 0, since: None }
    }

    pub(super) fn is_there(&self) -> bool {
        self.is_there
    }

    /// A call has ended.
    pub(super) fn note(&mut self, called: Monotonic, ended: Monotonic) -> Option<Change> {
        let since = *self.since.get_or_insert(called);
        self.calls = self.calls.saturating_add(1);
        let is_long = ended >= called.after(LONG);
        self.long_calls += u32::from(is_long);
        let is_very_long = is_long && ended >= called.after(VERY_LONG);
        if self.is_there {
            if is_very_long {
                self.begin_span();
            } else if self.calls >= SPAN_CALLS && ended >= since.after(SPAN_TIME) {
                return self.close_span(Change::Leave);
            }
        } else if is_very_long {
            return self.change(Change::Come);
        } else if self.calls >= SPAN_CALLS {
            return self.close_span(Change::Come);
        }
        None
    }

    /// A whole span is there: were long calls rare in it?
    fn close_span(&mut self, wish: Change) -> Option<Change> {
        let are_rare = self.long_calls.saturating_mul(RARE) <= self.calls;
        self.begin_span();
        (are_rare == (wish == Change::Leave)).then(|| self.change(wish)).flatten()
    }

    fn change(&mut self, change: Change) -> Option<Change> {
        self.begin_span();
        self.is_there = change == Change::Come;
        Some(change)
    }

    fn begin_span(&mut self) {
        (self.calls, self.long_calls, self.since) = (0, 0, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Worker {
        presence: Presence,
        now: Monotonic,
    }

    impl Worker {
        fn new() -> Self {
            Self { presence: Presence::new(), now: Monotonic(1) }
        }

        /// So many calls of so many microseconds, back to back: the last change.
        fn calls(&mut self, count: u32, micros: u64) -> Option<Change> {
            let mut last = None;
            for _ in 0..count {
                let called = self.now;
                self.now = called.after(Duration::from_micros(micros));
                last = self.presence.note(called, self.now).or(last);
            }
            last
        }
    }

    #[test]
    fn it_leaves_after_two_seconds_of_short_calls_and_comes_with_the_first_very_long_one() {
        let mut worker = Worker::new();
        assert_eq!(worker.calls(1_999, 400), None);
        assert_eq!(worker.calls(2_000, 100), None, "two seconds are not over");
        assert_eq!(worker.calls(20_000, 100), Some(Change::Leave));
        assert!(!worker.presence.is_there());
        assert_eq!(worker.calls(1, 5_000), Some(Change::Come));
        assert_eq!(worker.calls(100, 100), None);
    }

    #[test]
    fn a_call_that_was_kept_waiting_now_and_then_changes_nothing() {
        let mut worker = Worker::new();
        let mut changes = Vec::new();
        for _ in 0..400 {
            changes.extend(worker.calls(300, 50));
            changes.extend(worker.calls(1, 1_000));
        }
        assert_eq!(changes, [Change::Leave]);
    }

    #[test]
    fn it_stays_and_comes_where_many_calls_are_long() {
        let mut worker = Worker::new();
        for _ in 0..2_000 {
            assert_eq!(worker.calls(20, 100), None);
            assert_eq!(worker.calls(1, 600), None);
        }
        let mut worker = Worker::new();
        assert_eq!(worker.calls(30_000, 100), Some(Change::Leave));
        let mut changes = Vec::new();
        for _ in 0..300 {
            changes.extend(worker.calls(20, 100));
            changes.extend(worker.calls(1, 600));
        }
        assert_eq!(changes, [Change::Come]);
    }

    #[test]
    fn very_long_calls_keep_it_however_rare() {
        let mut worker = Worker::new();
        for _ in 0..100 {
            assert_eq!(worker.calls(10_000, 100), None);
            assert_eq!(worker.calls(1, 50_000), None);
        }
    }
}
