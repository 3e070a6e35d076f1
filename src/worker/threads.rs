//! Several application threads. While calls are short one of them leads and the others sleep; when one takes long the
//! deputy goes over to handing requests out, to all of them; when calls are short again one of them leads again.
//!
//! The main thread takes no requests. It waits for signals, because only there do an application's handlers run.
#![allow(clippy::disallowed_methods)] // These are loops that read the clock.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Ended;
use super::bridge::{Bridge, Work};
use super::deputy::{self, Standby, THRESHOLD};
use super::exchange::{self, Post};
use super::leader::{Leader, Left};
use super::reactor::{Duty, Help, Reactor, Turn};
use crate::app::{App, Caller};
use crate::ipc::Watched;
use crate::sys::{self, Monotonic};

/// How long application threads get to leave after the reactor has: they have nothing left to do by then.
const PARTING: Duration = Duration::from_secs(1);

/// How often the deputy that hands out looks whether calls are short again.
const REVIEW: Duration = Duration::from_millis(50);

/// Calls between two reviews that say something about how calls are.
const ENOUGH_CALLS: u64 = 8;

/// A leader that computes gets so long before other threads, which need the same interpreter lock, are set to work too.
const COMPUTING: Duration = Duration::from_millis(20);

/// How long a leader is watched before it is said to compute or to wait.
const SAMPLE: Duration = Duration::from_micros(500);

/// A request that was queued so long ago and that no thread has taken may go to a sibling after all: a thread that calls C
/// code may hold the interpreter for any time.
const STALE: Duration = Duration::from_millis(20);

/// Does the leader that is in the application compute, or does it wait for something?
pub(super) struct Effort {
    began: Instant,
    /// The processor time of the leader when the look began.
    time: Option<Duration>,
}

/// Is there a request that an idle thread could run?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waits {
    Yes,
    No,
}

impl Effort {
    /// Begins to look at the leader.
    pub(super) fn begin<A: App>(bridge: &Bridge<A>) -> Self {
        Self { began: Instant::now(), time: bridge.leader_time() }
    }

    /// Can other threads help? Not before it is known what the leader does, and later if it computes: a second thread would
    /// only fight with it for the interpreter.
    pub(super) fn admits_help<A: App>(&self, bridge: &Bridge<A>, now: Instant) -> bool {
        let looked = now.saturating_duration_since(self.began);
        if looked >= COMPUTING {
            return true;
        }
        if looked < SAMPLE {
            return false;
        }
        match (self.time, bridge.leader_time()) {
            (Some(before), Some(after)) => after.saturating_sub(before) < looked / 2,
            _ => true,
        }
    }

    /// When the question is to be asked again; `None`: the answer stays. It is asked often only where `somebody` waits.
    pub(super) fn ask_again(&self, somebody: Waits, now: Instant) -> Option<Instant> {
        let looked = now.saturating_duration_since(self.began);
        if looked >= COMPUTING {
            None
        } else if looked < SAMPLE {
            Some(self.began + SAMPLE)
        } else {
            Some(if somebody == Waits::Yes { now + SAMPLE } else { self.began + COMPUTING })
        }
    }
}

/// Several application threads: starts them and the deputy, and listens for signals until the worker leaves.
///
/// The deputy begins by handing out: the application's first calls are rarely short. Errors: as [`super::run`].
pub(super) fn run<A: App>(app: &Arc<A>, reactor: Box<Reactor<A>>, bridge: &Arc<Bridge<A>>) -> Result<Ended, String> {
    for index in 0..bridge.shared.config.threads {
        let bridge = bridge.clone();
        app.start_thread(index, Box::new(move |caller| serve(&bridge, index, caller)))?;
    }
    deputy::spawn(bridge.clone(), Some(reactor))
        .map_err(|error| format!("cannot start the deputy's thread: {error}"))?;
    attend(app, bridge)?;
    match bridge.ended().unwrap_or(Ok(Ended::Drained))? {
        // A thread that is still in the application cannot be ended, only left behind.
        Ended::Drained if !bridge.wait_for_threads(PARTING) => Ok(Ended::Quit),
        ended => Ok(ended),
    }
}

/// An application thread: leads, or runs requests that are handed out, until the worker leaves. It takes one at a time:
/// what waits behind a slow one belongs to whichever thread is free next.
fn serve<A: App>(bridge: &Arc<Bridge<A>>, index: usize, caller: &mut dyn Caller<A>) {
    let mut post = Post::new(&bridge.shared.line, index);
    let mut has_risen = false;
    loop {
        let work = bridge.look_for_work(std::mem::take(&mut has_risen));
        match work {
            Some(Work::Job((token, mut connection))) => {
                post.watched = Watched::Yes;
                let now = Instant::now();
                let moment = bridge.shared.epoch.monotonic(now);
                let run = AssertUnwindSafe(|| {
                    exchange::run(token, &mut connection, caller, &bridge.shared, &mut post, now, moment);
                });
                if catch_unwind(run).is_err() {
                    // A bug of ours, and the hook has printed it. It costs this connection, not the thread.
                    connection.readiness.failed = true;
                }
                bridge.put_back_and_rise((token, connection));
                has_risen = true;
            }
            Some(Work::Lead(reactor)) => lead(bridge, reactor, &mut post, caller),
            None => {
                let mut is_wanted = false;
                caller.detached(&mut || is_wanted = bridge.wait_for_work());
                if !is_wanted {
                    return;
                }
                has_risen = true;
            }
        }
    }
}

