//! Where a reactor's connections live, addressed by tokens that are never used for two connections.
//!
//! A connection is either here or away: with the thread that runs the application for it. Then its slot notes what
//! happens to the socket meanwhile.

use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::time::Instant;

use mio::Token;

use super::connection::{Connection, Readiness};
use crate::app::App;

/// The lower half of a token is the slot, the upper half counts how often it was used.
const INDEX_BITS: u32 = 32;

/// All connections of a worker.
pub(super) struct Slots<A: App> {
    slots: Vec<Slot<A>>,
    free: Vec<usize>,
    first_token: usize,
}

/// One place.
pub(super) struct Slot<A: App> {
    used: usize,
    place: Place<A>,
    /// Its socket, which stays open until the slot is freed: for the rare case that somebody must write to it while the
    /// connection is away.
    descriptor: RawFd,
    /// When the connection's present phase must have ended.
    pub(super) deadline: Option<Instant>,
    /// Is it in the queue of those that go on at the next turn?
    pub(super) is_interrupted: bool,
    /// When the timer looks at this slot next; never after `deadline`.
    pub(super) armed: Option<Instant>,
}

enum Place<A: App> {
    Free,
    Here(Box<Connection<A>>),
    Away(Readiness),
}

impl<A: App> Slots<A> {
    /// `first_token`: tokens below it are somebody else's.
    pub(super) fn new(first_token: usize) -> Self {
        Self { slots: Vec::new(), free: Vec::new(), first_token }
    }

    /// Open connections, here and away.
    pub(super) fn count(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Finds a place and tells its token; the connection must be [`Slots::put`] there next.
    pub(super) fn reserve(&mut self) -> Token {
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot {
                used: 0,
                place: Place::Free,
                descriptor: -1,
                deadline: None,
                is_interrupted: false,
                armed: None,
            });
            self.slots.len() - 1
        });
        let slot = &mut self.slots[index];
        slot.used += 1;
        slot.place = Place::Away(Readiness::default());
        slot.deadline = None;
        slot.is_interrupted = false;
        slot.armed = None;
        Token((index + self.first_token) | slot.used << INDEX_BITS)
    }

    /// The slot of a connection that is open.
    pub(super) fn slot(&mut self, token: Token) -> Option<&mut Slot<A>> {
        let index = (token.0 & ((1 << INDEX_BITS) - 1)).checked_sub(self.first_token)?;
        let slot = self.slots.get_mut(index)?;
        (slot.used == token.0 >> INDEX_BITS && !matches!(slot.place, Place::Free)).then_some(slot)
    }

    /// The socket of a connection that is open, here or away.
    pub(super) fn descriptor(&mut self, token: Token) -> Option<RawFd> {
        self.slot(token).map(|slot| slot.descriptor)
    }

    /// A connection that is here.
    pub(super) fn here(&mut self, token: Token) -> Option<&Connection<A>> {
        match &self.slot(token)?.place {
            Place::Here(connection) => Some(connection),
            Place::Free | Place::Away(_) => None,
        }
    }

    /// Takes a connection that is here; its slot stays its own.
    pub(super) fn take(&mut self, token: Token) -> Option<Box<Connection<A>>> {
        let slot = self.slot(token)?;
        match std::mem::replace(&mut slot.place, Place::Away(Readiness::default())) {
            Place::Here(connection) => Some(connection),
            other => {
                slot.place = other;
                None
            }
        }
    }

    /// Notes what happened to a socket: on its connection, or for later if that is away. Is it here?
    pub(super) fn note(&mut self, token: Token, readiness: Readiness) -> bool {
        match self.slot(token).map(|slot| &mut slot.place) {
            Some(Place::Here(connection)) => {
                connection.readiness.add(readiness);
                true
            }
            Some(Place::Away(noted)) => {
                noted.add(readiness);
                false
            }
            Some(Place::Free) | None => false,
        }
    }

    /// Puts a connection (back) into its slot, with what was noted meanwhile.
    pub(super) fn put(&mut self, token: Token, mut connection: Box<Connection<A>>) {
        if let Some(slot) = self.slot(token) {
            if let Place::Away(noted) = &slot.place {
                connection.readiness.add(*noted);
            }
            slot.descriptor = connection.stream.as_fd().as_raw_fd();
            slot.place = Place::Here(connection);
        }
    }

    /// What was noted while the connection is away; it is forgotten here.
    pub(super) fn noted(&mut self, token: Token) -> Readiness {
        match self.slot(token).map(|slot| &mut slot.place) {
            Some(Place::Away(noted)) => std::mem::take(noted),
            _ => Readiness::default(),
        }
    }

    /// Frees the slot of a connection that was taken and is closed.
    pub(super) fn free(&mut self, token: Token) {
        if let Some(slot) = self.slot(token) {
            slot.place = Place::Free;
            let index = (token.0 & ((1 << INDEX_BITS) - 1)) - self.first_token;
            self.free.push(index);
        }
    }

    /// When the timer looks at which connection, here or away.
    pub(super) fn all_armed(&self) -> impl Iterator<Item = (Token, Instant)> {
        self.slots.iter().enumerate().filter_map(move |(index, slot)| {
            let is_open = !matches!(slot.place, Place::Free);
            let token = Token((index + self.first_token) | slot.used << INDEX_BITS);
            slot.armed.filter(|_| is_open).map(|at| (token, at))
        })
    }

    /// All connections that are here, and their deadlines.
    pub(super) fn all_here(&self) -> impl Iterator<Item = (Token, &Connection<A>, Option<Instant>)> {
        self.slots.iter().enumerate().filter_map(move |(index, slot)| match &slot.place {
            Place::Here(connection) => {
                let token = Token((index + self.first_token) | slot.used << INDEX_BITS);
                Some((token, &**connection, slot.deadline))
            }
            Place::Free | Place::Away(_) => None,
        })
    }
}
