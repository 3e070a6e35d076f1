//! What an application thread is busy with, for those who look from outside: the deputy of its worker, and the master.
//!
//! Each thread has one place in shared memory. Its own thread writes it, under a sequence number that is odd meanwhile, so
//! that a reader never takes half of one request and half of the next for one. The state alone is changed by two: the
//! thread itself, and the deputy that gives up on it; they meet in one compare-and-swap. The state's word also counts
//! exchanges, so that nobody gives up on the next one.
//!
//! ```text
//!           begin            hold               release
//!   Free ──────────▶ Running ──────▶ Interim ──────────▶ Running
//!     ▲                 │ │ answer
//!     │ end             │ └───────▶ Answering (bytes are out, or the connection is the application's)
//!     └─────────────────┤
//!                       └─ abandon (by the deputy) ──▶ Abandoned ── end ──▶ Free, and the answer is dropped
//! ```

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicU64, Ordering, fence};

use crate::sys::{Monotonic, SharedWords};

/// Words per place: four cache lines, so that neighbouring threads do not disturb each other.
pub(super) const PLACE_WORDS: usize = 32;

/// Bytes of the request line that fit.
const MOST_TEXT: usize = (PLACE_WORDS - TEXT) * 8;

const SEQUENCE: usize = 0;
const STATE: usize = 1;
const STARTED: usize = 2;
const THREAD: usize = 3;
const LEN: usize = 4;
const PEER: usize = 5;
const WAITING: usize = 7;
const CONNECTION: usize = 8;
const STATUS: usize = 9;
const TEXT: usize = 10;

/// The lowest bits of the state's word; above them the exchanges are counted.
const STATE_BITS: u32 = 3;

const FREE: u64 = 0;
const RUNNING: u64 = 1;
const INTERIM: u64 = 2;
const ANSWERING: u64 = 3;
const ABANDONED: u64 = 4;
const TAKEN_OVER: u64 = 5;

/// One application thread's place.
#[derive(Clone, Debug)]
pub struct Place {
    shared: Arc<SharedWords>,
    first: usize,
}

/// An exchange that is in the application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InProgress {
    /// When the application was called.
    pub started: Monotonic,
    /// Method and the beginning of the target, control characters and all.
    pub line: String,
    /// The client, where it has an address.
    pub peer: Option<IpAddr>,
    /// The worker's number of its connection.
    pub connection: usize,
    /// The thread that runs it, as the kernel numbers threads.
    pub thread: i32,
    /// The thread waits for its client: that is no time of the application's.
    pub is_waiting: bool,
    /// The application has the connection for itself.
    pub is_taken_over: bool,
    /// Somebody has given up on it.
    pub is_abandoned: bool,
    /// Status of the answer that has begun to leave.
    pub answered: Option<u16>,
    /// Which of the thread's exchanges it is.
    pub number: u64,
}

/// An exchange, and since when the application has been busy with it: later than it began, where its thread has waited for
/// the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Busy {
    /// Tells it from the thread's other exchanges.
    pub number: u64,
    /// What its time counts from.
    pub since: Monotonic,
}

/// The exchange has been given up: its client has got another answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Abandoned;

/// What became of the wish to give up on an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GaveUp {
    /// The client's answer is the caller's now.
    Yes,
    /// An interim answer is on its way. It is a matter of moments: try again.
    NotYet,
    /// The answer has begun to leave, or the exchange has ended.
    TooLate,
}

/// May the state change under the thread's hands?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watched {
    /// There is a deputy, which may give up on the exchange.
    Yes,
    /// Nobody but the thread itself changes it: plain stores do.
    No,
}

impl Place {
    pub(super) fn new(shared: Arc<SharedWords>, first: usize) -> Self {
        Self { shared, first }
    }

    /// Says which thread has this place. Called by that thread, once.
    pub fn settle(&self, thread: i32) {
        self.word(THREAD).store(thread.unsigned_abs().into(), Relaxed);
    }

