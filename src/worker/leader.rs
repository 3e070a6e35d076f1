//! The leader: an application thread that drives the reactor and runs the application itself. Nothing is handed over
//! between threads while calls are short.
//!
//! With one application thread this is the main thread, so signal handlers, `asyncio.run` and the like work in the
//! application; with several it is any of them, and the main thread listens for signals.
#![allow(clippy::disallowed_methods)] // This is one of the loops that read the clock.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Ended;
use super::bridge::{Bridge, Job};
use super::deputy::Standby;
use super::exchange::{self, Post};
use super::helm::Found;
use super::reactor::{Duty, Reactor, Turn};
use crate::app::{App, Caller, Notices};
use crate::ipc::Watched;
use crate::sys::Monotonic;

/// Orders do not wait for the end of a batch that takes longer than this.
const LONG_BATCH: Duration = Duration::from_millis(100);

/// Lines of the access log that are older are written before a call that has no deputy. Not all of them: a write per request
/// costs more than all else of the log, and a batch of short calls is over sooner.
const LINE_AGE: Duration = Duration::from_millis(1);

/// How leading ended.
pub(super) enum Left<A: App> {
    /// The worker leaves.
    Worker(Result<Ended, String>, Option<Box<Reactor<A>>>),
    /// Other threads get the requests now.
    Resigned,
}

/// Leads until the worker leaves, or until requests are handed out to other threads.
pub(super) struct Leader<'a, A: App> {
    pub(super) bridge: &'a Arc<Bridge<A>>,
    pub(super) standby: &'a mut Standby<A>,
    pub(super) post: &'a mut Post,
    /// Signals are heard on this thread.
    pub(super) hears_signals: bool,
    /// Since when lines of the access log may wait to be written.
    pub(super) logged_at: Option<Monotonic>,
}

/// What a batch of requests led to.
enum Batch<A: App> {
    GoOn(Box<Reactor<A>>),
    Left(Left<A>),
}

