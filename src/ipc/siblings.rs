//! Which of the other workers can be given something to do.
//!
//! Each worker says in shared memory whether it is idle. Who wants to give it a request reserves it first, by
//! compare-and-swap, so that two do not choose the same. A reservation needs no release: the worker says anew what it is
//! whenever it waits for events.
//!
//! A worker that has a request waiting and finds nobody idle raises a flag. It raises it before it looks, and an idle
//! worker says that it is idle before it looks at the flags: one of the two sees the other (both orders are sequentially
//! consistent). The idle one then calls for the request.

use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::fence;

use super::inbox::Inboxes;
use super::scoreboard::{Scoreboard, WorkerLine};

/// Not there, or leaving.
const ABSENT: u64 = 0;
/// It serves, and has something to do.
const BUSY: u64 = 1;
/// It serves, and waits for events.
const IDLE: u64 = 2;
/// Somebody is about to give it something.
const RESERVED: u64 = 3;

/// The other workers as one of them sees them.
#[derive(Clone, Debug)]
pub struct Siblings {
    board: Scoreboard,
    own: u16,
    line: WorkerLine,
    inboxes: Inboxes,
    others: Vec<(u16, WorkerLine)>,
    /// Whose turn it is to be asked first.
    turn: usize,
    is_flagged: bool,
}

impl Siblings {
    /// `own`: the id of the worker that asks.
    pub fn new(board: Scoreboard, own: u16, inboxes: Inboxes) -> Self {
        let others = inboxes.ids().filter(|&id| id != own).map(|id| (id, board.line(id))).collect();
        Self { line: board.line(own), board, own, inboxes, others, turn: usize::from(own), is_flagged: false }
    }

    /// The inboxes, for sending and for the own one.
    pub fn inboxes(&self) -> &Inboxes {
        &self.inboxes
    }

    /// The id of the worker that asks.
    pub fn own_id(&self) -> u16 {
        self.own
    }

    /// This worker waits for events and has an application thread free.
    pub fn say_idle(&self) {
        self.line.availability().store(IDLE, Relaxed);
        fence(SeqCst);
    }

    /// This worker has something to do.
    pub fn say_busy(&self) {
        self.line.availability().store(BUSY, Relaxed);
    }

    /// This worker leaves: nothing is sent to it any more.
    pub fn say_absent(&self) {
        self.line.availability().store(ABSENT, SeqCst);
    }

    /// Finds a sibling that is idle and has fewer than `most` connections, and keeps it for the caller, who must send it
    /// something at once.
    pub fn reserve(&mut self, most: usize) -> Option<u16> {
        let count = self.others.len();
        for step in 1..=count {
            let index = (self.turn + step) % count;
            let (id, line) = &self.others[index];
            if reserve(line, most) {
                self.turn = index;
                return Some(*id);
            }
        }
        None
    }

    /// Keeps this sibling for the caller, if it is idle.
    pub fn reserve_this(&self, id: u16, most: usize) -> bool {
        self.others.iter().any(|(other, line)| *other == id && reserve(line, most))
    }

    /// The serving sibling with the fewest connections, and how many these are.
    pub fn emptiest(&self) -> Option<(u16, u64)> {
        let serving = self.others.iter().filter(|(_, line)| is_serving(line));
        serving.map(|(id, line)| (*id, line.connections())).min_by_key(|(_, count)| *count)
    }

    /// Is any sibling serving?
    pub fn any_serving(&self) -> bool {
        self.others.iter().any(|(_, line)| is_serving(line))
    }

    /// The sibling that gets the next connection of a worker that leaves and has given away `given` already: all that
    /// serve, by turns.
    pub fn next_serving(&self, given: usize) -> Option<u16> {
        let serving: Vec<u16> = self.others.iter().filter(|(_, line)| is_serving(line)).map(|(id, _)| *id).collect();
        serving.get((given + usize::from(self.own)) % serving.len().max(1)).copied()
    }

