//! Connections that change the worker: a request that waits here while a sibling is idle, a new connection that another
//! has more room for, an idle one whose worker leaves.
//!
//! A connection leaves epoll before its descriptor leaves the process: while a copy lives somewhere it would stay in.

use std::time::{Duration, Instant};

use mio::Token;

use super::body::Incoming;
use super::connection::{Connection, Phase};
use super::parcel::{self, Parcel, Passed};
use super::reactor::{Duty, Reactor};
use super::traffic::INTERESTS;
use crate::app::App;
use crate::http::Event;
use crate::ipc::Siblings;
use crate::net::Stream;
use crate::sys::Monotonic;

/// An inbox that was full is tried again after this.
const PAUSE: Duration = Duration::from_millis(10);

/// How many more connections than a busy sibling a worker may have.
const BUSY_MARGIN: u64 = 4;

/// Connections that a draining worker hands over in one turn.
const AT_ONCE: usize = 64;

/// What became of a connection that was to change the worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Given {
    /// It is on its way.
    Sent,
    /// It was closed meanwhile: nothing is left to send.
    Gone,
    /// It cannot travel, or the way is blocked.
    Stays,
}

impl<A: App> Reactor<A> {
    /// Says whether this worker could run a request at once, and calls for one that waits elsewhere. Before each poll.
    pub(super) fn tell_siblings(&mut self, is_waiting: bool, now: Instant) {
        let is_free = is_waiting && self.ready.is_empty() && self.is_of_help() && !self.has_full_inbox;
        let is_reachable = self.drain.is_none_or(|drain| self.is_stopping && now < drain.idle_until);
        let Some(siblings) = &mut self.siblings else { return };
        if self.ready.is_empty() || self.duty == Duty::Leading {
            siblings.flag(false);
        }
        if !is_reachable {
            return siblings.say_absent();
        }
        if !is_free {
            return siblings.say_busy();
        }
        siblings.say_idle();
        if let Some(other) = siblings.flagged() {
            // An inbox that is full has calls enough.
            let _ = siblings.inboxes().send(other, &parcel::call(siblings.own_id()), &[]);
        }
    }

    /// Passes requests that wait here on to siblings that are idle. For those who cannot run them. The flag is raised even where
    /// no sibling serves: one that has just booted sees it.
    pub(super) fn pass_on(&mut self, now: Instant) {
        while let Some(&token) = self.ready.front() {
            let Some(to) = self.find_idle_sibling() else { return };
            self.ready.pop_front();
            match self.give_away(token, to) {
                Given::Sent => {}
                Given::Gone => self.release(to),
                Given::Stays => {
                    // It cannot travel, or the way is blocked: it waits for a thread of this worker.
                    self.release(to);
                    self.ready.push_front(token);
                    self.look_again_at(now + PAUSE);
                    return;
                }
            }
        }
    }

    /// Finds a sibling for a request that waits here. If there is none it raises the flag, and looks once more: one that has
    /// got idle in between has seen either the flag or nothing to do with it.
    fn find_idle_sibling(&mut self) -> Option<u16> {
        let capacity = self.capacity;
        let siblings = self.siblings.as_mut()?;
        siblings.reserve(capacity).or_else(|| {
            siblings.flag(true);
            siblings.reserve(capacity)
        })
    }

    /// Gives a connection that has just come to the sibling with the fewest, if that has clearly fewer. One that is busy
    /// must have even fewer: how many it has got since it last waited is not known.
    pub(super) fn place(&mut self, token: Token) {
        let count = self.slots.count() as u64;
        let capacity = self.capacity;
        let Some(siblings) = &mut self.siblings else { return };
        let (to, is_reserved) = match siblings.emptiest() {
            Some((to, fewest)) if count > fewest + 1 && siblings.reserve_this(to, capacity) => (to, true),
            Some((to, fewest)) if count > fewest + BUSY_MARGIN && fewest < capacity as u64 => (to, false),
            Some(_) | None => return,
        };
        if self.give_away(token, to) != Given::Sent && is_reserved {
            self.release(to);
        }
    }

    /// This worker leaves: connections between two requests go on with the others, so that no client finds its connection
    /// closed on the request that it has just sent.
    pub(super) fn hand_over_idle(&mut self, now: Instant) {
        let Some(siblings) = &self.siblings else { return };
        if self.is_alone || !siblings.any_serving() {
            return;
        }
        let idle = |connection: &Connection<A>| matches!(connection.phase, Phase::Idle | Phase::Silent);
        let tokens: Vec<Token> = self
            .slots
            .all_here()
            .filter(|(_, connection, _)| idle(connection))
            .map(|(token, ..)| token)
            .take(AT_ONCE)
            .collect();
        if tokens.is_empty() {
            return;
        }
        let mut given = 0;
        for token in tokens {
            // Each is offered to everybody before it stays: one full inbox keeps nothing from the others.
            let sent = (0..self.others_count()).any(|step| {
                let to = self.siblings.as_ref().and_then(|siblings| siblings.next_serving(given + step));
                to.is_some_and(|to| self.give_away(token, to) != Given::Stays)
            });
            if !sent {
                break;
            }
            given += 1;
        }
        self.look_again_at(now + if given == AT_ONCE { Duration::ZERO } else { PAUSE });
    }

