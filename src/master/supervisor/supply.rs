//! Supply: the right processes in the seats. Spawns what is missing, hands seats over, drains what is too many.
//!
//! Nothing here remembers a plan of steps. After each fact `supply` compares what there is with what is wanted and orders the
//! next safe step: a successor boots beside the one that serves, and only a worker that is not needed for the target drains.

use std::collections::HashSet;
use std::time::Instant;

use super::messages::{Berth, Generation, Level, Order, Pid, Plan, SeatIdx, Word, WorkerId};
use super::process::{Process, State};
use super::seats::{Occupancy, SETTLED};
use super::signals::{Pace, Stage};
use super::{Fallback, MOST_WORKERS, Supervisor};

impl Supervisor {
    /// The first generation may be spawned.
    pub(super) fn start(&mut self) {
        if self.stage == Stage::Await {
            self.stage = Stage::Serve;
            self.resize(self.plan.workers);
        }
    }

    /// A worker was forked; its boot deadline runs.
    pub(super) fn take_seat(&mut self, berth: Berth, pid: Pid, now: Instant) {
        let ordered = self.spawning.iter().position(|(other, _)| other.id == berth.id);
        let plan = ordered.map_or(self.plan, |at| self.spawning.remove(at).1);
        self.processes.insert(pid, Process::new(berth, plan, self.birth_count, now));
        self.birth_count += 1;
        // It may have been ordered before a stop was.
        match self.stage {
            Stage::Stop { pace: Pace::Quick, .. } => self.quit(pid, now),
            Stage::Stop { pace: Pace::Graceful, .. } => self.recall(pid, Word::Stop, now),
            Stage::Await | Stage::Serve | Stage::Over => {}
        }
    }

    /// A worker is ready. The first of a generation makes it the one that serves.
    pub(super) fn welcome(&mut self, pid: Pid, now: Instant) {
        let Some(process) = self.processes.get_mut(&pid) else { return };
        match process.state {
            State::Boot => {
                process.boot(now);
                self.ever_booted = true;
                if process.berth.generation == self.generation {
                    self.fallback = None;
                }
            }
            // It has accepted connections before it heard that it shall leave; and its generation can boot.
            State::Recall => {
                process.boot(now);
                process.enter(State::Drain, now);
                if process.berth.generation == self.generation {
                    self.ever_booted = true;
                    self.fallback = None;
                }
            }
            State::Serve | State::Retire | State::Drain | State::Quit | State::Fail | State::Abort | State::Kill => {}
        }
    }

    /// A worker lives.
    pub(super) fn renew(&mut self, pid: Pid, at: Instant) {
        if let Some(process) = self.processes.get_mut(&pid) {
            process.renew(at);
        }
    }

    /// A worker asks to be replaced.
    pub(super) fn let_retire(&mut self, pid: Pid, now: Instant) {
        let Some(process) = self.processes.get_mut(&pid).filter(|process| process.state == State::Serve) else {
            return;
        };
        process.enter(State::Retire, now);
        let (seat, settled) = (process.berth.seat, process.has_served(SETTLED, now));
        if settled {
            self.seat_mut(seat).forgive();
        }
    }

    /// A worker has so much memory: one that has too much is replaced.
    pub(super) fn weigh(&mut self, pid: Pid, memory: u64, now: Instant) {
        let Some(process) = self.processes.get(&pid).filter(|process| process.state == State::Serve) else {
            return;
        };
        if let Some(most) = process.plan.max_memory.filter(|most| memory > *most) {
            let text = format!(
                "Worker (pid:{}) has {memory} MiB of memory (max_worker_memory is {most}): it is replaced.",
                pid.0
            );
            self.log(Level::Info, text);
            self.let_retire(pid, now);
        }
    }

    /// New settings: a new generation, and the way back as long as none of it has booted.
    pub(super) fn reload(&mut self, plan: Plan, now: Instant) {
        match self.stage {
            Stage::Await => self.plan = plan,
            Stage::Serve => {
                if self.ever_booted && self.fallback.is_none() {
                    let (plan, target, generation) = (self.plan, self.target, self.generation);
                    self.fallback = Some(Fallback { plan, target, generation });
                }
                self.newest = Generation(self.newest.0 + 1);
                self.follow(plan, plan.workers, self.newest, now);
                if plan.workers == 0 {
                    // Nobody will boot, so nobody can fail.
                    self.fallback = None;
                }
            }
            Stage::Stop { .. } | Stage::Over => {}
        }
    }

    /// Makes this the generation that is spawned; those that boot for another quit.
    pub(super) fn follow(&mut self, plan: Plan, target: usize, generation: Generation, now: Instant) {
        (self.plan, self.generation) = (plan, generation);
        self.quit_unwanted_boots(now);
        self.resize(target);
        self.seats.iter_mut().for_each(|seat| seat.forgive());
    }