    /// Raises or lowers the flag that says: here waits a request that this worker cannot run now.
    pub fn flag(&mut self, waits: bool) {
        if waits == self.is_flagged {
            return;
        }
        self.is_flagged = waits;
        let word = &self.board.waiting()[usize::from(self.own) / 64];
        let bit = 1 << (self.own % 64);
        let before = if waits { word.fetch_or(bit, SeqCst) } else { word.fetch_and(!bit, SeqCst) };
        match (before & bit != 0, waits) {
            (false, true) => self.board.waiting_count().fetch_add(1, SeqCst),
            (true, false) => self.board.waiting_count().fetch_sub(1, SeqCst),
            // A worker that died had left it so.
            (true, true) | (false, false) => 0,
        };
    }

    /// A sibling that has a request waiting.
    pub fn flagged(&self) -> Option<u16> {
        if self.board.waiting_count().load(Relaxed) == 0 {
            return None;
        }
        let is_flagged = |id: u16| self.board.waiting()[usize::from(id) / 64].load(SeqCst) & 1 << (id % 64) != 0;
        let mut ids = self.others.iter().map(|(id, _)| *id);
        ids.find(|&id| is_flagged(id))
    }
}

fn is_serving(line: &WorkerLine) -> bool {
    line.availability().load(Relaxed) != ABSENT
}

fn reserve(line: &WorkerLine, most: usize) -> bool {
    let word = line.availability();
    word.load(SeqCst) == IDLE
        && line.connections() < most as u64
        && word.compare_exchange(IDLE, RESERVED, SeqCst, Relaxed).is_ok()
}

impl Scoreboard {
    /// Forgets the flag of a worker that has gone. Called by the master, which alone knows it for sure.
    pub fn lower_flag(&self, worker_id: u16) {
        let bit = 1 << (worker_id % 64);
        if self.waiting()[usize::from(worker_id) / 64].fetch_and(!bit, SeqCst) & bit != 0 {
            self.waiting_count().fetch_sub(1, SeqCst);
        }
    }

    /// The serving worker with the fewest connections among `ids`.
    pub fn emptiest(&self, ids: impl Iterator<Item = u16>) -> Option<u16> {
        let serving = ids.filter(|&id| self.line(id).availability().load(Relaxed) != ABSENT);
        serving.min_by_key(|&id| self.line(id).connections())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn family(count: u16) -> Vec<Siblings> {
        let mut inboxes = Inboxes::default();
        (0..count).for_each(|id| inboxes.open(id).unwrap());
        let board = Scoreboard::new().unwrap();
        (0..count).map(|id| Siblings::new(board.clone(), id, inboxes.clone())).collect()
    }

    #[test]
    fn an_idle_sibling_is_reserved_once_until_it_waits_again() {
        let mut family = family(3);
        assert_eq!(family[0].reserve(10), None);
        family[2].say_idle();
        assert_eq!(family[0].reserve(10), Some(2));
        assert_eq!(family[1].reserve(10), None);
        family[2].say_idle();
        assert_eq!(family[1].reserve(10), Some(2));
        family[2].say_idle();
        family[2].say_absent();
        assert!(!family[1].reserve_this(2, 10));
    }

    #[test]
    fn nobody_is_reserved_beyond_its_connections() {
        let mut family = family(2);
        family[1].say_idle();
        family[1].line.set_connections(10);
        assert_eq!(family[0].reserve(10), None);
        assert_eq!(family[0].emptiest(), Some((1, 10)));
        assert_eq!(family[0].reserve(11), Some(1));
    }

    #[test]
    fn a_raised_flag_is_seen_until_it_is_lowered() {
        let mut family = family(3);
        assert_eq!(family[0].flagged(), None);
        family[1].flag(true);
        family[1].flag(true);
        assert_eq!(family[0].flagged(), Some(1));
        assert_eq!(family[1].flagged(), None, "its own is no call");
        family[1].flag(false);
        assert_eq!(family[0].flagged(), None);
        family[2].flag(true);
        family[0].board.lower_flag(2);
        family[0].board.lower_flag(2);
        assert_eq!(family[0].flagged(), None);
    }
}
