//! The service manager, if there is one: where it hears of the server, and which sockets it has handed over.

use std::env;
use std::time::{Duration, Instant};

use super::herald::{Herald, Sight};
use super::supervisor::Supervisor;
use crate::sys::{Monotonic, Notifier};

/// The first descriptor that a service manager hands over. Source: sd_listen_fds(3).
pub(super) const FIRST_SOCKET: i32 = 3;

/// Tells the service manager how the server is.
#[derive(Debug)]
pub(super) struct Service {
    /// `None`: nobody wants to know.
    manager: Option<(Notifier, Herald)>,
}

impl Service {
    /// The manager that the environment names. A master that another one has made, `is_second`, has its environment.
    ///
    /// Source: sd_notify(3), sd_watchdog_enabled(3).
    pub(super) fn from_environment(is_second: bool, now: Instant) -> Self {
        let Some(address) = env::var_os("NOTIFY_SOCKET").filter(|address| !address.is_empty()) else {
            return Self { manager: None };
        };
        let number = |name: &str| env::var(name).ok()?.parse::<u64>().ok();
        let is_meant = is_second || number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(std::process::id()));
        let watchdog = number("WATCHDOG_USEC").filter(|&timeout| is_meant && timeout > 0).map(Duration::from_micros);
        match Notifier::new(&address) {
            Ok(notifier) => Self { manager: Some((notifier, Herald::new(watchdog, now))) },
            Err(error) => {
                log::warn!("the service manager cannot be told anything: NOTIFY_SOCKET {address:?}: {error}");
                Self { manager: None }
            }
        }
    }

    /// A reload was asked for.
    pub(super) fn begin_reload(&mut self, supervisor: &Supervisor, now: Instant) {
        if let Some((notifier, herald)) = &mut self.manager {
            let message = herald.begin_reload(supervisor.generation().0, Monotonic::now().0 / 1000, now);
            message.iter().for_each(|message| send(notifier, message));
        }
    }

    /// Something went wrong.
    pub(super) fn hear_complaint(&mut self, text: &str) {
        if let Some((_, herald)) = &mut self.manager {
            herald.hear_complaint(text);
        }
    }

    /// Tells what is new. `is_trying`: the settings of a reload are being tried.
    pub(super) fn tell(&mut self, supervisor: &Supervisor, is_trying: bool, now: Instant) {
        if let Some((notifier, herald)) = &mut self.manager {
            let mut sight = sight(supervisor);
            sight.is_reloading |= is_trying;
            herald.look(&sight, now).iter().for_each(|message| send(notifier, message));
        }
    }

    /// When there is something to tell though nothing happens.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.manager.as_ref().and_then(|(_, herald)| herald.next_deadline())
    }
}

fn send(notifier: &Notifier, message: &str) {
    if let Err(error) = notifier.send(message) {
        log::debug!("the service manager does not hear {message:?}: {error}");
    }
}

fn sight(supervisor: &Supervisor) -> Sight {
    let generation = supervisor.generation();
    let serving = || supervisor.workers().filter(|(_, _, state)| state.serves());
    Sight {
        serving: serving().count(),
        living: supervisor.workers().count(),
        target: supervisor.target(),
        generation: generation.0,
        is_reloading: supervisor.is_reloading() || serving().any(|(_, berth, _)| berth.generation != generation),
        is_stopping: supervisor.is_stopping(),
        successor: supervisor.successor().map(|pid| pid.0),
        has_predecessor: supervisor.has_predecessor(),
    }
}
