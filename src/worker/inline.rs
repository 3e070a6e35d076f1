//! One application thread: the main thread drives the reactor and runs the application itself.
//!
//! Nothing is handed over between threads. The main Python thread is the one that runs the application, so signal
//! handlers, `asyncio.run` and the like work in it.
#![allow(clippy::disallowed_methods)] // This is one of the loops that read the clock.

use std::time::{Duration, Instant};

use super::date::Date;
use super::reactor::{self, Interrupts, Reactor, Turn};
use super::{Ended, Setup, Shared, exchange};
use crate::app::{App, Caller};

/// Orders do not wait for the end of a batch that takes longer than this.
const LONG_BATCH: Duration = Duration::from_millis(100);

/// As [`super::run`].
pub(super) fn run<A: App>(setup: Setup<A>) -> Result<Ended, String> {
    let app = setup.app.clone();
    let mut reactor = Reactor::new(setup).map_err(|error| format!("cannot start polling: {error}"))?;
    let shared = reactor.shared().clone();
    if let Some(wake) = app.wake_descriptor() {
        reactor.watch_wake(wake).map_err(|error| format!("cannot watch for signals: {error}"))?;
    }
    let mut events = reactor::events();
    let mut date = Date::default();
    let mut interrupts = Interrupts::new();
    reactor.report_booted();
    loop {
        reactor.wait(&mut events, Instant::now()).map_err(|error| format!("cannot poll: {error}"))?;
        let turn = app.attached(|caller| {
            let turn = reactor.turn(&events, Instant::now(), &mut interrupts);
            for notice in interrupts.drain(..) {
                caller.interrupt(notice);
            }
            if let Turn::Leave(_) = turn {
                return turn;
            }
            run_requests(&mut reactor, caller, &shared, &mut date)
        });
        if let Turn::Leave(ended) = turn {
            reactor.finish_log();
            return Ok(ended);
        }
        reactor.flush_log();
    }
}

/// Runs what is ready now; what gets ready meanwhile (pipelined requests) waits for the next round.
fn run_requests<A: App>(
    reactor: &mut Reactor<A>,
    caller: &mut dyn Caller<A>,
    shared: &Shared<A>,
    date: &mut Date,
) -> Turn {
    let mut looked_at = Instant::now();
    for _ in 0..reactor.ready_count() {
        let Some((token, mut connection)) = reactor.next_request() else { break };
        reactor.beat_in_application();
        exchange::run(&mut connection, caller, shared, date, Instant::now());
        let now = Instant::now();
        reactor.give_back(token, connection, now);
        let turn = reactor.obey(caller.notices(), now);
        if let Turn::Leave(_) = turn {
            return turn;
        }
        if now.duration_since(looked_at) > LONG_BATCH {
            looked_at = now;
            let mut interrupts = Interrupts::new();
            let ended = reactor.read_orders(now, &mut interrupts);
            interrupts.into_iter().for_each(|notice| caller.interrupt(notice));
            if let Some(ended) = ended {
                return Turn::Leave(ended);
            }
        }
    }
    reactor.obey(caller.notices(), Instant::now())
}
