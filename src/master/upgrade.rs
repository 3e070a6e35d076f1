//! USR2: a new master beside this one, of the program as it lies on the disk by now, with copies of our listeners.

use std::os::fd::{AsFd, AsRawFd};

use super::crew::Forked;
use super::run::Master;
use super::supervisor::{Fact, Pid};
use crate::sys;

impl Master<'_> {
    /// Makes the new master.
    pub(super) fn upgrade(&mut self) -> Fact {
        let generation = self.supervisor.generation();
        let listeners = self.loads.get(&generation).map(|load| load.listeners.clone()).unwrap_or_default();
        let descriptors: Vec<i32> = listeners.iter().map(|listener| listener.as_fd().as_raw_fd()).collect();
        sys::block_all();
        let forked = self.crew.fork();
        match forked {
            Ok(Forked::Master(pid)) => {
                sys::unblock_all();
                log::info!("New master with pid: {pid}");
                Fact::Upgraded { pid: Pid(pid) }
            }
            Ok(Forked::Worker) => {
                sys::default_all();
                sys::unblock_all();
                self.crew.execute_anew(&descriptors)
            }
            Err(error) => {
                sys::unblock_all();
                log::error!("cannot make a new master: {error}");
                Fact::UpgradeFailed
            }
        }
    }

    /// Notices that the master that has made this one has gone.
    pub(super) fn look_for_parent(&mut self) {
        if self.parent.take_if(|parent| sys::parent() != *parent).is_none() {
            return;
        }
        self.facts.push_back(Fact::Promoted);
    }

    /// What is this master's alone by now: the name, and the pid file without `.2`.
    pub(super) fn take_over(&mut self) {
        self.crew.promoted();
        if let Some(config) = self.loads.get(&self.supervisor.generation()).map(|load| load.config.clone()) {
            self.renew_pidfile(&config);
        }
    }

    /// As long as another master serves at the same sockets, their files are not ours to remove.
    pub(super) fn share_socket_files(&self) {
        let has_twin = self.supervisor.has_twin();
        for listener in self.listeners() {
            listener.leave_file(has_twin);
        }
    }
}
