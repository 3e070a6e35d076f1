//! The decisions of the master: which workers exist, which are replaced, which are ended, and when the program is over.
//!
//! A pure core. The loop in `run.rs` tells it facts and the time, and obeys the orders it returns; it knows no clock, no
//! descriptor and no process. Read `Supervisor::on` first, then `supply.rs` (who is spawned and drained), `deaths.rs` (exits and
//! boots that fail), `overdue.rs` (deadlines), `signals.rs` (operator's wishes and the stop) and `upgrade.rs` (USR2).

use std::collections::{BTreeMap, HashSet};
use std::mem;
use std::time::Instant;

mod deaths;
mod messages;
mod overdue;
mod process;
mod seats;
mod signals;
mod supply;
#[cfg(test)]
mod tests;
mod upgrade;

pub use messages::{
    Berth, BootFailure, Ended, Fact, Generation, LastSight, Level, Memory, Order, Pid, Plan, SIGABRT, SIGKILL, SIGQUIT,
    SIGTERM, SeatIdx, Signal, Word, WorkerId,
};
pub use process::{ABORT_LIMIT, QUIT_HINT, QUIT_LIMIT, State};

use process::Process;
use seats::Seat;
use signals::Stage;
use upgrade::Upgrade;

/// How many workers can live at once, those that drain included: the slots of the scoreboard.
///
/// A reload of so many workers goes on as numbers come free; with one worker less there is always room to begin.
pub const MOST_WORKERS: usize = 1024;

/// What the master knows of its workers.
#[derive(Debug)]
pub struct Supervisor {
    plan: Plan,
    /// How many seats are open: `plan.workers`, changed by TTIN and TTOU.
    target: usize,
    /// What a worker is spawned with.
    generation: Generation,
    /// The highest number given to a generation.
    newest: Generation,
    /// What to return to while no worker of `generation` has booted.
    fallback: Option<Fallback>,
    stage: Stage,
    /// When the stop begins, once it has been asked for: `shutdown_delay` later.
    leave_at: Option<Instant>,
    /// The other master that USR2 has made, or that has made this one by it.
    upgrade: Upgrade,
    /// By seat index.
    seats: Vec<Seat>,
    /// Every worker that has not been reaped.
    processes: BTreeMap<Pid, Process>,
    /// The forks that were ordered and not yet confirmed, with the plans of their generations.
    spawning: Vec<(Berth, Plan)>,
    /// Whether any worker has ever booted; until then a failure ends the program.
    ever_booted: bool,
    /// How many were spawned, ever: the age of the next.
    birth_count: u64,
    /// The number of workers that was logged last.
    logged_count: usize,
    /// What this call will return.
    orders: Vec<Order>,
}

/// The generation that serves while the next one tries to boot.
#[derive(Debug)]
struct Fallback {
    plan: Plan,
    target: usize,
    generation: Generation,
}

impl Supervisor {
    /// A master that another one has made by USR2: `new`, until it is [`Fact::Promoted`].
    pub fn second(plan: Plan) -> Self {
        Supervisor { upgrade: Upgrade::Parent, ..Self::new(plan) }
    }

    /// A master that has not begun: it orders nothing before [`Fact::Started`].
    pub fn new(plan: Plan) -> Self {
        Supervisor {
            plan,
            target: 0,
            generation: Generation(1),
            newest: Generation(1),
            fallback: None,
            stage: Stage::Await,
            leave_at: None,
            upgrade: Upgrade::None,
            seats: Vec::new(),
            processes: BTreeMap::new(),
            spawning: Vec::new(),
            ever_booted: false,
            birth_count: 0,
            logged_count: 0,
            orders: Vec::new(),
        }
    }

    /// Takes in one fact; returns what the caller must do about it, in order. After [`Order::Exit`] every answer is empty.
    pub fn on(&mut self, fact: Fact, now: Instant) -> Vec<Order> {
        if self.stage == Stage::Over {
            return Vec::new();
        }
        match fact {
            Fact::Beat { pid, at } => {
                // Told for each worker in each round: it can change nothing but a deadline.
                self.renew(pid, at.min(now));
                return Vec::new();
            }
            Fact::Started => self.start(),
            Fact::Spawned { berth, pid } => self.take_seat(berth, pid, now),
            Fact::NotSpawned { berth, reason } => self.leave_empty(berth, &reason, now),
            Fact::NotPreloaded { generation, reason } => self.lose_mold(generation, &reason, now),
            Fact::Booted { pid } => self.welcome(pid, now),
            Fact::BootFailed { pid, failure } => self.give_up(pid, failure, now),
            Fact::Retiring { pid } => self.let_retire(pid, now),
            Fact::Weighed { pid, memory } => self.weigh(pid, memory, now),
            Fact::Exited { pid, ended, last } => self.bury(pid, ended, &last, now),
            Fact::Signal(signal) => self.obey(signal, now),
            Fact::Reloaded(plan) => self.reload(plan, now),
            Fact::ReloadFailed => {}
            Fact::Upgraded { pid } => self.upgrade = Upgrade::Child(pid),
            Fact::UpgradeFailed => self.upgrade = Upgrade::None,
            Fact::Promoted => self.promote(),
            Fact::Tick => self.enforce(now),
        }
        match self.stage {
            Stage::Await | Stage::Over => {}
            Stage::Serve => self.supply(now),
            Stage::Stop { ending, .. } => self.finish_if_empty(ending),
        }
        mem::take(&mut self.orders)
    }

