//! One shared page line per worker: what it does and how much it has done. Written by the worker, read by the master.
//!
//! All stores are relaxed and by one thread; a reader may see one counter a moment before another, which is good enough
//! for liveness and statistics. Lines are indexed by worker id and cleared before each fork.

use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::sys::{Monotonic, SharedWords};

/// How many workers may live at once. The mapping reserves address space only; untouched lines cost nothing.
pub const MAX_WORKERS: usize = 1024;

/// Words per line: 128 bytes, two cache lines, since the hardware fetches neighbours in pairs.
const WORDS: usize = 16;

const ACTIVITY: usize = 0;
const BEAT: usize = 1;
const REQUESTS: usize = 2;
const ERRORS: usize = 3;
const BYTES: usize = 4;
const BUSY_NANOS: usize = 5;
const CONNECTIONS: usize = 6;

/// What a worker is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activity {
    /// Not yet ready.
    Booting,
    /// Waiting for events, or handling input and output.
    Polling,
    /// Inside the application, on the thread that drives the reactor.
    InApplication,
    /// Finishing what it has.
    Draining,
}

/// The mapping; made by the master before the first fork.
#[derive(Clone, Debug)]
pub struct Scoreboard {
    shared: Arc<SharedWords>,
}

impl Scoreboard {
    /// Errors: as mmap(2).
    pub fn new() -> io::Result<Self> {
        let count = NonZeroUsize::new(MAX_WORKERS * WORDS).expect("the board is not empty");
        Ok(Self { shared: Arc::new(SharedWords::new(count)?) })
    }

    /// The line of the worker with this id, below [`MAX_WORKERS`].
    pub fn line(&self, worker_id: u16) -> WorkerLine {
        WorkerLine { shared: self.shared.clone(), first: usize::from(worker_id) * WORDS }
    }
}

/// One worker's line.
#[derive(Clone, Debug)]
pub struct WorkerLine {
    shared: Arc<SharedWords>,
    first: usize,
}

impl WorkerLine {
    /// Forgets the last worker that had this id. Called by the master before it forks the next one.
    pub fn clear(&self) {
        for word in &self.shared.words()[self.first..self.first + WORDS] {
            word.store(0, Relaxed);
        }
    }

    /// Says that the worker is alive and what it does.
    pub fn beat(&self, activity: Activity, now: Monotonic) {
        self.word(ACTIVITY).store(activity as u64, Relaxed);
        self.word(BEAT).store(now.0, Relaxed);
    }

    /// Says that silence from now on, until the next beat, is no sign of trouble.
    pub fn excuse(&self) {
        self.word(BEAT).store(u64::MAX / 2, Relaxed);
    }

    /// The last beat; `None` before the first.
    pub fn last_beat(&self) -> Option<Monotonic> {
        match self.word(BEAT).load(Relaxed) {
            0 => None,
            nanos => Some(Monotonic(nanos)),
        }
    }

    /// What the worker said last.
    pub fn activity(&self) -> Activity {
        match self.word(ACTIVITY).load(Relaxed) {
            1 => Activity::Polling,
            2 => Activity::InApplication,
            3 => Activity::Draining,
            _ => Activity::Booting,
        }
    }

    /// Counts one exchange: `bytes` of answer body, `busy` nanoseconds in the application, `failed` for a 5xx of ours.
    pub fn count_exchange(&self, bytes: u64, busy: u64, failed: bool) {
        self.add(REQUESTS, 1);
        self.add(BYTES, bytes);
        self.add(BUSY_NANOS, busy);
        if failed {
            self.add(ERRORS, 1);
        }
    }

    /// Sets the number of open connections.
    pub fn set_connections(&self, count: usize) {
        self.word(CONNECTIONS).store(count as u64, Relaxed);
    }

    /// Exchanges so far.
    pub fn requests(&self) -> u64 {
        self.word(REQUESTS).load(Relaxed)
    }

    /// Exchanges that ended in an error of the application or of ours.
    pub fn errors(&self) -> u64 {
        self.word(ERRORS).load(Relaxed)
    }

    /// Body bytes answered.
    pub fn bytes(&self) -> u64 {
        self.word(BYTES).load(Relaxed)
    }

    /// Nanoseconds spent in the application.
    pub fn busy_nanos(&self) -> u64 {
        self.word(BUSY_NANOS).load(Relaxed)
    }

    /// Open connections.
    pub fn connections(&self) -> u64 {
        self.word(CONNECTIONS).load(Relaxed)
    }

    fn word(&self, index: usize) -> &AtomicU64 {
        &self.shared.words()[self.first + index]
    }

    /// One writer per line, so a load and a store do; no read-modify-write.
    fn add(&self, index: usize, amount: u64) {
        let word = self.word(index);
        word.store(word.load(Relaxed).wrapping_add(amount), Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_apart_and_can_be_cleared() {
        let board = Scoreboard::new().unwrap();
        let (first, last) = (board.line(0), board.line(MAX_WORKERS as u16 - 1));
        first.beat(Activity::InApplication, Monotonic(9));
        first.count_exchange(10, 20, true);
        first.count_exchange(1, 2, false);
        first.set_connections(3);
        assert_eq!(last.last_beat(), None);
        assert_eq!(first.last_beat(), Some(Monotonic(9)));
        assert_eq!(first.activity(), Activity::InApplication);
        let counted = (first.requests(), first.errors(), first.bytes(), first.busy_nanos(), first.connections());
        assert_eq!(counted, (2, 1, 11, 22, 3));
        first.clear();
        assert_eq!(first.last_beat(), None);
        assert_eq!(first.activity(), Activity::Booting);
        assert_eq!(first.requests(), 0);
    }
}
