//! A value that attached threads share. With a GIL taking it costs two plain stores; without one, a compare-and-swap.
//!
//! In the mode with one application thread nearly every request would else pay for a dozen locked instructions that nobody
//! contends for.
#![allow(clippy::disallowed_methods)] // Whoever must wait does so for a moment, detached; see `Held::wait`.

use std::cell::UnsafeCell;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicBool, Ordering::Acquire, Ordering::Relaxed, Ordering::Release};
use std::thread;
use std::time::Duration;

use pyo3::prelude::*;

use super::detached;

/// How long one who must wait stays detached before it looks again: at first, and at most after ever longer pauses.
const FIRST_PAUSE: Duration = Duration::from_micros(100);
const LONGEST_PAUSE: Duration = Duration::from_millis(10);

/// The value and who may reach it.
#[derive(Default)]
pub(super) struct Held<T> {
    is_taken: AtomicBool,
    value: UnsafeCell<T>,
}

/// The value, as long as this lives. It may be kept while detached.
pub(super) struct Taken<'a, T>(&'a Held<T>);

// SAFETY: the value is reached through `Taken` alone, of which `is_taken` allows one; it moves between threads.
unsafe impl<T: Send> Sync for Held<T> {}

impl<T> Held<T> {
    /// Takes the value; `None`: somebody has it, this thread perhaps.
    pub(super) fn try_take(&self, _py: Python<'_>) -> Option<Taken<'_, T>> {
        let is_free = if cfg!(Py_GIL_DISABLED) {
            self.is_taken.compare_exchange(false, true, Acquire, Relaxed).is_ok()
        } else {
            // Nobody else is attached between the two.
            let is_free = !self.is_taken.load(Acquire);
            if is_free {
                self.is_taken.store(true, Relaxed);
            }
            is_free
        };
        is_free.then_some(Taken(self))
    }

    /// Takes the value, after whoever has it. This thread must not.
    pub(super) fn take(&self, py: Python<'_>) -> Taken<'_, T> {
        match self.try_take(py) {
            Some(taken) => taken,
            None => self.wait(py),
        }
    }

    #[cold]
    fn wait(&self, py: Python<'_>) -> Taken<'_, T> {
        let mut pause = FIRST_PAUSE;
        loop {
            // It may need to attach before it is done.
            detached(py, || thread::sleep(pause));
            pause = (pause * 2).min(LONGEST_PAUSE);
            if let Some(taken) = self.try_take(py) {
                return taken;
            }
        }
    }
}

impl<T> Deref for Taken<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: this is the only `Taken`, and it is borrowed.
        unsafe { &*self.0.value.get() }
    }
}

impl<T> DerefMut for Taken<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: this is the only `Taken`, and it is borrowed for good.
        unsafe { &mut *self.0.value.get() }
    }
}

impl<T> Drop for Taken<'_, T> {
    fn drop(&mut self) {
        self.0.is_taken.store(false, Release);
    }
}

impl<T> fmt::Debug for Held<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Held").finish_non_exhaustive()
    }
}
