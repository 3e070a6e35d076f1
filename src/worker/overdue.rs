//! Requests that have been in the application for too long: what is done about them, and when.
//!
//! [`Overdue`] decides and is pure: it is told since when a thread has been busy with what, and says the next step. The
//! reactor takes it: tells the log, answers the client in the application's place, has the worker replaced.
//!
//! With `request_timeout` (with one thread `timeout` stands for it) a request is ended. Without it, with several threads,
//! a request that is older than `timeout` is reported once, and the worker replaced when all its threads are that late,
//! since Gunicorn's threads may take any time.

use std::borrow::Cow;
use std::net::Shutdown;
use std::time::{Duration, Instant, SystemTime};

use mio::Token;

use super::reactor::{Duty, Reactor};
use crate::app::App;
use crate::config::Config;
use crate::ipc::{Busy, GaveUp, InProgress};
use crate::logging::access::Entry;
use crate::sys::{self, Monotonic};
use crate::{http, logging};

/// How long a request may go on after its thread was interrupted (`request_interrupt`).
const AFTER_INTERRUPT: Duration = Duration::from_secs(2);

/// When it is tried again to give up on a request of which an interim answer is on its way.
const MOMENT: Duration = Duration::from_millis(10);

/// Status of the answer to a request that was given up. Source: RFC 9110 §15.6.5.
const GIVEN_UP: u16 = 504;

/// Decides about requests that take too long.
#[derive(Debug)]
pub(super) struct Overdue {
    /// After so long a request is ended.
    limit: Option<Duration>,
    /// After so long a request is reported.
    report: Option<Duration>,
    interrupts: bool,
    threads: Vec<Thread>,
}

/// What has been done about one thread's request.
#[derive(Clone, Copy, Debug)]
struct Thread {
    /// Which request this is about.
    number: u64,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Fine,
    Reported,
    Interrupted { until: Monotonic },
    GivenUp,
}

/// What is to be done about a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Say in the log that it takes long.
    Report,
    /// Have its thread interrupted.
    Interrupt,
    /// Have the application's own function interrupt it.
    Abort,
    /// Answer in its place, and have the worker replaced.
    GiveUp,
}

impl Overdue {
    pub(super) fn new(config: &Config) -> Self {
        let fine = Thread { number: 0, stage: Stage::Fine };
        let limit = config.request_timeout;
        let report = if limit.is_none() && config.threads > 1 { config.timeout } else { None };
        Self { limit, report, interrupts: config.request_interrupt, threads: vec![fine; config.threads] }
    }

    /// The next step for thread `index`, busy as `busy` says. `aborts`: as [`App::aborts`].
    fn step(&mut self, index: usize, busy: Busy, aborts: bool, now: Monotonic) -> Option<Step> {
        let (limit, report) = (self.limit, self.report);
        let interruption = match (aborts && self.threads.len() == 1, self.interrupts) {
            (true, _) => Some(Step::Abort),
            (false, true) => Some(Step::Interrupt),
            (false, false) => None,
        };
        let thread = self.threads.get_mut(index)?;
        if thread.number != busy.number {
            *thread = Thread { number: busy.number, stage: Stage::Fine };
        }
        let is_over = |time: Option<Duration>| time.is_some_and(|time| now >= busy.since.after(time));
        let (stage, step) = match thread.stage {
            Stage::Fine | Stage::Reported if is_over(limit) => match interruption {
                Some(step) => (Stage::Interrupted { until: now.after(AFTER_INTERRUPT) }, step),
                None => (Stage::GivenUp, Step::GiveUp),
            },
            Stage::Fine if is_over(report) => (Stage::Reported, Step::Report),
            Stage::Interrupted { until } if now >= until => (Stage::GivenUp, Step::GiveUp),
            Stage::Fine | Stage::Reported | Stage::Interrupted { .. } | Stage::GivenUp => return None,
        };
        thread.stage = stage;
        Some(step)
    }

    /// Thread `index` cannot be given up at this moment.
    fn put_off(&mut self, index: usize, until: Monotonic) {
        if let Some(thread) = self.threads.get_mut(index) {
            thread.stage = Stage::Interrupted { until };
        }
    }

