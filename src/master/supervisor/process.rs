//! One worker process as the supervisor sees it: its state, its deadlines, and the line that is logged when it has ended.
//!
//! Decides nothing: it says when something is due; the supervisor says what follows.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use super::messages::{
    Berth, Ended, Generation, LastSight, Level, Memory, Pid, Plan, SIGABRT, SIGKILL, SIGQUIT, SIGTERM,
};

/// From [`State::Quit`] to SIGQUIT, and from [`State::Recall`] to SIGTERM: a worker that reads its ipc needs a few milliseconds, one that imports never reads it.
pub const QUIT_HINT: Duration = Duration::from_millis(200);
/// From [`State::Quit`], [`State::Recall`] or [`State::Fail`] to SIGKILL: requests are cut at once, threads and `atexit`
/// handlers of the application get this long. Gunicorn's quick shutdown waits as long.
pub const QUIT_LIMIT: Duration = Duration::from_secs(2);
/// From SIGABRT to SIGKILL: time for the hook `worker_abort`. Gunicorn's loop comes round as often.
pub const ABORT_LIMIT: Duration = Duration::from_secs(1);

/// No deadline lies further off, so that no setting can overflow the clock.
const FAR: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// What a worker process is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Loads the application; ends with `Booted` or not at all.
    Boot,
    /// Serves.
    Serve,
    /// Serves, and waits for the one that will replace it.
    Retire,
    /// Finishes what it has, within `graceful_timeout`.
    Drain,
    /// Was told to leave while it boots. If it has booted just then, it has accepted connections, and drains.
    Recall,
    /// Was told to leave at once.
    Quit,
    /// Could not boot and leaves by itself.
    Fail,
    /// Was silent too long and was sent SIGABRT.
    Abort,
    /// Was sent SIGKILL.
    Kill,
}

impl State {
    /// Whether the process counts on keeping its seat: it was neither told to leave nor given up.
    pub(super) fn stays(self) -> bool {
        match self {
            State::Boot | State::Serve | State::Retire => true,
            State::Drain | State::Recall | State::Quit | State::Fail | State::Abort | State::Kill => false,
        }
    }

    /// Whether the process accepts connections.
    pub fn serves(self) -> bool {
        self.stays() && self != State::Boot
    }
}

/// Why we signalled a process; the words of its obituary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Silent longer than `timeout`, or longer in booting than `boot_timeout`.
    Timeout,
    /// Drained longer than `graceful_timeout`.
    Grace,
    /// Did not leave when told to leave at once.
    Quick,
}

/// A worker from its fork until it is reaped.
#[derive(Debug)]
pub struct Process {
    /// Where it belongs.
    pub berth: Berth,
    /// The plan of its generation. A reload does not shorten the deadlines of those that serve.
    pub plan: Plan,
    /// How many were spawned before it: the lower, the older.
    pub birth: u64,
    /// What it is at; changed by [`Process::enter`] alone.
    pub state: State,
    /// When it became ready.
    pub booted_at: Option<Instant>,
    /// When `state` was entered.
    since: Instant,
    /// Its newest sign of life.
    beat: Instant,
    /// The signals we sent, in order, and why the last.
    sent: Vec<i32>,
    cause: Cause,
}

impl Process {
    /// A process that has just been forked.
    pub fn new(berth: Berth, plan: Plan, birth: u64, now: Instant) -> Self {
        let (state, sent, cause) = (State::Boot, Vec::new(), Cause::Quick);
        Process { berth, plan, birth, state, booted_at: None, since: now, beat: now, sent, cause }
    }

    /// The higher of two in a seat takes over from the other.
    pub fn rank(&self) -> (Generation, u64) {
        (self.berth.generation, self.birth)
    }

    /// Changes the state.
    pub fn enter(&mut self, state: State, now: Instant) {
        self.state = state;
        self.since = now;
    }

    /// From here on it serves, and its silence counts.
    pub fn boot(&mut self, now: Instant) {
        self.enter(State::Serve, now);
        self.booted_at = Some(now);
        self.beat = now;
    }

    /// Takes in a sign of life; an older one than the last changes nothing.
    pub fn renew(&mut self, at: Instant) {
        self.beat = self.beat.max(at);
    }

    /// Remembers a signal that we send.
    pub fn note(&mut self, signal: i32, cause: Cause) {
        self.sent.push(signal);
        self.cause = cause;
    }

