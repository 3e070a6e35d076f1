//! The master: owns the listeners and the pid file, forks workers and looks after them. Never runs the application.
//!
//! [`supervisor`] decides and is pure; [`run`] obeys it and owns sockets, pids and the clock; [`pidfile`] is the file
//! that init scripts read, [`hung`] the last look at a worker that is silent. What the master needs of rooms it may not see comes in as [`Crew`].

mod hung;
pub mod pidfile;
mod run;
pub mod supervisor;

pub use run::{Born, Crew, Ended, Forked, run};