    /// The application is called now. `method` and `target` as received; `connection`: a number of the caller's.
    pub fn begin(&self, method: &[u8], target: &[u8], peer: Option<IpAddr>, connection: usize, now: Monotonic) {
        let sequence = self.word(SEQUENCE).load(Relaxed);
        self.word(SEQUENCE).store(sequence.wrapping_add(1), Relaxed);
        fence(Release);
        self.word(STARTED).store(now.0, Relaxed);
        self.word(CONNECTION).store(connection as u64, Relaxed);
        self.write_peer(peer);
        self.write_line(method, target);
        self.word(WAITING).store(0, Relaxed);
        let number = self.word(STATE).load(Relaxed) >> STATE_BITS;
        self.word(STATE).store(word_of(number.wrapping_add(1), RUNNING), Relaxed);
        self.word(SEQUENCE).store(sequence.wrapping_add(2), Release);
    }

    /// The first byte of the answer is about to leave, and nobody else may answer from now on.
    pub fn answer(&self, status: u16, watched: Watched) -> Result<(), Abandoned> {
        self.word(STATUS).store(status.into(), Relaxed);
        self.change(RUNNING, ANSWERING, watched)
    }

    /// An interim answer is about to leave: nobody may give up until [`Place::release`].
    pub fn hold(&self, watched: Watched) -> Result<(), Abandoned> {
        self.change(RUNNING, INTERIM, watched)
    }

    /// The interim answer is out.
    pub fn release(&self) {
        self.set(RUNNING, Release);
    }

    /// The application takes the connection over; how long it keeps it is its own business.
    pub fn take_over(&self) {
        self.set(TAKEN_OVER, Release);
    }

    /// It could not take it over.
    pub fn keep(&self) {
        self.set(ANSWERING, Release);
    }

    /// The application has returned. `true`: its exchange had been given up meanwhile.
    pub fn end(&self, watched: Watched) -> bool {
        match watched {
            Watched::Yes => {
                let free = word_of(self.number(), FREE);
                state_of(self.word(STATE).swap(free, AcqRel)) == ABANDONED
            }
            Watched::No => {
                self.set(FREE, Relaxed);
                false
            }
        }
    }

    /// Gives up on this exchange, if no byte of its answer has left and it has not ended.
    pub fn abandon(&self, exchange: &InProgress) -> GaveUp {
        let word = |state| word_of(exchange.number, state);
        match self.word(STATE).compare_exchange(word(RUNNING), word(ABANDONED), AcqRel, Acquire) {
            Ok(_) => GaveUp::Yes,
            Err(other) if other == word(INTERIM) => GaveUp::NotYet,
            Err(_) => GaveUp::TooLate,
        }
    }

    /// The thread waits for its client from now on, or has waited `waited` nanoseconds: these do not count.
    pub fn wait(&self, waited: Option<u64>) {
        match waited {
            None => self.word(WAITING).store(1, Relaxed),
            Some(nanos) => {
                let started = self.word(STARTED).load(Relaxed);
                self.word(STARTED).store(started.saturating_add(nanos), Relaxed);
                self.word(WAITING).store(0, Relaxed);
            }
        }
    }

    /// What the thread is busy with; `None`: nothing, or it changes at this moment.
    pub fn in_progress(&self) -> Option<InProgress> {
        let before = self.word(SEQUENCE).load(Acquire);
        if before % 2 == 1 {
            return None;
        }
        let word = self.word(STATE).load(Relaxed);
        let state = state_of(word);
        let found = InProgress {
            started: Monotonic(self.word(STARTED).load(Relaxed)),
            line: self.read_line(),
            peer: self.read_peer(),
            connection: self.word(CONNECTION).load(Relaxed) as usize,
            thread: i32::try_from(self.word(THREAD).load(Relaxed)).unwrap_or(0),
            is_waiting: self.word(WAITING).load(Relaxed) != 0,
            is_taken_over: state == TAKEN_OVER,
            is_abandoned: state == ABANDONED,
            answered: (state == ANSWERING).then(|| self.word(STATUS).load(Relaxed) as u16),
            number: word >> STATE_BITS,
        };
        fence(Acquire);
        (state != FREE && self.word(SEQUENCE).load(Relaxed) == before).then_some(found)
    }

