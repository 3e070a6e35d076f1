//! The reactor: sockets, deadlines, orders. It reads requests until they are complete and writes answers until they are
//! out; in between it gives the connection away to be run and takes it back.
//!
//! Does not know which thread drives it, nor how the application is called: [`super::inline`] and [`super::handoff`] do.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant, SystemTime};

use mio::event::Event;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token, Waker};

use super::access;
use super::connection::{Connection, Phase, Progress, Readiness, Record, Refused};
use super::date::Date;
use super::deadlines::Deadlines;
use super::drain::Drain;
use super::listeners::Listeners;
use super::slots::Slots;
use super::{Ended, Setup, Shared, exchange};
use crate::app::{App, Notice, Notices, Origin, Server};
use crate::config::Config;
use crate::http::Limits;
use crate::ipc::{Activity, FromWorker, Received, ToWorker, WorkerEnd, WorkerLine};
use crate::logging::{self, access::AccessLog};
use crate::net::{Peer, Stream};
use crate::sys::Monotonic;

/// Events taken per poll. Batches of several hundred spread the cost of the call; more only delays the first.
const EVENTS: usize = 512;

/// Connections that a single worker accepts per poll.
const ACCEPTS: usize = 64;

/// How often an idle worker says that it is alive, at the least; it is more often under a short `timeout`.
const BEAT: Duration = Duration::from_secs(1);

/// How long a closed connection is kept open for reading, so that the client reads our last words before a reset.
const LINGER: Duration = Duration::from_secs(2);

/// Buffers of each kind kept for connections that will need one. Each is some 16 KiB.
const SPARE_BUFFERS: usize = 64;

const IPC: Token = Token(0);
const WAKE: Token = Token(1);
const MAILBOX: Token = Token(2);
const FIRST_LISTENER: usize = 8;

/// The state of a worker's input and output.
pub(super) struct Reactor<A: App> {
    shared: Arc<Shared<A>>,
    poll: Poll,
    slots: Slots<A>,
    deadlines: Deadlines,
    /// Connections with a complete request, in the order in which they got it.
    ready: VecDeque<Token>,
    listeners: Listeners,
    ipc: Option<WorkerEnd>,
    line: WorkerLine,
    access: Option<AccessLog>,
    max_requests: u64,
    served: u64,
    drain: Option<Drain>,
    date: Date,
    /// Memory that no connection needs at present. Apart, because input memory is kept initialised to its full length.
    spare_input: Vec<Vec<u8>>,
    spare_output: Vec<Vec<u8>>,
    /// The peer's address as text, for the access log; reused.
    remote: String,
}

/// What the one who drives the reactor must do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Run what is ready and poll again.
    GoOn,
    /// Leave.
    Leave(Ended),
}

/// Orders that came over ipc, for the thread that may run the application's handlers of them.
pub(super) type Interrupts = Vec<Notice>;

impl<A: App> Reactor<A> {
    /// Takes over the worker's sockets. Errors: epoll refuses; the text says what.
    pub(super) fn new(setup: Setup<A>) -> io::Result<Self> {
        let poll = Poll::new()?;
        let registry = poll.registry();
        let shared = Arc::new(Shared {
            app: setup.app,
            config: setup.config,
            registry: registry.try_clone()?,
            logs_access: setup.access.is_some(),
            line: setup.line.clone(),
            is_draining: AtomicBool::new(false),
        });
        registry.register(&mut SourceFd(&setup.ipc.as_fd().as_raw_fd()), IPC, Interest::READABLE)?;
        let listeners = Listeners::new(setup.listeners, FIRST_LISTENER);
        let mut reactor = Self {
            slots: Slots::new(listeners.end_token()),
            shared,
            poll,
            deadlines: Deadlines::default(),
            ready: VecDeque::new(),
            listeners,
            ipc: Some(setup.ipc),
            line: setup.line,
            access: setup.access,
            max_requests: setup.max_requests,
            served: 0,
            drain: None,
            date: Date::default(),
            spare_input: Vec::new(),
            spare_output: Vec::new(),
            remote: String::new(),
        };
        reactor.listeners.watch(&reactor.poll)?;
        Ok(reactor)
    }

