//! The monotonic clock as a number that two processes can compare. `Instant` cannot be put into shared memory.

use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};

/// Nanoseconds of `CLOCK_MONOTONIC`: comparable between processes of one boot, never zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Monotonic(pub u64);

impl Monotonic {
    /// The time now. Called by the two loops only, which hand it on.
    pub fn now() -> Self {
        let time = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("Linux has CLOCK_MONOTONIC");
        let nanos = Duration::new(time.tv_sec().unsigned_abs(), time.tv_nsec() as u32).as_nanos();
        Self(nanos as u64)
    }

    /// `time` earlier.
    pub fn before(self, time: Duration) -> Self {
        Self(self.0.saturating_sub(time.as_nanos() as u64))
    }

    /// `time` later.
    pub fn after(self, time: Duration) -> Self {
        Self(self.0.saturating_add(time.as_nanos() as u64))
    }

    /// How long after `earlier` this is; zero if it is not.
    pub fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// The same moment as an `Instant`, given that `self_now` and `instant_now` were read together.
    pub fn to_instant(self, self_now: Self, instant_now: Instant) -> Instant {
        match self_now.0.checked_sub(self.0) {
            Some(age) => instant_now.checked_sub(Duration::from_nanos(age)).unwrap_or(instant_now),
            None => instant_now + Duration::from_nanos(self.0 - self_now.0),
        }
    }
}

/// One moment on both clocks, by which moments of one are put on the other without asking the kernel.
#[derive(Clone, Copy, Debug)]
pub struct Epoch {
    monotonic: Monotonic,
    instant: Instant,
}

impl Epoch {
    /// `instant`: now.
    pub fn new(instant: Instant) -> Self {
        Self { monotonic: Monotonic::now(), instant }
    }

    /// `moment` as a number. One before the epoch counts as the epoch.
    pub fn monotonic(&self, moment: Instant) -> Monotonic {
        Monotonic(self.monotonic.0 + moment.saturating_duration_since(self.instant).as_nanos() as u64)
    }

    /// `moment` as an instant.
    pub fn instant(&self, moment: Monotonic) -> Instant {
        moment.to_instant(self.monotonic, self.instant)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods)]
    use super::*;

    #[test]
    fn a_moment_of_the_past_keeps_its_age() {
        let instant = Instant::now();
        let now = Monotonic(5_000_000_000);
        assert_eq!(Monotonic(3_000_000_000).to_instant(now, instant), instant - Duration::from_secs(2));
        assert_eq!(Monotonic(6_000_000_000).to_instant(now, instant), instant + Duration::from_secs(1));
    }

    #[test]
    fn both_clocks_go_at_the_same_pace() {
        let epoch = Epoch::new(Instant::now());
        let later = Instant::now() + Duration::from_secs(3);
        assert_eq!(epoch.instant(epoch.monotonic(later)), later);
    }

    #[test]
    fn it_never_goes_back() {
        let first = Monotonic::now();
        assert!(Monotonic::now() >= first);
        assert!(first.0 > 0);
    }
}