impl<A: App> Leader<'_, A> {
    /// Leads. Called attached; waits detached.
    pub(super) fn lead(&mut self, mut reactor: Box<Reactor<A>>, caller: &mut dyn Caller<A>) -> Left<A> {
        reactor.set_duty(Duty::Leading);
        loop {
            reactor = match self.wait(reactor, caller) {
                Ok(reactor) => reactor,
                Err(left) => return left,
            };
            reactor = match self.take_turn(reactor, caller) {
                Batch::GoOn(reactor) => reactor,
                Batch::Left(left) => return left,
            };
            reactor.flush_log();
            self.logged_at = None;
        }
    }

    /// Waits for events. Whoever executes Python code meanwhile may hold the interpreter for long; so the reactor lies at the
    /// helm, with what the poll has brought, while the thread attaches again.
    fn wait(&mut self, reactor: Box<Reactor<A>>, caller: &mut dyn Caller<A>) -> Result<Box<Reactor<A>>, Left<A>> {
        let is_watched = self.standby.watches() == Watched::Yes;
        let bridge = self.bridge;
        let mut held = Some(reactor);
        let mut waited = Ok(());
        let mut laid = None;
        caller.detached(&mut || {
            let Some(mut reactor) = held.take() else { return };
            waited = reactor.wait(Instant::now());
            if is_watched && waited.is_ok() {
                let now = Monotonic::now();
                let (ticket, must_set_alarm) = bridge.helm.lay_down(reactor, now);
                laid = Some(ticket);
                self.standby.put_off(bridge, must_set_alarm, now);
            } else {
                held = Some(reactor);
            }
        });
        if let Err(error) = waited {
            return Err(Left::Worker(Err(format!("cannot poll: {error}")), held));
        }
        if let Some(reactor) = held {
            return Ok(reactor);
        }
        let Some(ticket) = laid else { return Err(Left::Resigned) };
        match bridge.take_up(ticket, caller) {
            Found::Reactor(mut reactor) => {
                reactor.set_duty(Duty::Leading);
                match reactor.take_ended() {
                    Some(ended) => Err(Left::Worker(Ok(ended), Some(reactor))),
                    None => Ok(reactor),
                }
            }
            Found::Over => Err(Left::Worker(Ok(Ended::Quit), None)),
            Found::Resigned | Found::Wait => Err(Left::Resigned),
        }
    }

    /// Handles what a poll has brought, and runs the requests that are ready.
    fn take_turn(&mut self, mut reactor: Box<Reactor<A>>, caller: &mut dyn Caller<A>) -> Batch<A> {
        let now = Instant::now();
        let mut turn = self.bridge.empty_tray(&mut reactor, now);
        if turn == Turn::GoOn {
            turn = reactor.turn(now);
        }
        if let Turn::Leave(ended) = turn {
            return Batch::Left(Left::Worker(Ok(ended), Some(reactor)));
        }
        self.run_requests(reactor, caller)
    }

    /// Runs what is ready now; what gets ready meanwhile (pipelined requests) waits for the next round.
    fn run_requests(&mut self, mut reactor: Box<Reactor<A>>, caller: &mut dyn Caller<A>) -> Batch<A> {
        let count = reactor.ready_count();
        let mut looked_at = None;
        for _ in 0..count {
            let Some(job) = reactor.next_request() else { break };
            let now;
            (reactor, now) = match self.run_request(reactor, job, caller) {
                Ok(back) => back,
                Err(left) => return Batch::Left(left),
            };
            // Handlers of signals run while the application does; here it is enough to see what they have posted.
            let posted = if self.hears_signals { self.bridge.shared.app.posted() } else { Notices::default() };
            let mut turn = reactor.obey(posted, now);
            if count > 1 && turn == Turn::GoOn && now > *looked_at.get_or_insert(now) + LONG_BATCH {
                looked_at = Some(now);
                turn = reactor.read_orders(now).map_or(Turn::GoOn, Turn::Leave);
            }
            if let Turn::Leave(ended) = turn {
                return Batch::Left(Left::Worker(Ok(ended), Some(reactor)));
            }
        }
        match self.hear(&mut reactor, caller, Instant::now()) {
            Turn::GoOn => Batch::GoOn(reactor),
            Turn::Leave(ended) => Batch::Left(Left::Worker(Ok(ended), Some(reactor))),
        }
    }

    /// Runs one request while the reactor lies at the helm, if there is somebody who could take it there.
    fn run_request(
        &mut self,
        mut reactor: Box<Reactor<A>>,
        (token, mut connection): Job<A>,
        caller: &mut dyn Caller<A>,
    ) -> Result<(Box<Reactor<A>>, Instant), Left<A>> {
        let now = Instant::now();
        let shared = &self.bridge.shared;
        let called = shared.epoch.monotonic(now);
        reactor.beat_in_application(called);
        self.post.watched = self.standby.watches();
        if self.post.watched == Watched::No {
            reactor.say_busy();
            // Should this call never return, nobody else could write the lines of those before it.
            if called > self.logged_at.get_or_insert(called).after(LINE_AGE) {
                self.logged_at = Some(called);
                reactor.flush_log();
            }
            let ended = exchange::run(token, &mut connection, caller, shared, self.post, now, called);
            let back = shared.epoch.monotonic(ended);
            reactor.give_back(token, connection, ended);
            self.standby.note(self.bridge, called, back);
            return Ok((reactor, ended));
        }
        let (ticket, must_set_alarm) = self.bridge.helm.lay_down(reactor, called);
        self.standby.put_off(self.bridge, must_set_alarm, called);
        let ended = exchange::run(token, &mut connection, caller, shared, self.post, now, called);
        let back = shared.epoch.monotonic(ended);
        match self.bridge.take_up(ticket, caller) {
            Found::Reactor(mut reactor) => {
                let now = if back > called.after(LONG_BATCH) { Instant::now() } else { ended };
                reactor.set_duty(Duty::Leading);
                reactor.give_back(token, connection, now);
                self.standby.note(self.bridge, called, back);
                match reactor.take_ended() {
                    Some(ended) => Err(Left::Worker(Ok(ended), Some(reactor))),
                    None => Ok((reactor, now)),
                }
            }
            Found::Resigned | Found::Wait => {
                self.bridge.put_back((token, connection));
                Err(Left::Resigned)
            }
            Found::Over => Err(Left::Worker(Ok(Ended::Quit), None)),
        }
    }

    /// Obeys signals, where they are heard on this thread.
    fn hear(&self, reactor: &mut Reactor<A>, caller: &mut dyn Caller<A>, now: Instant) -> Turn {
        if self.hears_signals { reactor.obey(caller.notices(), now) } else { Turn::GoOn }
    }
}

/// One application thread: the calling one, which is the main thread.
///
/// Errors: as [`super::run`].
pub(super) fn run<A: App>(app: &Arc<A>, reactor: Box<Reactor<A>>, bridge: &Arc<Bridge<A>>) -> Result<Ended, String> {
    let mut post = Post::new(&reactor.line, 0);
    let mut standby = Standby::appoint(bridge.clone())?;
    let mut leader = Leader { bridge, standby: &mut standby, post: &mut post, hears_signals: true, logged_at: None };
    reactor.report_booted();
    let left = app.attached(|caller| leader.lead(reactor, caller));
    bridge.end(Ok(Ended::Drained));
    match left {
        Left::Worker(ended, reactor) => {
            if let Some(mut reactor) = reactor {
                reactor.finish_log();
            }
            ended
        }
        Left::Resigned => Err("the only application thread has lost its reactor".to_owned()),
    }
}
