//! The reactor: sockets, deadlines, orders. It reads requests until they are complete and writes answers until they are
//! out; in between it gives the connection away to be run and takes it back.
//!
//! One thread drives it at a time ([`super::helm`]); it is told what that thread's [`Duty`] is, and does not know how the
//! application is called.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token, Waker};

use super::access::Remote;
use super::bridge::Job;
use super::budget::Budget;
use super::complaints::Complaints;
use super::connection::{Connection, Phase};
use super::date::Date;
use super::deadlines::Deadlines;
use super::drain::Drain;
use super::eviction::Eviction;
use super::listeners::Listeners;
use super::overdue::Overdue;
use super::slots::Slots;
use super::{Ended, Setup, Shared};
use crate::app::App;
use crate::config::Config;
use crate::ipc::{Activity, FromWorker, Siblings, WorkerEnd, WorkerLine};
use crate::logging::access::{AccessLog, Entry};
use crate::sys::{self, Epoch, Monotonic, Private};

/// Events taken per poll. Batches of several hundred spread the cost of the call; more only delays the first.
const EVENTS: usize = 512;

/// How often an idle worker says that it is alive, at the least; it is more often under a short `timeout`.
const BEAT: Duration = Duration::from_secs(1);

/// How often it is looked whether there are other workers.
const SIBLINGS: Duration = Duration::from_millis(100);

const IPC: Token = Token(0);
const WAKE: Token = Token(1);
const MAILBOX: Token = Token(2);
const INBOX: Token = Token(3);
const FIRST_LISTENER: usize = 8;

/// The state of a worker's input and output.
pub(super) struct Reactor<A: App> {
    pub(super) shared: Arc<Shared<A>>,
    pub(super) poll: Poll,
    /// What the last poll has brought and nobody has handled yet: who polls may be relieved before it handles.
    events: Events,
    pub(super) slots: Slots<A>,
    pub(super) deadlines: Deadlines,
    /// Connections with a complete request, in the order in which they got it.
    pub(super) ready: VecDeque<Token>,
    /// Connections that were interrupted to let others have their turn.
    pub(super) interrupted: VecDeque<Token>,
    /// How many connections may be open.
    pub(super) capacity: usize,
    pub(super) eviction: Eviction,
    pub(super) complaints: Complaints,
    pub(super) listeners: Listeners,
    pub(super) ipc: Option<WorkerEnd>,
    /// Of `ipc` first, then of what stays open.
    pub(super) private: Vec<Private>,
    pub(super) line: WorkerLine,
    pub(super) access: Option<AccessLog>,
    pub(super) note_answer: Option<fn(&dyn Entry)>,
    pub(super) max_requests: u64,
    /// Exchanges that have ended, and how long the application has run for them.
    pub(super) served: u64,
    pub(super) busy: Duration,
    /// All workers leave, or this one has lost its master: nobody is there to hand connections to.
    pub(super) is_alone: bool,
    /// All workers leave, and stay within reach of each other meanwhile.
    pub(super) is_stopping: bool,
    /// There was no room for descriptors that siblings have sent.
    pub(super) has_full_inbox: bool,
    /// The other workers, if there are any.
    pub(super) siblings: Option<Siblings>,
    /// Does another worker serve, and when that is looked up again.
    shares: bool,
    look_for_siblings: Option<Instant>,
    pub(super) duty: Duty,
    /// Application threads that have nothing to do, and when they would run a request.
    free_threads: usize,
    help: Help,
    /// Calls that take too long.
    pub(super) overdue: Overdue,
    /// Has the master been told that this worker must be replaced?
    pub(super) is_retiring: bool,
    /// Told to leave while a thread was in the application.
    ended: Option<Ended>,
    /// The next wait ends then at the latest.
    look_again: Option<Instant>,
    has_booted: AtomicBool,
    pub(super) drain: Option<Drain>,
    pub(super) date: Date,
    /// Memory that no connection needs at present. Apart, because input memory is kept initialised to its full length.
    pub(super) spare_input: Vec<Vec<u8>>,
    pub(super) spare_output: Vec<Vec<u8>>,
    /// The peer's address as text, for the access log.
    pub(super) remote: Remote,
}

