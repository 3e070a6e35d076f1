//! What all Python threads are executing, for a worker whose interpreter may be held by a thread that hangs.
//!
//! `faulthandler` writes it from a C signal handler, which needs no interpreter lock, into a file in memory.
#![allow(clippy::disallowed_methods)] // Waits for the handler's last word.

use std::fs::File;
use std::io::{self, Seek};
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::sys;

/// How often, and how many times, it is looked whether the text has grown since the last look.
const LOOK: Duration = Duration::from_millis(2);
const MOST_LOOKS: u32 = 150;

/// More of it helps nobody, in bytes.
const MOST_TEXT: u64 = 256 * 1024;

/// Where the stacks are written.
#[derive(Debug)]
pub(super) struct Stacks(Mutex<File>);

impl Stacks {
    /// Sets the handler. Errors: no descriptors left, or the interpreter has no faulthandler.
    pub(super) fn install(py: Python<'_>) -> PyResult<Self> {
        let file = sys::memory_file(sys::STACKS_FILE, b"")?;
        let options = PyDict::new(py);
        options.set_item("file", file.as_raw_fd())?;
        options.set_item("all_threads", true)?;
        py.import("faulthandler")?.call_method("register", (sys::stacks_signal(),), Some(&options))?;
        Ok(Self(Mutex::new(file)))
    }

    /// The stacks of all threads, that of `thread` (the kernel's number) marked as the current one. Called detached.
    pub(super) fn dump(&self, thread: i32) -> Option<String> {
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        write(&mut file, thread).inspect_err(|error| log::debug!("cannot have the stacks written: {error}")).ok()
    }
}

fn write(file: &mut File, thread: i32) -> io::Result<String> {
    file.set_len(0)?;
    file.rewind()?;
    sys::signal_thread(std::process::id() as i32, thread, sys::stacks_signal())?;
    let (mut len, mut steady) = (0, 0);
    for _ in 0..MOST_LOOKS {
        thread::sleep(LOOK);
        let now = file.metadata()?.len();
        steady = if now > 0 && now == len { steady + 1 } else { 0 };
        len = now;
        if steady == 3 {
            break;
        }
    }
    let mut text = vec![0; len.min(MOST_TEXT) as usize];
    file.read_exact_at(&mut text, 0)?;
    Ok(String::from_utf8_lossy(&text).trim_end().to_owned())
}
