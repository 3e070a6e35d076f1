//! Which connection's time is up next.
//!
//! Deadlines mostly move away (each request renews them), so the heap is told only when one comes nearer: an entry that
//! comes up too early is put back at its present deadline. That costs a push per connection and timeout, not per request.
//! Entries of connections that have gone stay until their moment, or until they are most of all.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Instant;

use mio::Token;

/// So many entries are not worth a look.
const FEW: usize = 1024;

/// The moments at which connections must be looked at.
#[derive(Debug, Default)]
pub(super) struct Deadlines {
    heap: BinaryHeap<Reverse<(Instant, usize)>>,
}

impl Deadlines {
    /// Looks at `token` when `at` has come. O(log n).
    pub(super) fn arm(&mut self, token: Token, at: Instant) {
        self.heap.push(Reverse((at, token.0)));
    }

    /// Are most entries those of connections that have gone? `open`: how many have not.
    pub(super) fn are_mostly_stale(&self, open: usize) -> bool {
        self.heap.len() > FEW + 4 * open
    }

    /// Forgets all entries but these.
    pub(super) fn keep(&mut self, armed: impl Iterator<Item = (Token, Instant)>) {
        self.heap = armed.map(|(token, at)| Reverse((at, token.0))).collect();
    }

    /// The next moment.
    pub(super) fn next(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse((at, _))| *at)
    }

    /// Takes one connection whose moment has come, and that moment.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<(Token, Instant)> {
        let Reverse((at, _)) = self.heap.peek()?;
        if *at > now {
            return None;
        }
        self.heap.pop().map(|Reverse((at, token))| (Token(token), at))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods)]
    use std::time::Duration;

    use super::*;

    #[test]
    fn they_come_up_in_order_and_not_before_their_time() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut deadlines = Deadlines::default();
        deadlines.arm(Token(1), at(9));
        deadlines.arm(Token(2), at(3));
        deadlines.arm(Token(3), at(6));
        assert_eq!(deadlines.next(), Some(at(3)));
        assert_eq!(deadlines.pop_due(at(2)), None);
        assert_eq!(deadlines.pop_due(at(7)), Some((Token(2), at(3))));
        assert_eq!(deadlines.pop_due(at(7)), Some((Token(3), at(6))));
        assert_eq!(deadlines.pop_due(at(7)), None);
        assert_eq!(deadlines.next(), Some(at(9)));
    }
}