    /// Since when the application has been busy with the thread's exchange; `None`: it is not, or its time does not count
    /// (the thread waits for its client, or the application has the connection for itself).
    pub fn busy(&self) -> Option<Busy> {
        let counts = !matches!(state_of(self.word(STATE).load(Acquire)), FREE | TAKEN_OVER)
            && self.word(WAITING).load(Relaxed) == 0;
        counts.then(|| Busy { number: self.number(), since: Monotonic(self.word(STARTED).load(Relaxed)) })
    }

    /// Has no thread ever had this place?
    pub(super) fn is_unused(&self) -> bool {
        self.word(THREAD).load(Relaxed) == 0
    }

    pub(super) fn clear(&self) {
        for index in 0..PLACE_WORDS {
            self.word(index).store(0, Relaxed);
        }
    }

    /// Which of the thread's exchanges this is. For the thread itself.
    fn number(&self) -> u64 {
        self.word(STATE).load(Relaxed) >> STATE_BITS
    }

    /// For states that nobody but the thread itself leaves.
    fn set(&self, state: u64, ordering: Ordering) {
        self.word(STATE).store(word_of(self.number(), state), ordering);
    }

    fn change(&self, from: u64, to: u64, watched: Watched) -> Result<(), Abandoned> {
        let state = self.word(STATE);
        let number = self.number();
        let (from, to) = (word_of(number, from), word_of(number, to));
        match watched {
            Watched::Yes => match state.compare_exchange(from, to, AcqRel, Acquire) {
                Err(other) if state_of(other) == ABANDONED => Err(Abandoned),
                Ok(_) | Err(_) => Ok(()),
            },
            Watched::No => {
                if state.load(Relaxed) == from {
                    state.store(to, Relaxed);
                }
                Ok(())
            }
        }
    }

    fn write_line(&self, method: &[u8], target: &[u8]) {
        // Whole words, put together as the bytes come: most lines have one or two.
        let (mut word, mut filled, mut index, mut len) = ([0; 8], 0, TEXT, 0);
        for &byte in method.iter().chain(b" ").chain(target).take(MOST_TEXT) {
            word[filled] = byte;
            filled += 1;
            len += 1;
            if filled == word.len() {
                self.word(index).store(u64::from_ne_bytes(word), Relaxed);
                (index, filled) = (index + 1, 0);
            }
        }
        if filled > 0 {
            self.word(index).store(u64::from_ne_bytes(word), Relaxed);
        }
        self.word(LEN).store(len, Relaxed);
    }

