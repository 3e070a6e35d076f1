//! Which of the other workers can be given something to do.
//!
//! Each worker says in shared memory whether it is idle. Who wants to give it a request reserves it first, by
//! compare-and-swap, so that two do not choose the same. One that comes to nothing is released; else the worker says anew
//! what it is whenever it waits for events.
//!
//! A worker that has a request waiting and finds nobody idle raises a flag. It raises it before it looks, and an idle
//! worker says that it is idle before it looks at the flags: one of the two sees the other (both orders are sequentially
//! consistent). The idle one then calls for the request.
//!
//! A worker whose deputy has left says nothing while it is in the application. So whoever needs no answer at once, but chooses
//! among all that serve, passes those over whose line says that they are there.

use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::fence;

use super::inbox::Inboxes;
use super::scoreboard::{Activity, Scoreboard, WorkerLine};

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

    /// The caller has nothing for the sibling that it has reserved after all.
    pub fn release(&self, id: u16) {
        if let Some((_, line)) = self.others.iter().find(|(other, _)| *other == id) {
            let _ = line.availability().compare_exchange(RESERVED, IDLE, SeqCst, Relaxed);
        }
    }

    /// The sibling with the fewest connections among those that serve and are not in the application, and how many these are.
    pub fn emptiest(&self) -> Option<(u16, u64)> {
        let attentive = self.others.iter().filter(|(_, line)| is_attentive(line));
        attentive.map(|(id, line)| (*id, line.connections())).min_by_key(|(_, count)| *count)
    }

    /// Has any sibling something to do?
    pub fn any_busy(&self) -> bool {
        let is_busy = |line: &WorkerLine| line.availability().load(Relaxed) != IDLE || !is_attentive(line);
        self.others.iter().any(|(_, line)| is_serving(line) && is_busy(line))
    }

    /// Does any sibling wait for something to do?
    pub fn any_idle(&self) -> bool {
        self.others.iter().any(|(_, line)| line.availability().load(SeqCst) == IDLE && is_attentive(line))
    }

    /// How many siblings there may be.
    pub fn count(&self) -> usize {
        self.others.len()
    }

    /// Is any sibling serving?
    pub fn any_serving(&self) -> bool {
        self.others.iter().any(|(_, line)| is_serving(line))
    }

    /// The sibling that gets the next connection of a worker that leaves and has given away `given` already: all that
    /// serve and are not in the application, by turns.
    pub fn next_serving(&self, given: usize) -> Option<u16> {
        let attentive: Vec<u16> =
            self.others.iter().filter(|(_, line)| is_attentive(line)).map(|(id, _)| *id).collect();
        attentive.get((given + usize::from(self.own)) % attentive.len().max(1)).copied()
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

    /// A sibling that has a request waiting; by turns, where there are several.
    pub fn flagged(&mut self) -> Option<u16> {
        if self.board.waiting_count().load(Relaxed) == 0 {
            return None;
        }
        let is_flagged = |id: u16| self.board.waiting()[usize::from(id) / 64].load(SeqCst) & 1 << (id % 64) != 0;
        let count = self.others.len();
        let mut indices = (1..=count).map(|step| (self.turn + step) % count);
        let index = indices.find(|&index| is_flagged(self.others[index].0))?;
        self.turn = index;
        Some(self.others[index].0)
    }
}

fn is_serving(line: &WorkerLine) -> bool {
    line.availability().load(Relaxed) != ABSENT
}

/// Does it serve, and will it see what it is sent? A deputy that stands in says so.
fn is_attentive(line: &WorkerLine) -> bool {
    is_serving(line) && line.activity() != Activity::InApplication
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

    /// The workers `ids` in the order in which they should get what is left of another one: first those that see it at once,
    /// then others that serve, then those that boot or leave; the ones with the fewest connections first.
    pub fn heirs(&self, ids: impl Iterator<Item = u16>) -> Vec<u16> {
        let mut heirs: Vec<u16> = ids.collect();
        heirs.sort_by_key(|&id| {
            let line = self.line(id);
            (!is_attentive(&line), !is_serving(&line), line.connections())
        });
        heirs
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::Monotonic;

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
    fn a_reservation_that_came_to_nothing_is_released() {
        let mut family = family(2);
        family[1].say_idle();
        assert!(family[0].reserve_this(1, 10));
        family[0].release(1);
        assert_eq!(family[0].reserve(10), Some(1));
        family[1].say_busy();
        family[0].release(1);
        assert_eq!(family[0].reserve(10), None, "it has something to do by now");
    }

    #[test]
    fn who_is_in_the_application_is_passed_over() {
        let family = family(4);
        for (id, connections) in [(1, 1), (2, 3), (3, 2)] {
            family[id].say_busy();
            family[id].line.set_connections(connections);
        }
        assert_eq!(family[0].emptiest(), Some((1, 1)));
        family[1].line.beat(Activity::InApplication, Monotonic(1));
        assert_eq!(family[0].emptiest(), Some((3, 2)));
        let next: Vec<_> = (0..3).map(|given| family[0].next_serving(given)).collect();
        assert_eq!(next, [Some(2), Some(3), Some(2)]);
        assert_eq!(family[0].board.heirs(0..4), [3, 2, 1, 0], "the last one is not there");
        family[1].line.beat(Activity::Polling, Monotonic(2));
        assert_eq!(family[0].emptiest(), Some((1, 1)));
    }

    #[test]
    fn who_is_in_the_application_or_not_idle_is_busy() {
        let family = family(2);
        assert!(!family[0].any_busy(), "nobody is there");
        family[1].say_idle();
        assert!(!family[0].any_busy());
        family[1].line.beat(Activity::InApplication, Monotonic(1));
        assert!(family[0].any_busy());
        family[1].line.beat(Activity::Polling, Monotonic(2));
        family[1].say_busy();
        assert!(family[0].any_busy());
        family[1].say_absent();
        assert!(!family[0].any_busy());
    }

    #[test]
    fn flags_are_seen_by_turns() {
        let mut family = family(4);
        family[1].flag(true);
        family[3].flag(true);
        let seen: Vec<_> = (0..4).map(|_| family[0].flagged()).collect();
        assert_eq!(seen, [Some(3), Some(1), Some(3), Some(1)]);
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
