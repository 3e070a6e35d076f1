//! The master's loop: hears signals, workers and the clock, tells the supervisor, and does what it says.
//!
//! Waits detached from the interpreter. A fork returns twice: in the child the loop ends with [`Ended::Born`], and
//! everything that is the master's alone is dropped on the way out.
#![allow(clippy::disallowed_methods)] // This is one of the loops that read the clock.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};

use super::hung;
use super::pidfile::Pidfile;
use super::supervisor::{
    self, Berth, BootFailure, Fact, Generation, Level, Order, Pid, Plan, Signal, Supervisor, Word,
};
use crate::config::Config;
use crate::exit;
use crate::ipc::{
    self, FromWorker, Inboxes, MAX_WORKERS, MasterEnd, Received, Scoreboard, Siblings, ToWorker, WorkerEnd, WorkerLine,
};
use crate::logging;
use crate::net::{Address, BindError, Listener};
use crate::sys::{self, Death, Interest as Wait, Monotonic, SignalPipe};

/// How often the master looks at its workers when nothing happens.
const TICK: Duration = Duration::from_secs(1);

/// How often a bind is tried, and how long apart: an old server may be about to leave. Source: Gunicorn.
const BIND_ATTEMPTS: u32 = 5;
const BIND_PAUSE: Duration = Duration::from_secs(1);

/// How long a worker may take to boot.
const BOOT_TIMEOUT: Duration = Duration::from_secs(300);

const SIGNALS: Token = Token(0);
const FIRST_WORKER: usize = 1;

/// What the master asks of rooms that it may not see.
pub trait Crew {
    /// The master is about to listen. Errors: the program ends; the text says why.
    fn starting(&mut self) -> Result<(), String>;

    /// It listens at these descriptors, and has forked nobody. Errors: the program ends; the text says why.
    fn ready(&mut self, descriptors: &[i32]) -> Result<(), String>;

    /// A worker with these settings is about to be forked. Called with signals as they are.
    fn before_fork(&mut self, config: &Arc<Config>);

    /// Forks. Called with signals blocked. Errors: as fork(2).
    fn fork(&mut self) -> io::Result<Forked>;

    /// A worker has ended, and what is said of it has been logged.
    fn ended(&mut self, pid: i32);

    /// Somebody has asked for another number of workers.
    fn resized(&mut self, new: usize, old: usize);

    /// Reads the settings again; there shall be `workers` now. Nothing has changed yet; on an error the text says what is
    /// wrong.
    fn reread(&mut self, workers: usize) -> Result<Arc<Config>, String>;

    /// The settings that were read last are in force: applies what this process takes from them.
    fn adopt(&mut self);

    /// Opens the log files anew.
    fn reopen_logs(&mut self);

    /// Called about once a second.
    fn tick(&mut self);
}

/// Which of the two processes this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forked {
    /// The master; the child's pid.
    Master(i32),
    /// The new worker.
    Worker,
}

/// What a new worker has of the master.
#[derive(Debug)]
pub struct Born {
    /// Its place.
    pub berth: Berth,
    /// The settings of its generation.
    pub config: Arc<Config>,
    /// The master's listeners: this process's copies.
    pub listeners: Vec<Arc<Listener>>,
    /// Its end of the ipc socket.
    pub ipc: WorkerEnd,
    /// Its line of the scoreboard.
    pub line: WorkerLine,
    /// The other workers; `None` where there are none to pass connections to.
    pub siblings: Option<Siblings>,
}

/// How the loop ended.
#[derive(Debug)]
pub enum Ended {
    /// In the master: with this exit code.
    Stopped(i32),
    /// In a new worker: be that.
    Born(Box<Born>),
}

/// Serves until told to stop.
pub fn run(crew: &mut dyn Crew, config: Arc<Config>) -> Ended {
    let prepared = Master::prepare(crew, config);
    match prepared {
        Ok(master) => master.serve(),
        Err(text) => {
            log::error!("{text}");
            Ended::Stopped(exit::CONFIG)
        }
    }
}

