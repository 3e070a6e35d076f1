//! What the reactor is told: by its master over ipc, and by signals.

use std::os::fd::{AsFd, AsRawFd};
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use mio::unix::SourceFd;

use super::Ended;
use super::connection::Phase;
use super::drain::Drain;
use super::listeners::Accepted;
use super::reactor::{Reactor, Turn};
use crate::app::{App, Notice, Notices};
use crate::ipc::{Received, Siblings, ToWorker};
use crate::logging;

impl<A: App> Reactor<A> {
    /// Obeys what signal handlers posted.
    pub(super) fn obey(&mut self, notices: Notices, now: Instant) -> Turn {
        if notices.is_empty() {
            return Turn::GoOn;
        }
        if notices.has(Notice::Abort) {
            return Turn::Leave(Ended::Aborted);
        }
        if notices.has(Notice::Quit) {
            return Turn::Leave(Ended::Quit);
        }
        if notices.has(Notice::Reopen) {
            self.reopen_logs();
        }
        if notices.has(Notice::Drain) {
            // A signal to the whole group says to every worker what the master will say.
            self.take_what_waits(now);
            self.begin_drain(now);
        }
        Turn::GoOn
    }

    /// Takes the orders that have come over ipc, and has the application's own handlers of them run. `Some`: leave at once.
    pub(super) fn read_orders(&mut self, now: Instant) -> Option<Ended> {
        loop {
            match self.ipc.as_ref()?.next() {
                Received::Nothing => return None,
                Received::Message(ToWorker::Quit) => {
                    self.shared.app.interrupt(Notice::Quit);
                    return Some(Ended::Quit);
                }
                Received::Message(ToWorker::Reopen) => {
                    self.shared.app.interrupt(Notice::Reopen);
                    self.reopen_logs();
                }
                Received::Message(ToWorker::Drain) => {
                    self.shared.app.interrupt(Notice::Drain);
                    self.begin_drain(now);
                }
                Received::Message(ToWorker::Stop) => {
                    self.shared.app.interrupt(Notice::Drain);
                    (self.is_alone, self.is_stopping) = (true, true);
                    self.take_what_waits(now);
                    self.begin_drain(now);
                }
                Received::Closed => {
                    log::info!("Parent changed, shutting down: <Worker {}>", std::process::id());
                    self.is_alone = true;
                    if let Some(ipc) = self.ipc.take() {
                        self.private.remove(0);
                        let _ = self.poll.registry().deregister(&mut SourceFd(&ipc.as_fd().as_raw_fd()));
                    }
                    self.begin_drain(now);
                }
            }
        }
    }

    /// Accepts what the kernel has connected. Who is busy leaves it to those who are not: what it took would wait behind its
    /// request.
    fn take_what_waits(&mut self, now: Instant) {
        if self.has_free_thread() || !self.siblings.as_ref().is_some_and(Siblings::any_idle) {
            self.empty_accept_queue(now);
        }
    }

    fn reopen_logs(&mut self) {
        if let Err(error) = logging::reopen() {
            log::error!("cannot reopen the error log: {error}");
        }
        if let Some(access) = &mut self.access
            && let Err(error) = access.reopen()
        {
            log::error!("cannot reopen the access log: {error}");
        }
    }

    /// The server stops: connections that the kernel has completed are ours to serve, at most a backlog of them.
    fn empty_accept_queue(&mut self, now: Instant) {
        for index in self.listeners.indices() {
            for _ in 0..self.config().backlog {
                match self.listeners.accept(index) {
                    Accepted::Connection(stream, server) => {
                        self.welcome(stream, server, now);
                    }
                    Accepted::Nothing | Accepted::Failed(_) => break,
                }
            }
        }
    }

    /// Takes no more, and tells every answer from now on to close its connection.
    fn begin_drain(&mut self, now: Instant) {
        if self.drain.is_some() {
            return;
        }
        let drain = Drain::begin(now, self.config().graceful_timeout, self.config().keepalive);
        self.drain = Some(drain);
        self.shared.is_draining.store(true, Relaxed);
        if let Some(siblings) = self.siblings.as_ref().filter(|_| !self.is_stopping) {
            siblings.say_absent();
        }
        // Closed at once: a fresh master can bind, and nothing waits in a queue that we no longer empty. The others'
        // copies of the same sockets stay open.
        self.listeners.close(&self.poll);
        let here: Vec<_> = self.slots.all_here().map(|(token, ..)| token).collect();
        for token in here {
            let Some(connection) = self.slots.take(token) else { continue };
            let until = match connection.phase {
                Phase::Idle => Some(drain.idle_until),
                Phase::Silent => Some(drain.silent_until),
                Phase::ReadHead | Phase::ReadBody | Phase::AwaitApp | Phase::WriteBody | Phase::Linger => None,
            };
            self.slots.put(token, connection);
            if until.is_some() {
                self.set_deadline(token, until);
            }
        }
    }
}
