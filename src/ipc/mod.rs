//! What master and workers tell each other.
//!
//! [`channel`] carries what must be ordered: one socket pair per worker, one packet per message. [`scoreboard`] carries
//! what is only looked at: one line of atomics per worker in shared memory. Both are made before the fork.

pub mod channel;
pub mod scoreboard;

pub use channel::{FromWorker, MasterEnd, Received, ToWorker, WorkerEnd, pair};
pub use scoreboard::{Activity, MAX_WORKERS, Scoreboard, WorkerLine};