struct Master<'a> {
    crew: &'a mut dyn Crew,
    supervisor: Supervisor,
    /// By generation: those that may still be spawned.
    loads: HashMap<Generation, Load>,
    /// A reload that may still be abandoned.
    candidate: Option<Generation>,
    scoreboard: Scoreboard,
    inboxes: Inboxes,
    workers: HashMap<i32, Hand>,
    poll: Poll,
    signals: SignalPipe,
    pidfile: Option<Pidfile>,
    /// What has happened and was not yet told.
    facts: VecDeque<Fact>,
}

/// What the workers of one generation are made with.
#[derive(Clone)]
struct Load {
    config: Arc<Config>,
    listeners: Vec<Arc<Listener>>,
}

/// What the master holds of one worker.
struct Hand {
    id: u16,
    ipc: MasterEnd,
    line: WorkerLine,
}

/// Where an order leads.
enum Next {
    GoOn,
    End(Ended),
}

impl<'a> Master<'a> {
    /// Makes everything that a failure of ends the program.
    fn prepare(crew: &'a mut dyn Crew, config: Arc<Config>) -> Result<Self, String> {
        log::info!("Starting indrik {}", env!("CARGO_PKG_VERSION"));
        let pidfile = match &config.pidfile {
            Some(path) => Some(Pidfile::create(path).map_err(|error| error.to_string())?),
            None => None,
        };
        crew.starting()?;
        let signals = SignalPipe::new(&handled_signals()).map_err(|error| format!("cannot handle signals: {error}"))?;
        let listeners = bind_all(&config, &signals)?;
        announce(&listeners);
        log::info!("Using worker: {}", config.worker_class.name());
        crew.ready(&listeners.iter().map(|listener| listener.as_fd().as_raw_fd()).collect::<Vec<_>>())?;
        let world = |error: io::Error| format!("cannot start: {error}");
        let poll = Poll::new().map_err(world)?;
        let descriptor = signals.descriptor().as_raw_fd();
        poll.registry().register(&mut SourceFd(&descriptor), SIGNALS, Interest::READABLE).map_err(world)?;
        let supervisor = Supervisor::new(plan(&config));
        let mut inboxes = Inboxes::default();
        for id in 0..=config.workers.min(MAX_WORKERS - 1) as u16 {
            // Those who are forked first know those who come later.
            inboxes.open(id).map_err(world)?;
        }
        let loads = HashMap::from([(supervisor.generation(), Load { config, listeners })]);
        Ok(Self {
            crew,
            supervisor,
            loads,
            candidate: None,
            scoreboard: Scoreboard::new().map_err(world)?,
            inboxes,
            workers: HashMap::new(),
            poll,
            signals,
            pidfile,
            facts: VecDeque::from([Fact::Started]),
        })
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
            let now = Instant::now();
            let next = self.supervisor.next_deadline().unwrap_or(now + TICK);
            let patience = next.saturating_duration_since(now).min(TICK);
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
        let pids: Vec<i32> = self.workers.keys().copied().collect();
        for pid in pids {
            self.hear_worker(pid);
        }
        while let Some((pid, death)) = sys::reap() {
            // Its last words first: they may be the reason.
            self.hear_worker(pid);
            self.forget(pid);
            let ended = match death {
                Death::Code(code) => supervisor::Ended::Code(code),
                Death::Signal(signal) => supervisor::Ended::Signal(signal),
            };
            self.facts.push_back(Fact::Exited { pid: Pid(pid), ended });
        }
        // After the workers: whoever has booted by now is told to stop, not to quit.
        for number in signals {
            self.facts.extend(signal_of(number).map(Fact::Signal));
        }
        self.facts.push_back(Fact::Tick);
        self.crew.tick();
    }

    fn hear_worker(&mut self, pid: i32) {
        let Some(hand) = self.workers.get(&pid) else { return };
        let (monotonic, instant) = (Monotonic::now(), Instant::now());
        if let Some(beat) = hand.line.last_beat() {
            self.facts.push_back(Fact::Beat { pid: Pid(pid), at: beat.to_instant(monotonic, instant) });
        }
        let pid = Pid(pid);
        while let Received::Message(message) = hand.ipc.next() {
            self.facts.push_back(match message {
                FromWorker::Booted => Fact::Booted { pid },
                FromWorker::AppNotLoaded => Fact::BootFailed { pid, failure: BootFailure::AppLoad },
                FromWorker::BootFailed => Fact::BootFailed { pid, failure: BootFailure::Boot },
                FromWorker::Retiring => Fact::Retiring { pid },
            });
        }
    }

