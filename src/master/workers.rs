//! The workers as the master's loop holds them: by pid, each with its end of the ipc socket and its line of the scoreboard.
//!
//! Says what they have told and passes on what they are told; decides nothing. Knows the inboxes, too: what lies in the one
//! of a worker that has gone is passed on from here.
#![allow(clippy::disallowed_methods)] // Called by the loop, which reads the clock.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::sync::Arc;
use std::time::Instant;

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};

use super::supervisor::{BootFailure, Fact, Pid, Word};
use crate::config::Config;
use crate::ipc::{FromWorker, Inboxes, MAX_WORKERS, MasterEnd, Received, Scoreboard, Siblings, ToWorker, WorkerLine};
use crate::sys::Monotonic;

/// The first token that is a worker's; those below are the loop's own.
pub(super) const FIRST_WORKER: usize = 8;

/// Every worker that has not been reaped.
pub(super) struct Workers {
    scoreboard: Scoreboard,
    inboxes: Inboxes,
    hands: HashMap<i32, Hand>,
}

/// What the master holds of one worker.
struct Hand {
    id: u16,
    /// The settings that it was made with.
    config: Arc<Config>,
    ipc: MasterEnd,
    line: WorkerLine,
}

impl Workers {
    /// Nobody yet; `count` are expected. Errors: no memory or no descriptors.
    pub(super) fn new(count: usize) -> io::Result<Self> {
        let mut inboxes = Inboxes::default();
        for id in 0..=count.min(MAX_WORKERS - 1) as u16 {
            // Those who are forked first know those who come later.
            inboxes.open(id)?;
        }
        Ok(Self { scoreboard: Scoreboard::new()?, inboxes, hands: HashMap::new() })
    }

    /// Makes the place of a worker that is about to be forked ready: its line of the scoreboard, its inbox.
    pub(super) fn prepare(&mut self, id: u16) -> WorkerLine {
        let line = self.scoreboard.line(id);
        line.clear();
        if let Err(error) = self.inboxes.open(id) {
            log::warn!("connections cannot be passed to worker {id}: {error}");
        }
        line
    }

    /// The same places without anybody in them, for a process that will be one of the workers.
    pub(super) fn for_mold(&self) -> Self {
        Self { scoreboard: self.scoreboard.clone(), inboxes: self.inboxes.clone(), hands: HashMap::new() }
    }

    /// All descriptors of all inboxes.
    pub(super) fn inbox_descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.inboxes.descriptors()
    }

    /// The line of a worker that the master has prepared.
    pub(super) fn line_of(&self, id: u16) -> WorkerLine {
        self.scoreboard.line(id)
    }

    /// The other workers, as worker `id` will see them.
    pub(super) fn siblings_of(&self, id: u16) -> Siblings {
        Siblings::new(self.scoreboard.clone(), id, self.inboxes.clone())
    }

    /// Takes in a worker that has been forked.
    pub(super) fn add(
        &mut self,
        pid: i32,
        (id, config): (u16, Arc<Config>),
        ipc: MasterEnd,
        line: WorkerLine,
        registry: &Registry,
    ) {
        let descriptor = ipc.as_fd().as_raw_fd();
        let token = Token(FIRST_WORKER + usize::from(id));
        if let Err(error) = registry.register(&mut SourceFd(&descriptor), token, Interest::READABLE) {
            // Its words are still heard, once a tick.
            log::warn!("cannot watch worker {pid}: {error}");
        }
        self.hands.insert(pid, Hand { id, config, ipc, line });
    }

    /// What all of them have said since the last round.
    pub(super) fn hear_all(&self, now: Instant) -> Vec<Fact> {
        self.hands.keys().flat_map(|&pid| self.hear(pid, now)).collect()
    }

    /// What one of them has said since it was heard last.
    pub(super) fn hear(&self, pid: i32, now: Instant) -> Vec<Fact> {
        let Some(hand) = self.hands.get(&pid) else { return Vec::new() };
        let pid = Pid(pid);
        let mut facts = Vec::new();
        if let Some(beat) = hand.line.last_beat() {
            facts.push(Fact::Beat { pid, at: beat.to_instant(Monotonic::now(), now) });
        }
        while let Received::Message(message) = hand.ipc.next() {
            facts.push(match message {
                FromWorker::Booted => Fact::Booted { pid },
                FromWorker::AppNotLoaded => Fact::BootFailed { pid, failure: BootFailure::AppLoad },
                FromWorker::BootFailed => Fact::BootFailed { pid, failure: BootFailure::Boot },
                FromWorker::Retiring => Fact::Retiring { pid },
            });
        }
        facts
    }

    /// Tells one of them something. One that has just died is reaped in the next round.
    pub(super) fn tell(&self, pid: i32, word: Word) {
        let message = match word {
            Word::Drain => ToWorker::Drain,
            Word::Stop => ToWorker::Stop,
            Word::Quit => ToWorker::Quit,
            Word::Reopen => ToWorker::Reopen,
        };
        if let Some(hand) = self.hands.get(&pid)
            && let Err(error) = hand.ipc.tell(message)
        {
            log::debug!("worker {pid} cannot be told: {error}");
        }
    }

    /// Every pid.
    pub(super) fn pids(&self) -> impl Iterator<Item = i32> + '_ {
        self.hands.keys().copied()
    }

    /// The requests that are in the application of one of them, each as `GET /path (1.3 s)`.
    pub(super) fn unfinished(&self, pid: i32) -> Vec<String> {
        let now = Monotonic::now();
        let calls = self.hands.get(&pid).map(|hand| hand.line.exchanges()).unwrap_or_default();
        let shown = calls.iter().filter(|call| !call.is_abandoned).map(|call| {
            let age = now.saturating_since(call.started).as_secs_f64();
            format!("{} ({age:.1} s)", call.line.escape_debug())
        });
        shown.collect()
    }

    /// The settings that it was made with.
    pub(super) fn config(&self, pid: i32) -> Option<&Arc<Config>> {
        self.hands.get(&pid).map(|hand| &hand.config)
    }

    /// Its line of the scoreboard.
    pub(super) fn line(&self, pid: i32) -> Option<&WorkerLine> {
        self.hands.get(&pid).map(|hand| &hand.line)
    }

    /// Lets go of a worker that was reaped. What lies in its inbox goes to the others.
    pub(super) fn forget(&mut self, pid: i32, registry: &Registry) {
        if let Some(hand) = self.hands.remove(&pid) {
            let descriptor = hand.ipc.as_fd().as_raw_fd();
            let _ = registry.deregister(&mut SourceFd(&descriptor));
            hand.line.leave();
            self.scoreboard.lower_flag(hand.id);
            self.forward(hand.id);
        }
    }

    /// Passes what lies in the inbox of a worker that has gone on to another one.
    fn forward(&self, worker_id: u16) {
        // Where descriptors are short, what is left waits for the next worker with this id.
        while let Ok(Some(packet)) = self.inboxes.receive(worker_id) {
            let others = self.hands.values().map(|hand| hand.id).filter(|&id| id != worker_id);
            let descriptors: Vec<_> = packet.descriptors.iter().map(AsFd::as_fd).collect();
            let mut heirs = self.scoreboard.heirs(others).into_iter();
            if !heirs.any(|to| self.inboxes.send(to, &packet.bytes, &descriptors).is_ok()) {
                log::warn!("a connection on its way to worker {worker_id} is lost with it: no other worker takes it");
            }
        }
    }
}
