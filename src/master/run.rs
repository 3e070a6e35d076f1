//! The master's loop: hears signals, workers and the clock, tells the supervisor, and does what it says.
//!
//! Waits detached from the interpreter. A fork returns twice: in the child the loop ends with [`Ended::Born`], and
//! everything that is the master's alone is dropped on the way out.
#![allow(clippy::disallowed_methods)] // This is one of the loops that read the clock.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::iter;
use std::mem;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};

use super::binding::{announce, bind_all, inherit};
use super::crew::{Born, Crew, Ended, Forked, Heritage};
use super::hung::{LOOK, LastLook};
use super::molds::Molds;
use super::pidfile::Pidfile;
use super::reload::{Load, plan};
use super::service::Service;
use super::signals::{handled_signals, signal_of};
use super::supervisor::{
    self, Berth, Fact, Generation, LastSight, Level, MOST_WORKERS, Memory, Order, Pid, Plan, Signal, Supervisor, Word,
};
use super::trial::Trial;
use super::workers::Workers;
use crate::config::Config;
use crate::exit;
use crate::ipc;
use crate::logging;
use crate::sys::{self, Death, SignalPipe};

/// How often the master looks at its workers when nothing happens.
const TICK: Duration = Duration::from_secs(1);

const SIGNALS: Token = Token(0);

/// Serves until told to stop.
pub fn run(crew: &mut dyn Crew, config: Arc<Config>, heritage: Option<Heritage>) -> Ended {
    let prepared = Master::prepare(crew, config, heritage);
    match prepared {
        Ok(master) => master.serve(),
        Err(text) => {
            log::error!("{text}");
            Ended::Stopped(exit::CONFIG)
        }
    }
}

pub(super) struct Master<'a> {
    pub(super) crew: &'a mut dyn Crew,
    pub(super) supervisor: Supervisor,
    /// By generation: those that may still be spawned.
    pub(super) loads: HashMap<Generation, Load>,
    /// A reload that may still be abandoned.
    pub(super) candidate: Option<Generation>,
    /// A reload whose settings are being tried.
    pub(super) trial: Option<Trial>,
    /// What has come out at the last trial, and was not yet obeyed.
    tried: Option<Result<(), String>>,
    pub(super) workers: Workers,
    pub(super) molds: Molds,
    pub(super) poll: Poll,
    signals: SignalPipe,
    pub(super) pidfile: Option<Pidfile>,
    /// How many listening sockets a service manager has opened for us.
    pub(super) sockets: usize,
    /// Who is told how the server is.
    pub(super) service: Service,
    /// How many processes of our control group the kernel had killed for want of memory when we looked last.
    memory_kills: Option<u64>,
    /// When the workers' memory was looked at last.
    weighed_at: Option<Instant>,
    /// The master that has made this one, as long as it is there.
    pub(super) parent: Option<i32>,
    /// Silent workers that get SIGABRT when their stacks are known.
    looks: Vec<LastLook>,
    /// What has happened and was not yet told.
    pub(super) facts: VecDeque<Fact>,
}

/// Where an order leads.
enum Next {
    GoOn,
    End(Ended),
}

