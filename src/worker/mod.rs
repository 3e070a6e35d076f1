//! A worker: accepts connections, reads requests, asks the application, writes answers, and leaves when it is told to.
//!
//! Knows no Python: the application stands behind the traits of [`crate::app`]. The thread that drives the
//! [`reactor::Reactor`] runs the application itself while calls are short ([`leader`]); when one takes long another
//! thread drives on meanwhile ([`deputy`]), and with several application threads hands requests out to them
//! ([`threads`]). [`helm`] has the rules by which the reactor changes hands; docs/worker.md tells all of it.

mod access;
mod body;
mod bridge;
mod budget;
mod complaints;
mod connection;
mod date;
mod deadlines;
mod deputy;
mod drain;
mod eviction;
mod exchange;
mod helm;
mod identity;
mod leader;
mod listeners;
mod orders;
mod output;
mod overdue;
mod pace;
mod parcel;
mod passing;
mod presence;
mod reactor;
mod receiving;
mod running;
mod slots;
mod threads;
mod timing;
mod traffic;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Instant;

use mio::Registry;

use self::bridge::Bridge;
use self::budget::Budget;
use self::helm::Helm;
use self::reactor::Reactor;
use crate::app::App;
use crate::config::{self, Config};
use crate::http::{HeaderMap, Limits, Policy};
use crate::ipc::{Activity, Siblings, WorkerEnd, WorkerLine};
use crate::logging::access::{AccessLog, Entry};
use crate::net::Listener;
use crate::sys::{self, Epoch, Monotonic};

/// What a worker is given at birth.
pub struct Setup<A> {
    /// The application, imported.
    pub app: Arc<A>,
    /// The settings of this worker's generation.
    pub config: Arc<Config>,
    /// Inherited from the master.
    pub listeners: Vec<Arc<Listener>>,
    /// The worker's end of the ipc socket.
    pub ipc: WorkerEnd,
    /// The worker's line of the scoreboard.
    pub line: WorkerLine,
    /// The other workers; `None`: there are none, and nothing is passed on.
    pub siblings: Option<Siblings>,
    /// Where exchanges are logged; `None` is off.
    pub access: Option<AccessLog>,
    /// Who hears of answers that the server gave without the application, where the application's side writes the access
    /// log.
    pub note_answer: Option<fn(&dyn Entry)>,
    /// After how many requests the worker asks to be replaced; 0 is never. Jitter is already in it.
    pub max_requests: u64,
}

/// Why a worker left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It was told to drain and has, as far as `graceful_timeout` let it.
    Drained,
    /// It was told to leave at once; application threads may still be running.
    Quit,
    /// The master gave up on it (SIGABRT); application threads may still be running.
    Aborted,
}

/// Serves until told to leave. Called on the main thread, detached; blocks.
///
/// Errors: the poller or a thread could not be made; the text says which.
#[allow(clippy::disallowed_methods)] // The one moment that is put on both clocks.
pub fn run<A: App>(setup: Setup<A>) -> Result<Ended, String> {
    let cannot = |error: io::Error| format!("cannot start polling: {error}");
    let app = setup.app.clone();
    let threads = setup.config.threads;
    let reactor = Box::new(Reactor::new(setup, Instant::now()).map_err(cannot)?);
    let waker = reactor.mailbox().map_err(cannot)?;
    let alarm = sys::Alarm::new().map_err(|error| format!("cannot make a timer: {error}"))?;
    let bridge = |helm| Bridge::new(reactor.shared().clone(), helm, waker, alarm).map(Arc::new).map_err(cannot);
    if threads == 1 {
        if let Some(wake) = app.wake_descriptor() {
            reactor.watch_wake(wake).map_err(|error| format!("cannot watch for signals: {error}"))?;
        }
        let bridge = bridge(Helm::leading())?;
        leader::run(&app, reactor, &bridge)
    } else {
        let bridge = bridge(Helm::handing_out())?;
        threads::run(&app, reactor, &bridge)
    }
}

/// Descriptors of a worker that are not connections: its own, those of the application, files of bodies and answers.
const SPARE_DESCRIPTORS: u64 = 1024;

/// Descriptors that the server and the interpreter need at the least.
const LEAST_DESCRIPTORS: u64 = 32;

/// How many descriptors a worker should be allowed: `worker_connections`, and [`SPARE_DESCRIPTORS`].
pub fn wanted_descriptors(config: &Config) -> u64 {
    config.worker_connections as u64 + SPARE_DESCRIPTORS
}

/// How many connections a worker may hold that is allowed `descriptors`. Where these are short, the application keeps its
/// share: a server that fills the table with connections makes each `open()` fail.
pub fn capacity(config: &Config, descriptors: u64) -> usize {
    if descriptors >= wanted_descriptors(config) {
        return config.worker_connections;
    }
    let rest = descriptors.saturating_sub(LEAST_DESCRIPTORS);
    config.worker_connections.min(usize::try_from(rest - rest / 4).unwrap_or(usize::MAX)).max(1)
}

/// What all threads of a worker look at.
#[derive(Debug)]
struct Shared<A> {
    app: Arc<A>,
    config: Arc<Config>,
    /// What requests may be like.
    policy: Arc<Policy>,
    /// Memory for bodies of requests.
    budget: Arc<Budget>,
    /// For a connection that leaves the reactor on another thread.
    registry: Registry,
    /// Does the access log show fields of answers?
    logs_fields: bool,
    line: WorkerLine,
    /// For moments that other processes shall understand.
    epoch: Epoch,
    /// Every answer from now on says `Connection: close`.
    is_draining: AtomicBool,
}

impl<A> Shared<A> {
    /// The one application thread waits for a client; with several, the reactor's own thread shows that all is well.
    fn beat_for_waiting(&self) {
        if self.config.threads == 1 {
            self.line.beat(Activity::InApplication, Monotonic::now());
        }
    }

    fn is_draining(&self) -> bool {
        self.is_draining.load(Relaxed)
    }
}

/// The settings that say what requests may be like.
fn policy(config: &Config) -> Policy {
    Policy {
        limits: Limits::new(config.limit_request_line, config.limit_request_fields, config.limit_request_field_size),
        obsolete_folding: config.permit_obsolete_folding,
        header_spaces: config.strip_header_spaces,
        unconventional_method: config.permit_unconventional_http_method,
        unconventional_version: config.permit_unconventional_http_version,
        casefold_method: config.casefold_http_method,
        header_map: match config.header_map {
            config::HeaderMap::Drop => HeaderMap::Drop,
            config::HeaderMap::Refuse => HeaderMap::Refuse,
            config::HeaderMap::Dangerous => HeaderMap::Dangerous,
        },
        forwarder_headers: config.forwarder_headers.clone(),
        secure_scheme_headers: config.secure_scheme_headers.clone(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::Layers;

    #[test]
    fn a_short_limit_on_descriptors_leaves_some_to_the_application() {
        let (config, _) = config::resolve(&Layers::default(), Path::new("/")).unwrap();
        let capacities = [1 << 20, 2024, 2023, 1024, 100, 40, 3].map(|limit| capacity(&config, limit));
        assert_eq!(capacities, [1000, 1000, 1000, 744, 51, 6, 1]);
    }
}