    /// When the next thing must happen to it, if it does not move by itself. Due from that instant on.
    pub fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Boot => Some(later(self.since, self.plan.boot_timeout)),
            State::Serve => [self.lifetime_end(), self.silent_at()].into_iter().flatten().min(),
            State::Retire => self.silent_at(),
            State::Drain => [self.graceful_end(), self.silent_at()].into_iter().flatten().min(),
            State::Recall | State::Quit if self.sent.is_empty() => Some(later(self.since, QUIT_HINT)),
            State::Recall | State::Quit | State::Fail => self.quit_end(),
            State::Abort => Some(later(self.since, ABORT_LIMIT)),
            State::Kill => None,
        }
    }

    /// When a worker that serves has done so for `max_worker_lifetime`.
    pub fn lifetime_end(&self) -> Option<Instant> {
        let (lifetime, booted_at) = (self.plan.max_lifetime?, self.booted_at?);
        let spread = self.plan.lifetime_jitter.mul_f64(fraction(self.birth));
        (self.state == State::Serve).then(|| later(booted_at, lifetime.saturating_add(spread)))
    }

    /// When a draining worker has had its `graceful_timeout`.
    pub fn graceful_end(&self) -> Option<Instant> {
        (self.state == State::Drain).then(|| later(self.since, self.plan.graceful_timeout))
    }

    /// When a worker that leaves at once has had its time.
    pub fn quit_end(&self) -> Option<Instant> {
        matches!(self.state, State::Recall | State::Quit | State::Fail).then(|| later(self.since, QUIT_LIMIT))
    }

    /// Whether it has been ready for at least `span`.
    pub fn has_served(&self, span: Duration, now: Instant) -> bool {
        self.booted_at.is_some_and(|at| now.saturating_duration_since(at) >= span)
    }

    /// The line to log when it has ended. A SIGKILL of ours is not blamed on the memory.
    pub fn obituary(&self, pid: Pid, ended: Ended, last: &LastSight) -> (Level, String) {
        let (level, mut text) = self.end_of(pid, ended, last.memory);
        if last.lost.is_empty() {
            return (level, text);
        }
        text.push_str(" Requests lost: ");
        text.push_str(&last.lost.join(", "));
        (level.max(Level::Warning), text)
    }

    fn end_of(&self, pid: Pid, ended: Ended, memory: Memory) -> (Level, String) {
        let Pid(pid) = pid;
        let signal = match ended {
            Ended::Code(0) => {
                return (Level::Debug, format!("Worker (pid:{pid}) exited with code 0."));
            }
            Ended::Code(code) => {
                return (Level::Error, format!("Worker (pid:{pid}) exited with code {code}."));
            }
            Ended::Signal(signal) => signal,
        };
        if self.sent.contains(&signal) {
            return match self.cause {
                Cause::Timeout => (Level::Warning, format!("Worker (pid:{pid}) was killed after WORKER TIMEOUT.")),
                Cause::Grace => (Level::Warning, format!("Worker (pid:{pid}) was killed after graceful_timeout.")),
                Cause::Quick if signal == SIGTERM => {
                    (Level::Debug, format!("Worker (pid:{pid}) was ended by SIGTERM."))
                }
                Cause::Quick if signal == SIGQUIT => (Level::Info, format!("Worker (pid:{pid}) was ended by SIGQUIT.")),
                Cause::Quick => (Level::Warning, format!("Worker (pid:{pid}) was killed: it did not quit in time.")),
            };
        }
        match signal {
            SIGKILL => {
                let why = match memory {
                    Memory::Short => "Out of memory.",
                    Memory::Enough => "By somebody else: neither the master nor want of memory did it.",
                    Memory::Unknown => "Perhaps out of memory?",
                };
                (Level::Error, format!("Worker (pid:{pid}) was sent SIGKILL! {why}"))
            }
            crash if CRASHES.contains(&crash) => {
                (Level::Error, format!("Worker (pid:{pid}) was sent {}! It has crashed.", signal_name(crash)))
            }
            SIGTERM => (Level::Info, format!("Worker (pid:{pid}) was sent SIGTERM!")),
            other => (Level::Warning, format!("Worker (pid:{pid}) was sent {}!", signal_name(other))),
        }
    }

    /// When its silence has lasted longer than `timeout`. Gunicorn asks for "longer", not "as long": hence the nanosecond.
    fn silent_at(&self) -> Option<Instant> {
        let timeout = self.plan.timeout?;
        Some(later(self.beat, timeout.saturating_add(Duration::from_nanos(1))))
    }
}

/// How a process ended, as the second half of a sentence.
pub fn ending(ended: Ended) -> String {
    match ended {
        Ended::Code(code) => format!("exited with code {code}"),
        Ended::Signal(signal) => format!("was ended by {}", signal_name(signal)),
    }
}

/// `at` plus `span`, for any span.
pub fn later(at: Instant, span: Duration) -> Instant {
    at + span.min(FAR)
}

/// A number from 0 to 1, well apart from those of neighbours: so lifetimes that began together end apart.
fn fraction(birth: u64) -> f64 {
    // Multiples of the golden ratio fill an interval more evenly than chance does.
    (birth as f64 * 0.618_033_988_749_895).fract()
}

/// What the processor or the C library sends to a program that went wrong: ILL, TRAP, ABRT, BUS, FPE, SEGV, SYS.
const CRASHES: [i32; 7] = [4, 5, SIGABRT, 7, 8, 11, 31];

/// The name of a signal, Linux numbering.
///
/// Source: signal(7).
fn signal_name(signal: i32) -> Cow<'static, str> {
    let name = match signal {
        1 => "SIGHUP",
        2 => "SIGINT",
        SIGQUIT => "SIGQUIT",
        4 => "SIGILL",
        5 => "SIGTRAP",
        SIGABRT => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        SIGKILL => "SIGKILL",
        10 => "SIGUSR1",
        11 => "SIGSEGV",
        12 => "SIGUSR2",
        13 => "SIGPIPE",
        14 => "SIGALRM",
        SIGTERM => "SIGTERM",
        16 => "SIGSTKFLT",
        24 => "SIGXCPU",
        25 => "SIGXFSZ",
        26 => "SIGVTALRM",
        27 => "SIGPROF",
        29 => "SIGIO",
        30 => "SIGPWR",
        31 => "SIGSYS",
        other => return Cow::Owned(format!("signal {other}")),
    };
    Cow::Borrowed(name)
}