impl<'a> Master<'a> {
    /// Makes everything that a failure of ends the program.
    fn prepare(crew: &'a mut dyn Crew, config: Arc<Config>, heritage: Option<Heritage>) -> Result<Self, String> {
        log::info!("Starting indrik {}", env!("CARGO_PKG_VERSION"));
        let pidfile = match &config.pidfile {
            Some(path) => {
                let path = if heritage.is_some() { Pidfile::second(path) } else { path.clone() };
                Some(Pidfile::create(&path).map_err(|error| error.to_string())?)
            }
            None => None,
        };
        let workers = crew.starting()?.unwrap_or(config.workers).min(MOST_WORKERS);
        let signals = SignalPipe::new(&handled_signals()).map_err(|error| format!("cannot handle signals: {error}"))?;
        let sockets = crew.sockets();
        if sockets > 0 {
            log::info!("Listening at sockets that the service manager has opened: setting bind does not count");
        }
        let listeners = match &heritage {
            Some(heritage) if sockets == 0 => inherit(&config, &heritage.descriptors)?,
            Some(_) | None => bind_all(&config, sockets, &signals)?,
        };
        announce(&listeners);
        log::info!("Using worker: {}", config.worker_class.name());
        crew.ready(&listeners.iter().map(|listener| listener.as_fd().as_raw_fd()).collect::<Vec<_>>())?;
        let world = |error: io::Error| format!("cannot start: {error}");
        let poll = Poll::new().map_err(world)?;
        let descriptor = signals.descriptor().as_raw_fd();
        poll.registry().register(&mut SourceFd(&descriptor), SIGNALS, Interest::READABLE).map_err(world)?;
        let plan = Plan { workers, ..plan(&config) };
        let supervisor = if heritage.is_some() { Supervisor::second(plan) } else { Supervisor::new(plan) };
        let workers = Workers::new(workers).map_err(world)?;
        let loads = HashMap::from([(supervisor.generation(), Load { config, listeners })]);
        let master = Self {
            crew,
            supervisor,
            loads,
            candidate: None,
            trial: None,
            tried: None,
            workers,
            molds: Molds::default(),
            poll,
            signals,
            pidfile,
            sockets,
            service: Service::from_environment(heritage.is_some(), Instant::now()),
            memory_kills: sys::memory_kills(),
            weighed_at: None,
            looks: Vec::new(),
            parent: heritage.map(|heritage| heritage.master),
            facts: VecDeque::from([Fact::Started]),
        };
        master.share_socket_files();
        Ok(master)
    }

    fn serve(mut self) -> Ended {
        let mut events = Events::with_capacity(64);
        loop {
            while let Some(fact) = self.facts.pop_front() {
                match self.tell(fact) {
                    Next::GoOn => {}
                    Next::End(ended) => return ended,
                }
            }
            self.settle_reload();
            if let Some(verdict) = self.tried.take() {
                let orders = self.end_trial(verdict);
                match self.obey(orders, None) {
                    Next::GoOn => {}
                    Next::End(ended) => return ended,
                }
            }
            self.end_molds();
            if !self.facts.is_empty() {
                continue;
            }
            let now = Instant::now();
            self.tell_service();
            let next = self.next_deadline().unwrap_or(now + TICK);
            let longest = if self.looks.is_empty() { TICK } else { LOOK };
            let patience = next.saturating_duration_since(now).min(longest);
            if let Err(error) = self.poll.poll(&mut events, Some(patience))
                && error.kind() != io::ErrorKind::Interrupted
            {
                logging::critical!("Unhandled exception in main loop: cannot poll: {error}");
                return Ended::Stopped(exit::UNHANDLED);
            }
            self.hear();
        }
    }

    /// Collects what has happened since the last round.
    fn hear(&mut self) {
        let signals = self.signals.take();
        let now = Instant::now();
        self.facts.extend(self.workers.hear_all(now));
        let dead: Vec<(i32, Death)> = iter::from_fn(sys::reap).collect();
        // Whoever of them a mold has forked, it has said so by now.
        self.hear_molds(now);
        // Before the deaths: a signal to the whole group ends those that boot, and is no failure of theirs. After the workers'
        // words: whoever has booted by now is told to stop, not to quit.
        for number in signals {
            self.facts.extend(signal_of(number).map(Fact::Signal));
        }
        let memory = self.memory_at_deaths(&dead);
        for (pid, death) in dead {
            if let Some(trial) = self.trial.take_if(|trial| trial.pid == pid) {
                self.tried = Some(trial.verdict(death));
            } else if self.bury_mold(pid, death) {
                // Its channel may stay open: the application may have forked while it was imported.
            } else if self.workers.line(pid).is_some() || !self.molds.keep_unclaimed(pid, death) {
                self.bury(pid, death, memory);
            }
        }
        self.weigh(now);
        self.look_for_parent();
        self.end_looks(now);
        if let Some(trial) = &mut self.trial {
            trial.enforce(now);
        }
        self.facts.push_back(Fact::Tick);
        self.crew.tick();
    }

