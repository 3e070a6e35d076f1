//! How a worker leaves its interpreter: threads of the application end as at any interpreter's exit, but cannot hold it for
//! ever.
#![allow(clippy::disallowed_methods)] // There is no loop here to ask for the time.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use pyo3::exceptions::PySystemExit;
use pyo3::prelude::*;

use super::{signals, traceback};
use crate::sys;

/// What `atexit` handlers and the last log lines get of `graceful_timeout`: at its end the master kills.
const LAST: Duration = Duration::from_millis(250);

/// A wait that has swallowed the interruption is interrupted again after so long.
const AGAIN: Duration = Duration::from_millis(50);

/// Waits for the application's threads and pools as an interpreter does that ends (`threading._shutdown`), until shortly
/// before `graceful_timeout` after the order to leave. Called on the main thread, detached, once.
///
/// `Err`: the names of threads that have not ended. An interpreter that is ended around them would wait for them.
pub fn wait_for_threads(graceful_timeout: Duration) -> Result<(), Vec<String>> {
    let now = Instant::now();
    let since = signals::leaving_since().unwrap_or(now);
    let until = since + graceful_timeout.saturating_sub(LAST.min(graceful_timeout / 20));
    let patience = until.saturating_duration_since(now);
    let (done, waiting) = mpsc::channel::<()>();
    let watch = move || {
        let mut patience = patience;
        while waiting.recv_timeout(patience) == Err(RecvTimeoutError::Timeout) {
            signals::interrupt_parting();
            patience = AGAIN;
        }
    };
    let watch = sys::with_signals_blocked(|| thread::Builder::new().name("indrik-parting".to_owned()).spawn(watch));
    if let Err(error) = &watch {
        log::warn!("cannot start a thread: {error}; nothing limits how long the application's threads take to end");
    }
    let ended = Python::attach(shut_down);
    drop(done);
    if let Ok(watch) = watch {
        let _ = watch.join();
    }
    signals::end_parting();
    Python::attach(|py| match ended {
        Ok(()) => match names_of_others(py) {
            names if names.is_empty() => Ok(()),
            names => Err(names),
        },
        Err(error) if error.is_instance_of::<PySystemExit>(py) => Err(names_of_others(py)),
        Err(error) => {
            log::error!("Exception while the application's threads end\n{}", traceback::text(py, &error));
            Err(names_of_others(py))
        }
    })
}

/// The start of our own threads' names.
const OURS: &str = "indrik-worker-";

/// Makes the calling thread, one of ours, pass as an ordinary one. It was started as a daemon, so that no exit waits for it; but
/// threads inherit that, and those which a request starts shall be waited for, unless they are daemons by their own wish.
pub(super) fn pass_as_ordinary(py: Python<'_>) -> PyResult<()> {
    // The public attribute cannot be set any more.
    py.import("threading")?.call_method0("current_thread")?.setattr("_daemonic", false)
}

fn shut_down(py: Python<'_>) -> PyResult<()> {
    // Without the module there is no thread that it knows of.
    let modules = py.import("sys")?.getattr("modules")?;
    if modules.contains("threading")? {
        modules.get_item("threading")?.call_method0("_shutdown")?;
    }
    Ok(())
}

/// Threads that the end of an interpreter waits for.
fn names_of_others(py: Python<'_>) -> Vec<String> {
    let names = || -> PyResult<Vec<String>> {
        let threading = py.import("threading")?;
        let main = threading.call_method0("main_thread")?;
        let mut names = Vec::new();
        for thread in threading.call_method0("enumerate")?.try_iter()? {
            let thread = thread?;
            if !thread.is(&main) && !thread.getattr("daemon")?.is_truthy()? {
                names.push(thread.getattr("name")?.extract::<String>()?);
            }
        }
        names.retain(|name| !name.starts_with(OURS));
        Ok(names)
    };
    names().unwrap_or_default()
}
