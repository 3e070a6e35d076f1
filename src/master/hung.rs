//! A worker that shows no sign of life any more: what it was busy with, as far as can be seen from outside.
//!
//! A worker with a deputy says this itself. One whose calls were all short has none; then the master stands in, and its
//! first long request is cut with the worker where others get an answer.
#![allow(clippy::disallowed_methods)] // Waits a moment for the stacks, and reads the clock for how long.

use std::thread;
use std::time::Duration;

use crate::ipc::WorkerLine;
use crate::sys::{self, Monotonic};

/// How long the worker gets to write its stacks down, and how often that is looked at.
const PATIENCE: Duration = Duration::from_millis(200);
const LOOK: Duration = Duration::from_millis(10);

/// Logs the requests that the worker is busy with, and the stacks of its threads. Called before it gets SIGABRT.
pub(super) fn report(pid: i32, line: &WorkerLine) {
    let now = Monotonic::now();
    let calls = line.exchanges();
    for call in &calls {
        let age = now.saturating_since(call.started).as_secs_f64();
        let peer = call.peer.map_or("a unix socket".to_owned(), |peer| peer.to_string());
        log::error!("Worker (pid:{pid}): request {:?} of {peer} has been running for {age:.1} s", call.line);
    }
    let Some(call) = calls.first() else { return };
    if sys::signal_thread(pid, call.thread, sys::stacks_signal()).is_err() {
        return;
    }
    let mut text = String::new();
    for _ in 0..PATIENCE.as_millis() / LOOK.as_millis() {
        thread::sleep(LOOK);
        let before = text.len();
        text = sys::memory_file_of(pid, sys::STACKS_FILE).unwrap_or_default();
        if !text.is_empty() && text.len() == before {
            break;
        }
    }
    if !text.is_empty() {
        log::error!("Stacks of worker (pid:{pid}) during {:?}\n{}", call.line, text.trim_end());
    }
}