    fn read_line(&self) -> String {
        let len = usize::try_from(self.word(LEN).load(Relaxed)).map_or(0, |len| len.min(MOST_TEXT));
        let words = (0..len.div_ceil(8)).flat_map(|index| self.word(TEXT + index).load(Relaxed).to_ne_bytes());
        let bytes: Vec<u8> = words.take(len).collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// IPv4 addresses are kept in their IPv6 form; all zero is none.
    fn write_peer(&self, peer: Option<IpAddr>) {
        let bits = match peer {
            None => 0,
            Some(IpAddr::V4(address)) => address.to_ipv6_mapped().to_bits(),
            Some(IpAddr::V6(address)) => address.to_bits(),
        };
        self.word(PEER).store((bits >> 64) as u64, Relaxed);
        self.word(PEER + 1).store(bits as u64, Relaxed);
    }

    fn read_peer(&self) -> Option<IpAddr> {
        let (high, low) = (self.word(PEER).load(Relaxed), self.word(PEER + 1).load(Relaxed));
        let bits = u128::from(high) << 64 | u128::from(low);
        (bits != 0).then(|| Ipv6Addr::from_bits(bits).to_canonical())
    }

    fn word(&self, index: usize) -> &AtomicU64 {
        &self.shared.words()[self.first + index]
    }
}

fn word_of(number: u64, state: u64) -> u64 {
    number << STATE_BITS | state
}

fn state_of(word: u64) -> u64 {
    word & ((1 << STATE_BITS) - 1)
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use super::*;

    fn place() -> Place {
        let words = SharedWords::new(NonZeroUsize::new(PLACE_WORDS).unwrap()).unwrap();
        let place = Place::new(Arc::new(words), 0);
        place.settle(77);
        place
    }

    #[test]
    fn what_is_in_the_application_can_be_read_from_outside() {
        let place = place();
        assert_eq!(place.in_progress(), None);
        for (method, target, peer) in [
            ("GET", "/", Some("127.0.0.1".parse().unwrap())),
            ("DELETE", "/a/b?c=d", Some("2001:db8::1".parse().unwrap())),
            ("GET", "/seven", None),
        ] {
            place.begin(method.as_bytes(), target.as_bytes(), peer, 3, Monotonic(5));
            let found = place.in_progress().unwrap();
            assert_eq!(found.line, format!("{method} {target}"));
            assert_eq!((found.peer, found.started), (peer, Monotonic(5)));
            assert_eq!((found.thread, found.connection), (77, 3));
            assert!(!place.end(Watched::Yes));
        }
        assert_eq!(place.in_progress(), None);
    }

    #[test]
    fn a_long_target_is_cut() {
        let place = place();
        place.begin(b"GET", "/x".repeat(1000).as_bytes(), None, 0, Monotonic(1));
        let line = place.in_progress().unwrap().line;
        assert_eq!(line.len(), MOST_TEXT);
        assert!(line.starts_with("GET /x/x"));
    }

    #[test]
    fn an_exchange_is_answered_by_one_side_only() {
        let place = place();
        place.begin(b"GET", b"/", None, 0, Monotonic(1));
        let first = place.in_progress().unwrap();
        assert_eq!(place.answer(204, Watched::Yes), Ok(()));
        assert_eq!(place.in_progress().unwrap().answered, Some(204));
        assert_eq!(place.abandon(&first), GaveUp::TooLate, "its answer is on its way");
        assert!(!place.end(Watched::Yes));
        place.begin(b"GET", b"/", None, 0, Monotonic(1));
        assert_eq!(place.abandon(&first), GaveUp::TooLate, "that was another one, if of the same moment");
        let second = place.in_progress().unwrap();
        assert_eq!(second.answered, None);
        assert_eq!(place.hold(Watched::Yes), Ok(()));
        assert_eq!(place.abandon(&second), GaveUp::NotYet, "an interim answer is on its way");
        place.release();
        assert_eq!(place.abandon(&second), GaveUp::Yes);
        assert_eq!(place.answer(200, Watched::Yes), Err(Abandoned));
        assert_eq!(place.hold(Watched::Yes), Err(Abandoned));
        assert!(place.end(Watched::Yes));
        assert_eq!(place.in_progress(), None);
    }

    #[test]
    fn a_connection_that_cannot_be_taken_over_is_an_answer_like_others() {
        let place = place();
        place.begin(b"GET", b"/", None, 0, Monotonic(1));
        assert_eq!(place.answer(101, Watched::Yes), Ok(()));
        place.take_over();
        assert_eq!(place.busy(), None);
        place.keep();
        assert_eq!(place.busy().map(|busy| busy.since), Some(Monotonic(1)));
    }

    #[test]
    fn time_spent_waiting_for_the_client_does_not_count() {
        let place = place();
        place.begin(b"GET", b"/", None, 0, Monotonic(100));
        place.wait(None);
        assert!(place.in_progress().unwrap().is_waiting);
        place.wait(Some(30));
        let found = place.in_progress().unwrap();
        assert_eq!((found.started, found.is_waiting), (Monotonic(130), false));
    }
}
