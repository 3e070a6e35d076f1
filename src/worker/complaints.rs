//! What goes to the error log about clients: each kind of trouble a few times in full, then a number per minute. So a
//! flood of bad requests is a line and not a full disk, and no number is lost.

use std::collections::HashSet;
use std::fmt;
use std::time::{Duration, Instant};

/// Over which time complaints of one kind are added up.
const WINDOW: Duration = Duration::from_secs(60);

/// Bad requests of one kind that are told in full per window: enough to see whether one client or many are to blame.
const REQUESTS_IN_FULL: u64 = 5;

/// Names of dropped fields that are remembered. A client that makes names up gets no more lines than this.
const MOST_NAMES: usize = 256;

/// Longer names of fields are not remembered, and not told.
const MOST_NAME_LEN: usize = 128;

/// What there may be to complain about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A request that is refused, for this reason.
    Request(&'static str),
    /// A connection that cannot be accepted.
    Accept,
    /// A connection that was closed to make room for another.
    Eviction,
    /// A body that could not be stored.
    Storage,
}

impl Kind {
    fn in_full(self) -> u64 {
        match self {
            Self::Request(_) => REQUESTS_IN_FULL,
            Self::Accept | Self::Eviction | Self::Storage => 1,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request(reason) => write!(f, "Invalid request ({reason})"),
            Self::Accept => write!(f, "cannot accept a connection"),
            Self::Eviction => write!(f, "closed a connection to make room for another"),
            Self::Storage => write!(f, "cannot store a request body"),
        }
    }
}

/// What was not told in full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Summary {
    kind: Kind,
    count: u64,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} more within a minute", self.kind, self.count)
    }
}

/// The complaints of one worker.
#[derive(Debug, Default)]
pub(super) struct Complaints {
    windows: Vec<Window>,
    names: HashSet<(Box<[u8]>, bool)>,
}

#[derive(Debug)]
struct Window {
    kind: Kind,
    end: Instant,
    count: u64,
}

impl Complaints {
    /// Counts one; `true`: it is to be told in full.
    pub(super) fn add(&mut self, kind: Kind, now: Instant) -> bool {
        let window = match self.windows.iter_mut().find(|window| window.kind == kind) {
            Some(window) => window,
            None => {
                self.windows.push(Window { kind, end: now + WINDOW, count: 0 });
                self.windows.last_mut().expect("just pushed")
            }
        };
        window.count += 1;
        window.count <= kind.in_full()
    }

    /// Whether this field name of this kind of peer was not dropped before. Case is ignored.
    pub(super) fn is_new_name(&mut self, name: &str, is_trusted: bool) -> bool {
        let lower = name.to_ascii_lowercase().into_bytes().into_boxed_slice();
        self.names.len() < MOST_NAMES && lower.len() <= MOST_NAME_LEN && self.names.insert((lower, is_trusted))
    }

    /// When the next window ends.
    pub(super) fn next(&self) -> Option<Instant> {
        self.windows.iter().map(|window| window.end).min()
    }

    /// Takes the windows that have ended; of each that held something back, what there is to tell.
    pub(super) fn take_due(&mut self, now: Instant) -> Vec<Summary> {
        self.take(|window| window.end <= now)
    }

    /// Takes all windows: nothing will be added.
    pub(super) fn take_all(&mut self) -> Vec<Summary> {
        self.take(|_| true)
    }

    fn take(&mut self, is_taken: impl Fn(&Window) -> bool) -> Vec<Summary> {
        let mut summaries = Vec::new();
        self.windows.retain(|window| {
            if !is_taken(window) {
                return true;
            }
            let count = window.count.saturating_sub(window.kind.in_full());
            if count > 0 {
                summaries.push(Summary { kind: window.kind, count });
            }
            false
        });
        summaries
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods)]
    use super::*;

    #[test]
    fn a_flood_is_a_few_lines_and_a_number() {
        let start = Instant::now();
        let mut complaints = Complaints::default();
        let told = (0..500).filter(|_| complaints.add(Kind::Request("method"), start)).count();
        assert_eq!(told, 5);
        assert!(complaints.add(Kind::Request("bare LF"), start));
        assert_eq!(complaints.take_due(start), []);
        assert_eq!(complaints.next(), Some(start + WINDOW));
        let lines: Vec<String> = complaints.take_due(start + WINDOW).iter().map(Summary::to_string).collect();
        assert_eq!(lines, ["Invalid request (method): 495 more within a minute"]);
        assert_eq!(complaints.next(), None);
        assert!(complaints.add(Kind::Request("method"), start + WINDOW));
    }

    #[test]
    fn nothing_is_lost_at_the_end() {
        let now = Instant::now();
        let mut complaints = Complaints::default();
        assert!(complaints.add(Kind::Accept, now));
        assert!(!complaints.add(Kind::Accept, now));
        assert_eq!(complaints.take_all(), [Summary { kind: Kind::Accept, count: 1 }]);
        assert_eq!(complaints.take_all(), []);
    }

    #[test]
    fn a_dropped_name_is_told_once_per_kind_of_peer() {
        let mut complaints = Complaints::default();
        assert!(complaints.is_new_name("X_Foo", false));
        assert!(!complaints.is_new_name("x_foo", false));
        assert!(complaints.is_new_name("X_Foo", true));
        let told = (0..10_000).filter(|number| complaints.is_new_name(&format!("a_{number}"), false)).count();
        assert_eq!(told, MOST_NAMES - 2);
        assert!(!Complaints::default().is_new_name(&"a_".repeat(100), false));
    }
}