    /// When the next step for thread `index`, busy as `busy` says, may be due.
    fn due(&self, index: usize, busy: Busy) -> Option<Monotonic> {
        let thread = self.threads.get(index)?;
        let stage = if thread.number == busy.number { thread.stage } else { Stage::Fine };
        match stage {
            Stage::Fine => {
                let moments = [self.limit, self.report].into_iter().flatten().map(|time| busy.since.after(time));
                moments.min()
            }
            Stage::Reported => self.limit.map(|limit| busy.since.after(limit)),
            Stage::Interrupted { until } => Some(until),
            Stage::GivenUp => None,
        }
    }

    /// Has thread `index` been given up, with its exchange of this number?
    fn has_given_up(&self, index: usize, number: u64) -> bool {
        self.threads.get(index).is_some_and(|thread| thread.number == number && thread.stage == Stage::GivenUp)
    }

    /// Are all threads late, given since when each has been busy? Where there is a limit it says what to do.
    fn are_all_late(&self, busy_since: &[Option<Monotonic>], now: Monotonic) -> bool {
        let Some(time) = self.report else { return false };
        busy_since.iter().all(|since| since.is_some_and(|since| now >= since.after(time)))
    }
}

impl<A: App> Reactor<A> {
    /// When a request must be looked at; `None`: none can become overdue.
    pub(super) fn next_overdue(&self) -> Option<Instant> {
        let config = self.config();
        if self.duty == Duty::Leading && config.threads == 1 {
            // The only thread that could be late is the calling one.
            return None;
        }
        let due = |index| self.overdue.due(index, self.line.place(index).busy()?);
        let next = (0..config.threads).filter_map(due).min()?;
        Some(self.shared.epoch.instant(next))
    }

    /// Does what is due with requests that take too long.
    pub(super) fn attend_to_calls(&mut self, now: Instant) {
        if self.next_overdue().is_none_or(|at| at > now) {
            return;
        }
        let moment = self.shared.epoch.monotonic(now);
        for index in 0..self.config().threads {
            let place = self.line.place(index);
            let Some(busy) = place.busy() else { continue };
            let Some(step) = self.overdue.step(index, busy, self.shared.app.aborts(), moment) else { continue };
            let Some(call) = place.in_progress().filter(|call| call.number == busy.number) else { continue };
            match step {
                Step::Report => {
                    log::warn!("{} (setting timeout); it goes on", describe(&call, moment));
                    self.log_stacks(&call);
                }
                Step::Interrupt => {
                    log::error!("{}; it is interrupted (setting request_interrupt)", describe(&call, moment));
                    self.shared.app.interrupt_call(call.thread);
                }
                Step::Abort => {
                    let text = describe(&call, moment);
                    logging::critical!("WORKER TIMEOUT (pid:{}): {text}; worker_abort is called", std::process::id());
                    self.shared.app.abort_call();
                }
                Step::GiveUp => self.give_up(index, &call, moment, now),
            }
        }
        let since = |index| self.line.place(index).busy().map(|busy| busy.since);
        let since: Vec<_> = (0..self.config().threads).map(since).collect();
        if self.overdue.are_all_late(&since, moment) {
            self.retire();
        }
    }

    /// Answers in the application's place, if no byte of its own answer is out, or cuts the connection.
    fn give_up(&mut self, index: usize, call: &InProgress, moment: Monotonic, now: Instant) {
        let gave_up = self.line.place(index).abandon(call);
        if gave_up == GaveUp::NotYet {
            return self.overdue.put_off(index, moment.after(MOMENT));
        }
        let text = describe(call, moment);
        logging::critical!("WORKER TIMEOUT (pid:{}): {text} (request_timeout, else timeout)", std::process::id());
        let descriptor = self.slots.descriptor(Token(call.connection));
        if gave_up == GaveUp::Yes {
            let mut page = Vec::new();
            let method = call.line.split(' ').next().unwrap_or_default();
            let is_head =
                method == "HEAD" || (self.config().casefold_http_method && method.eq_ignore_ascii_case("HEAD"));
            http::error_page(GIVEN_UP, http::reason(GIVEN_UP), "", self.date.at(now), is_head, &mut page);
            if let Some(descriptor) = descriptor {
                sys::say_last(descriptor, &page);
            }
            self.log_given_up(call, GIVEN_UP, page.len(), moment);
        } else if let Some(descriptor) = descriptor {
            sys::cut(descriptor, Shutdown::Both);
        }
        self.log_stacks(call);
        self.retire();
    }

