//! The reactor's deadlines: one per connection, for the phase that it is in.

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use mio::Token;

use super::connection::{self, Phase};
use super::exchange;
use super::reactor::Reactor;
use crate::app::App;
use crate::sys::{self, Interest};

impl<A: App> Reactor<A> {
    pub(super) fn deadline(&mut self, token: Token) -> Option<Instant> {
        self.slots.slot(token)?.deadline
    }

    pub(super) fn set_deadline(&mut self, token: Token, deadline: Option<Instant>) {
        let Some(slot) = self.slots.slot(token) else { return };
        slot.deadline = deadline;
        if let Some(at) = deadline
            && slot.armed.is_none_or(|armed| armed > at)
        {
            slot.armed = Some(at);
            self.deadlines.arm(token, at);
            if self.deadlines.are_mostly_stale(self.slots.count()) {
                self.deadlines.keep(self.slots.all_armed());
            }
        }
    }

    /// Ends what has taken too long.
    pub(super) fn expire(&mut self, now: Instant) {
        while let Some((token, at)) = self.deadlines.pop_due(now) {
            let Some(slot) = self.slots.slot(token) else { continue };
            if slot.armed != Some(at) {
                continue;
            }
            slot.armed = None;
            match slot.deadline {
                Some(deadline) if deadline <= now => self.time_is_up(token, now),
                deadline => self.set_deadline(token, deadline),
            }
        }
    }

    fn time_is_up(&mut self, token: Token, now: Instant) {
        let Some(mut connection) = self.slots.take(token) else { return };
        match connection.phase {
            // A request that has come since the last poll is served: closing on it would lose it.
            Phase::Idle if is_readable(&connection) => {
                connection.readiness.readable = true;
                self.read(token, connection, now);
            }
            Phase::Silent | Phase::Idle | Phase::Linger => self.close(token, connection),
            Phase::ReadBody => {
                let demand = connection::demand(&self.shared.config);
                let next = connection.pace.as_mut().and_then(|pace| pace.look(demand, now));
                if next.is_none() {
                    return self.answer_too_slow(token, connection, now);
                }
                self.slots.put(token, connection);
                self.set_deadline(token, next);
            }
            Phase::ReadHead => self.answer_too_slow(token, connection, now),
            Phase::WriteBody => {
                // The kernel tells of room only when there is much of it; a client that reads slowly still reads.
                let unsent = sys::unsent(connection.stream.as_fd());
                if unsent < connection.unsent {
                    connection.unsent = unsent;
                    self.slots.put(token, connection);
                    return self.set_deadline(token, Some(now + self.config().write_timeout));
                }
                if connection.exchange.started.is_some() {
                    self.end_exchange(&connection, now);
                }
                self.close(token, connection);
            }
            Phase::AwaitApp => self.answer_too_busy(token, connection, now),
        }
    }

    /// A request has waited for a thread as long as it may. Source: setting `queue_timeout`; RFC 9110 §15.6.4.
    fn answer_too_busy(&mut self, token: Token, mut connection: Box<connection::Connection<A>>, now: Instant) {
        self.ready.retain(|other| *other != token);
        connection.exchange.queued =
            connection.ready_since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
        exchange::answer_with_error(&mut connection, 503, "", self.date.at(now));
        connection.exchange.client = self.named_client(&connection);
        self.log_access(&connection);
        self.finish_writing(token, connection, now);
    }

    /// Source: RFC 9110 §15.5.9.
    fn answer_too_slow(&mut self, token: Token, mut connection: Box<connection::Connection<A>>, now: Instant) {
        exchange::answer_with_error(&mut connection, 408, "", self.date.at(now));
        if connection.phase == Phase::ReadBody {
            connection.exchange.client = self.named_client(&connection);
            self.log_access(&connection);
        }
        self.finish_writing(token, connection, now);
    }
}

fn is_readable<A: App>(connection: &connection::Connection<A>) -> bool {
    sys::wait_for(connection.stream.as_fd(), Interest::Readable, Some(Duration::ZERO)).unwrap_or(false)
}
