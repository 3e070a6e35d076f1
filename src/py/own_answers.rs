//! Answers that the server gave without the application, for an access log that Python writes.
//!
//! They come from whichever thread drives the reactor, the deputy's too, which never attaches: it would wait for the very
//! call that hangs. So they wait here until the main thread has the interpreter, between two batches or before it leaves.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use pyo3::prelude::*;

use super::wsgi::latin1;
use super::{signals, traceback};
use crate::logging::access::Entry;

/// Most answers that wait. A worker that refuses more than these before it has the interpreter again loses lines.
const MOST_WAITING: usize = 1000;

/// One answer, in bytes of its own.
struct OwnAnswer {
    remote: Vec<u8>,
    method: Vec<u8>,
    target: Vec<u8>,
    path: Vec<u8>,
    protocol: Vec<u8>,
    fields: Vec<(Vec<u8>, Vec<u8>)>,
    status: u16,
    body_len: u64,
    duration: Duration,
}

static WAITING: Mutex<VecDeque<OwnAnswer>> = Mutex::new(VecDeque::new());

/// Is there anything in `WAITING`? Spares the main thread a lock per batch.
static ARE_WAITING: AtomicBool = AtomicBool::new(false);

/// Remembers an answer. On any thread, attached or not. One without a status was none.
pub fn note(entry: &dyn Entry) {
    let Some(status) = entry.status() else { return };
    let fields = entry.request_fields().into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
    let answer = OwnAnswer {
        remote: entry.remote_addr().to_owned(),
        method: entry.method().to_owned(),
        target: entry.target().to_owned(),
        path: entry.path().into_owned(),
        protocol: entry.protocol().to_owned(),
        fields: fields.collect(),
        status,
        body_len: entry.body_len(),
        duration: entry.duration(),
    };
    let mut waiting = WAITING.lock().unwrap_or_else(PoisonError::into_inner);
    if waiting.len() < MOST_WAITING {
        waiting.push_back(answer);
    }
    ARE_WAITING.store(true, Relaxed);
    drop(waiting);
    signals::ring();
}

/// Has the logger class write what waits. On the main thread.
pub(super) fn write(py: Python<'_>) {
    if !ARE_WAITING.load(Relaxed) {
        return;
    }
    // Before the queue is emptied: what is noted meanwhile is seen the next time.
    ARE_WAITING.store(false, Relaxed);
    let waiting = std::mem::take(&mut *WAITING.lock().unwrap_or_else(PoisonError::into_inner));
    for answer in waiting {
        if let Err(error) = write_one(py, &answer) {
            log::error!("Exception in the logger class\n{}", traceback::text(py, &error));
        }
    }
}

fn write_one(py: Python<'_>, answer: &OwnAnswer) -> PyResult<()> {
    let mut headers = Vec::with_capacity(answer.fields.len());
    for (name, value) in &answer.fields {
        headers.push((latin1(&name.to_ascii_uppercase()), latin1(value)));
    }
    let line = (latin1(&answer.method), latin1(&answer.target), latin1(&answer.protocol));
    let arguments = (
        line,
        latin1(&answer.path),
        headers,
        latin1(&answer.remote),
        answer.status,
        answer.body_len,
        answer.duration.as_secs_f64(),
    );
    py.import("gunicorn._life")?.getattr("log_own_answer")?.call1(arguments).map(drop)
}
