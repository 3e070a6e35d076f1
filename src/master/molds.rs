//! Preloading: each generation has a mold, a process that has imported the application and forks the workers. So the master
//! stays free of the application's code, and a reload loads the new one.
//!
//! A mold's children become the master's own, since the mold forks them twice and the master takes in orphans.
#![allow(clippy::disallowed_methods)] // Part of the loop, which reads the clock.

use std::collections::HashMap;
use std::io;
use std::mem;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::unix::SourceFd;
use mio::{Interest, Token};

use super::crew::{Born, Ended, Forked};
use super::reload::Load;
use super::run::Master;
use super::supervisor::{Berth, Fact, Generation, Pid, QUIT_LIMIT, SeatIdx, WorkerId};
use super::workers::Workers;
use crate::config::Config;
use crate::ipc::{self, FromMold, MasterEnd, MoldEnd, MoldsMaster, Received, Wish, WorkerLine};
use crate::net::Listener;
use crate::sys::{self, Death};

/// The token of all molds: their words are few, so all are heard.
pub(super) const MOLDS: Token = Token(1);

/// The molds of a master.
#[derive(Default)]
pub(super) struct Molds {
    by_generation: HashMap<Generation, Mold>,
    /// Workers that were ordered, by their id, until their mold answers.
    ordered: HashMap<u16, Ordered>,
    /// Children that have died before we knew whose they were: a mold's answer may come after its worker's end.
    unclaimed: HashMap<i32, Death>,
}

struct Mold {
    pid: i32,
    channel: MoldsMaster,
    /// Until when the application must have been imported; `None`: it is.
    deadline: Option<Instant>,
    limit: Duration,
    /// Wanted from it as soon as it has loaded.
    waiting: Vec<Berth>,
}

struct Ordered {
    berth: Berth,
    config: Arc<Config>,
    /// Until when the mold must have answered.
    deadline: Instant,
    ipc: MasterEnd,
    line: WorkerLine,
}

/// What a new mold has of the master.
pub struct MoldBorn {
    /// The settings of its generation.
    pub config: Arc<Config>,
    generation: Generation,
    listeners: Vec<Arc<Listener>>,
    workers: Workers,
    channel: MoldEnd,
}

impl MoldBorn {
    /// All that a process which the application forks must not keep.
    pub fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let listeners = self.listeners.iter().map(|listener| listener.as_fd());
        listeners.chain([self.channel.as_fd()]).chain(self.workers.inbox_descriptors())
    }

    /// Tells the master. One that has gone needs to hear nothing.
    pub fn tell(&self, message: FromMold) {
        let _ = self.channel.tell(message);
    }

    /// Waits for the next worker that is wanted; `None`: nobody wants any more.
    pub fn wait(&self) -> Option<Wish> {
        self.channel.wait()
    }

    /// In a process that was forked for `wish`: what it has as a worker.
    pub fn into_worker(self, wish: Wish) -> Born {
        let Self { config, generation, listeners, workers, .. } = self;
        let berth = Berth { id: WorkerId(wish.worker_id), seat: SeatIdx(wish.seat), generation };
        let (line, siblings) = (workers.line_of(wish.worker_id), Some(workers.siblings_of(wish.worker_id)));
        Born { berth, config, listeners, ipc: wish.ipc, line, siblings }
    }
}

impl Molds {
    /// When the loop must look again, if nothing happens before.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let molds = self.by_generation.values().filter_map(|mold| mold.deadline);
        molds.chain(self.ordered.values().map(|one| one.deadline)).min()
    }

    /// Keeps a child that is nobody's yet, as long as a mold may claim it.
    pub(super) fn keep_unclaimed(&mut self, pid: i32, death: Death) -> bool {
        let may_be_claimed = !self.ordered.is_empty();
        if may_be_claimed {
            self.unclaimed.insert(pid, death);
        }
        may_be_claimed
    }
}

impl Mold {
    /// It holds nothing that anybody would miss.
    fn end(&self) {
        let _ = sys::kill(self.pid, sys::SIGKILL);
    }
}