/// Leads on an application thread.
fn lead<A: App>(bridge: &Arc<Bridge<A>>, reactor: Box<Reactor<A>>, post: &mut Post, caller: &mut dyn Caller<A>) {
    bridge.note_leader();
    let mut standby = Standby::permanent();
    let mut leader = Leader { bridge, standby: &mut standby, post, hears_signals: false, logged_at: None };
    match leader.lead(reactor, caller) {
        Left::Resigned => {}
        Left::Worker(ended, reactor) => finish(bridge, reactor, ended),
    }
}

/// The worker leaves, and the calling thread has the reactor.
pub(super) fn finish<A: App>(bridge: &Bridge<A>, reactor: Option<Box<Reactor<A>>>, ended: Result<Ended, String>) {
    if let Some(mut reactor) = reactor {
        reactor.finish_log();
    }
    bridge.end(ended);
}

/// The deputy hands requests out, until calls are short again or the worker leaves.
pub(super) fn hand_out<A: App>(bridge: &Arc<Bridge<A>>, mut reactor: Box<Reactor<A>>) {
    let mut review = Review::begin(&reactor);
    reactor.set_duty(Duty::HandingOut);
    let ended = loop {
        let now = Instant::now();
        // Nothing is queued beyond what threads can run at once where the rest may yet go to a sibling, or has a deadline.
        let is_choosy = reactor.has_siblings() || reactor.config().queue_timeout.is_some();
        let most = if is_choosy { bridge.idle_threads(reactor.ready_count()) } else { usize::MAX };
        bridge.hand_over(&mut reactor, most, now);
        if is_choosy && let Some(at) = bridge.take_back(&mut reactor, STALE, now) {
            reactor.look_again_at(at);
        }
        reactor.set_free_threads(bridge.idle_threads(reactor.ready_count()), Help::AtOnce);
        reactor.pass_on(now);
        if !bridge.shared.app.spreads() && review.finds_short_calls(&reactor, now) {
            reactor = match bridge.offer(reactor, Monotonic::now()) {
                Ok(()) => return,
                Err(back) => back,
            };
        }
        if let Some(at) = review.next(&reactor) {
            reactor.look_again_at(at);
        }
        if let Err(error) = reactor.wait(now) {
            break Err(format!("cannot poll: {error}"));
        }
        let now = Instant::now();
        let mut turn = bridge.empty_tray(&mut reactor, now);
        if turn == Turn::GoOn {
            turn = reactor.turn(now);
        }
        reactor.attend_to_calls(now);
        reactor.flush_log();
        if let Turn::Leave(ended) = turn {
            deputy::abort_given_up(&reactor);
            break Ok(ended);
        }
    };
    finish(bridge, Some(reactor), ended);
}

/// Whether calls have become short.
struct Review {
    at: Instant,
    /// Calls when it was looked last.
    seen: u64,
    /// Calls, and the time that they took, when there were enough of them.
    calls: u64,
    busy: Duration,
}

impl Review {
    fn begin<A: App>(reactor: &Reactor<A>) -> Self {
        Self { at: Instant::now(), seen: reactor.served, calls: reactor.served, busy: reactor.busy }
    }

    /// When to look again; `None`: when there has been another call.
    fn next<A: App>(&self, reactor: &Reactor<A>) -> Option<Instant> {
        (reactor.served != self.seen).then_some(self.at + REVIEW)
    }

    /// Once per [`REVIEW`]: were the calls since then short, in the mean? Clearly shorter than what made the deputy hand
    /// out, so that it does not go back and forth.
    fn finds_short_calls<A: App>(&mut self, reactor: &Reactor<A>, now: Instant) -> bool {
        if now.saturating_duration_since(self.at) < REVIEW {
            return false;
        }
        let calls = reactor.served - self.calls;
        let busy = reactor.busy.saturating_sub(self.busy);
        (self.at, self.seen) = (now, reactor.served);
        if calls < ENOUGH_CALLS {
            return false;
        }
        (self.calls, self.busy) = (reactor.served, reactor.busy);
        busy.as_nanos() / u128::from(calls) < (THRESHOLD.as_nanos() * 3) / 10
    }
}

/// The main thread: runs signal handlers, and passes on what they post, until the worker leaves.
fn attend<A: App>(app: &Arc<A>, bridge: &Arc<Bridge<A>>) -> Result<(), String> {
    let watched: Vec<_> = app.wake_descriptor().into_iter().chain([bridge.attention()]).collect();
    loop {
        if let Err(error) = sys::wait_for_any(&watched, None)
            && error.kind() != io::ErrorKind::Interrupted
        {
            return Err(format!("cannot wait for signals: {error}"));
        }
        watched.iter().for_each(|descriptor| sys::discard_bytes(*descriptor));
        let notices = app.attached(|caller| caller.notices());
        if !notices.is_empty() {
            bridge.post(notices);
        }
        if bridge.helm.is_over() {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leader_is_looked_at_often_only_while_somebody_waits() {
        let effort = Effort { began: Instant::now(), time: None };
        let at = |time| effort.began + time;
        for waits in [Waits::Yes, Waits::No] {
            assert_eq!(effort.ask_again(waits, at(Duration::ZERO)), Some(at(SAMPLE)));
            assert_eq!(effort.ask_again(waits, at(COMPUTING)), None);
        }
        assert_eq!(effort.ask_again(Waits::Yes, at(SAMPLE)), Some(at(2 * SAMPLE)));
        assert_eq!(effort.ask_again(Waits::No, at(SAMPLE)), Some(at(COMPUTING)));
    }
}