/// What the thread that drives the reactor does besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Duty {
    /// It runs the application itself, between two polls.
    Leading,
    /// It stands in for a leader that is in the application.
    StandingIn,
    /// It hands requests out to application threads.
    HandingOut,
}

/// When an application thread that has nothing to do is given a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Help {
    /// As soon as there is one.
    AtOnce,
    /// After a while: the leader computes, and the threads would fight for the interpreter; or it is not known yet.
    Later,
}

/// What the one who drives the reactor must do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Run what is ready and poll again.
    GoOn,
    /// Leave.
    Leave(Ended),
}

impl<A: App> Reactor<A> {
    /// Takes over the worker's sockets. Errors: epoll refuses; the text says what.
    pub(super) fn new(setup: Setup<A>, now: Instant) -> io::Result<Self> {
        let poll = Poll::new()?;
        let capacity = super::capacity(&setup.config, sys::descriptor_limit()?);
        let registry = poll.registry();
        if let Some(siblings) = &setup.siblings
            && let Some(inbox) = siblings.inboxes().exit(siblings.own_id())
        {
            registry.register(&mut SourceFd(&inbox.as_raw_fd()), INBOX, Interest::READABLE)?;
        }
        let shared = Arc::new(Shared {
            app: setup.app,
            policy: Arc::new(super::policy(&setup.config)),
            budget: Budget::new(setup.config.buffer_memory),
            config: setup.config,
            registry: registry.try_clone()?,
            logs_fields: setup.access.as_ref().is_some_and(|log| log.format().shows_response_fields()),
            line: setup.line.clone(),
            epoch: Epoch::new(now),
            is_draining: AtomicBool::new(false),
        });
        registry.register(&mut SourceFd(&setup.ipc.as_fd().as_raw_fd()), IPC, Interest::READABLE)?;
        let mut private = vec![Private::new(&setup.ipc.as_fd()), Private::new(&poll), Private::new(&shared.registry)];
        if let Some(siblings) = &setup.siblings {
            private.extend(siblings.inboxes().descriptors().map(|inbox| Private::new(&inbox)));
        }
        let listeners = Listeners::new(setup.listeners, FIRST_LISTENER);
        let overdue = Overdue::new(&shared.config);
        Ok(Self {
            slots: Slots::new(listeners.end_token()),
            shared,
            poll,
            events: Events::with_capacity(EVENTS),
            deadlines: Deadlines::default(),
            ready: VecDeque::new(),
            interrupted: VecDeque::new(),
            capacity,
            eviction: Eviction::default(),
            complaints: Complaints::default(),
            listeners,
            ipc: Some(setup.ipc),
            private,
            line: setup.line,
            access: setup.access,
            note_answer: setup.note_answer,
            max_requests: setup.max_requests,
            served: 0,
            drain: None,
            date: Date::default(),
            spare_input: Vec::new(),
            spare_output: Vec::new(),
            remote: Remote::default(),
            busy: Duration::ZERO,
            is_alone: false,
            is_stopping: false,
            has_full_inbox: false,
            siblings: setup.siblings,
            shares: false,
            look_for_siblings: None,
            duty: Duty::Leading,
            free_threads: 0,
            help: Help::Later,
            overdue,
            is_retiring: false,
            ended: None,
            look_again: None,
            has_booted: AtomicBool::new(false),
        })
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

    /// Tells the master that this worker serves, once.
    pub(super) fn report_booted(&self) {
        if self.has_booted.swap(true, Relaxed) {
            return;
        }
        self.line.beat(Activity::Polling, Monotonic::now());
        if let Some(ipc) = &self.ipc {
            // A master that has gone is noticed by the end of file.
            let _ = ipc.tell(FromWorker::Booted);
        }
    }

    /// Says what the driving thread does besides.
    pub(super) fn set_duty(&mut self, duty: Duty) {
        self.duty = duty;
    }

    /// Says how many application threads have nothing to do. For the deputy.
    pub(super) fn set_free_threads(&mut self, count: usize, help: Help) {
        (self.free_threads, self.help) = (count, help);
    }

    /// Has this worker a thread for another request?
    pub(super) fn has_free_thread(&self) -> bool {
        match self.duty {
            Duty::Leading => true,
            Duty::StandingIn | Duty::HandingOut => self.free_threads > 0,
        }
    }

    /// Could this worker run a sibling's request at once?
    pub(super) fn is_of_help(&self) -> bool {
        self.has_free_thread() && (self.duty == Duty::Leading || self.help == Help::AtOnce)
    }

    /// Is there another worker to share the work with?
    pub(super) fn has_siblings(&self) -> bool {
        self.shares
    }

    fn look_for_siblings(&mut self, now: Instant) {
        if self.look_for_siblings.is_none_or(|at| now >= at) {
            self.look_for_siblings = Some(now + SIBLINGS);
            self.shares = self.siblings.as_ref().is_some_and(Siblings::any_serving);
        }
    }

    /// The next wait ends at `moment` at the latest.
    pub(super) fn look_again_at(&mut self, moment: Instant) {
        self.look_again = Some(self.look_again.map_or(moment, |other| other.min(moment)));
    }

    /// Waits for events, at most until the next deadline. Called detached. A signal ends the wait without an event. Does not
    /// wait while there are events that nobody has handled: a poll tells of a socket once.
    pub(super) fn wait(&mut self, now: Instant) -> io::Result<()> {
        if !self.events.is_empty() {
            return Ok(());
        }
        let activity = if self.drain.is_some() { Activity::Draining } else { Activity::Polling };
        self.line.beat(activity, self.shared.epoch.monotonic(now));
        // While others can take it, a connection goes to a worker that can run its request.
        self.look_for_siblings(now);
        let is_wanted = !self.shares || self.has_free_thread();
        let has_room = self.drain.is_none() && !(self.is_crowded() && self.eviction.is_full);
        self.listeners.manage(&self.poll, has_room && is_wanted, now);
        let has_work = self.duty == Duty::Leading && !self.ready.is_empty();
        let is_over = self.drain.is_some_and(|drain| drain.is_over(self.outstanding(), now));
        let has_left = is_over && self.ended.is_none() && !self.stays_for_siblings(now);
        let is_waiting = !has_work && self.interrupted.is_empty() && !has_left;
        let mut until = now + self.config().timeout.map_or(BEAT, |timeout| BEAT.min(timeout / 2));
        let drain = self.drain.map(|drain| drain.deadline).filter(|_| self.ended.is_none());
        let moments = [
            self.deadlines.next(),
            self.complaints.next(),
            self.listeners.paused_until(),
            self.look_again.take(),
            self.next_overdue(),
            drain,
        ];
        for moment in moments.into_iter().flatten() {
            until = until.min(moment);
        }
        self.tell_siblings(is_waiting, now);
        let patience = if is_waiting { until.saturating_duration_since(now) } else { Duration::ZERO };
        match self.poll.poll(&mut self.events, Some(patience)) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            other => other,
        }
    }