    /// A child has ended: tells what it has said last, and how it ended.
    pub(super) fn bury(&mut self, pid: i32, death: Death, memory: Memory) {
        // Its last words first: they may be the reason.
        self.facts.extend(self.workers.hear(pid, Instant::now()));
        let last = LastSight { lost: self.workers.unfinished(pid), memory };
        self.workers.forget(pid, self.poll.registry());
        let ended = match death {
            Death::Code(code) => supervisor::Ended::Code(code),
            Death::Signal(signal) => supervisor::Ended::Signal(signal),
        };
        self.facts.push_back(Fact::Exited { pid: Pid(pid), ended, last });
    }

    /// Did those that were killed die for want of memory? The kernel counts, but does not say whom.
    fn memory_at_deaths(&mut self, dead: &[(i32, Death)]) -> Memory {
        let is_killed =
            |(pid, death): &&(i32, Death)| *death == Death::Signal(sys::SIGKILL) && self.workers.line(*pid).is_some();
        let killed = dead.iter().filter(is_killed).count() as u64;
        if killed == 0 {
            return Memory::Unknown;
        }
        let before = mem::replace(&mut self.memory_kills, sys::memory_kills());
        match (before, self.memory_kills) {
            (Some(before), Some(count)) if count >= before + killed => Memory::Short,
            (Some(before), Some(count)) if count == before => Memory::Enough,
            _ => Memory::Unknown,
        }
    }

    /// Who leaves an address that nobody else listens at any more first takes what waits there, as at a stop.
    fn fitting(&self, pid: Pid, word: Word) -> Word {
        let current = self.loads.get(&self.supervisor.generation());
        let is_moved = self.workers.config(pid.0).zip(current).is_some_and(|(own, load)| own.bind != load.config.bind);
        if word == Word::Drain && is_moved { Word::Stop } else { word }
    }

    /// Ends the silent workers that have told what there is to tell.
    fn end_looks(&mut self, now: Instant) {
        let workers = &self.workers;
        self.looks.retain_mut(|look| {
            let is_there = workers.line(look.pid).is_some();
            let is_over = is_there && look.is_over(now);
            if is_over {
                let _ = sys::kill(look.pid, sys::SIGABRT);
            }
            is_there && !is_over
        });
    }

    /// Looks at the memory of the workers, about once a second, where a setting asks for it.
    fn weigh(&mut self, now: Instant) {
        let is_asked = self.loads.values().any(|load| load.config.max_worker_memory.is_some());
        if !is_asked || self.weighed_at.is_some_and(|at| now.saturating_duration_since(at) < TICK) {
            return;
        }
        self.weighed_at = Some(now);
        for pid in self.workers.pids() {
            let weighed = sys::resident_memory(pid).map(|memory| Fact::Weighed { pid: Pid(pid), memory });
            self.facts.extend(weighed);
        }
    }

    fn tell(&mut self, fact: Fact) -> Next {
        let is_resizing = matches!(fact, Fact::Signal(Signal::Ttin | Signal::Ttou | Signal::Winch));
        let is_promotion = fact == Fact::Promoted;
        let ended = match &fact {
            Fact::Exited { pid, .. } => Some(pid.0),
            _ => None,
        };
        let (before, had_twin) = (self.supervisor.target(), self.supervisor.has_twin());
        let orders = self.supervisor.on(fact, Instant::now());
        let target = self.supervisor.target();
        if is_resizing && target != before {
            self.crew.resized(target, before);
        }
        if self.supervisor.has_twin() != had_twin {
            self.share_socket_files();
        }
        if is_promotion {
            self.take_over();
        }
        if self.supervisor.is_stopping()
            && let Some(trial) = self.trial.take()
        {
            trial.cancel();
        }
        self.obey(orders, ended)
    }

