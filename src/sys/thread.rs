//! Single threads: their numbers, their processor time, signals for one of them.

use std::cell::Cell;
use std::io;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::pthread::pthread_self;
use nix::sys::signal::{SigSet, SigmaskHow, pthread_sigmask};

/// The clock of a thread's processor time, readable by every thread of the process while that thread lives.
#[derive(Clone, Copy, Debug)]
pub struct ThreadClock(libc::clockid_t);

/// The calling thread, as the kernel numbers threads.
pub fn thread_id() -> i32 {
    nix::unistd::gettid().as_raw()
}

/// The calling thread's clock. Errors: as pthread_getcpuclockid(3).
pub fn thread_clock() -> io::Result<ThreadClock> {
    let mut clock: libc::clockid_t = 0;
    // SAFETY: the thread is the calling one, so it lives; the clock's number is written to where the pointer says.
    let result = unsafe { libc::pthread_getcpuclockid(pthread_self(), &raw mut clock) };
    if result == 0 { Ok(ThreadClock(clock)) } else { Err(io::Error::from_raw_os_error(result)) }
}

impl ThreadClock {
    /// How long the thread has computed; `None` when it has ended.
    pub fn now(self) -> Option<Duration> {
        let time = nix::time::ClockId::from_raw(self.0).now().ok()?;
        Some(Duration::new(time.tv_sec().unsigned_abs(), time.tv_nsec() as u32))
    }
}

/// Sends `signal` (a number: real-time signals have no names) to one thread of process `pid`. Errors: as tgkill(2).
pub fn signal_thread(pid: i32, thread: i32, signal: i32) -> io::Result<()> {
    // SAFETY: plain numbers; the kernel checks them.
    let result = unsafe { libc::syscall(libc::SYS_tgkill, pid, thread, signal) };
    if result == 0 { Ok(()) } else { Err(Errno::last().into()) }
}

/// Runs `work` with all signals blocked: a thread that it starts gets none of the process's signals.
pub fn with_signals_blocked<R>(work: impl FnOnce() -> R) -> R {
    let mut before = SigSet::empty();
    let blocked = pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::all()), Some(&mut before)).is_ok();
    let result = work();
    if blocked {
        let _ = pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&before), None);
    }
    result
}

thread_local! {
    /// What was blocked before [`hold_signals`].
    static HELD: Cell<Option<SigSet>> = const { Cell::new(None) };
}

/// Blocks all signals in this thread, until [`release_signals`].
pub fn hold_signals() {
    let mut before = SigSet::empty();
    if pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::all()), Some(&mut before)).is_ok() {
        HELD.set(Some(HELD.get().unwrap_or(before)));
    }
}

/// Undoes [`hold_signals`]; in a child that was forked meanwhile too.
pub fn release_signals() {
    if let Some(before) = HELD.take() {
        let _ = pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&before), None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_computes_is_seen_to() {
        let clock = thread_clock().unwrap();
        let before = clock.now().unwrap();
        let mut sum = 0_u64;
        while clock.now().unwrap() == before {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        assert!(clock.now().unwrap() > before);
    }

    #[test]
    fn a_thread_that_is_not_there_cannot_be_signalled() {
        assert!(signal_thread(std::process::id() as i32, 1, 0).is_err());
        assert!(signal_thread(std::process::id() as i32, thread_id(), 0).is_ok());
    }
}
