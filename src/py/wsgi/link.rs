//! How objects that an application holds (`write`, `wsgi.input`, `wsgi.early_hints`) reach the exchange in progress, and
//! only while it is in progress.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, TryLockError};

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

use super::{Wsgi, detached};
use crate::app::Exchange;
use crate::py::signals;

type Target = dyn Exchange<Wsgi>;

/// The way to the exchange that a thread is running; empty between exchanges.
#[derive(Default)]
pub(super) struct Link {
    target: Mutex<Option<Pointer>>,
    /// Which thread is using the exchange, as [`me`]; 0 for none.
    user: AtomicUsize,
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

    /// Uses the exchange, after another thread that is using it. Errors: it has ended, this very thread is using it, or it
    /// belongs to the process that forked this one.
    pub(super) fn with<R>(&self, work: impl FnOnce(&mut Target) -> R) -> PyResult<R> {
        if signals::is_forked() {
            return Err(PyRuntimeError::new_err("the request belongs to the process that forked this one"));
        }
        let mut target = match self.target.try_lock() {
            Ok(target) => target,
            Err(_) => self.wait()?,
        };
        self.user.store(me(), Relaxed);
        let result = match &mut *target {
            // SAFETY: set by `lend`, which has not returned: it empties the link first, under the same lock. The lock
            // also makes this the only reference.
            Some(Pointer(pointer)) => Ok(work(unsafe { &mut **pointer })),
            None => Err(PyRuntimeError::new_err("the request has ended")),
        };
        self.user.store(0, Relaxed);
        result
    }

    /// Waits for a thread that is using the exchange. It may need to attach before it is done.
    #[cold]
    fn wait(&self) -> PyResult<MutexGuard<'_, Option<Pointer>>> {
        loop {
            match self.target.try_lock() {
                Ok(target) => return Ok(target),
                Err(TryLockError::Poisoned(poisoned)) => return Ok(poisoned.into_inner()),
                Err(TryLockError::WouldBlock) if self.user.load(Relaxed) == me() => {
                    return Err(PyRuntimeError::new_err("the request is being used by this very thread"));
                }
                Err(TryLockError::WouldBlock) => Python::attach(|py| detached(py, || drop(self.target.lock()))),
            }
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
