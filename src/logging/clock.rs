//! Local time as the logs print it, formatted at most once per second.
//!
//! The clock is never read here: the caller says what time it is.

use std::fmt::Write;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

/// One second of local time, ready to be copied into lines.
#[derive(Debug)]
pub struct Stamp {
    second: i64,
    common: String,
    rfc3339: String,
}

impl Stamp {
    /// `[22/Nov/2026:14:18:40 +0000]`, the form of the Common Log Format; English in every locale.
    pub fn common(&self) -> &str {
        &self.common
    }

    /// `2026-11-22T14:18:40+00:00`. Source: RFC 3339.
    pub fn rfc3339(&self) -> &str {
        &self.rfc3339
    }

    fn set(&mut self, second: i64, zone: &TimeZone) {
        let time = local(second, zone);
        self.second = second;
        self.common.clear();
        self.rfc3339.clear();
        // Writing to a String fails only for a directive that jiff does not know; these are covered by the tests.
        let _ = write!(self.common, "{}", time.strftime("[%d/%b/%Y:%H:%M:%S %z]"));
        let _ = write!(self.rfc3339, "{}", time.strftime("%Y-%m-%dT%H:%M:%S%:z"));
    }
}

/// Keeps the [`Stamp`] of the last second asked for.
#[derive(Debug)]
pub struct Clock {
    zone: TimeZone,
    stamp: Stamp,
}

impl Clock {
    /// A clock of the local time zone.
    pub fn new() -> Clock {
        Clock::in_zone(zone().clone())
    }

    /// The stamp of `now`.
    pub fn at(&mut self, now: SystemTime) -> &Stamp {
        let second = unix_second(now);
        if second != self.stamp.second {
            self.stamp.set(second, &self.zone);
        }
        &self.stamp
    }

    fn in_zone(zone: TimeZone) -> Clock {
        let mut stamp = Stamp { second: 0, common: String::new(), rfc3339: String::new() };
        stamp.set(0, &zone);
        Clock { zone, stamp }
    }
}

impl Default for Clock {
    fn default() -> Clock {
        Clock::new()
    }
}

/// Local time of `now`, in whole seconds.
pub(super) fn local_time(now: SystemTime) -> Zoned {
    local(unix_second(now), zone())
}

/// The time zone of the logs: the one that the program was started in, for good.
///
/// An application may set `TZ` while it is imported, as Django does from its `TIME_ZONE`. Reading it again would make
/// the lines of one file jump, the master's and the workers' apart, and would race with other threads that set it.
/// The master logs before the first fork, so the workers inherit its answer.
fn zone() -> &'static TimeZone {
    static ZONE: OnceLock<TimeZone> = OnceLock::new();
    ZONE.get_or_init(TimeZone::system)
}

fn local(second: i64, zone: &TimeZone) -> Zoned {
    let time = Timestamp::from_second(second).unwrap_or(Timestamp::UNIX_EPOCH);
    time.to_zoned(zone.clone())
}

/// Before 1970 there is only the epoch: a machine without a battery may start there, never earlier.
fn unix_second(now: SystemTime) -> i64 {
    let since = now.duration_since(SystemTime::UNIX_EPOCH);
    let second = since.unwrap_or(Duration::ZERO).as_secs();
    i64::try_from(second).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use jiff::tz::Offset;

    use super::*;

    fn at(second: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(second)
    }

    #[track_caller]
    fn check(zone: TimeZone, now: SystemTime, common: &str, rfc3339: &str) {
        let mut clock = Clock::in_zone(zone);
        let stamp = clock.at(now);
        assert_eq!((stamp.common(), stamp.rfc3339()), (common, rfc3339));
    }

    #[test]
    fn time_is_local_with_its_offset() {
        let (utc, india) = (TimeZone::UTC, TimeZone::fixed(Offset::constant(5)));
        let common = "[22/Nov/2026:14:18:40 +0000]";
        check(utc.clone(), at(1_795_357_120), common, "2026-11-22T14:18:40+00:00");
        let common = "[22/Nov/2026:19:18:40 +0500]";
        check(india, at(1_795_357_120), common, "2026-11-22T19:18:40+05:00");
        let epoch = "[01/Jan/1970:00:00:00 +0000]";
        check(utc.clone(), at(0), epoch, "1970-01-01T00:00:00+00:00");
        let earlier = SystemTime::UNIX_EPOCH - Duration::from_secs(5);
        check(utc, earlier, epoch, "1970-01-01T00:00:00+00:00");
    }

    #[test]
    fn summer_time_changes_the_offset() {
        let zone = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").expect("a POSIX time zone");
        let mut clock = Clock::in_zone(zone);
        assert_eq!(clock.at(at(1_774_745_999)).common(), "[29/Mar/2026:01:59:59 +0100]");
        assert_eq!(clock.at(at(1_774_746_000)).common(), "[29/Mar/2026:03:00:00 +0200]");
    }

    #[test]
    fn a_stamp_is_made_once_per_second_and_follows_the_clock_back() {
        let mut clock = Clock::in_zone(TimeZone::UTC);
        let later = clock.at(at(100) + Duration::from_millis(999)).common().to_owned();
        assert_eq!(later, "[01/Jan/1970:00:01:40 +0000]");
        clock.stamp.common.push('!');
        assert_eq!(clock.at(at(100)).common(), format!("{later}!"));
        assert_eq!(clock.at(at(99)).common(), "[01/Jan/1970:00:01:39 +0000]");
    }
}
