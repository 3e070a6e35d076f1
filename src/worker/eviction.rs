//! Room for new connections where all places are taken: somebody who waits for nothing leaves, the one who has waited
//! longest first. Only connections that carry a request keep others out.

use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant};

use mio::Token;

use super::complaints::Kind;
use super::connection::Phase;
use super::exchange;
use super::reactor::Reactor;
use crate::app::App;
use crate::sys;

/// How young a connection must not be: its first bytes may be here and unread.
const GRACE: Duration = Duration::from_millis(20);

/// Candidates that one look at all connections finds. A look at thousands is too dear to be had for each.
const CANDIDATES: usize = 256;

/// Connections closed when descriptors ran out: enough for what the application needs in the next moment.
const FOR_DESCRIPTORS: usize = 8;

/// Those who would leave first, and the deadlines that they had when they were looked at.
#[derive(Debug, Default)]
pub(super) struct Eviction {
    candidates: VecDeque<Candidate>,
    /// Every connection carries a request; true until one ends.
    pub(super) is_full: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Candidate {
    rank: Rank,
    /// Among those of one rank the deadline tells the age: all had the same time.
    deadline: Instant,
    token: usize,
}

/// Who leaves before whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// It has its answer, and we wait for it to close.
    Leaving,
    /// Between requests.
    Idle,
    /// Its first request is not here yet, or not whole.
    Unready,
}

impl Rank {
    fn of(phase: Phase) -> Option<Self> {
        match phase {
            Phase::Linger => Some(Self::Leaving),
            Phase::Idle => Some(Self::Idle),
            Phase::Silent | Phase::ReadHead => Some(Self::Unready),
            Phase::ReadBody | Phase::AwaitApp | Phase::WriteBody => None,
        }
    }
}

impl<A: App> Reactor<A> {
    /// Are all places taken?
    pub(super) fn is_crowded(&self) -> bool {
        self.slots.count() >= self.capacity
    }

    /// Who has to leave for a new connection; the same again until it has, or has got something to do. `None` if nobody
    /// can, and then nobody is accepted for a while.
    pub(super) fn dispensable(&mut self, now: Instant) -> Option<Token> {
        if self.eviction.is_full {
            return None;
        }
        self.first_candidate().or_else(|| {
            self.look_for_candidates(now);
            self.first_candidate()
        })
    }

    fn first_candidate(&mut self) -> Option<Token> {
        loop {
            let candidate = *self.eviction.candidates.front()?;
            let token = Token(candidate.token);
            let deadline = self.deadline(token);
            let phase = self.slots.here(token).map(|connection| connection.phase);
            if phase.and_then(Rank::of) == Some(candidate.rank) && deadline == Some(candidate.deadline) {
                return Some(token);
            }
            self.eviction.candidates.pop_front();
        }
    }

    fn look_for_candidates(&mut self, now: Instant) {
        let config = &self.shared.config;
        let (header_timeout, keepalive) = (config.header_timeout, config.keepalive);
        let mut is_too_young = false;
        let mut found: Vec<Candidate> = Vec::new();
        for (token, connection, deadline) in self.slots.all_here() {
            let (Some(rank), Some(deadline)) = (Rank::of(connection.phase), deadline) else { continue };
            let since = match rank {
                Rank::Leaving => None,
                Rank::Idle => deadline.checked_sub(keepalive),
                Rank::Unready => deadline.checked_sub(header_timeout),
            };
            if since.is_some_and(|since| since + GRACE > now) {
                is_too_young = true;
            } else {
                found.push(Candidate { rank, deadline, token: token.0 });
            }
        }
        if found.is_empty() {
            if is_too_young {
                self.listeners.pause(now + GRACE);
            } else {
                self.eviction.is_full = true;
            }
        }
        found.sort_unstable();
        found.truncate(CANDIDATES);
        self.eviction.candidates = found.into();
    }

    /// Closes a connection that [`Reactor::dispensable`] named.
    pub(super) fn evict(&mut self, token: Token, now: Instant) {
        let Some(mut connection) = self.slots.take(token) else { return };
        if self.complaints.add(Kind::Eviction, now) {
            let most = self.capacity;
            log::warn!(
                "{most} connections are open: closing idle and slow ones to make room (setting worker_connections)"
            );
        }
        if connection.phase == Phase::ReadHead {
            exchange::answer_with_error(&mut connection, 408, "", self.date.at(now));
            let _ = connection.flush();
            connection.stream.finish();
        }
        self.close(token, connection);
    }

    /// A connection could not be accepted: we pause, and if it was for want of descriptors or memory some make room.
    pub(super) fn cannot_accept(&mut self, error: &io::Error, now: Instant) {
        let pause = self.listeners.pause_after_failure(now);
        if self.complaints.add(Kind::Accept, now) {
            log::error!("cannot accept a connection: {error}; trying again in {} ms", pause.as_millis());
        }
        if !sys::is_shortage(error) {
            return;
        }
        for _ in 0..FOR_DESCRIPTORS {
            let Some(token) = self.dispensable(now) else { break };
            self.evict(token, now);
        }
    }
}