    /// How many threads are busy with a request that was given up.
    pub(super) fn given_up_count(&self) -> usize {
        let is_given_up = |index: &usize| {
            let busy = self.line.place(*index).busy();
            busy.is_some_and(|busy| self.overdue.has_given_up(*index, busy.number))
        };
        (0..self.config().threads).filter(is_given_up).count()
    }

    /// The requests that threads are busy with, for the log.
    pub(super) fn calls_in_progress(&self) -> String {
        let calls = self.line.exchanges();
        if calls.is_empty() {
            return "none".to_owned();
        }
        calls.iter().map(|call| format!("{:?}", call.line)).collect::<Vec<_>>().join(", ")
    }

    fn log_stacks(&self, call: &InProgress) {
        if let Some(stacks) = self.shared.app.stacks(call.thread) {
            log::error!("Stacks of worker (pid:{}) during {:?}\n{stacks}", std::process::id(), call.line);
        }
    }

    /// The worker leaves without the threads whose requests were cut: nobody else writes their lines of the access log. How
    /// much of the answers has left is not known.
    pub(super) fn log_cut_requests(&mut self) {
        let moment = Monotonic::now();
        for index in 0..self.config().threads {
            let Some(call) = self.line.place(index).in_progress() else { continue };
            if let Some(status) = call.answered
                && self.overdue.has_given_up(index, call.number)
            {
                self.log_given_up(&call, status, 0, moment);
            }
        }
    }

    #[allow(clippy::disallowed_methods)] // The wall clock of a log line.
    fn log_given_up(&mut self, call: &InProgress, status: u16, body_len: usize, moment: Monotonic) {
        let remote = call.peer.map(|peer| peer.to_string()).unwrap_or_default();
        let duration = moment.saturating_since(call.started);
        let (method, target) = call.line.split_once(' ').unwrap_or((&call.line, ""));
        let entry = GivenUp { remote, method, target, status, body_len: body_len as u64, duration };
        if let Some(log) = &mut self.access {
            log.record(&entry, SystemTime::now());
        }
        if let Some(note) = self.note_answer {
            note(&entry);
        }
    }
}

/// `GET /path of 127.0.0.1 has been running for 30.0 s`.
fn describe(call: &InProgress, now: Monotonic) -> String {
    let peer = call.peer.map_or("a unix socket".to_owned(), |peer| peer.to_string());
    let age = now.saturating_since(call.started).as_secs_f64();
    format!("request {:?} of {peer} has been running for {age:.1} s", call.line)
}

/// A request that was given up, for the access log: its thread has all that is not here.
struct GivenUp<'a> {
    remote: String,
    method: &'a str,
    target: &'a str,
    status: u16,
    body_len: u64,
    duration: Duration,
}