    /// All workers leave, and this one has nothing left to do: shall it stay for requests that wait behind a sibling's?
    pub(super) fn stays_for_siblings(&mut self, now: Instant) -> bool {
        let Some(siblings) = &self.siblings else { return false };
        let is_late = self.drain.is_none_or(|drain| now >= drain.idle_until.min(drain.deadline));
        if !self.is_stopping || is_late || !siblings.any_busy() {
            return false;
        }
        self.look_again_at(now + PAUSE);
        true
    }

    /// This worker is about to leave: nothing more is sent to it. `false`: something has been, and it stays for that.
    pub(super) fn parts_from_siblings(&mut self, now: Instant) -> bool {
        let Some(siblings) = &self.siblings else { return true };
        siblings.say_absent();
        self.empty_inbox(now);
        self.outstanding() == 0
    }

    fn release(&self, to: u16) {
        if let Some(siblings) = &self.siblings {
            siblings.release(to);
        }
    }

    fn others_count(&self) -> usize {
        self.siblings.as_ref().map_or(0, Siblings::count)
    }

    /// Sends a connection that is here to another worker.
    fn give_away(&mut self, token: Token, to: u16) -> Given {
        let Some(mut connection) = self.slots.take(token) else { return Given::Gone };
        let Some(siblings) = &self.siblings else {
            self.slots.put(token, connection);
            return Given::Stays;
        };
        let ready_since = connection.ready_since.map_or(0, |since| self.shared.epoch.monotonic(since).0);
        let is_out = self.poll.registry().deregister(&mut connection.stream).is_ok();
        if is_out && parcel::send(&connection, ready_since, siblings.inboxes(), to).is_ok() {
            self.slots.free(token);
            self.eviction.is_full = false;
            self.line.set_connections(self.slots.count());
            return Given::Sent;
        }
        // Registering again tells anew what the socket is ready for.
        if let Err(error) = self.poll.registry().register(&mut connection.stream, token, INTERESTS) {
            log::error!("cannot watch a connection: {error}");
            connection.readiness.failed = true;
        }
        self.slots.put(token, connection);
        Given::Stays
    }

    /// Takes what siblings have sent.
    pub(super) fn empty_inbox(&mut self, now: Instant) {
        self.has_full_inbox = false;
        while let Some(siblings) = &self.siblings {
            match siblings.inboxes().receive(siblings.own_id()) {
                Ok(None) => return,
                Ok(Some(packet)) => match parcel::open(packet) {
                    Some(Parcel::Connection(passed)) => self.adopt(*passed, now),
                    Some(Parcel::Call(from)) => self.answer_call(from),
                    None => log::warn!("a connection that another worker has passed on cannot be read and is lost"),
                },
                Err(error) => {
                    // It stays in the inbox, and nobody sends more. Whoever waits for nothing makes room.
                    self.has_full_inbox = true;
                    self.cannot_accept(&error, now);
                    return self.look_again_at(now + PAUSE);
                }
            }
        }
    }

    /// A sibling has nothing to do: it gets what waits here, unless that will be run at once.
    fn answer_call(&mut self, from: u16) {
        if self.duty == Duty::Leading {
            return;
        }
        let capacity = self.capacity;
        let Some(&token) = self.ready.front() else { return };
        if self.siblings.as_ref().is_some_and(|siblings| siblings.reserve_this(from, capacity)) {
            self.ready.pop_front();
            let given = self.give_away(token, from);
            if given != Given::Sent {
                self.release(from);
            }
            if given == Given::Stays {
                self.ready.push_front(token);
            }
        }
    }

    /// Goes on with a connection of another worker.
    fn adopt(&mut self, passed: Passed, now: Instant) {
        let Passed { socket, origin, awaits_proxy, requests, ready_since, bytes, head_len, body } = passed;
        let stream = Stream::from_descriptor(socket, origin.remote);
        let Some(token) = self.take_in(stream, origin, now) else { return };
        let Some(mut connection) = self.slots.take(token) else { return };
        connection.awaits_proxy = awaits_proxy;
        connection.requests = requests;
        connection.phase = if requests == 0 { Phase::Silent } else { Phase::Idle };
        if let Some((file, len)) = body {
            connection.http.receive(&bytes[..head_len.min(bytes.len())]);
            if !matches!(connection.http.next_event(), Ok(Event::Head)) {
                return self.close(token, connection);
            }
            connection.http.finish_body();
            connection.http.receive(&bytes[head_len.min(bytes.len())..]);
            connection.requests += 1;
            connection.body = Incoming::Spooled { file, len };
            self.make_ready(token, connection, now);
        } else {
            connection.http.receive(&bytes);
            if bytes.is_empty() {
                let until = match (self.drain, requests) {
                    (Some(drain), 0) => drain.silent_until,
                    (Some(drain), _) => drain.idle_until,
                    (None, 0) => now + self.config().header_timeout,
                    (None, _) => now + self.config().keepalive,
                };
                self.slots.put(token, connection);
                self.set_deadline(token, Some(until));
            } else {
                self.read(token, connection, now);
            }
        }
        if ready_since > 0
            && let Some(mut connection) = self.slots.take(token)
        {
            let since = self.shared.epoch.instant(Monotonic(ready_since));
            let is_ready = connection.ready_since.is_some();
            connection.ready_since = connection.ready_since.map(|_| since);
            self.slots.put(token, connection);
            if let Some(time) = self.config().queue_timeout.filter(|_| is_ready) {
                self.set_deadline(token, Some(since + time));
            }
        }
    }
}