    /// When the next [`Fact::Tick`] is needed, if nothing else happens before.
    pub fn next_deadline(&self) -> Option<Instant> {
        let processes = self.processes.values().filter_map(Process::deadline);
        let seats = self.seats.iter().filter(|seat| seat.open && self.stage == Stage::Serve);
        processes.chain(seats.filter_map(|seat| seat.retry_at)).chain(self.leave_at).min()
    }

    /// Every worker that has not been reaped, by pid.
    pub fn workers(&self) -> impl Iterator<Item = (Pid, Berth, State)> + '_ {
        self.processes.iter().map(|(&pid, process)| (pid, process.berth, process.state))
    }

    /// How many workers are wanted: the setting, changed by TTIN and TTOU.
    pub fn target(&self) -> usize {
        self.target
    }

    /// What the next worker is spawned with. An abandoned reload returns to an earlier one.
    pub fn generation(&self) -> Generation {
        self.generation
    }

    /// Whether a reload was begun of which no worker has booted yet.
    pub fn is_reloading(&self) -> bool {
        self.fallback.is_some()
    }

    /// Whether the server is about to end: it takes no reload, and load balancers should look for another.
    pub fn is_stopping(&self) -> bool {
        self.leave_at.is_some() || matches!(self.stage, Stage::Stop { .. } | Stage::Over)
    }

    /// The forks that were ordered and not yet confirmed.
    fn ordered(&self) -> impl Iterator<Item = &Berth> + Clone {
        self.spawning.iter().map(|(berth, _)| berth)
    }

    /// Whether workers of that generation are spawned from now on: of the one that serves while the next is tried, too.
    pub fn spawns(&self, generation: Generation) -> bool {
        let is_stopping = matches!(self.stage, Stage::Stop { .. } | Stage::Over);
        let is_kept = self.fallback.as_ref().is_some_and(|one| one.generation == generation);
        !is_stopping && (generation == self.generation || is_kept)
    }

    /// Whether another master serves at the same sockets: one that USR2 made, or that made this one.
    pub fn has_twin(&self) -> bool {
        self.upgrade != Upgrade::None
    }

    /// Panics in a debug build if facts that must agree do not. Tests call it after each step.
    pub fn check(&self) {
        let berths = || self.workers().map(|(_, berth, _)| berth).chain(self.ordered().copied());
        let ids: HashSet<WorkerId> = berths().map(|berth| berth.id).collect();
        debug_assert_eq!(ids.len(), berths().count(), "two workers with one id");
        debug_assert!(ids.iter().all(|id| usize::from(id.0) < MOST_WORKERS), "an id outside the scoreboard");
        debug_assert!(self.occupancy().iter().all(|seat| seat.count <= 2), "three processes in a seat");
        debug_assert!(berths().all(|berth| berth.generation <= self.newest), "a generation that was never made");
        if let Some(fallback) = &self.fallback {
            debug_assert!(fallback.generation < self.generation, "a fallback to a later generation");
            let booted =
                self.processes.values().any(|one| one.berth.generation == self.generation && one.booted_at.is_some());
            debug_assert!(!booted, "a generation that has booted is not accepted");
        }
        match self.stage {
            Stage::Await => debug_assert!(berths().next().is_none(), "a worker before the start"),
            Stage::Serve => {
                let open_count = self.seats.iter().filter(|seat| seat.open).count();
                debug_assert_eq!(open_count, self.target, "open seats and target differ");
            }
            Stage::Stop { .. } => {
                debug_assert!(
                    self.processes.values().all(|process| !process.state.stays()),
                    "a worker stays at a stop"
                );
            }
            Stage::Over => debug_assert!(berths().next().is_none(), "a worker after the end"),
        }
    }

    fn log(&mut self, level: Level, text: impl Into<String>) {
        self.orders.push(Order::Log(level, text.into()));
    }

    fn tell(&mut self, pid: Pid, word: Word) {
        self.orders.push(Order::Tell { pid, word });
    }
}
