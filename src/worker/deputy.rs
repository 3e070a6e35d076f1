//! The deputy: a thread without the interpreter that drives the reactor while the leader is in the application for long.
//!
//! It sleeps on an alarm that the leader puts off before each call, at most twice per [`THRESHOLD`], so that a busy worker
//! with short calls pays no system call per request for it. With several application threads it goes on to hand requests
//! out to them ([`super::threads`]). With one it leaves when all calls have been short for a while, since the mere
//! existence of a second thread makes each system call dearer, and comes back with the first long one.
#![allow(clippy::disallowed_methods)] // This is one of the loops that read the clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use super::Ended;
use super::bridge::Bridge;
use super::helm::{MustSetAlarm, Woken};
use super::presence::{Change, Presence};
use super::reactor::{Duty, Help, Reactor, Turn};
use super::threads::{self, Effort, Waits};
use crate::app::{App, Notice};
use crate::config::Config;
use crate::ipc::Watched;
use crate::sys::{self, Monotonic};
use crate::{exit, logging};

/// How long the leader may be in the application before the deputy relieves it.
pub(super) const THRESHOLD: Duration = Duration::from_micros(500);

/// Once the worker has been told to leave at once, a request gets so long to end; then the process ends around it.
const QUIT_PATIENCE: Duration = Duration::from_millis(500);

/// What the leader knows of its deputy.
pub(super) struct Standby<A: App> {
    /// Told to leave when set. A deputy that comes later has another.
    dismissed: Arc<AtomicBool>,
    /// Whether it is worth its while; `None`: it stays.
    presence: Option<Presence>,
    /// When the alarm was put off last.
    armed_at: Option<Monotonic>,
    _app: std::marker::PhantomData<fn() -> A>,
}

impl<A: App> Standby<A> {
    /// Starts the deputy of the only application thread. Errors: the thread cannot be started.
    pub(super) fn appoint(bridge: Arc<Bridge<A>>) -> Result<Self, String> {
        let mut standby = Self::permanent();
        standby.presence = is_dispensable(&bridge.shared.config).then(Presence::new);
        standby.start(&bridge).map_err(|error| format!("cannot start the deputy's thread: {error}"))?;
        Ok(standby)
    }

    /// Of a deputy that others have started and that stays.
    pub(super) fn permanent() -> Self {
        Self {
            dismissed: Arc::new(AtomicBool::new(false)),
            presence: None,
            armed_at: None,
            _app: std::marker::PhantomData,
        }
    }

    /// Is there a deputy that may give up on the call that is about to begin?
    pub(super) fn watches(&self) -> Watched {
        if self.presence.as_ref().is_none_or(Presence::is_there) { Watched::Yes } else { Watched::No }
    }

    /// The leader calls the application at `now` and has laid the reactor down: puts the alarm off, if it is time to.
    pub(super) fn put_off(&mut self, bridge: &Bridge<A>, MustSetAlarm(must): MustSetAlarm, now: Monotonic) {
        if must || self.armed_at.is_none_or(|at| now >= at.after(THRESHOLD / 2)) {
            self.armed_at = Some(now);
            bridge.alarm.set(THRESHOLD);
        }
    }

    /// A call has ended: the deputy leaves or comes, as calls are.
    pub(super) fn note(&mut self, bridge: &Arc<Bridge<A>>, called: Monotonic, ended: Monotonic) {
        match self.presence.as_mut().and_then(|presence| presence.note(called, ended)) {
            None => {}
            Some(Change::Leave) => {
                self.dismissed.store(true, Relaxed);
                bridge.alarm.set(Duration::ZERO);
            }
            Some(Change::Come) => {
                if let Err(error) = self.start(bridge) {
                    log::warn!("cannot start the deputy's thread: {error}; a long request holds up the others");
                }
            }
        }
    }

    fn start(&mut self, bridge: &Arc<Bridge<A>>) -> std::io::Result<()> {
        self.dismissed = spawn(bridge.clone(), None)?;
        self.armed_at = None;
        Ok(())
    }
}

/// May the deputy leave a worker whose calls are short? The master, which stands in for it at the first long one, knows no
/// other limit than `timeout`.
fn is_dispensable(config: &Config) -> bool {
    config.request_timeout == config.timeout && !config.request_interrupt && config.queue_timeout.is_none()
}

/// Starts a deputy; it leaves when the flag is set and the alarm goes off. `reactor`: it begins by handing out.
///
/// Signals of the process are for the main thread, where the application's handlers run. Errors: as pthread_create(3).
pub(super) fn spawn<A: App>(
    bridge: Arc<Bridge<A>>,
    reactor: Option<Box<Reactor<A>>>,
) -> std::io::Result<Arc<AtomicBool>> {
    let dismissed = Arc::new(AtomicBool::new(false));
    let flag = dismissed.clone();
    let body = move || {
        if let Some(reactor) = reactor {
            reactor.report_booted();
            threads::hand_out(&bridge, reactor);
        }
        stand_by(&bridge, &flag);
    };
    sys::with_signals_blocked(|| thread::Builder::new().name("indrik-deputy".to_owned()).spawn(body))?;
    Ok(dismissed)
}