impl<'a> Master<'a> {
    /// Has a mold fork a worker; its answer is told later. `Err` is not a failure but the other process.
    pub(super) fn spawn_from_mold(&mut self, berth: Berth, load: &Load) -> Result<Option<Fact>, Ended> {
        if !self.molds.by_generation.contains_key(&berth.generation) {
            let failed = |error: io::Error| Fact::NotSpawned { berth, reason: format!("no mold: {error}") };
            match self.make_mold(berth.generation, load) {
                Ok(Ok(mold)) => {
                    self.molds.by_generation.insert(berth.generation, mold);
                }
                Ok(Err(born)) => return Err(born),
                Err(error) => return Ok(Some(failed(error))),
            }
        }
        let mold =
            self.molds.by_generation.get_mut(&berth.generation).expect("it was made just now, if it was not there");
        if mold.deadline.is_some() {
            mold.waiting.push(berth);
            return Ok(None);
        }
        Ok(self.order(berth, &load.config))
    }

    fn make_mold(&mut self, generation: Generation, load: &Load) -> io::Result<Result<Mold, Ended>> {
        let (channel, end) = ipc::mold_pair()?;
        sys::adopt_orphans();
        sys::block_all();
        match self.crew.fork() {
            Ok(Forked::Master(pid)) => {
                sys::unblock_all();
                let descriptor = channel.as_fd().as_raw_fd();
                self.poll.registry().register(&mut SourceFd(&descriptor), MOLDS, Interest::READABLE)?;
                let limit = load.config.boot_timeout;
                log::info!("Loading the application in a mold with pid: {pid}");
                Ok(Ok(Mold { pid, channel, deadline: Some(Instant::now() + limit), limit, waiting: Vec::new() }))
            }
            Ok(Forked::Worker) => {
                sys::default_all();
                let workers = self.workers.for_mold();
                let Load { config, listeners } = load.clone();
                Ok(Err(Ended::Mold(Box::new(MoldBorn { config, generation, listeners, workers, channel: end }))))
            }
            Err(error) => {
                sys::unblock_all();
                Err(error)
            }
        }
    }

    /// Orders a worker from a mold that has loaded. Returns the answer if it is known already.
    fn order(&mut self, berth: Berth, config: &Arc<Config>) -> Option<Fact> {
        let failed =
            |error: io::Error| Some(Fact::NotSpawned { berth, reason: format!("the mold takes no orders: {error}") });
        let (ipc, theirs) = match ipc::pair() {
            Ok(pair) => pair,
            Err(error) => return failed(error),
        };
        let id = berth.id.0;
        let line = self.workers.prepare(id);
        let attributes = self.crew.before_order(config, id);
        let mold = self.molds.by_generation.get(&berth.generation)?;
        if let Err(error) = mold.channel.order(&Wish { worker_id: id, seat: berth.seat.0, attributes, ipc: theirs }) {
            self.crew.ordered(id, None);
            return failed(error);
        }
        let deadline = Instant::now() + config.boot_timeout;
        self.molds.ordered.insert(id, Ordered { berth, config: config.clone(), deadline, ipc, line });
        None
    }

    /// Ends the molds of which no worker will be wanted; one that was told to fork is left until it has answered. They are
    /// reaped like any child.
    pub(super) fn end_molds(&mut self) {
        let is_wanted = |generation| self.supervisor.spawns(generation);
        let generations: Vec<Generation> =
            self.molds.by_generation.keys().copied().filter(|&one| !is_wanted(one)).collect();
        for generation in generations {
            let latest = Instant::now() + QUIT_LIMIT;
            let mut awaited =
                self.molds.ordered.values_mut().filter(|one| one.berth.generation == generation).peekable();
            if awaited.peek().is_some() {
                awaited.for_each(|one| one.deadline = one.deadline.min(latest));
                continue;
            }
            if let Some(mut mold) = self.molds.by_generation.remove(&generation) {
                mold.end();
                self.let_go(&mold);
                let answer = |berth| Fact::NotSpawned { berth, reason: "it is not wanted any more".to_owned() };
                self.facts.extend(mem::take(&mut mold.waiting).into_iter().map(answer));
            }
        }
    }

    fn let_go(&self, mold: &Mold) {
        let descriptor = mold.channel.as_fd().as_raw_fd();
        let _ = self.poll.registry().deregister(&mut SourceFd(&descriptor));
    }