    /// Handles what has happened: events, deadlines, orders.
    pub(super) fn turn(&mut self, now: Instant) -> Turn {
        let mut events = std::mem::replace(&mut self.events, Events::with_capacity(0));
        let turn = self.handle(&events, now);
        events.clear();
        self.events = events;
        turn
    }

    fn handle(&mut self, events: &Events, now: Instant) -> Turn {
        // The last look may be as old as the wait was long.
        self.look_for_siblings(now);
        let mut has_orders = false;
        let mut has_callers = false;
        let mut has_parcels = false;
        for _ in 0..self.interrupted.len() {
            let Some(token) = self.interrupted.pop_front() else { break };
            self.resume(token, now);
        }
        for event in events {
            match event.token() {
                IPC => has_orders = true,
                INBOX => has_parcels = true,
                WAKE | MAILBOX => {}
                token if self.listeners.index(token).is_some() => has_callers = true,
                token => self.socket_event(token, event, now),
            }
        }
        if has_parcels || self.has_full_inbox {
            self.empty_inbox(now);
        }
        // After the connections: nobody is sent away for a new one whose own bytes are here and unread.
        if has_callers {
            for event in events {
                if let Some(index) = self.listeners.index(event.token()) {
                    self.accept(index, now);
                }
            }
        }
        // After the listeners: who was woken for a connection must take it before it looks away.
        if has_orders && let Some(ended) = self.read_orders(now) {
            return Turn::Leave(ended);
        }
        self.expire(now);
        for summary in self.complaints.take_due(now) {
            log::warn!("{summary}");
        }
        self.attend_to_calls(now);
        match self.drain {
            Some(drain) => {
                self.hand_over_idle(now);
                if self.is_over(drain, now) { Turn::Leave(Ended::Drained) } else { Turn::GoOn }
            }
            None => Turn::GoOn,
        }
    }

