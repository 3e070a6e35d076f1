//! Calls of the application that take too long and shall end with an exception: who has been asked for, and in which threads
//! it has been raised.
//!
//! The exception must end the call that it is meant for and no other. Three meet here: whoever asks, the handler on the main
//! thread that raises, and the thread whose call ends. Knows no Python: raising is the caller's.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What Python calls a thread.
pub(super) type Ident = std::ffi::c_ulong;

/// The calls that are to be interrupted.
#[derive(Debug)]
pub(super) struct Interruptions {
    calls: Mutex<Vec<Call>>,
    /// Is there one? Looked at with each request, without the lock.
    any: AtomicBool,
}

#[derive(Debug)]
struct Call {
    /// As the kernel numbers it.
    thread: i32,
    /// Where the exception has been raised, and may wait for the thread to execute Python code.
    raised_in: Option<Ident>,
}

impl Interruptions {
    pub(super) const fn new() -> Self {
        Self { calls: Mutex::new(Vec::new()), any: AtomicBool::new(false) }
    }

    /// The call of `thread` shall end. On any thread, attached or not.
    pub(super) fn ask(&self, thread: i32) {
        let mut calls = self.lock();
        if calls.iter().all(|call| call.thread != thread) {
            calls.push(Call { thread, raised_in: None });
        }
        self.any.store(true, Relaxed);
    }

    /// The threads whose calls shall end and in which nothing was raised yet.
    pub(super) fn asked(&self) -> Vec<i32> {
        self.lock().iter().filter(|call| call.raised_in.is_none()).map(|call| call.thread).collect()
    }

    /// Has `raise` called for `thread`, which Python calls `ident`, if its call is still to end: it may have ended by itself.
    pub(super) fn raise(&self, thread: i32, ident: Ident, raise: impl FnOnce()) {
        let mut calls = self.lock();
        if let Some(call) = calls.iter_mut().find(|call| call.thread == thread && call.raised_in.is_none()) {
            raise();
            call.raised_in = Some(ident);
        }
    }

    /// A call of `thread` begins or has ended: what was asked for before has become pointless. `Some`: an exception may wait
    /// in the thread that Python calls so.
    pub(super) fn forget(&self, thread: impl FnOnce() -> i32) -> Option<Ident> {
        if !self.any.load(Relaxed) {
            return None;
        }
        let thread = thread();
        let mut calls = self.lock();
        let found = calls.iter().position(|call| call.thread == thread).map(|index| calls.swap_remove(index));
        self.any.store(!calls.is_empty(), Relaxed);
        found?.raised_in
    }

    /// The lock is held for moments only, and by nobody who attaches meanwhile.
    fn lock(&self) -> MutexGuard<'_, Vec<Call>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_thread_is_asked_for_by_itself() {
        let interruptions = Interruptions::new();
        assert_eq!(interruptions.forget(|| unreachable!("nobody was asked for")), None);
        for thread in [7, 8, 7] {
            interruptions.ask(thread);
        }
        assert_eq!(interruptions.asked(), [7, 8]);
        assert_eq!(interruptions.forget(|| 9), None, "the end of another call");
        assert_eq!(interruptions.asked(), [7, 8]);
        assert_eq!(interruptions.forget(|| 7), None);
        assert_eq!(interruptions.asked(), [8]);
    }

    #[test]
    fn a_call_that_has_ended_is_not_interrupted() {
        let interruptions = Interruptions::new();
        interruptions.ask(7);
        interruptions.forget(|| 7);
        interruptions.raise(7, 70, || unreachable!("its call has ended"));
    }

    #[test]
    fn what_was_raised_is_raised_once_and_taken_back_at_the_end_of_the_call() {
        let interruptions = Interruptions::new();
        interruptions.ask(7);
        let mut raised = 0;
        interruptions.raise(7, 70, || raised += 1);
        interruptions.raise(7, 70, || raised += 1);
        assert_eq!(raised, 1);
        assert!(interruptions.asked().is_empty());
        assert_eq!(interruptions.forget(|| 7), Some(70));
        assert_eq!(interruptions.forget(|| 7), None);
    }
}
