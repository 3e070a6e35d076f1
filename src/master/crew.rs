//! What the master asks of rooms that it may not see, and what it gives to the processes that it forks.

use std::io;
use std::sync::Arc;

use super::molds::MoldBorn;
use super::supervisor::Berth;
use crate::config::Config;
use crate::ipc::{Siblings, WorkerEnd, WorkerLine};
use crate::net::Listener;

/// What the master asks of rooms that it may not see.
pub trait Crew {
    /// The master is about to listen. How many workers there shall be by now, if that has changed. Errors: the program ends;
    /// the text says why.
    fn starting(&mut self) -> Result<Option<usize>, String>;

    /// How many listening sockets a service manager has opened for this process, from descriptor 3 on.
    fn sockets(&mut self) -> usize;

    /// It listens at these descriptors, and has forked nobody. Errors: the program ends; the text says why.
    fn ready(&mut self, descriptors: &[i32]) -> Result<(), String>;

    /// A worker with these settings and this number is about to be forked. Called with signals as they are.
    fn before_fork(&mut self, config: &Arc<Config>, id: u16);

    /// Forks. Called with signals blocked. Errors: as fork(2).
    fn fork(&mut self) -> io::Result<Forked>;

    /// A mold is about to be told to fork worker `id` with these settings. Returns what the worker must know of it.
    fn before_order(&mut self, config: &Arc<Config>, id: u16) -> Vec<u8>;

    /// The mold has forked worker `id`, or has not (`None`).
    fn ordered(&mut self, id: u16, pid: Option<i32>);

    /// The worker was forked, or was not (`None`). In the master.
    fn forked(&mut self, pid: Option<i32>);

    /// Becomes the program as it lies on the disk, a second master at these sockets. Called in a process of its own.
    fn execute_anew(&mut self, descriptors: &[i32]) -> !;

    /// The master that has made this one has gone.
    fn promoted(&mut self);

    /// A worker has ended, and what is said of it has been logged.
    fn ended(&mut self, pid: i32);

    /// Somebody has asked for another number of workers.
    fn resized(&mut self, new: usize, old: usize);

    /// Reads the settings as [`Crew::reread`] would, in a process of its own that ends afterwards. Errors: what is wrong.
    fn try_settings(&mut self) -> Result<(), String>;

    /// Reads the settings again; there shall be `workers` now. Nothing has changed yet; on an error the text says what is
    /// wrong.
    fn reread(&mut self, workers: usize) -> Result<Arc<Config>, String>;

    /// These settings, which were read earlier, are in force: applies what this process takes from them.
    fn adopt(&mut self, config: &Arc<Config>);

    /// Opens the log files anew.
    fn reopen_logs(&mut self);

    /// Called about once a second.
    fn tick(&mut self);
}

/// Which of the two processes this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forked {
    /// The master; the child's pid.
    Master(i32),
    /// The new worker.
    Worker,
}

/// What a new worker has of the master.
#[derive(Debug)]
pub struct Born {
    /// Its place.
    pub berth: Berth,
    /// The settings of its generation.
    pub config: Arc<Config>,
    /// The master's listeners: this process's copies.
    pub listeners: Vec<Arc<Listener>>,
    /// Its end of the ipc socket.
    pub ipc: WorkerEnd,
    /// Its line of the scoreboard.
    pub line: WorkerLine,
    /// The other workers; `None` where there are none to pass connections to.
    pub siblings: Option<Siblings>,
}

/// What a master has left to this one, which it has made by USR2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heritage {
    /// That master.
    pub master: i32,
    /// Its listeners, by number, in the order of its addresses.
    pub descriptors: Vec<i32>,
}

/// How the loop ended.
pub enum Ended {
    /// In the master: with this exit code.
    Stopped(i32),
    /// In a new worker: be that.
    Born(Box<Born>),
    /// In a new mold: be that.
    Mold(Box<MoldBorn>),
}
