//! Failures: forks that fail, workers that cannot boot, workers that end unasked.
//!
//! Who was told to leave may end as it likes. Any other end is a failure, and one of three things follows: before the first
//! worker ever booted, the end of the program; before the first of a new generation, the end of the reload; else a new try.

use std::time::{Duration, Instant};

use super::Supervisor;
use super::messages::{Berth, BootFailure, Ended, Generation, LastSight, Level, Pid};
use super::process::{Process, State, ending};
use super::seats::SETTLED;
use super::signals::{Ending, Pace, Stage};
use crate::exit;

/// A fork that failed is not tried again sooner: memory and process numbers do not come back at once.
const FORK_PAUSE: Duration = Duration::from_secs(1);

/// A worker that is lost to its seat, though nobody told it to leave.
pub struct Loss {
    pid: Pid,
    berth: Berth,
    birth: u64,
    /// Whether it had served long enough to make this a first failure.
    has_settled: bool,
    /// What happened, as the second half of a sentence.
    reason: String,
}

impl Loss {
    /// The loss of this process.
    pub fn new(pid: Pid, process: &Process, reason: impl Into<String>, now: Instant) -> Self {
        let has_settled = process.has_served(SETTLED, now);
        Loss { pid, berth: process.berth, birth: process.birth, has_settled, reason: reason.into() }
    }
}

impl Supervisor {
    /// A fork failed.
    pub(super) fn leave_empty(&mut self, berth: Berth, reason: &str, now: Instant) {
        self.spawning.retain(|(other, _)| other.id != berth.id);
        let failed = format!("Cannot start a worker for seat {}: {reason}", berth.seat.0);
        let is_wanted = self.stage == Stage::Serve && self.spawns(berth.generation);
        if is_wanted && self.seat_mut(berth.seat).open {
            let pause = self.seat_mut(berth.seat).fail(FORK_PAUSE, now);
            self.log(Level::Error, format!("{failed}; next try in {} s.", pause.as_secs()));
        } else {
            self.log(Level::Info, format!("{failed}."));
        }
    }

    /// No worker of that generation can be forked, since the application could not be loaded for all of them.
    pub(super) fn lose_mold(&mut self, generation: Generation, reason: &str, now: Instant) {
        let lost: Vec<Berth> = self.ordered().filter(|berth| berth.generation == generation).copied().collect();
        self.spawning.retain(|(berth, _)| berth.generation != generation);
        if self.stage != Stage::Serve || !self.spawns(generation) {
            return;
        }
        if !self.ever_booted {
            self.log(Level::Error, format!("Preloading: {reason}"));
            self.stop(Ending::PreloadFailed, Pace::Quick, now);
        } else if self.fallback.is_some() && generation == self.generation {
            self.abandon_reload(reason, now);
        } else {
            for berth in lost {
                let pause = self.seat_mut(berth.seat).fail(FORK_PAUSE, now);
                let text = format!(
                    "Cannot start a worker for seat {}: {reason}; next try in {} s.",
                    berth.seat.0,
                    pause.as_secs()
                );
                self.log(Level::Error, text);
            }
        }
    }

    /// A worker says that it cannot boot, and leaves.
    pub(super) fn give_up(&mut self, pid: Pid, failure: BootFailure, now: Instant) {
        let Some(process) = self.processes.get_mut(&pid).filter(|one| one.state == State::Boot) else {
            return;
        };
        process.enter(State::Fail, now);
        let reason = match failure {
            BootFailure::AppLoad => "failed to load the application",
            BootFailure::Boot => "failed to boot",
        };
        let loss = Loss::new(pid, process, reason, now);
        self.miss_boot(loss, failure, now);
    }

    /// A child was reaped. Nothing else frees its id.
    pub(super) fn bury(&mut self, pid: Pid, ended: Ended, last: &LastSight, now: Instant) {
        if self.bury_upgrade(pid, ended) {
            return;
        }
        let Some(process) = self.processes.remove(&pid) else {
            self.log(Level::Debug, format!("Unknown child (pid:{}) {}.", pid.0, ending(ended)));
            return;
        };
        let (level, text) = process.obituary(pid, ended, last);
        self.log(level, text);
        let loss = Loss::new(pid, &process, ending(ended), now);
        match process.state {
            State::Boot if ended == Ended::Code(exit::APP_LOAD) => self.miss_boot(loss, BootFailure::AppLoad, now),
            State::Boot => self.miss_boot(loss, BootFailure::Boot, now),
            State::Serve | State::Retire => self.miss(loss, now),
            State::Drain | State::Recall | State::Quit | State::Fail | State::Abort | State::Kill => {}
        }
    }

    /// A worker will not boot.
    pub(super) fn miss_boot(&mut self, loss: Loss, failure: BootFailure, now: Instant) {
        if self.stage != Stage::Serve {
            return;
        }
        if !self.ever_booted {
            self.stop(Ending::BootFailed(failure), Pace::Quick, now);
        } else if self.fallback.is_some() && loss.berth.generation == self.generation {
            self.abandon_reload(&format!("worker (pid:{}) {}", loss.pid.0, loss.reason), now);
        } else {
            self.miss(loss, now);
        }
    }

    /// A worker is missing: its seat is tried again, at once or after a pause. Unless the seat is closed, or the worker was
    /// about to be replaced anyway.
    pub(super) fn miss(&mut self, loss: Loss, now: Instant) {
        let Loss { pid, berth, birth, has_settled, reason } = loss;
        let seat = &self.seats[usize::from(berth.seat.0)];
        let is_successor = |one: &Process| one.berth.seat == berth.seat && one.birth > birth && one.state.stays();
        let is_replaced =
            self.processes.values().any(is_successor) || self.ordered().any(|other| other.seat == berth.seat);
        if !seat.open || is_replaced || !self.spawns(berth.generation) {
            return;
        }
        if has_settled {
            self.seat_mut(berth.seat).forgive();
        }
        let pause = self.seat_mut(berth.seat).fail(Duration::ZERO, now);
        if pause > Duration::ZERO {
            let text = format!("Worker (pid:{}) {reason}; next try of its seat in {} s.", pid.0, pause.as_secs());
            self.log(Level::Warning, text);
        }
    }

    /// The new generation cannot boot: the old one serves on, with its old settings.
    fn abandon_reload(&mut self, reason: &str, now: Instant) {
        let Some(fallback) = self.fallback.take() else {
            return;
        };
        let kept = fallback.generation.0;
        let text = format!("Reload abandoned: {reason}. Generation {kept} serves on.");
        self.log(Level::Error, text);
        self.follow(fallback.plan, fallback.target, fallback.generation, now);
    }
}
