//! A timer that goes off once, unless it is set again before.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::time::TimeSpec;
use nix::sys::timer::{Expiration, TimerSetTimeFlags};
use nix::sys::timerfd::{ClockId, TimerFd, TimerFlags};

/// One thread waits for it, another sets it.
#[derive(Debug)]
pub struct Alarm(TimerFd);

impl Alarm {
    /// One that is not set. Errors: no descriptors left.
    pub fn new() -> io::Result<Self> {
        Ok(Self(TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_CLOEXEC)?))
    }

    /// Goes off after `delay`, and not when it would have before. One system call.
    pub fn set(&self, delay: Duration) {
        // A zero would mean never.
        let delay = TimeSpec::from_duration(delay.max(Duration::from_nanos(1)));
        // Only a time out of range could fail.
        let _ = self.0.set(Expiration::OneShot(delay), TimerSetTimeFlags::empty());
    }

    /// Waits until it has gone off since the last wait.
    pub fn wait(&self) {
        while self.0.wait() == Err(Errno::EINTR) {}
    }
}

impl AsFd for Alarm {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_off_when_it_was_set_last() {
        let alarm = Alarm::new().unwrap();
        alarm.set(Duration::from_secs(3600));
        alarm.set(Duration::ZERO);
        alarm.wait();
    }
}