    /// Orders the next safe step towards one worker of the wanted generation in each open seat, and none in the others.
    pub(super) fn supply(&mut self, now: Instant) {
        self.quit_unwanted_boots(now);
        let occupancy = self.occupancy();
        self.hand_over(&occupancy, now);
        self.drain_surplus(&occupancy, now);
        self.fill(&occupancy, now);
        self.log_count();
    }

    /// A worker that boots for a closed seat, or for a generation that is no longer wanted, need not go on.
    fn quit_unwanted_boots(&mut self, now: Instant) {
        let unwanted = |process: &Process| {
            let open = self.seats[usize::from(process.berth.seat.0)].open;
            process.state == State::Boot && !(open && self.spawns(process.berth.generation))
        };
        for pid in self.pids_that(unwanted) {
            self.recall(pid, Word::Drain, now);
        }
    }

    /// Where a successor has booted, its predecessor drains.
    fn hand_over(&mut self, occupancy: &[Occupancy], now: Instant) {
        for seat in occupancy {
            if let (Some(resident), Some(predecessor)) = (seat.resident, seat.predecessor)
                && self.processes[&resident].state.serves()
            {
                self.drain(predecessor, now);
            }
        }
    }

    /// Workers of closed seats drain, oldest first, as long as enough others serve. While a reload may still be abandoned
    /// "enough" includes what the old settings wanted.
    fn drain_surplus(&mut self, occupancy: &[Occupancy], now: Instant) {
        let floor = self.fallback.as_ref().map_or(self.target, |fallback| fallback.target.max(self.target));
        let serving = self.processes.values().filter(|process| process.state.serves()).count();
        let closed = occupancy.iter().zip(&self.seats).filter(|(_, seat)| !seat.open);
        // Who boots there was told to quit, and a predecessor to drain: the resident is the one that may still serve.
        let mut surplus: Vec<Pid> = closed.filter_map(|(occupancy, _)| occupancy.resident).collect();
        surplus.sort_by_key(|pid| self.processes[pid].birth);
        for pid in surplus.into_iter().take(serving.saturating_sub(floor)) {
            self.drain(pid, now);
        }
    }

    /// Spawns into the open seats that lack a worker or a successor, as far as there are ids.
    fn fill(&mut self, occupancy: &[Occupancy], now: Instant) {
        for seat in &mut self.seats {
            // A time that is past must not wake the loop again.
            seat.retry_at = seat.retry_at.filter(|&at| at > now);
        }
        let lacking = match &self.fallback {
            Some(fallback) => self.lacking_in_trial(occupancy, fallback),
            None => self.lacking(occupancy),
        };
        if lacking.is_empty() {
            return;
        }
        for ((seat, generation), id) in lacking.into_iter().zip(self.free_ids()) {
            let berth = Berth { id, seat, generation };
            let plan = match &self.fallback {
                Some(fallback) if fallback.generation == generation => fallback.plan,
                Some(_) | None => self.plan,
            };
            self.spawning.push((berth, plan));
            self.orders.push(Order::Spawn(berth));
        }
    }

    /// While a generation is on trial: one seat for its first worker, and for the generation that serves what it lacks.
    fn lacking_in_trial(&self, occupancy: &[Occupancy], fallback: &Fallback) -> Vec<(SeatIdx, Generation)> {
        let berths = || self.processes.values().filter(|one| one.state.stays()).map(|one| one.berth);
        let count =
            |generation| berths().chain(self.ordered().copied()).filter(|berth| berth.generation == generation).count();
        let is_tried = count(self.generation) > 0;
        let mut missing = fallback.target.saturating_sub(count(fallback.generation));
        let open = (0..).zip(occupancy.iter().zip(&self.seats)).filter(|(_, (_, seat))| seat.open);
        let mut free: Vec<SeatIdx> = Vec::new();
        let mut lacking = Vec::new();
        for (idx, (occupancy, seat)) in open {
            if seat.retry_at.is_some() {
                continue;
            }
            let has_none_that_serves = match self.lack(occupancy) {
                Lack::Worker => true,
                Lack::Successor => false,
                // The worker on trial may be alone in its seat.
                Lack::Nothing if occupancy.count == 1 && !occupancy.spawning && occupancy.resident.is_some() => true,
                Lack::Nothing | Lack::Replacement => continue,
            };
            if has_none_that_serves && missing > 0 {
                missing -= 1;
                lacking.push((SeatIdx(idx), fallback.generation));
            } else if occupancy.count == 0 || matches!(self.lack(occupancy), Lack::Worker | Lack::Successor) {
                free.push(SeatIdx(idx));
            }
        }
        if !is_tried {
            match (free.first(), lacking.first_mut()) {
                (Some(&seat), _) => lacking.insert(0, (seat, self.generation)),
                // Every seat is empty: the trial goes first.
                (None, Some((_, generation))) => *generation = self.generation,
                (None, None) => {}
            }
        }
        lacking
    }

