//! What the operator asks for by signal, and how the program ends.

use std::time::Instant;

use super::Supervisor;
use super::messages::{BootFailure, Level, Order, Signal, Word};
use super::process::{State, later};
use crate::exit;

/// What the master as a whole is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The listeners are not bound yet.
    Await,
    /// Workers are kept up.
    Serve,
    /// Workers leave, none is spawned.
    Stop {
        /// What is said and returned at the end.
        ending: Ending,
        /// How they leave.
        pace: Pace,
    },
    /// [`Order::Exit`] was given.
    Over,
}

/// Why the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Somebody asked for it.
    Asked,
    /// The application could not be loaded for the workers.
    PreloadFailed,
    /// No worker ever booted, and one could not.
    BootFailed(BootFailure),
}

/// How much time the workers get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// `graceful_timeout`.
    Graceful,
    /// None to speak of: requests are cut.
    Quick,
}

impl Supervisor {
    /// Obeys a signal.
    pub(super) fn obey(&mut self, signal: Signal, now: Instant) {
        let level = if signal == Signal::Chld { Level::Debug } else { Level::Info };
        self.log(level, format!("Handling signal: {}", name(signal)));
        match signal {
            Signal::Term => self.stop_as_asked(Pace::Graceful, now),
            Signal::Int | Signal::Quit => self.stop_as_asked(Pace::Quick, now),
            Signal::Hup => self.ask_for_reload(),
            Signal::Ttin => self.change_target(|count| count + 1),
            Signal::Ttou => self.change_target(|count| if count > 1 { count - 1 } else { count }),
            Signal::Usr1 => self.reopen_logs(),
            Signal::Usr2 => self.ask_for_upgrade(),
            // A terminal sends it when its window changes; a daemon has none.
            Signal::Winch if !self.plan.is_daemon => self.log(Level::Debug, "SIGWINCH ignored. Not daemonized"),
            Signal::Winch => {
                self.log(Level::Info, "graceful stop of workers");
                self.change_target(|_| 0);
            }
            Signal::Chld => {}
        }
    }

    /// Begins the stop. No worker is spawned from here on.
    pub(super) fn stop(&mut self, ending: Ending, pace: Pace, now: Instant) {
        self.stage = Stage::Stop { ending, pace };
        self.leave_at = None;
        self.fallback = None;
        match pace {
            Pace::Quick => self.cut(now),
            Pace::Graceful => {
                for pid in self.pids_that(|process| process.state == State::Boot) {
                    self.recall(pid, Word::Stop, now);
                }
                for pid in self.pids_that(|process| process.state.serves() || process.state == State::Drain) {
                    if let Some(process) = self.processes.get_mut(&pid)
                        && process.state != State::Drain
                    {
                        // One that drains already keeps its earlier deadline.
                        process.enter(State::Drain, now);
                    }
                    self.tell(pid, Word::Stop);
                }
            }
        }
    }

    /// The last words, once nobody is left.
    pub(super) fn finish_if_empty(&mut self, ending: Ending) {
        if !self.processes.is_empty() || !self.spawning.is_empty() {
            return;
        }
        let (code, reason) = match ending {
            Ending::Asked => (exit::OK, None),
            Ending::PreloadFailed => (exit::CONFIG, Some("Reason: App failed to load.")),
            Ending::BootFailed(BootFailure::Boot) => (exit::BOOT, Some("Reason: Worker failed to boot.")),
            Ending::BootFailed(BootFailure::AppLoad) => (exit::APP_LOAD, Some("Reason: App failed to load.")),
        };
        match reason {
            None => self.log(Level::Info, "Shutting down: Master"),
            Some(reason) => {
                self.log(Level::Error, "Shutting down: Master");
                self.log(Level::Error, reason);
            }
        }
        self.orders.push(Order::Exit { code });
        self.stage = Stage::Over;
    }

    /// A stop that was asked for; asked for again, it turns quick.
    fn stop_as_asked(&mut self, pace: Pace, now: Instant) {
        let delay = self.plan.shutdown_delay;
        match self.stage {
            Stage::Serve if self.leave_at.is_some() => {
                self.log(Level::Info, "Quick shutdown requested");
                self.stop(Ending::Asked, Pace::Quick, now);
            }
            Stage::Serve if pace == Pace::Graceful && self.ever_booted && !delay.is_zero() => {
                self.log(Level::Info, format!("Serving on for {} s (shutdown_delay)", delay.as_secs_f64()));
                self.leave_at = Some(later(now, delay));
            }
            Stage::Await | Stage::Serve => self.stop(Ending::Asked, pace, now),
            Stage::Stop { ending, pace: Pace::Graceful } => {
                self.log(Level::Info, "Quick shutdown requested");
                self.stage = Stage::Stop { ending, pace: Pace::Quick };
                self.cut(now);
            }
            Stage::Stop { pace: Pace::Quick, .. } | Stage::Over => {}
        }
    }

    /// Tells all that still work to leave at once.
    fn cut(&mut self, now: Instant) {
        for pid in
            self.pids_that(|process| process.state.stays() || matches!(process.state, State::Drain | State::Recall))
        {
            self.quit(pid, now);
        }
    }

    fn ask_for_reload(&mut self) {
        match self.stage {
            Stage::Await | Stage::Serve if self.leave_at.is_none() => {
                self.log(Level::Info, "Hang up: Master");
                self.orders.push(Order::Reload);
            }
            Stage::Await | Stage::Serve | Stage::Stop { .. } | Stage::Over => {}
        }
    }

    /// TTIN and TTOU count for the reload that is going on, and for what it may return to.
    fn change_target(&mut self, change: impl Fn(usize) -> usize) {
        if self.stage != Stage::Serve {
            return;
        }
        if let Some(fallback) = &mut self.fallback {
            fallback.target = change(fallback.target);
        }
        self.resize(change(self.target));
    }

    fn reopen_logs(&mut self) {
        self.orders.push(Order::ReopenLogs);
        let listening =
            |state| matches!(state, State::Boot | State::Serve | State::Retire | State::Drain | State::Recall);
        for pid in self.pids_that(|process| listening(process.state)) {
            self.tell(pid, Word::Reopen);
        }
    }
}

/// A signal's name as Gunicorn logs it.
fn name(signal: Signal) -> &'static str {
    match signal {
        Signal::Term => "term",
        Signal::Int => "int",
        Signal::Quit => "quit",
        Signal::Hup => "hup",
        Signal::Ttin => "ttin",
        Signal::Ttou => "ttou",
        Signal::Usr1 => "usr1",
        Signal::Usr2 => "usr2",
        Signal::Winch => "winch",
        Signal::Chld => "chld",
    }
}