    fn forget(&mut self, pid: i32) {
        if let Some(hand) = self.workers.remove(&pid) {
            let descriptor = hand.ipc.as_fd().as_raw_fd();
            let _ = self.poll.registry().deregister(&mut SourceFd(&descriptor));
            hand.line.leave();
            self.scoreboard.lower_flag(hand.id);
            self.forward(hand.id);
        }
    }

    /// Passes what lies in the inbox of a worker that has gone on to another one.
    fn forward(&self, worker_id: u16) {
        while let Some(packet) = self.inboxes.receive(worker_id) {
            let others = self.workers.values().map(|hand| hand.id).filter(|&id| id != worker_id);
            let descriptors: Vec<_> = packet.descriptors.iter().map(AsFd::as_fd).collect();
            let mut heirs = self.scoreboard.heirs(others).into_iter();
            if !heirs.any(|to| self.inboxes.send(to, &packet.bytes, &descriptors).is_ok()) {
                log::warn!("a connection on its way to worker {worker_id} is lost with it: no other worker takes it");
            }
        }
    }

    fn tell(&mut self, fact: Fact) -> Next {
        let is_resizing = matches!(fact, Fact::Signal(Signal::Ttin | Signal::Ttou | Signal::Winch));
        let mut ended = match &fact {
            Fact::Exited { pid, .. } => Some(pid.0),
            _ => None,
        };
        let before = self.supervisor.target();
        let mut orders = VecDeque::from(self.supervisor.on(fact, Instant::now()));
        let target = self.supervisor.target();
        if is_resizing && target != before {
            self.crew.resized(target, before);
        }
        while let Some(order) = orders.pop_front() {
            // What is said of a worker's end is logged first.
            if !matches!(order, Order::Log(..))
                && let Some(pid) = ended.take()
            {
                self.crew.ended(pid);
            }
            let answer = match order {
                Order::Spawn(berth) => match self.spawn(berth) {
                    Ok(fact) => Some(fact),
                    Err(born) => return Next::End(Ended::Born(born)),
                },
                Order::Exit { code } => return Next::End(Ended::Stopped(code)),
                Order::Reload => {
                    orders.extend(self.reload());
                    None
                }
                Order::ReopenLogs => {
                    self.crew.reopen_logs();
                    None
                }
                Order::Tell { pid, word } => {
                    self.tell_worker(pid, word);
                    None
                }
                Order::Kill { pid, signal } => {
                    if signal == sys::SIGABRT
                        && let Some(hand) = self.workers.get(&pid.0)
                    {
                        hung::report(pid.0, &hand.line);
                    }
                    // A worker that has just died is reaped in the next round.
                    let _ = sys::kill(pid.0, signal);
                    None
                }
                Order::Log(level, text) => {
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

    fn tell_worker(&self, pid: Pid, word: Word) {
        let message = match word {
            Word::Drain => ToWorker::Drain,
            Word::Stop => ToWorker::Stop,
            Word::Quit => ToWorker::Quit,
            Word::Reopen => ToWorker::Reopen,
        };
        if let Some(hand) = self.workers.get(&pid.0)
            && let Err(error) = hand.ipc.tell(message)
        {
            log::debug!("worker {} cannot be told: {error}", pid.0);
        }
    }

    /// Forks a worker. `Err` is not a failure but the other process.
    fn spawn(&mut self, berth: Berth) -> Result<Fact, Box<Born>> {
        let failed = |error: io::Error| Fact::NotSpawned { berth, reason: error.to_string() };
        let (master_end, worker_end) = match ipc::pair() {
            Ok(pair) => pair,
            Err(error) => return Ok(failed(error)),
        };
        let line = self.scoreboard.line(berth.id.0);
        line.clear();
        if let Err(error) = self.inboxes.open(berth.id.0) {
            log::warn!("connections cannot be passed to worker {}: {error}", berth.id.0);
        }
        if let Some(load) = self.loads.get(&berth.generation) {
            self.crew.before_fork(&load.config);
        }
        sys::block_all();
        match self.crew.fork() {
            Ok(Forked::Master(pid)) => {
                sys::unblock_all();
                drop(worker_end);
                let descriptor = master_end.as_fd().as_raw_fd();
                let token = Token(FIRST_WORKER + usize::from(berth.id.0));
                let watched = self.poll.registry().register(&mut SourceFd(&descriptor), token, Interest::READABLE);
                if let Err(error) = watched {
                    // Its words are still heard, once a tick.
                    log::warn!("cannot watch worker {pid}: {error}");
                }
                self.workers.insert(pid, Hand { id: berth.id.0, ipc: master_end, line });
                Ok(Fact::Spawned { berth, pid: Pid(pid) })
            }
            Ok(Forked::Worker) => {
                sys::default_all();
                let load = self.loads.get(&berth.generation).cloned();
                let Load { config, listeners } = load.expect("a generation's load is kept while it may be spawned");
                let siblings = Some(Siblings::new(self.scoreboard.clone(), berth.id.0, self.inboxes.clone()));
                Err(Box::new(Born { berth, config, listeners, ipc: worker_end, line, siblings }))
            }
            Err(error) => {
                sys::unblock_all();
                Ok(failed(error))
            }
        }
    }

    /// Reads the settings and binds what is new. What the master itself takes from them waits for a worker that boots.
    fn reload(&mut self) -> Vec<Order> {
        let reread = self.crew.reread(self.supervisor.target()).and_then(|config| {
            let listeners = self.listeners_for(&config)?;
            Ok(Load { config, listeners })
        });
        match reread {
            Ok(load) => {
                let orders = self.supervisor.on(Fact::Reloaded(plan(&load.config)), Instant::now());
                let generation = self.supervisor.generation();
                // A master that is about to stop takes no new generation.
                if let Entry::Vacant(place) = self.loads.entry(generation) {
                    place.insert(load);
                    self.candidate = Some(generation);
                }
                orders
            }
            Err(text) => {
                log::error!("Reload failed, the old settings stay in force: {text}");
                self.supervisor.on(Fact::ReloadFailed, Instant::now())
            }
        }
    }

    /// Once a reload can no longer be abandoned, its settings are the master's too. One that was leaves nothing behind.
    fn settle_reload(&mut self) {
        if self.supervisor.is_reloading() {
            return;
        }
        let current = self.supervisor.generation();
        if let Some(candidate) = self.candidate.take()
            && candidate == current
            && let Some(load) = self.loads.get(&current).cloned()
        {
            self.crew.adopt();
            let is_moved = self.loads.values().any(|other| other.config.bind != load.config.bind);
            if is_moved {
                announce(&load.listeners);
            }
            self.renew_pidfile(&load.config);
        }
        // Sockets that no load names any more close here; old workers hold their own copies until they have drained.
        self.loads.retain(|generation, _| *generation == current);
    }

    /// Keeps the sockets of addresses that are held, and binds the others.
    fn listeners_for(&self, config: &Config) -> Result<Vec<Arc<Listener>>, String> {
        let held = || self.loads.values().flat_map(|load| &load.listeners);
        let listen = |address: &Address| match held().find(|listener| listener.address() == address) {
            Some(listener) => Ok(listener.clone()),
            None => Listener::bind(address, config.backlog as i32)
                .map(Arc::new)
                .map_err(|error| format!("cannot bind {address}: {error}{}", advice(address, &error))),
        };
        addresses(config)?.iter().map(listen).collect()
    }

    fn renew_pidfile(&mut self, config: &Config) {
        if self.pidfile.as_ref().map(Pidfile::path) == config.pidfile.as_deref() {
            return;
        }
        match config.pidfile.as_deref().map(Pidfile::create).transpose() {
            Ok(pidfile) => self.pidfile = pidfile,
            Err(error) => log::error!("{error}; the old pid file stays"),
        }
    }
}

fn plan(config: &Config) -> Plan {
    Plan {
        workers: config.workers,
        timeout: config.timeout,
        graceful_timeout: config.graceful_timeout,
        boot_timeout: BOOT_TIMEOUT,
    }
}

fn addresses(config: &Config) -> Result<Vec<Address>, String> {
    config.bind.iter().map(|text| Address::parse(text).map_err(|error| error.to_string())).collect()
}

/// Binds all addresses, each up to five times a second apart. A signal to stop ends the waiting.
fn bind_all(config: &Config, signals: &SignalPipe) -> Result<Vec<Arc<Listener>>, String> {
    let mut listeners = Vec::new();
    for address in addresses(config)? {
        listeners.push(Arc::new(bind_patiently(&address, config.backlog as i32, signals)?));
    }
    Ok(listeners)
}

fn bind_patiently(address: &Address, backlog: i32, signals: &SignalPipe) -> Result<Listener, String> {
    for attempt in 1..=BIND_ATTEMPTS {
        let error = match Listener::bind(address, backlog) {
            Ok(listener) => return Ok(listener),
            Err(error) => error,
        };
        match &error {
            BindError::InUse(_) => log::error!("Connection in use: {address}"),
            BindError::NoSuchAddress(_) => log::error!("Invalid address: {address}"),
            BindError::Other(_) => {
                return Err(format!("Can't connect to {address}: {error}{}", advice(address, &error)));
            }
        }
        log::error!("connection to {address} failed: {error}");
        if attempt < BIND_ATTEMPTS && is_told_to_stop(signals, BIND_PAUSE) {
            break;
        }
    }
    Err(format!(
        "Can't connect to {address}\nhint: find out who holds it (ss -lp), or name another address with --bind"
    ))
}

/// Waits, and says whether a signal to stop has come. Other signals mean nothing before there is anything to supervise.
fn is_told_to_stop(signals: &SignalPipe, pause: Duration) -> bool {
    let end = Instant::now() + pause;
    loop {
        let rest = end.saturating_duration_since(Instant::now());
        if rest.is_zero() {
            return false;
        }
        let _ = sys::wait_for(signals.descriptor(), Wait::Readable, Some(rest));
        let heard = signals.take().into_iter().filter_map(signal_of);
        if heard.into_iter().any(|signal| matches!(signal, Signal::Term | Signal::Int | Signal::Quit)) {
            return true;
        }
    }
}

fn advice(address: &Address, error: &BindError) -> &'static str {
    match (address, error.error().kind()) {
        (Address::Tcp { .. }, io::ErrorKind::PermissionDenied) => {
            "\nhint: bind a port above 1023 and put a proxy in front"
        }
        (Address::Unix(_), io::ErrorKind::PermissionDenied) => {
            "\nhint: this user must be allowed to write in the socket's directory"
        }
        (Address::Unix(_), io::ErrorKind::NotFound) => "\nhint: the directory of a unix socket must exist",
        _ => "",
    }
}

fn announce(listeners: &[Arc<Listener>]) {
    let shown: Vec<String> = listeners.iter().map(|listener| listener.to_string()).collect();
    log::info!("Listening at: {} ({})", shown.join(","), std::process::id());
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

/// Signals that mean something to the master, by number.
const KNOWN_SIGNALS: [(i32, Signal); 10] = [
    (1, Signal::Hup),
    (2, Signal::Int),
    (3, Signal::Quit),
    (10, Signal::Usr1),
    (12, Signal::Usr2),
    (15, Signal::Term),
    (17, Signal::Chld),
    (21, Signal::Ttin),
    (22, Signal::Ttou),
    (28, Signal::Winch),
];

fn handled_signals() -> Vec<i32> {
    KNOWN_SIGNALS.iter().map(|(number, _)| *number).collect()
}

fn signal_of(number: i32) -> Option<Signal> {
    KNOWN_SIGNALS.iter().find(|(known, _)| *known == number).map(|(_, signal)| *signal)
}
