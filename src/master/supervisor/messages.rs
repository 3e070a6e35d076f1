//! The language of the supervisor: what it is told (facts) and what it answers (orders), with the few names both need.
//!
//! Plain data, no behaviour. The loop that owns sockets, pids and the clock makes the facts and obeys the orders.

use std::time::{Duration, Instant};

/// Asks a worker to leave: at once while it boots, else when it has finished what it has. The backstop of [`Word::Drain`] for
/// one that boots. Linux value.
pub const SIGTERM: i32 = 15;
/// Asks a worker to leave at once; the backstop of [`Word::Quit`]. Linux value.
pub const SIGQUIT: i32 = 3;
/// Ends a silent worker, leaving it a moment for `worker_abort`. Linux value.
pub const SIGABRT: i32 = 6;
/// Ends any process. Linux value.
pub const SIGKILL: i32 = 9;

/// The settings that the supervisor itself acts upon; each generation has its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Setting `workers`; 0 is legal (nothing serves), at most [`super::MOST_WORKERS`].
    pub workers: usize,
    /// Setting `daemon`: whether WINCH means something.
    pub is_daemon: bool,
    /// Setting `timeout`: how long a booted worker may be silent. `None`: for ever.
    pub timeout: Option<Duration>,
    /// Setting `graceful_timeout`: how long a worker may drain. Zero: killed as soon as the loop looks again.
    pub graceful_timeout: Duration,
    /// Setting `boot_timeout`: how long a worker may take from its fork until it has booted.
    pub boot_timeout: Duration,
    /// Setting `reload_surge`: workers that a reload boots at once beside those that serve; at least 1.
    pub reload_surge: usize,
    /// Setting `shutdown_delay`: how long the server goes on after TERM.
    pub shutdown_delay: Duration,
    /// Setting `max_worker_lifetime`: how long a worker serves before it is replaced. `None`: for ever.
    pub max_lifetime: Option<Duration>,
    /// Setting `max_worker_lifetime_jitter`: over what time the ends of lifetimes are spread.
    pub lifetime_jitter: Duration,
    /// Setting `max_worker_memory`: resident memory above which a worker is replaced, in MiB. `None`: any.
    pub max_memory: Option<u64>,
}

/// Number of a seat, counted from 0. A seat outlives the process in it, and holds two during a hand-over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeatIdx(pub u16);

/// Number of a worker, unique among the living: the lowest free one at its birth. Indexes the scoreboard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkerId(pub u16);

/// Process id of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pid(pub i32);

/// Which load of settings and code a worker runs: 1 at the start, one more with each reload, never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation(pub u32);

/// Where a worker belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Berth {
    /// Its number among the living.
    pub id: WorkerId,
    /// The seat it fills.
    pub seat: SeatIdx,
    /// The settings and code it loads.
    pub generation: Generation,
}

/// How a process ended, as `waitid` tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It exited with this code.
    Code(i32),
    /// This signal ended it.
    Signal(i32),
}

/// What was seen of a worker when it had ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LastSight {
    /// The requests that were in the application and ended with it, with how long they had been.
    pub lost: Vec<String>,
    /// Whether the kernel killed it for want of memory.
    pub memory: Memory,
}

/// Did the kernel end a process for want of memory?
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Memory {
    /// Nobody counts such ends here.
    #[default]
    Unknown,
    /// It did: the control group has counted one more.
    Short,
    /// It did not.
    Enough,
}

/// Why a worker could not boot, in its own words; it has logged the traceback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BootFailure {
    /// The application was not found in its module, or is not callable.
    AppLoad,
    /// Anything else before it was ready: an import error, a hook that raised.
    Boot,
}

/// A signal that reached the master.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the signals' own")]
pub enum Signal {
    Term,
    Int,
    Quit,
    Hup,
    Ttin,
    Ttou,
    Usr1,
    Usr2,
    Winch,
    Chld,
}

/// Something that has happened.
///
/// About one process the order is: `Spawned`, then the rest, `Exited` last. Each [`Order::Spawn`] is answered by `Spawned` or
/// `NotSpawned`, each [`Order::Reload`] by `Reloaded` or `ReloadFailed`. Before a `Tick` come the `Beat`s that can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// The listeners are bound: the first generation may be spawned.
    Started,
    /// The worker exists.
    Spawned {
        /// As ordered.
        berth: Berth,
        /// The new process.
        pid: Pid,
    },
    /// The fork failed; the seat is tried again later.
    NotSpawned {
        /// As ordered.
        berth: Berth,
        /// The system's words.
        reason: String,
    },
    /// The process that was to load the application for all workers of a generation has failed; it has logged why. The forks
    /// that were ordered of it have not been answered.
    NotPreloaded {
        /// Which.
        generation: Generation,
        /// What happened, as the second half of a sentence.
        reason: String,
    },
    /// The worker has loaded the application and accepts.
    Booted {
        /// Who.
        pid: Pid,
    },
    /// The worker could not load the application and is about to exit.
    BootFailed {
        /// Who.
        pid: Pid,
        /// Why.
        failure: BootFailure,
    },
    /// The worker asks to be replaced (`max_requests`); it serves on until it is told to drain.
    Retiring {
        /// Who.
        pid: Pid,
    },
    /// The resident memory of a worker, in MiB. Told of those whose plan limits it.
    Weighed {
        /// Who.
        pid: Pid,
        /// How much.
        memory: u64,
    },
    /// The newest sign of life of a worker.
    Beat {
        /// Who.
        pid: Pid,
        /// When it was given.
        at: Instant,
    },
    /// A child was reaped.
    Exited {
        /// Who; a child that is no worker of ours is legal.
        pid: Pid,
        /// How.
        ended: Ended,
        /// What was seen of it.
        last: LastSight,
    },
    /// A signal reached the master.
    Signal(Signal),
    /// The settings were read again and are sound.
    Reloaded(Plan),
    /// The settings could not be read; the reason has been logged.
    ReloadFailed,
    /// A new master, made by [`Order::Upgrade`], exists.
    Upgraded {
        /// Its process.
        pid: Pid,
    },
    /// No new master could be made; the reason has been logged.
    UpgradeFailed,
    /// The master that made this one has gone.
    Promoted,
    /// Time has passed.
    Tick,
}

/// What a worker is told over ipc.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// Take no more, finish, hand idle connections over, leave.
    Drain,
    /// The server stops: empty the accept queue first, then drain.
    Stop,
    /// Leave at once.
    Quit,
    /// Open the log files again.
    Reopen,
}

/// Level of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the names are those of the setting `loglevel`")]
pub enum Level {
    Debug,
    Info,
    Warning,
    Error,
    Critical,
}

/// Something the caller must do, in the order given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// Fork a worker.
    Spawn(Berth),
    /// Send a word over ipc.
    Tell {
        /// To whom.
        pid: Pid,
        /// What.
        word: Word,
    },
    /// Send a signal: the backstop.
    Kill {
        /// To whom.
        pid: Pid,
        /// [`SIGTERM`], [`SIGQUIT`], [`SIGABRT`] or [`SIGKILL`].
        signal: i32,
    },
    /// Read the settings again.
    Reload,
    /// Start a new master beside this one, on the same sockets. Source: Gunicorn, USR2.
    Upgrade,
    /// Open the master's log files again.
    ReopenLogs,
    /// Write to the error log.
    Log(Level, String),
    /// The last order: close the listeners, remove the pid file, exit.
    Exit {
        /// One of [`crate::exit`].
        code: i32,
    },
}
