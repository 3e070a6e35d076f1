//! How a worker leaves: it takes no more, finishes what it has, and is gone by its deadline.

use std::time::{Duration, Instant};

/// How long an idle connection stays for one more request, which is then answered with `Connection: close`. A client
/// that sends just as we leave would otherwise find its request unanswered. Source: as Gunicorn's threaded worker.
const IDLE_GRACE: Duration = Duration::from_secs(2);

/// A drain that has begun.
#[derive(Clone, Copy, Debug)]
pub(super) struct Drain {
    /// By then the worker leaves, finished or not.
    pub(super) deadline: Instant,
    /// Idle connections are closed then.
    pub(super) idle_until: Instant,
}

impl Drain {
    /// Begins now. `graceful`: `graceful_timeout`; `keepalive`: how long idle connections stay in ordinary times.
    pub(super) fn begin(now: Instant, graceful: Duration, keepalive: Duration) -> Self {
        Self { deadline: now + graceful, idle_until: now + IDLE_GRACE.min(keepalive).min(graceful) }
    }

    /// May the worker leave?
    pub(super) fn is_over(&self, connections: usize, now: Instant) -> bool {
        connections == 0 || now >= self.deadline
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods)]
    use super::*;

    #[test]
    fn idle_connections_get_the_shortest_of_three_times() {
        let now = Instant::now();
        let seconds = Duration::from_secs;
        assert_eq!(Drain::begin(now, seconds(30), seconds(75)).idle_until, now + seconds(2));
        assert_eq!(Drain::begin(now, seconds(30), seconds(1)).idle_until, now + seconds(1));
        assert_eq!(Drain::begin(now, seconds(0), seconds(75)).idle_until, now);
    }

    #[test]
    fn it_is_over_when_nothing_is_left_or_time_is_up() {
        let now = Instant::now();
        let drain = Drain::begin(now, Duration::from_secs(5), Duration::from_secs(1));
        assert!(drain.is_over(0, now));
        assert!(!drain.is_over(1, now + Duration::from_secs(4)));
        assert!(drain.is_over(1, now + Duration::from_secs(5)));
    }
}