    /// Takes in what the molds have said. Called before children are reaped.
    pub(super) fn hear_molds(&mut self, now: Instant) {
        let generations: Vec<Generation> = self.molds.by_generation.keys().copied().collect();
        for generation in generations {
            while let Some(mold) = self.molds.by_generation.get_mut(&generation) {
                match mold.channel.next() {
                    Received::Message(FromMold::Loaded) => {
                        mold.deadline = None;
                        for berth in mem::take(&mut mold.waiting) {
                            let config = self.loads.get(&generation).map(|load| load.config.clone());
                            let answer = config.and_then(|config| self.order(berth, &config));
                            self.facts.extend(answer);
                        }
                    }
                    Received::Message(FromMold::NotLoaded) => {
                        self.lose_mold(generation, "the application cannot be loaded")
                    }
                    Received::Message(FromMold::Spawned { worker_id, pid }) => self.claim(worker_id, pid),
                    Received::Message(FromMold::NotSpawned { worker_id, errno }) => {
                        if let Some(Ordered { berth, .. }) = self.molds.ordered.remove(&worker_id) {
                            self.crew.ordered(worker_id, None);
                            let reason = io::Error::from_raw_os_error(errno).to_string();
                            self.facts.push_back(Fact::NotSpawned { berth, reason });
                        }
                    }
                    // Its end is known when it is reaped.
                    Received::Nothing | Received::Closed => break,
                }
            }
            if let Some(mold) = self.molds.by_generation.get(&generation)
                && mold.deadline.is_some_and(|at| at <= now)
            {
                mold.end();
                let reason = format!("the application was not loaded within {} s (boot_timeout)", mold.limit.as_secs());
                self.lose_mold(generation, &reason);
            }
        }
        let late = self.molds.ordered.values().find(|one| one.deadline <= now).map(|one| one.berth.generation);
        if let Some(generation) = late {
            if let Some(mold) = self.molds.by_generation.get(&generation) {
                mold.end();
            }
            self.lose_mold(generation, "the mold does not fork");
        }
        if self.molds.ordered.is_empty() {
            let left = mem::take(&mut self.molds.unclaimed);
            left.into_iter().for_each(|(pid, death)| self.bury(pid, death, Default::default()));
        }
    }

    /// Was it a mold that has ended? Then it is lost, whoever holds its channel.
    pub(super) fn bury_mold(&mut self, pid: i32, death: Death) -> bool {
        let found =
            self.molds.by_generation.iter().find(|(_, mold)| mold.pid == pid).map(|(generation, _)| *generation);
        if let Some(generation) = found {
            let how = match death {
                Death::Code(code) => format!("the mold has ended with code {code}"),
                Death::Signal(signal) => format!("the mold was ended by signal {signal}"),
            };
            self.lose_mold(generation, &how);
        }
        found.is_some()
    }

    /// A worker that was ordered exists; it may have ended already.
    fn claim(&mut self, worker_id: u16, pid: i32) {
        let Some(Ordered { berth, config, ipc, line, .. }) = self.molds.ordered.remove(&worker_id) else { return };
        self.crew.ordered(worker_id, Some(pid));
        self.workers.add(pid, (worker_id, config), ipc, line, self.poll.registry());
        self.facts.push_back(Fact::Spawned { berth, pid: Pid(pid) });
        if let Some(death) = self.molds.unclaimed.remove(&pid) {
            self.bury(pid, death, Default::default());
        }
    }

    /// A mold is gone or useless: what was wanted of it comes to nothing.
    fn lose_mold(&mut self, generation: Generation, reason: &str) {
        let Some(mold) = self.molds.by_generation.remove(&generation) else { return };
        self.let_go(&mold);
        let lost = self.molds.ordered.iter().filter(|(_, one)| one.berth.generation == generation);
        let ids: Vec<u16> = lost.map(|(&id, _)| id).collect();
        for id in ids {
            self.crew.ordered(id, None);
            if let Some(Ordered { berth, .. }) = self.molds.ordered.remove(&id) {
                self.facts.push_back(Fact::NotSpawned { berth, reason: reason.to_owned() });
            }
        }
        if mold.deadline.is_some() {
            self.facts.push_back(Fact::NotPreloaded { generation, reason: reason.to_owned() });
        } else {
            log::warn!(
                "Mold (pid:{}) of generation {}: {reason}; the next worker makes a new one",
                mold.pid,
                generation.0
            );
        }
    }
}