    /// What all threads of the worker look at.
    pub(super) fn shared(&self) -> &Arc<Shared<A>> {
        &self.shared
    }

    /// Ends a poll when `wake` gets readable: a signal has arrived.
    pub(super) fn watch_wake(&self, wake: BorrowedFd<'_>) -> io::Result<()> {
        self.poll.registry().register(&mut SourceFd(&wake.as_raw_fd()), WAKE, Interest::READABLE)
    }

    /// Makes the means by which another thread ends a poll.
    pub(super) fn mailbox(&self) -> io::Result<Waker> {
        Waker::new(self.poll.registry(), MAILBOX)
    }

    /// Tells the master that this worker serves.
    pub(super) fn report_booted(&self) {
        self.line.beat(Activity::Polling, Monotonic::now());
        if let Some(ipc) = &self.ipc {
            // A master that has gone is noticed by the end of file.
            let _ = ipc.tell(FromWorker::Booted);
        }
    }

    /// Waits for events, at most until the next deadline. Called detached. A signal ends the wait without an event.
    pub(super) fn wait(&mut self, events: &mut Events, now: Instant) -> io::Result<()> {
        self.line.beat(if self.drain.is_some() { Activity::Draining } else { Activity::Polling }, Monotonic::now());
        let mut until = now + self.config().timeout.map_or(BEAT, |timeout| BEAT.min(timeout / 2));
        let drain = self.drain.map(|drain| drain.deadline);
        for moment in [self.deadlines.next(), self.listeners.paused_until(), drain].into_iter().flatten() {
            until = until.min(moment);
        }
        let has_left = self.drain.is_some_and(|drain| drain.is_over(self.slots.count(), now));
        let is_waiting = self.ready.is_empty() && !has_left;
        let patience = if is_waiting { until.saturating_duration_since(now) } else { Duration::ZERO };
        match self.poll.poll(events, Some(patience)) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                events.clear();
                Ok(())
            }
            other => other,
        }
    }

    /// Handles what has happened: events, deadlines, orders.
    pub(super) fn turn(&mut self, events: &Events, now: Instant, interrupts: &mut Interrupts) -> Turn {
        let mut has_orders = false;
        for event in events {
            match event.token() {
                IPC => has_orders = true,
                WAKE | MAILBOX => {}
                token if let Some(index) = self.listeners.index(token) => self.accept(index, now),
                token => self.socket_event(token, event, now),
            }
        }
        // After the listeners: who was woken for a connection must take it before it looks away.
        if has_orders && let Some(ended) = self.read_orders(now, interrupts) {
            return Turn::Leave(ended);
        }
        self.expire(now);
        let has_room = self.drain.is_none() && self.slots.count() < self.config().worker_connections;
        self.listeners.manage(&self.poll, has_room, now);
        match self.drain {
            Some(drain) if drain.is_over(self.slots.count(), now) => Turn::Leave(Ended::Drained),
            _ => Turn::GoOn,
        }
    }

    /// Obeys what signal handlers posted.
    pub(super) fn obey(&mut self, notices: Notices, now: Instant) -> Turn {
        if notices.has(Notice::Abort) {
            return Turn::Leave(Ended::Aborted);
        }
        if notices.has(Notice::Quit) {
            return Turn::Leave(Ended::Quit);
        }
        if notices.has(Notice::Reopen) {
            self.reopen_logs();
        }
        if notices.has(Notice::Drain) {
            self.begin_drain(now);
        }
        Turn::GoOn
    }

    /// How many connections have a complete request.
    pub(super) fn ready_count(&self) -> usize {
        self.ready.len()
    }

    /// Gives one connection with a complete request away.
    pub(super) fn next_request(&mut self) -> Option<(Token, Box<Connection<A>>)> {
        loop {
            let token = self.ready.pop_front()?;
            if let Some(mut connection) = self.slots.take(token) {
                if connection.readiness.failed {
                    self.close(token, connection);
                    continue;
                }
                if let Some(slot) = self.slots.slot(token) {
                    slot.deadline = None;
                }
                if connection.output.wants_memory()
                    && let Some(memory) = self.spare_output.pop()
                {
                    connection.output.lend_memory(memory);
                }
                return Some((token, connection));
            }
        }
    }

    /// Takes a connection back after the application has run for it.
    pub(super) fn give_back(&mut self, token: Token, mut connection: Box<Connection<A>>, now: Instant) {
        if connection.exchange.is_taken_over {
            return self.forget(token, &connection);
        }
        connection.readiness.add(self.slots.noted(token));
        connection.phase = Phase::WriteBody;
        self.write(token, connection, now);
    }

    /// Writes what the access log holds. Called when a batch is done.
    pub(super) fn flush_log(&mut self) {
        if let Some(access) = &mut self.access {
            access.flush();
        }
    }

    /// Writes what the access log still holds, and gives a slow reader a moment for it.
    pub(super) fn finish_log(&mut self) {
        if let Some(access) = &mut self.access {
            access.finish();
        }
    }

    /// Says that the application is about to run on this very thread.
    pub(super) fn beat_in_application(&self) {
        self.line.beat(Activity::InApplication, Monotonic::now());
    }

    fn config(&self) -> &Config {
        &self.shared.config
    }

    // --- connections ---------------------------------------------------------------------------------------------

    fn accept(&mut self, index: usize, now: Instant) {
        // Among several workers one at a time: whoever is free takes the next. A single worker leaves none waiting.
        let most = if self.config().workers > 1 { 1 } else { ACCEPTS };
        for _ in 0..most {
            if self.drain.is_some() || self.slots.count() >= self.config().worker_connections {
                return;
            }
            let Some((stream, server)) = self.listeners.accept(index, now) else { return };
            self.welcome(stream, server, now);
        }
    }

    fn welcome(&mut self, mut stream: Stream, server: Arc<Server>, now: Instant) {
        let token = self.slots.reserve();
        // Registered once for both directions; nothing is changed per request.
        let interests = Interest::READABLE | Interest::WRITABLE;
        if let Err(error) = self.poll.registry().register(&mut stream, token, interests) {
            log::error!("cannot watch a connection: {error}");
            self.slots.free(token);
            return;
        }
        let remote = match stream.peer() {
            Peer::Tcp(address) => Some(address),
            Peer::Unix => None,
        };
        let is_trusted = remote.is_none_or(|address| address.ip().to_canonical().is_loopback());
        let origin = Origin { remote, server, is_trusted };
        let config = self.config();
        let limits =
            Limits::new(config.limit_request_line, config.limit_request_fields, config.limit_request_field_size);
        let until = now + config.header_timeout;
        let connection = Box::new(Connection::new(stream, origin, limits));
        self.slots.put(token, connection);
        self.set_deadline(token, Some(until));
        self.line.set_connections(self.slots.count());
    }

    fn socket_event(&mut self, token: Token, event: &Event, now: Instant) {
        if !self.slots.note(token, Readiness::of(event)) {
            return;
        }
        let Some(connection) = self.slots.take(token) else { return };
        match connection.phase {
            Phase::Idle | Phase::ReadHead | Phase::ReadBody => self.read(token, connection, now),
            Phase::WriteBody => self.write(token, connection, now),
            Phase::Linger => self.linger(token, connection),
            Phase::AwaitApp => self.slots.put(token, connection),
        }
    }

    /// Reads on, until a request is complete or nothing more is here.
    fn read(&mut self, token: Token, mut connection: Box<Connection<A>>, now: Instant) {
        if connection.http.wants_buffer()
            && let Some(buffer) = self.spare_input.pop()
        {
            connection.http.lend_buffer(buffer);
        }
        let before = connection.phase;
        match connection.read_request(&self.shared.app, self.shared.config.body_memory) {
            Progress::Wait => {
                let renewed = match connection.phase {
                    // A head has one deadline from its first byte; a body must make progress.
                    phase @ (Phase::Idle | Phase::ReadHead) if phase == before => None,
                    Phase::ReadBody => Some(now + self.shared.config.body_timeout),
                    _ => Some(now + self.shared.config.header_timeout),
                };
                if connection.phase == Phase::Idle {
                    self.reclaim_buffers(&mut connection);
                }
                self.slots.put(token, connection);
                if renewed.is_some() {
                    self.set_deadline(token, renewed);
                }
            }
            Progress::Request => {
                connection.phase = Phase::AwaitApp;
                self.slots.put(token, connection);
                self.set_deadline(token, None);
                self.ready.push_back(token);
            }
            Progress::Refuse(refused) => self.refuse(token, connection, &refused, now),
            Progress::Closed => self.close(token, connection),
        }
    }

    fn refuse(&mut self, token: Token, mut connection: Box<Connection<A>>, refused: &Refused, now: Instant) {
        let (status, text) = match refused {
            Refused::Malformed(error) => (error.status(), error.to_string()),
            Refused::TooLarge => {
                (413, format!("the request body is larger than {} bytes", self.shared.config.body_memory))
            }
        };
        let peer = connection.origin.remote.map(|address| address.ip().to_string()).unwrap_or_default();
        log::warn!("Invalid request from ip={peer}: {text}");
        if let Refused::Malformed(error) = refused
            && !error.is_answered()
        {
            // Another protocol: no answer of ours would be understood.
            return self.close(token, connection);
        }
        let has_head = connection.phase != Phase::ReadHead;
        exchange::answer_with_error(&mut connection, status, &text, self.date.at(now));
        if has_head {
            self.log_access(&connection);
        }
        self.finish_writing(token, connection, now);
    }

    /// Writes on, until the answer is out or the socket is full.
    fn write(&mut self, token: Token, mut connection: Box<Connection<A>>, now: Instant) {
        let before = connection.output.pending();
        let flushed =
            if connection.readiness.failed { Err(io::ErrorKind::BrokenPipe.into()) } else { connection.flush() };
        match flushed {
            Ok(true) => self.conclude(token, connection, now),
            Ok(false) => {
                let renew = connection.output.pending() < before || self.deadline(token).is_none();
                self.slots.put(token, connection);
                if renew {
                    let until = now + self.config().write_timeout;
                    self.set_deadline(token, Some(until));
                }
            }
            Err(_) => {
                if connection.exchange.started.is_some() {
                    self.end_exchange(&connection);
                }
                self.close(token, connection);
            }
        }
    }

    /// The exchange has ended: keep the connection for the next, or close it.
    fn conclude(&mut self, token: Token, mut connection: Box<Connection<A>>, now: Instant) {
        let has_started = connection.exchange.started.is_some();
        if has_started {
            self.end_exchange(&connection);
        }
        if !has_started || !connection.exchange.keeps_alive {
            return self.finish_writing(token, connection, now);
        }
        connection.http.next_cycle();
        connection.exchange.restart();
        connection.phase = Phase::Idle;
        let until = match self.drain {
            Some(drain) => drain.idle_until,
            None => now + self.config().keepalive,
        };
        if connection.http.has_input() || connection.readiness.readable {
            self.set_deadline(token, Some(until));
            self.read(token, connection, now);
        } else {
            self.reclaim_buffers(&mut connection);
            self.slots.put(token, connection);
            self.set_deadline(token, Some(until));
        }
    }

    /// Says our last word, and closes; lingers if the client may still be sending, since a reset would eat our answer.
    fn finish_writing(&mut self, token: Token, mut connection: Box<Connection<A>>, now: Instant) {
        connection.lingers |= connection.has_unread_input();
        match connection.flush() {
            Ok(true) => {}
            Ok(false) => {
                connection.phase = Phase::WriteBody;
                connection.exchange.started = None;
                let until = now + self.config().write_timeout;
                self.slots.put(token, connection);
                self.set_deadline(token, Some(until));
                return;
            }
            Err(_) => return self.close(token, connection),
        }
        if !connection.lingers || connection.readiness.failed {
            return self.close(token, connection);
        }
        connection.stream.finish();
        connection.phase = Phase::Linger;
        self.set_deadline(token, Some(now + LINGER));
        self.linger(token, connection);
    }

    fn linger(&mut self, token: Token, mut connection: Box<Connection<A>>) {
        if connection.linger() { self.close(token, connection) } else { self.slots.put(token, connection) }
    }

    fn close(&mut self, token: Token, mut connection: Box<Connection<A>>) {
        let _ = self.poll.registry().deregister(&mut connection.stream);
        self.slots.free(token);
        connection.output.clear();
        self.reclaim_buffers(&mut connection);
        self.line.set_connections(self.slots.count());
    }

    /// Lets go of a connection that the application has taken over: our descriptor is closed, the connection is not.
    fn forget(&mut self, token: Token, connection: &Connection<A>) {
        self.end_exchange(connection);
        self.slots.free(token);
        self.line.set_connections(self.slots.count());
    }

    fn end_exchange(&mut self, connection: &Connection<A>) {
        let record = &connection.exchange;
        let busy = u64::try_from(record.duration.as_nanos()).unwrap_or(u64::MAX);
        self.line.count_exchange(record.body_len, busy, record.failed);
        self.log_access(connection);
        self.served += 1;
        if self.served == self.max_requests && self.drain.is_none() {
            log::info!("Autorestarting worker after current request.");
            if let Some(ipc) = &self.ipc {
                let _ = ipc.tell(FromWorker::Retiring);
            }
        }
    }

    #[allow(clippy::disallowed_methods)] // The wall clock of a log line.
    fn log_access(&mut self, connection: &Connection<A>) {
        let Some(log) = &mut self.access else { return };
        self.remote.clear();
        if let Some(address) = connection.origin.remote {
            let _ = write!(self.remote, "{}", address.ip());
        }
        let ended = access::Ended::new(connection, &self.remote, self.shared.app.logged_variables());
        log.record(&ended, SystemTime::now());
    }

    fn reclaim_buffers(&mut self, connection: &mut Connection<A>) {
        for (pool, buffer) in [
            (&mut self.spare_input, connection.http.take_buffer()),
            (&mut self.spare_output, connection.output.take_memory()),
        ] {
            if pool.len() < SPARE_BUFFERS {
                pool.extend(buffer);
            }
        }
    }

    // --- time ----------------------------------------------------------------------------------------------------

    fn deadline(&mut self, token: Token) -> Option<Instant> {
        self.slots.slot(token)?.deadline
    }

    fn set_deadline(&mut self, token: Token, deadline: Option<Instant>) {
        let Some(slot) = self.slots.slot(token) else { return };
        slot.deadline = deadline;
        if let Some(at) = deadline
            && slot.armed.is_none_or(|armed| armed > at)
        {
            slot.armed = Some(at);
            self.deadlines.arm(token, at);
        }
    }

    fn expire(&mut self, now: Instant) {
        while let Some((token, at)) = self.deadlines.pop_due(now) {
            let Some(slot) = self.slots.slot(token) else { continue };
            if slot.armed != Some(at) {
                continue;
            }
            slot.armed = None;
            match slot.deadline {
                Some(deadline) if deadline <= now => self.time_is_up(token, now),
                deadline => self.set_deadline(token, deadline),
            }
        }
    }

    fn time_is_up(&mut self, token: Token, now: Instant) {
        let Some(mut connection) = self.slots.take(token) else { return };
        let is_silent = connection.requests == 0 && !connection.http.has_input();
        match connection.phase {
            Phase::Idle | Phase::Linger => self.close(token, connection),
            Phase::ReadHead if is_silent => self.close(token, connection),
            Phase::ReadHead | Phase::ReadBody => {
                exchange::answer_with_error(&mut connection, 408, "", self.date.at(now));
                if connection.phase == Phase::ReadBody {
                    self.log_access(&connection);
                }
                self.finish_writing(token, connection, now);
            }
            Phase::WriteBody => {
                if connection.exchange.started.is_some() {
                    self.end_exchange(&connection);
                }
                self.close(token, connection);
            }
            Phase::AwaitApp => self.slots.put(token, connection),
        }
    }

    // --- orders -----------------------------------------------------------------------------------------

    /// Takes the orders that have come over ipc. `Some`: leave at once.
    pub(super) fn read_orders(&mut self, now: Instant, interrupts: &mut Interrupts) -> Option<Ended> {
        loop {
            match self.ipc.as_ref()?.next() {
                Received::Nothing => return None,
                Received::Message(ToWorker::Quit) => {
                    interrupts.push(Notice::Quit);
                    return Some(Ended::Quit);
                }
                Received::Message(ToWorker::Reopen) => {
                    interrupts.push(Notice::Reopen);
                    self.reopen_logs();
                }
                Received::Message(ToWorker::Drain) => {
                    interrupts.push(Notice::Drain);
                    self.begin_drain(now);
                }
                Received::Message(ToWorker::Stop) => {
                    interrupts.push(Notice::Drain);
                    self.empty_accept_queue(now);
                    self.begin_drain(now);
                }
                Received::Closed => {
                    log::info!("Parent changed, shutting down: <Worker {}>", std::process::id());
                    if let Some(ipc) = self.ipc.take() {
                        let _ = self.poll.registry().deregister(&mut SourceFd(&ipc.as_fd().as_raw_fd()));
                    }
                    self.begin_drain(now);
                }
            }
        }
    }

    fn reopen_logs(&mut self) {
        if let Err(error) = logging::reopen() {
            log::error!("cannot reopen the error log: {error}");
        }
        if let Some(access) = &mut self.access
            && let Err(error) = access.reopen()
        {
            log::error!("cannot reopen the access log: {error}");
        }
    }

    /// The server stops: connections that the kernel has completed are ours to serve, at most a backlog of them.
    fn empty_accept_queue(&mut self, now: Instant) {
        for index in self.listeners.indices() {
            for _ in 0..self.config().backlog {
                match self.listeners.accept(index, now) {
                    Some((stream, server)) => self.welcome(stream, server, now),
                    None => break,
                }
            }
        }
    }

    /// Takes no more, and tells every answer from now on to close its connection.
    fn begin_drain(&mut self, now: Instant) {
        if self.drain.is_some() {
            return;
        }
        let drain = Drain::begin(now, self.config().graceful_timeout, self.config().keepalive);
        self.drain = Some(drain);
        self.shared.is_draining.store(true, Relaxed);
        // Closed at once: a fresh master can bind, and nothing waits in a queue that we no longer empty. The others'
        // copies of the same sockets stay open.
        self.listeners.close(&self.poll);
        for token in self.slots.tokens_here() {
            let Some(connection) = self.slots.take(token) else { continue };
            let until = match connection.phase {
                Phase::Idle => Some(drain.idle_until),
                Phase::ReadHead if connection.requests == 0 && !connection.http.has_input() => Some(drain.silent_until),
                Phase::ReadHead | Phase::ReadBody | Phase::AwaitApp | Phase::WriteBody | Phase::Linger => None,
            };
            self.slots.put(token, connection);
            if until.is_some() {
                self.set_deadline(token, until);
            }
        }
    }
}

impl Record {
    /// Forgets the exchange that has ended, but keeps the memory.
    fn restart(&mut self) {
        let mut fields = std::mem::take(&mut self.fields);
        let mut variables = std::mem::take(&mut self.variables);
        fields.clear();
        variables.clear();
        *self = Self { fields, variables, ..Self::default() };
    }
}

/// Room for the events of one poll.
pub(super) fn events() -> Events {
    Events::with_capacity(EVENTS)
}