impl Entry for GivenUp<'_> {
    fn remote_addr(&self) -> &[u8] {
        self.remote.as_bytes()
    }

    fn method(&self) -> &[u8] {
        self.method.as_bytes()
    }

    fn target(&self) -> &[u8] {
        self.target.as_bytes()
    }

    fn path(&self) -> Cow<'_, [u8]> {
        http::percent_decode(self.target.split('?').next().unwrap_or_default().as_bytes())
    }

    fn query(&self) -> &[u8] {
        self.target.split_once('?').map_or(b"", |(_, query)| query.as_bytes())
    }

    fn protocol(&self) -> &[u8] {
        b"HTTP/1.1"
    }

    fn status(&self) -> Option<u16> {
        Some(self.status)
    }

    fn body_len(&self) -> u64 {
        self.body_len
    }

    fn duration(&self) -> Duration {
        self.duration
    }

    fn request_field(&self, _name: &str) -> Option<&[u8]> {
        None
    }

    fn response_field(&self, _name: &str) -> Option<&[u8]> {
        None
    }

    fn variable(&self, _name: &str) -> Option<&[u8]> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn overdue(limit: Option<u64>, report: Option<u64>, interrupts: bool) -> Overdue {
        let seconds = |time: Option<u64>| time.map(Duration::from_secs);
        let fine = Thread { number: u64::MAX, stage: Stage::Fine };
        Overdue { limit: seconds(limit), report: seconds(report), interrupts, threads: vec![fine; 2] }
    }

    fn at(seconds: u64) -> Monotonic {
        Monotonic(0).after(Duration::from_secs(seconds))
    }

    /// The exchange that began then.
    fn busy(seconds: u64) -> Busy {
        Busy { number: seconds, since: at(seconds) }
    }

    #[test]
    fn a_request_is_given_up_once_when_its_time_is_over() {
        let mut overdue = overdue(Some(30), None, false);
        assert_eq!(overdue.due(0, busy(100)), Some(at(130)));
        assert_eq!(overdue.step(0, busy(100), false, at(129)), None);
        assert_eq!(overdue.step(0, busy(100), false, at(130)), Some(Step::GiveUp));
        assert_eq!(overdue.step(0, busy(100), false, at(131)), None);
        assert_eq!(overdue.due(0, busy(100)), None);
        assert!(overdue.has_given_up(0, 100));
        assert!(!overdue.has_given_up(1, 100));
        assert_eq!(overdue.step(0, busy(140), false, at(150)), None, "another request");
        assert!(!overdue.has_given_up(0, 140));
    }

    #[test]
    fn a_request_that_is_interrupted_gets_a_moment_to_react() {
        let mut overdue = overdue(Some(30), None, true);
        assert_eq!(overdue.step(0, busy(0), false, at(30)), Some(Step::Interrupt));
        assert_eq!(overdue.due(0, busy(0)), Some(at(32)));
        assert_eq!(overdue.step(0, busy(0), false, at(31)), None);
        assert_eq!(overdue.step(0, busy(0), false, at(32)), Some(Step::GiveUp));
    }

    #[test]
    fn what_cannot_be_given_up_yet_is_tried_again() {
        let mut overdue = overdue(Some(30), None, false);
        assert_eq!(overdue.step(0, busy(0), false, at(30)), Some(Step::GiveUp));
        overdue.put_off(0, at(31));
        assert!(!overdue.has_given_up(0, 0));
        assert_eq!(overdue.step(0, busy(0), false, at(30)), None);
        assert_eq!(overdue.step(0, busy(0), false, at(31)), Some(Step::GiveUp));
    }

    #[test]
    fn the_applications_own_function_is_called_while_it_has_one() {
        let mut overdue = overdue(Some(30), None, false);
        overdue.threads.truncate(1);
        assert_eq!(overdue.step(0, busy(0), true, at(30)), Some(Step::Abort));
        assert_eq!(overdue.step(0, busy(0), false, at(32)), Some(Step::GiveUp));
        assert_eq!(overdue.step(0, busy(40), false, at(70)), Some(Step::GiveUp), "it has been called once");
    }

    #[test]
    fn without_a_limit_a_request_is_reported_once() {
        let mut overdue = overdue(None, Some(30), false);
        assert_eq!(overdue.step(1, busy(0), false, at(30)), Some(Step::Report));
        assert_eq!(overdue.step(1, busy(0), false, at(300)), None);
        assert_eq!(overdue.due(1, busy(0)), None);
        assert!(!overdue.are_all_late(&[None, Some(at(0))], at(300)));
        assert!(overdue.are_all_late(&[Some(at(270)), Some(at(0))], at(300)));
        assert!(!overdue.are_all_late(&[Some(at(271)), Some(at(0))], at(300)));
    }

    #[test]
    fn a_request_that_has_waited_for_its_client_is_still_the_same() {
        let mut overdue = overdue(None, Some(30), false);
        assert_eq!(overdue.step(1, busy(0), false, at(30)), Some(Step::Report));
        let later = Busy { since: at(10), ..busy(0) };
        assert_eq!(overdue.step(1, later, false, at(60)), None);
    }
}
