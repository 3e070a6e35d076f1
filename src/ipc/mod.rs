//! What master and workers tell each other.
//!
//! [`channel`] carries what must be ordered: one socket pair per worker, one packet per message. [`scoreboard`] carries
//! what is only looked at: one line of atomics per worker in shared memory, and behind it what its threads are busy with
//! ([`exchanges`]). [`mold`] carries orders to the process that forks preloaded workers. [`inbox`] carries connections between workers, [`siblings`] says to whom. All are made before the fork.

pub mod channel;
pub mod exchanges;
pub mod inbox;
pub mod mold;
pub mod scoreboard;
pub mod siblings;

pub use channel::{FromWorker, MasterEnd, Received, ToWorker, WorkerEnd, pair};
pub use exchanges::{Abandoned, Busy, GaveUp, InProgress, Place, Watched};
pub use inbox::{Inboxes, Packet};
pub use mold::{FromMold, MoldEnd, MoldsMaster, Wish, mold_pair};
pub use scoreboard::{Activity, MAX_THREADS, MAX_WORKERS, Scoreboard, WorkerLine};
pub use siblings::Siblings;