    /// The open seats into which a worker may be spawned now.
    fn lacking(&self, occupancy: &[Occupancy]) -> Vec<(SeatIdx, Generation)> {
        // A reload waits for workers that boot, never for those that drain: one slow client would hold it up. What recycles
        // waits for both, and for what drains in closed seats.
        let boots = |seat: &Occupancy| {
            let is_booting = |pid: Pid| self.processes[&pid].state == State::Boot;
            seat.resident.is_some()
                && (seat.spawning || seat.predecessor.is_some() && seat.resident.is_some_and(is_booting))
        };
        let mut booting = occupancy.iter().filter(|seat| boots(seat)).count();
        let mut moving = occupancy.iter().filter(|seat| seat.count > 1 || seat.draining).count();
        let lease = (self.target / 10).max(1);
        let mut lacking = Vec::new();
        for (idx, (occupancy, seat)) in (0..).zip(occupancy.iter().zip(&self.seats)) {
            if !seat.open || seat.retry_at.is_some() {
                continue;
            }
            let may = match self.lack(occupancy) {
                Lack::Nothing => continue,
                Lack::Worker => true,
                Lack::Successor => booting < self.plan.reload_surge.max(1),
                Lack::Replacement => moving < lease,
            };
            if may {
                let is_beside = usize::from(occupancy.resident.is_some());
                (booting, moving) = (booting + is_beside, moving + is_beside);
                lacking.push((SeatIdx(idx), self.generation));
            }
        }
        lacking
    }

    /// What an open seat lacks. It never holds more than two, and who was told to leave at once is waited for.
    fn lack(&self, seat: &Occupancy) -> Lack {
        if seat.count > 1 || seat.spawning {
            return Lack::Nothing;
        }
        let Some(resident) = seat.resident.map(|pid| &self.processes[&pid]) else {
            return if seat.count == 0 || seat.draining { Lack::Worker } else { Lack::Nothing };
        };
        if resident.berth.generation != self.generation {
            Lack::Successor
        } else if resident.state == State::Retire {
            Lack::Replacement
        } else {
            Lack::Nothing
        }
    }

    /// The free ids, lowest first.
    fn free_ids(&self) -> impl Iterator<Item = WorkerId> + use<> {
        let berths = self.processes.values().map(|process| &process.berth).chain(self.ordered());
        let used: HashSet<WorkerId> = berths.map(|berth| berth.id).collect();
        (0..).map(WorkerId).take(MOST_WORKERS).filter(move |id| !used.contains(id))
    }

    /// Logs how many workers there are, once a change is complete.
    fn log_count(&mut self) {
        let count = self.processes.len();
        if self.spawning.is_empty() && count != self.logged_count {
            self.logged_count = count;
            self.log(Level::Debug, format!("{count} workers"));
        }
    }

    /// Tells a worker to finish; one that boots has nothing to finish.
    fn drain(&mut self, pid: Pid, now: Instant) {
        let Some(process) = self.processes.get_mut(&pid) else {
            return;
        };
        if process.state == State::Boot {
            self.recall(pid, Word::Drain, now);
        } else {
            process.enter(State::Drain, now);
            self.tell(pid, Word::Drain);
        }
    }

    /// Tells a worker that boots to leave.
    pub(super) fn recall(&mut self, pid: Pid, word: Word, now: Instant) {
        if let Some(process) = self.processes.get_mut(&pid) {
            process.enter(State::Recall, now);
            self.tell(pid, word);
        }
    }

    /// Tells a worker to leave at once.
    pub(super) fn quit(&mut self, pid: Pid, now: Instant) {
        if let Some(process) = self.processes.get_mut(&pid) {
            process.enter(State::Quit, now);
            self.tell(pid, Word::Quit);
        }
    }

    /// The workers of which this is true, by pid.
    pub(super) fn pids_that(&self, is_meant: impl Fn(&Process) -> bool) -> Vec<Pid> {
        self.processes.iter().filter(|(_, process)| is_meant(process)).map(|(&pid, _)| pid).collect()
    }
}

/// What an open seat lacks.
enum Lack {
    Nothing,
    /// One to serve: nobody does.
    Worker,
    /// One of the new generation, to take over from what another one left: as many at once as `reload_surge` says.
    Successor,
    /// One to take over from a worker that retires: only under the lease.
    Replacement,
}
