//! fork(2) with an interpreter up: inside CPython's hooks, attached, on the main thread.
#![allow(unsafe_code)]

use std::io;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::sys;

/// Is this process in the middle of a fork of ours?
static IS_OURS: AtomicBool = AtomicBool::new(false);

/// Which of the two processes this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fork {
    /// The one that forked.
    Parent {
        /// Pid of the new process.
        child: i32,
    },
    /// The new one. It has this thread only.
    Child,
}

/// Forks. Called detached, on the main thread, with signals blocked. Errors: as fork(2).
pub fn fork() -> io::Result<Fork> {
    // SAFETY: we start no thread before a fork, so the child misses no holder of a lock of ours. A hook of the settings file
    // may have started some: they are outside of our locks, and the caller says so in the log.
    within_hooks(|| unsafe { sys::fork() })
}

/// Forks a process that is the child of the nearest ancestor which adopts orphans: in it `Fork::Child`. `announce` is called
/// in between, without the interpreter, with its pid or why there is none. Otherwise as [`fork`].
pub fn fork_detached(announce: &(dyn Fn(io::Result<i32>) + Sync)) -> io::Result<Fork> {
    // SAFETY: as in `fork`; the process in between calls nothing of Python's, and has left CPython's hooks to the new one.
    within_hooks(|| unsafe { sys::fork_detached(announce) })
}

/// Calls `fork`, which returns 0 in the new process, between CPython's hooks.
fn within_hooks(fork: impl FnOnce() -> io::Result<i32> + Send) -> io::Result<Fork> {
    Python::attach(|_| {
        // SAFETY: attached, on the main thread: takes the import lock and runs `os.register_at_fork(before=…)`.
        unsafe { ffi::PyOS_BeforeFork() };
        let forked = fork();
        match forked {
            // SAFETY: pairs with BeforeFork; makes this thread the main thread of the child's interpreter.
            Ok(0) => unsafe { after_in_child() },
            // SAFETY: pairs with BeforeFork, also when the fork has failed.
            Ok(_) | Err(_) => unsafe { ffi::PyOS_AfterFork_Parent() },
        }
        Ok(match forked? {
            0 => Fork::Child,
            child => Fork::Parent { child },
        })
    })
}

/// # Safety
///
/// Attached, in a child that was just forked.
unsafe fn after_in_child() {
    IS_OURS.store(true, Relaxed);
    // SAFETY: the caller's.
    unsafe { ffi::PyOS_AfterFork_Child() };
    IS_OURS.store(false, Relaxed);
}

/// From now on a child that is forked by way of Python, and not by us, lets go of what is private. For a process that imports
/// the application and is no worker. Errors: the interpreter's.
pub fn guard() -> Result<(), String> {
    let register = |py: Python<'_>| -> PyResult<()> {
        let options = PyDict::new(py);
        options.set_item("after_in_child", wrap_pyfunction!(surrender, py)?)?;
        py.import("os")?.call_method("register_at_fork", (), Some(&options)).map(drop)
    };
    Python::attach(register).map_err(|error| error.to_string())
}

#[pyfunction]
fn surrender() {
    if !IS_OURS.load(Relaxed) {
        sys::surrender_private();
    }
}

/// How many Python threads are alive besides this one; a hook may have started some.
pub fn other_threads() -> usize {
    let count = |py: Python<'_>| -> PyResult<usize> {
        let count: Bound<'_, PyAny> = py.import("threading")?.call_method0("active_count")?;
        count.extract()
    };
    Python::attach(count).unwrap_or(1).saturating_sub(1)
}
