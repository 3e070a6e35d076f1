//! The master: owns the listeners and the pid file, forks workers and looks after them. Never runs the application.
//!
//! [`supervisor`] decides and is pure; [`run`] obeys it and owns sockets, pids and the clock, with [`binding`] for the
//! listeners, [`workers`] for the ends of the ipc sockets, [`reload`] and [`trial`] for a HUP, [`upgrade`] for USR2, [`molds`] for preloading and [`signals`] for their numbers;
//! [`pidfile`] is the file that init scripts read, [`hung`] the last look at a worker that is silent. What the master needs
//! of rooms it may not see comes in as [`Crew`].

mod binding;
mod crew;
mod herald;
mod hung;
mod molds;
pub mod pidfile;
mod reload;
mod run;
mod service;
mod signals;
pub mod supervisor;
mod trial;
mod upgrade;
mod workers;

pub use crew::{Born, Crew, Ended, Forked, Heritage};
pub use molds::MoldBorn;
pub use run::run;