/// Sleeps, looks, stands in, until dismissed.
fn stand_by<A: App>(bridge: &Arc<Bridge<A>>, dismissed: &AtomicBool) {
    while !bridge.helm.is_over() {
        bridge.alarm.wait();
        if dismissed.load(Relaxed) {
            return;
        }
        let now = Monotonic::now();
        match bridge.helm.relieve(now.before(THRESHOLD)) {
            Woken::StandIn(reactor) => stand_in(bridge, reactor),
            Woken::HandOut(reactor) => threads::hand_out(bridge, reactor),
            Woken::Early(laid) => bridge.alarm.set(laid.after(THRESHOLD).saturating_since(now)),
            Woken::Nothing => {}
        }
    }
}

/// Drives the reactor until the leader is back.
fn stand_in<A: App>(bridge: &Arc<Bridge<A>>, mut reactor: Box<Reactor<A>>) {
    let app = bridge.shared.app.clone();
    let effort = Effort::begin(bridge);
    let has_helpers = bridge.shared.config.threads > 1;
    let mut quit_at = None;
    reactor.set_duty(Duty::StandingIn);
    reactor.flush_log();
    loop {
        let now = Instant::now();
        if has_helpers {
            let free = bridge.idle_threads(reactor.ready_count());
            let help = if effort.admits_help(bridge, now) { Help::AtOnce } else { Help::Later };
            let waits = if reactor.ready_count() > 0 && free > 0 { Waits::Yes } else { Waits::No };
            if waits == Waits::Yes && help == Help::AtOnce && bridge.helm.hand_out() {
                return threads::hand_out(bridge, reactor);
            }
            reactor.set_free_threads(free, help);
            if let Some(at) = effort.ask_again(waits, now) {
                reactor.look_again_at(at);
            }
        }
        reactor.pass_on(now);
        if let Err(error) = reactor.wait(now) {
            logging::critical!("cannot poll: {error}");
            sys::exit_now(exit::UNHANDLED);
        }
        let now = Instant::now();
        let mut turn = bridge.empty_tray(&mut reactor, now);
        if turn == Turn::GoOn {
            turn = reactor.turn(now);
        }
        if turn == Turn::GoOn {
            turn = reactor.obey(app.posted(), now);
        }
        reactor.attend_to_calls(now);
        reactor.flush_log();
        if let Turn::Leave(ended) = turn
            && quit_at.is_none()
        {
            let hangs = abort_given_up(&reactor);
            if has_helpers {
                // The main thread is not in the application, and ends the process in good order around the call.
                return threads::finish(bridge, Some(reactor), Ok(ended));
            }
            // The application's call is in the way: its request is cut, as far as the interpreter can do that.
            reactor.note_ended(if hangs { Ended::Aborted } else { ended });
            if !hangs && ended != Ended::Aborted {
                app.interrupt(Notice::Quit);
            }
            quit_at = Some(now + QUIT_PATIENCE);
        }
        if quit_at.is_some_and(|at| now >= at) && !bridge.helm.is_recalled() {
            leave_around_the_call(&mut reactor);
        }
        if let Some(at) = quit_at {
            reactor.look_again_at(at);
        }
        if bridge.helm.is_recalled() {
            reactor.set_duty(Duty::Leading);
            return bridge.helm.give_back(reactor);
        }
    }
}

/// Where nothing is left but a request that was given up: the worker's handlers of SIGABRT run, as Gunicorn's would, if the
/// interpreter can run anything. `true`: there is such a request.
pub(super) fn abort_given_up<A: App>(reactor: &Reactor<A>) -> bool {
    let hangs = reactor.given_up_count() > 0;
    if hangs {
        let _ = sys::kill(std::process::id() as i32, sys::SIGABRT);
    }
    hangs
}

/// Ends the process although a thread is in the application: it has had its time, and hears nothing.
pub(super) fn leave_around_the_call<A: App>(reactor: &mut Reactor<A>) -> ! {
    let code = match reactor.take_ended() {
        Some(Ended::Aborted) => exit::ABORTED,
        Some(Ended::Drained | Ended::Quit) | None => exit::OK,
    };
    reactor.finish_log();
    log::warn!(
        "Worker (pid:{}) leaves in the middle of a request: {}",
        std::process::id(),
        reactor.calls_in_progress()
    );
    sys::exit_now(code)
}
