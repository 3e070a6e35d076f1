//! How objects that an application holds (`write`, `wsgi.input`, `wsgi.early_hints`) reach the exchange in progress, and
//! only while it is in progress.

use std::sync::Mutex;

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

use super::{Wsgi, detached};
use crate::app::Exchange;

type Target = dyn Exchange<Wsgi>;

/// The way to the exchange that a thread is running; empty between exchanges.
#[derive(Default)]
pub(super) struct Link {
    target: Mutex<Option<Pointer>>,
}

struct Pointer(*mut Target);

// SAFETY: the pointer is only followed under the lock, while `Lent` keeps its target alive; exchanges are `Send`.
unsafe impl Send for Pointer {}

/// Takes the exchange out of the link again.
struct Lent<'a>(&'a Link, Python<'a>);

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link").finish_non_exhaustive()
    }
}

impl Link {
    /// Lets [`Link::with`] reach `exchange` while `work` runs.
    pub(super) fn lend<R>(
        &self,
        py: Python<'_>,
        exchange: &mut (dyn Exchange<Wsgi> + '_),
        work: impl FnOnce() -> R,
    ) -> R {
        // SAFETY: only the lifetime is changed; `Lent` empties the link before the borrow of `exchange` ends.
        let pointer: *mut Target =
            unsafe { std::mem::transmute::<*mut (dyn Exchange<Wsgi> + '_), *mut Target>(exchange) };
        self.set(py, Some(Pointer(pointer)));
        let _lent = Lent(self, py);
        work()
    }

    /// Uses the exchange. Errors: it has ended, or another thread is using it at this moment.
    pub(super) fn with<R>(&self, work: impl FnOnce(&mut Target) -> R) -> PyResult<R> {
        let Ok(mut target) = self.target.try_lock() else {
            return Err(PyRuntimeError::new_err("two threads use the same request at once"));
        };
        match &mut *target {
            // SAFETY: set by `lend`, which has not returned: it empties the link first, under the same lock. The lock
            // also makes this the only reference.
            Some(Pointer(pointer)) => Ok(work(unsafe { &mut **pointer })),
            None => Err(PyRuntimeError::new_err("the request has ended")),
        }
    }

    /// As [`Link::with`], for work that waits: it runs detached.
    pub(super) fn with_detached<R: Send>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&mut Target) -> R + Send,
    ) -> PyResult<R> {
        detached(py, || self.with(work))
    }

    fn set(&self, py: Python<'_>, target: Option<Pointer>) {
        if let Ok(mut slot) = self.target.try_lock() {
            *slot = target;
            return;
        }
        // A thread that the application started is inside `with`, and may need to attach before it can leave.
        detached(py, || match self.target.lock() {
            Ok(mut slot) => *slot = target,
            Err(poisoned) => *poisoned.into_inner() = target,
        });
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        self.0.set(self.1, None);
    }
}
