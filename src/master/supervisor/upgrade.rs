//! USR2: a new master, of the program as it lies on the disk by now, serves beside this one until either leaves.
//!
//! The operator decides which: TERM for the old one completes the upgrade, TERM for the new one takes it back.

use super::Supervisor;
use super::messages::{Ended, Level, Order, Pid};
use super::process::ending;

/// The other master.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upgrade {
    /// There is none.
    None,
    /// One was ordered.
    Ordered,
    /// We have made it.
    Child(Pid),
    /// It has made us, and is still there.
    Parent,
}

impl Supervisor {
    /// The master that USR2 has made, while it lives.
    pub fn successor(&self) -> Option<Pid> {
        match self.upgrade {
            Upgrade::Child(pid) => Some(pid),
            Upgrade::None | Upgrade::Ordered | Upgrade::Parent => None,
        }
    }

    /// Whether the master that made this one is still there.
    pub fn has_predecessor(&self) -> bool {
        self.upgrade == Upgrade::Parent
    }

    /// Orders a new master, unless there are two already.
    pub(super) fn ask_for_upgrade(&mut self) {
        match self.upgrade {
            Upgrade::None if self.is_stopping() => self.log(Level::Warning, "USR2 signal ignored. The server stops."),
            Upgrade::None => {
                self.upgrade = Upgrade::Ordered;
                self.orders.push(Order::Upgrade);
            }
            Upgrade::Ordered | Upgrade::Child(_) => self.log(Level::Warning, "USR2 signal ignored. Child exists."),
            Upgrade::Parent => self.log(Level::Warning, "USR2 signal ignored. Parent exists."),
        }
    }

    /// The master that made us has gone: the sockets, the pid file and the name are ours.
    pub(super) fn promote(&mut self) {
        if self.upgrade == Upgrade::Parent {
            self.upgrade = Upgrade::None;
            self.log(Level::Info, "Master has been promoted.");
        }
    }

    /// Was it the new master that ended? Then this one goes on alone.
    pub(super) fn bury_upgrade(&mut self, pid: Pid, ended: Ended) -> bool {
        let is_it = self.upgrade == Upgrade::Child(pid);
        if is_it {
            self.upgrade = Upgrade::None;
            self.log(Level::Warning, format!("New master (pid:{}) {}: this one serves on.", pid.0, ending(ended)));
        }
        is_it
    }
}
