//! Signals of the master, as bytes in a pipe; and the state of signals across a fork.
//!
//! Handlers do one thing, an async-signal-safe write; all else happens in the loop that reads the pipe.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, SigmaskHow, Signal, sigaction, sigprocmask};
use nix::unistd::read;
use signal_hook::SigId;

use super::socket::pipe;

/// Numbers of the signals that a worker hears.
pub use libc::{SIGABRT, SIGINT, SIGKILL, SIGQUIT, SIGTERM, SIGUSR1};

/// The signal that has a process write down what its threads execute. A real-time one, which nobody else sends.
pub fn stacks_signal() -> i32 {
    libc::SIGRTMIN() + 1
}

/// The signal that interrupts a request that takes too long.
pub fn interrupt_signal() -> i32 {
    libc::SIGRTMIN() + 2
}

/// Signals that arrived, in order, one byte each.
#[derive(Debug)]
pub struct SignalPipe {
    reader: OwnedFd,
    registered: Vec<SigId>,
}

impl SignalPipe {
    /// Handles `signals` from now on. Errors: no descriptors left, or a signal that cannot be caught.
    pub fn new(signals: &[i32]) -> io::Result<Self> {
        let (reader, writer) = pipe()?;
        let writer = std::sync::Arc::new(writer);
        let mut registered = Vec::with_capacity(signals.len());
        for &signal in signals {
            let writer = writer.clone();
            let post = move || {
                let byte = [signal as u8];
                // SAFETY: write(2) is async-signal-safe; the closure owns a share of the descriptor. A full pipe loses
                // the byte, which is the same as signals of one kind that merge.
                unsafe { libc::write(writer.as_raw_fd(), byte.as_ptr().cast(), 1) };
            };
            // SAFETY: `post` only calls write(2) and touches no lock and no allocator.
            registered.push(unsafe { signal_hook::low_level::register(signal, post) }?);
        }
        Ok(Self { reader, registered })
    }

    /// Readable when a signal waits.
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        self.reader.as_fd()
    }

    /// Takes what has arrived, oldest first.
    pub fn take(&self) -> Vec<i32> {
        let mut signals = Vec::new();
        let mut bytes = [0; 256];
        loop {
            match read(&self.reader, &mut bytes) {
                Ok(0) => return signals,
                Ok(count) => signals.extend(bytes[..count].iter().map(|&byte| i32::from(byte))),
                Err(Errno::EINTR) => {}
                Err(_) => return signals,
            }
        }
    }
}

impl Drop for SignalPipe {
    fn drop(&mut self) {
        for id in self.registered.drain(..) {
            signal_hook::low_level::unregister(id);
        }
    }
}

/// Blocks every signal in this thread: nothing arrives while the process is between two lives.
pub fn block_all() {
    let _ = sigprocmask(SigmaskHow::SIG_BLOCK, Some(&SigSet::all()), None);
}

/// Lets signals arrive again.
pub fn unblock_all() {
    let _ = sigprocmask(SigmaskHow::SIG_UNBLOCK, Some(&SigSet::all()), None);
}

/// Ignores the signals by which an operator speaks to a master: a process group may get them all.
pub fn ignore_operator() {
    let ignore = SigAction::new(SigHandler::SigIgn, SaFlags::empty(), SigSet::empty());
    for signal in [Signal::SIGHUP, Signal::SIGUSR1, Signal::SIGUSR2, Signal::SIGWINCH, Signal::SIGTTIN, Signal::SIGTTOU]
    {
        // SAFETY: to ignore runs no code of ours.
        let _ = unsafe { sigaction(signal, &ignore) };
    }
}

/// Gives the signals of a bad memory access their default action back. Rust's runtime has set a handler that tells a stack
/// overflow from others; one that somebody sends with kill(2) it takes for neither, and the process would survive it.
pub fn crash_by_default() {
    let default = SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty());
    for signal in [Signal::SIGSEGV, Signal::SIGBUS] {
        // SAFETY: the default action runs no code of ours.
        let _ = unsafe { sigaction(signal, &default) };
    }
}

/// Gives signals their default action, except SIGPIPE and SIGXFSZ, which stay ignored, and those of a crash, whose
/// handlers (faulthandler's, for one) are good in a child too.
///
/// Called in a new child, before signals are unblocked.
pub fn default_all() {
    let default = SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty());
    for signal in Signal::iterator() {
        match signal {
            Signal::SIGKILL | Signal::SIGSTOP | Signal::SIGPIPE | Signal::SIGXFSZ => {}
            Signal::SIGSEGV | Signal::SIGBUS | Signal::SIGFPE | Signal::SIGILL | Signal::SIGABRT | Signal::SIGSYS => {}
            _ => {
                // SAFETY: the default action runs no code of ours.
                let _ = unsafe { sigaction(signal, &default) };
            }
        }
    }
}
