//! The seats: which are open, when each may be tried again, and who is in them.
//!
//! A seat is a place to be filled, not a process. It is open (wanted) or closed (to be emptied). `Occupancy` is derived from the
//! processes whenever it is needed, so that it cannot disagree with them.

use std::cmp::Reverse;
use std::time::{Duration, Instant};

use super::messages::{Pid, SeatIdx};
use super::process::{State, later};
use super::{MOST_WORKERS, Supervisor};

/// A worker that has served this long has proved that its code can; the next failure of its seat is a first one.
/// Short, because a worker that somebody kills, or that one request in many crashes, must not cost its seat more than its
/// boot; long enough that one which always dies right after its boot is not started over and over.
pub const SETTLED: Duration = Duration::from_millis(100);

/// The longest pause between two tries of a seat.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// A place for a worker, with the memory of what went wrong in it.
#[derive(Debug)]
pub struct Seat {
    /// Whether a worker is wanted here.
    pub open: bool,
    /// Not before this is a worker spawned here.
    pub retry_at: Option<Instant>,
    /// Failures in a row.
    failures: u32,
}

impl Seat {
    fn new() -> Self {
        Seat { open: true, retry_at: None, failures: 0 }
    }

    /// Forgets the failures.
    pub fn forgive(&mut self) {
        self.failures = 0;
        self.retry_at = None;
    }

    /// Counts one failure more; returns the pause before the next try, at least `shortest`: 0, 1, 2, 4 … 60 s.
    pub fn fail(&mut self, shortest: Duration, now: Instant) -> Duration {
        self.failures = self.failures.saturating_add(1);
        let pause = match self.failures {
            1 => Duration::ZERO,
            failures => Duration::from_secs(1 << (failures - 2).min(6)),
        };
        let pause = pause.max(shortest).min(LONGEST_PAUSE);
        self.retry_at = Some(later(now, pause));
        pause
    }
}

/// Who is in a seat.
#[derive(Clone, Debug, Default)]
pub struct Occupancy {
    /// Processes, those whose fork is not yet confirmed included.
    pub count: usize,
    /// Whether a fork was ordered and is not yet confirmed.
    pub spawning: bool,
    /// Whether one of them drains.
    pub draining: bool,
    /// Of those that stay the one of the newest generation, and of these the youngest.
    pub resident: Option<Pid>,
    /// The older one that stays until the resident has booted.
    pub predecessor: Option<Pid>,
}

impl Supervisor {
    /// Who is in which seat, by seat index.
    pub(super) fn occupancy(&self) -> Vec<Occupancy> {
        let mut seats = vec![Occupancy::default(); self.seats.len()];
        for berth in self.ordered() {
            let seat = &mut seats[usize::from(berth.seat.0)];
            seat.count += 1;
            seat.spawning = true;
        }
        for (&pid, process) in &self.processes {
            let seat = &mut seats[usize::from(process.berth.seat.0)];
            seat.count += 1;
            seat.draining |= process.state == State::Drain;
            if !process.state.stays() {
                continue;
            }
            match seat.resident {
                Some(other) if self.processes[&other].rank() > process.rank() => seat.predecessor = Some(pid),
                other => (seat.predecessor, seat.resident) = (other, Some(pid)),
            }
        }
        seats
    }

    /// The seat of that number.
    pub(super) fn seat_mut(&mut self, SeatIdx(idx): SeatIdx) -> &mut Seat {
        &mut self.seats[usize::from(idx)]
    }

    /// Opens or closes seats until `target` are open, or as many as there are ids.
    pub(super) fn resize(&mut self, target: usize) {
        let target = target.min(MOST_WORKERS);
        self.target = target;
        let mut open_count = self.seats.iter().filter(|seat| seat.open).count();
        while open_count > target {
            let idx = self.seat_to_close();
            self.seats[idx].open = false;
            open_count -= 1;
        }
        while open_count < target {
            match self.seat_to_open() {
                Some(idx) => {
                    self.seats[idx].open = true;
                    self.seats[idx].forgive();
                }
                None => self.seats.push(Seat::new()),
            }
            open_count += 1;
        }
    }

    /// The open seat that is missed least: one that nobody holds, else the one whose worker is oldest.
    fn seat_to_close(&self) -> usize {
        let occupancy = self.occupancy();
        let open = (0..self.seats.len()).filter(|&idx| self.seats[idx].open);
        open.min_by_key(|&idx| {
            let oldest = occupancy[idx].predecessor.or(occupancy[idx].resident);
            (oldest.map(|pid| self.processes[&pid].birth), Reverse(idx))
        })
        .expect("it is asked for only while more seats are open than wanted")
    }

    /// The closed seat that helps most: one whose worker still serves, else the emptiest; `None` if all are open.
    fn seat_to_open(&self) -> Option<usize> {
        let occupancy = self.occupancy();
        let closed = (0..self.seats.len()).filter(|&idx| !self.seats[idx].open);
        closed.min_by_key(|&idx| (occupancy[idx].resident.is_none(), occupancy[idx].count, idx))
    }
}
