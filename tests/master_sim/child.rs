//! A worker process of the simulated world: what it will do, and what it was told.

use std::time::Instant;

use indrik::master::supervisor::{Berth, BootFailure, Ended, Plan};

/// What a child will do by itself.
#[derive(Clone, Copy, Debug)]
pub enum Event {
    Boot,
    FailBoot(BootFailure),
    Retire,
    Exit(Ended),
}

/// A worker process of the world.
pub struct Child {
    pub berth: Berth,
    pub plan: Plan,
    pub next: Option<(Instant, Event)>,
    /// Reads no ipc and gives no sign of life.
    pub is_hung: bool,
    pub spawned_at: Instant,
    pub booted_at: Option<Instant>,
    /// The newest sign of life that was told.
    pub beat: Instant,
    pub failed_at: Option<Instant>,
    pub drained_at: Option<Instant>,
    /// When it was told to leave while it booted.
    pub recalled_at: Option<Instant>,
    pub quit_at: Option<Instant>,
    pub aborted_at: Option<Instant>,
    pub is_killed: bool,
}

impl Child {
    pub fn is_wanted(&self) -> bool {
        let told = self.drained_at.or(self.recalled_at).or(self.quit_at).or(self.aborted_at).or(self.failed_at);
        told.is_none() && !self.is_killed
    }

    pub fn is_ready(&self) -> bool {
        self.is_wanted() && self.booted_at.is_some()
    }
}
