//! How a worker leaves: it takes no more, finishes what it has, and is gone by its deadline.

use std::time::{Duration, Instant};

/// How long an idle connection stays for one more request, which is then answered with `Connection: close`. A client
/// that sends just as we leave would otherwise find its request unanswered. Source: as Gunicorn's threaded worker.
const IDLE_GRACE: Duration = Duration::from_secs(2);

/// How much earlier than the master's SIGKILL the worker leaves by itself, so that `atexit` handlers run and the last
/// log lines are written.
const PARTING: Duration = Duration::from_millis(500);

/// A drain that has begun.
#[derive(Clone, Copy, Debug)]
pub(super) struct Drain {
    /// By then the worker leaves, finished or not.
    pub(super) deadline: Instant,
    /// Idle connections are closed then.
    pub(super) idle_until: Instant,
    /// Connections that have not said anything yet are closed then: their first request may be on its way.
    pub(super) silent_until: Instant,
}

impl Drain {
    /// Begins now. `graceful`: `graceful_timeout`; `keepalive`: how long idle connections stay in ordinary times.
    pub(super) fn begin(now: Instant, graceful: Duration, keepalive: Duration) -> Self {
        Self {
            deadline: now + graceful.saturating_sub(PARTING.min(graceful / 10)),
            idle_until: now + IDLE_GRACE.min(keepalive).min(graceful),
            silent_until: now + IDLE_GRACE.min(graceful),
        }
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
        assert_eq!(Drain::begin(now, seconds(30), seconds(0)).silent_until, now + seconds(2));
    }

    #[test]
    fn it_is_over_when_nothing_is_left_or_time_is_up() {
        let now = Instant::now();
        let drain = Drain::begin(now, Duration::from_secs(5), Duration::from_secs(1));
        assert!(drain.is_over(0, now));
        assert!(!drain.is_over(1, now + Duration::from_secs(4)));
        assert!(drain.is_over(1, now + Duration::from_millis(4500)));
        assert!(drain.is_over(1, now + Duration::from_secs(5)));
    }
}
