//! A worker that shows no sign of life any more: what it was busy with, as far as can be seen from outside.
//!
//! A worker with a deputy says this itself. One whose calls were all short has none; then the master stands in, and its
//! first long request is cut with the worker where others get an answer.

use std::time::{Duration, Instant};

use crate::ipc::WorkerLine;
use crate::sys::{self, Monotonic};

/// How long the worker gets to write its stacks down, and how often that is looked at.
const PATIENCE: Duration = Duration::from_millis(200);
pub(super) const LOOK: Duration = Duration::from_millis(10);

/// A worker that has been asked for its stacks. It gets SIGABRT when the look is over.
pub(super) struct LastLook {
    /// The worker.
    pub(super) pid: i32,
    /// What it is busy with.
    request: String,
    /// What it has written so far.
    stacks: String,
    until: Instant,
}

impl LastLook {
    /// Logs the requests that the worker is busy with, and asks it for the stacks of its threads. `None`: there is nothing to
    /// wait for.
    pub(super) fn begin(pid: i32, line: &WorkerLine, now: Instant) -> Option<Self> {
        let since = Monotonic::now();
        let calls = line.exchanges();
        for call in &calls {
            let age = since.saturating_since(call.started).as_secs_f64();
            let peer = call.peer.map_or("a unix socket".to_owned(), |peer| peer.to_string());
            log::error!("Worker (pid:{pid}): request {:?} of {peer} has been running for {age:.1} s", call.line);
        }
        let call = calls.first()?;
        sys::signal_thread(pid, call.thread, sys::stacks_signal()).ok()?;
        Some(Self { pid, request: call.line.clone(), stacks: String::new(), until: now + PATIENCE })
    }

    /// Looks whether the stacks are whole, and logs them then, or what there is when its time is up. Says whether it is over.
    pub(super) fn is_over(&mut self, now: Instant) -> bool {
        let before = self.stacks.len();
        self.stacks = sys::memory_file_of(self.pid, sys::STACKS_FILE).unwrap_or_default();
        let is_whole = !self.stacks.is_empty() && self.stacks.len() == before;
        if !is_whole && now < self.until {
            return false;
        }
        if !self.stacks.is_empty() {
            log::error!("Stacks of worker (pid:{}) during {:?}\n{}", self.pid, self.request, self.stacks.trim_end());
        }
        true
    }
}