    /// Does what the supervisor says. `ended`: the worker whose end it speaks of.
    fn obey(&mut self, orders: Vec<Order>, mut ended: Option<i32>) -> Next {
        let mut orders = VecDeque::from(orders);
        while let Some(order) = orders.pop_front() {
            // What is said of a worker's end is logged first.
            if !matches!(order, Order::Log(..))
                && let Some(pid) = ended.take()
            {
                self.crew.ended(pid);
            }
            let answer = match order {
                Order::Spawn(berth) => match self.spawn(berth) {
                    Ok(answer) => answer,
                    Err(other) => return Next::End(other),
                },
                Order::Exit { code } => {
                    self.tell_service();
                    return Next::End(Ended::Stopped(code));
                }
                Order::Upgrade => Some(self.upgrade()),
                Order::Reload => {
                    self.service.begin_reload(&self.supervisor, Instant::now());
                    self.begin_trial()
                }
                Order::ReopenLogs => {
                    self.crew.reopen_logs();
                    None
                }
                Order::Tell { pid, word } => {
                    self.workers.tell(pid.0, self.fitting(pid, word));
                    None
                }
                Order::Kill { pid, signal } => {
                    let silent = self.workers.line(pid.0).filter(|_| signal == sys::SIGABRT);
                    match silent.and_then(|line| LastLook::begin(pid.0, line, Instant::now())) {
                        Some(look) => self.looks.push(look),
                        // A worker that has just died is reaped in the next round.
                        None => drop(sys::kill(pid.0, signal)),
                    }
                    None
                }
                Order::Log(level, text) => {
                    if level >= Level::Error {
                        self.service.hear_complaint(&text);
                    }
                    write_log(level, &text);
                    None
                }
            };
            if let Some(fact) = answer {
                let now = Instant::now();
                orders.extend(self.supervisor.on(fact, now));
            }
        }
        if let Some(pid) = ended {
            self.crew.ended(pid);
        }
        Next::GoOn
    }

    fn tell_service(&mut self) {
        let is_trying = self.trial.is_some() || self.tried.is_some();
        self.service.tell(&self.supervisor, is_trying, Instant::now());
    }

    fn next_deadline(&self) -> Option<Instant> {
        let trial = self.trial.as_ref().and_then(Trial::deadline);
        let others = [self.molds.next_deadline(), self.service.next_deadline()];
        [self.supervisor.next_deadline(), trial].into_iter().chain(others).flatten().min()
    }

    /// Forks a worker, or has it forked: then the answer comes later. `Err` is not a failure but the other process.
    fn spawn(&mut self, berth: Berth) -> Result<Option<Fact>, Ended> {
        let load = self.loads.get(&berth.generation).cloned();
        let load = load.expect("a generation's load is kept while it may be spawned");
        if load.config.preload_app && !load.config.reload {
            return self.spawn_from_mold(berth, &load);
        }
        let failed = |error: io::Error| Some(Fact::NotSpawned { berth, reason: error.to_string() });
        let (master_end, worker_end) = match ipc::pair() {
            Ok(pair) => pair,
            Err(error) => return Ok(failed(error)),
        };
        let line = self.workers.prepare(berth.id.0);
        self.crew.before_fork(&load.config, berth.id.0);
        sys::block_all();
        match self.crew.fork() {
            Ok(Forked::Master(pid)) => {
                sys::unblock_all();
                self.crew.forked(Some(pid));
                drop(worker_end);
                self.workers.add(pid, (berth.id.0, load.config), master_end, line, self.poll.registry());
                Ok(Some(Fact::Spawned { berth, pid: Pid(pid) }))
            }
            Ok(Forked::Worker) => {
                sys::default_all();
                let Load { config, listeners } = load;
                let siblings = Some(self.workers.siblings_of(berth.id.0));
                let born = Born { berth, config, listeners, ipc: worker_end, line, siblings };
                Err(Ended::Born(Box::new(born)))
            }
            Err(error) => {
                sys::unblock_all();
                self.crew.forked(None);
                Ok(failed(error))
            }
        }
    }
}

fn write_log(level: Level, text: &str) {
    match level {
        Level::Debug => log::debug!("{text}"),
        Level::Info => log::info!("{text}"),
        Level::Warning => log::warn!("{text}"),
        Level::Error => log::error!("{text}"),
        Level::Critical => logging::critical!("{text}"),
    }
}
