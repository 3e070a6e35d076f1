//! Shared memory of the master and its workers: one line per worker, which says what it does and how much it has done, and
//! behind the lines a place for each of its application threads ([`super::exchanges`]).
//!
//! Counters are stored relaxed and by one thread; a reader may see one a moment before another, which is good enough for
//! liveness and statistics. What siblings look at stands in a cache line of its own ([`super::siblings`]). Lines are
//! indexed by worker id and cleared before each fork.

use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::exchanges::{InProgress, PLACE_WORDS, Place};
use crate::sys::{Monotonic, SharedWords};

/// How many workers may live at once. The mapping reserves address space only; untouched lines cost nothing.
pub const MAX_WORKERS: usize = 1024;

/// How many application threads a worker may have. As above: untouched places cost nothing.
pub const MAX_THREADS: usize = 256;

/// Words per line: four cache lines, two for the worker's own words and two for those that siblings look at and change.
/// Two each, since the hardware fetches neighbours in pairs.
const WORDS: usize = 32;

/// Words that belong to no worker: which workers have a request waiting, one bit each, and how many bits are set.
const COMMON: usize = MAX_WORKERS / 64 + 16;

const ACTIVITY: usize = 0;
const BEAT: usize = 1;
const REQUESTS: usize = 2;
const ERRORS: usize = 3;
const BYTES: usize = 4;
const BUSY_NANOS: usize = 5;

/// The second half of a line.
const CONNECTIONS: usize = 16;
const AVAILABILITY: usize = 17;

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
        let count = PLACES + MAX_WORKERS * MAX_THREADS * PLACE_WORDS;
        let count = NonZeroUsize::new(count).expect("the board is not empty");
        Ok(Self { shared: Arc::new(SharedWords::new(count)?) })
    }

    /// The line of the worker with this id, below [`MAX_WORKERS`].
    pub fn line(&self, worker_id: u16) -> WorkerLine {
        let id = usize::from(worker_id);
        WorkerLine { shared: self.shared.clone(), first: id * WORDS, places: PLACES + id * MAX_THREADS * PLACE_WORDS }
    }

    /// The bits of the workers that have a request waiting, in words of 64; see [`super::siblings`].
    pub(super) fn waiting(&self) -> &[AtomicU64] {
        &self.shared.words()[MAX_WORKERS * WORDS..][..MAX_WORKERS / 64]
    }

    /// How many of these bits are set, as far as those who set them have got.
    pub(super) fn waiting_count(&self) -> &AtomicU64 {
        &self.shared.words()[MAX_WORKERS * WORDS + COMMON - 8]
    }
}

/// Where the places of application threads begin: behind the lines and the common words.
const PLACES: usize = MAX_WORKERS * WORDS + COMMON;

/// One worker's line.
#[derive(Clone, Debug)]
pub struct WorkerLine {
    shared: Arc<SharedWords>,
    first: usize,
    places: usize,
}

impl WorkerLine {
    /// Forgets the last worker that had this id. Called by the master before it forks the next one.
    pub fn clear(&self) {
        for word in &self.shared.words()[self.first..self.first + WORDS] {
            word.store(0, Relaxed);
        }
        for index in 0..MAX_THREADS {
            let place = self.place(index);
            if place.is_unused() {
                // Places are used in order, so that the pages behind stay untouched.
                break;
            }
            place.clear();
        }
    }

    /// The place of application thread number `index`, below [`MAX_THREADS`].
    pub fn place(&self, index: usize) -> Place {
        Place::new(self.shared.clone(), self.places + index.min(MAX_THREADS - 1) * PLACE_WORDS)
    }

    /// The exchanges that are in the application at this moment, as far as can be seen from outside.
    pub fn exchanges(&self) -> Vec<InProgress> {
        let places = (0..MAX_THREADS).map(|index| self.place(index)).take_while(|place| !place.is_unused());
        places.filter_map(|place| place.in_progress()).collect()
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

    /// The worker has gone: nothing is sent to it any more. Called by the master.
    pub fn leave(&self) {
        self.word(AVAILABILITY).store(0, Relaxed);
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

    /// Whether siblings may hand this worker something; see [`super::siblings`].
    pub(super) fn availability(&self) -> &AtomicU64 {
        self.word(AVAILABILITY)
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