    /// May the worker leave?
    fn is_over(&mut self, drain: Drain, now: Instant) -> bool {
        if !drain.is_over(self.outstanding(), now) {
            return false;
        }
        // At its deadline it leaves whatever there is.
        now >= drain.deadline || (!self.stays_for_siblings(now) && self.parts_from_siblings(now))
    }

    /// Connections that keep the worker from leaving: all but those whose exchange was given up.
    pub(super) fn outstanding(&self) -> usize {
        self.slots.count().saturating_sub(if self.is_retiring { self.given_up_count() } else { 0 })
    }

    /// The worker has been told to leave, and a thread is in the application still.
    pub(super) fn note_ended(&mut self, ended: Ended) {
        self.ended.get_or_insert(ended);
    }

    /// What [`Reactor::note_ended`] noted.
    pub(super) fn take_ended(&mut self) -> Option<Ended> {
        self.ended.take()
    }

    /// The worker serves on until its successor is ready, and is then told to drain.
    pub(super) fn retire(&mut self) {
        if !std::mem::replace(&mut self.is_retiring, true)
            && let Some(ipc) = &self.ipc
        {
            let _ = ipc.tell(FromWorker::Retiring);
        }
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
                    self.abandon(token, connection);
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

    /// Takes a connection back that was given away and for which the application has not run.
    pub(super) fn make_ready_again(&mut self, (token, connection): Job<A>) {
        let until = self.config().queue_timeout.zip(connection.ready_since).map(|(time, since)| since + time);
        self.slots.put(token, connection);
        self.set_deadline(token, until);
        self.ready.push_front(token);
    }

    /// Takes a connection back after the application has run for it.
    pub(super) fn give_back(&mut self, token: Token, mut connection: Box<Connection<A>>, now: Instant) {
        if connection.exchange.is_taken_over {
            return self.forget(token, &connection, now);
        }
        connection.readiness.add(self.slots.noted(token));
        if connection.exchange.started.is_none() {
            return self.abandon(token, connection);
        }
        connection.phase = Phase::WriteBody;
        self.write(token, connection, now);
    }

    /// Writes what the access log holds. Called when a batch is done.
    pub(super) fn flush_log(&mut self) {
        if let Some(access) = &mut self.access {
            access.flush();
        }
    }

    /// Writes what the logs still hold, and gives a slow reader of the access log a moment for it.
    pub(super) fn finish_log(&mut self) {
        for summary in self.complaints.take_all() {
            log::warn!("{summary}");
        }
        self.log_cut_requests();
        if let Some(access) = &mut self.access {
            access.finish();
        }
    }

    /// Says that the application is about to run on this very thread.
    pub(super) fn beat_in_application(&self, now: Monotonic) {
        self.line.beat(Activity::InApplication, now);
    }

    /// Says the same where no deputy could say it later: siblings shall send nothing here.
    pub(super) fn say_busy(&self) {
        if let Some(siblings) = &self.siblings {
            siblings.say_busy();
        }
    }

    pub(super) fn config(&self) -> &Config {
        &self.shared.config
    }
}
