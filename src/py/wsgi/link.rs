//! How objects that an application holds (`write`, `wsgi.input`, `wsgi.early_hints`) reach the exchange in progress, and
//! only while it is in progress.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

use super::held::{Held, Taken};
use super::{Wsgi, detached};
use crate::app::Exchange;
use crate::py::signals;

type Target = dyn Exchange<Wsgi>;

/// The way to the exchange that a thread is running; empty between exchanges.
#[derive(Default)]
pub(super) struct Link {
    target: Held<Option<Pointer>>,
    /// Which thread is using the exchange, as [`me`]; 0 for none.
    user: AtomicUsize,
}

struct Pointer(*mut Target);

// SAFETY: the pointer is only followed by whoever has taken it, while `Lent` keeps its target alive; exchanges are `Send`.
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

    /// Uses the exchange, after another thread that is using it. Errors: it has ended, this very thread is using it, or it
    /// belongs to the process that forked this one.
    pub(super) fn with<R>(&self, py: Python<'_>, work: impl FnOnce(&mut Target) -> R) -> PyResult<R> {
        let mut target = self.take(py)?;
        self.user.store(me(), Relaxed);
        let result = follow(&mut target).map(work);
        self.user.store(0, Relaxed);
        result
    }

    /// As [`Link::with`], for work that waits: it runs detached.
    pub(super) fn with_detached<R: Send>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&mut Target) -> R + Send,
    ) -> PyResult<R> {
        let mut target = self.take(py)?;
        self.user.store(me(), Relaxed);
        let target = &mut *target;
        let result = detached(py, || follow(target).map(work));
        self.user.store(0, Relaxed);
        result
    }

    fn take(&self, py: Python<'_>) -> PyResult<Taken<'_, Option<Pointer>>> {
        if signals::is_forked() {
            return Err(PyRuntimeError::new_err("the request belongs to the process that forked this one"));
        }
        match self.target.try_take(py) {
            Some(target) => Ok(target),
            None if self.user.load(Relaxed) == me() => {
                Err(PyRuntimeError::new_err("the request is being used by this very thread"))
            }
            None => Ok(self.target.take(py)),
        }
    }

    fn set(&self, py: Python<'_>, target: Option<Pointer>) {
        // A thread that the application started may be inside `with`.
        *self.target.take(py) = target;
    }
}

/// The exchange, if it is in progress. Errors: it has ended.
fn follow(target: &mut Option<Pointer>) -> PyResult<&mut Target> {
    match target {
        // SAFETY: set by `lend`, which has not returned: it empties the link first, and must take it for that. That it is
        // taken also makes this the only reference.
        Some(Pointer(pointer)) => Ok(unsafe { &mut **pointer }),
        None => Err(PyRuntimeError::new_err("the request has ended")),
    }
}

/// A number for the calling thread that no other living one has.
fn me() -> usize {
    thread_local! {
        static MARK: u8 = const { 0 };
    }
    MARK.with(|mark| std::ptr::from_ref(mark).addr())
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        self.0.set(self.1, None);
    }
}
