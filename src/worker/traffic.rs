//! Connections and what passes through them, from accept to close: reads requests until they are complete, writes answers
//! until they are out.

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use mio::event::Event;
use mio::{Interest, Token};

use super::body::Trouble;
use super::budget::Share;
use super::complaints::Kind;
use super::connection::{self, Connection, Phase, Progress, Readiness, Refused};
use super::listeners::Accepted;
use super::output::Flushed;
use super::reactor::Reactor;
use super::{access, exchange, identity};
use crate::app::{App, Client, Origin, Refusal, Server};
use crate::config::ProxyProtocol;
use crate::net::{Peer, Stream};
use crate::sys::{self, Discarded};

/// Registered once for both directions; nothing is changed per request.
pub(super) const INTERESTS: Interest = Interest::READABLE.add(Interest::WRITABLE);

/// Connections that a single worker accepts per poll.
const ACCEPTS: usize = 64;

/// How long a closed connection is kept open for reading, so that the client reads our last words before a reset.
const LINGER: Duration = Duration::from_secs(2);

/// Status in the access log of a request that was not run, since its client had gone. Source: NGINX.
const CLIENT_GONE: u16 = 499;

/// Buffers of each kind kept for connections that will need one. Each is some 16 KiB.
const SPARE_BUFFERS: usize = 64;

impl<A: App> Reactor<A> {
    pub(super) fn accept(&mut self, index: usize, now: Instant) {
        // Among several workers one at a time: whoever is free takes the next. A single worker leaves none waiting.
        let most = if self.has_siblings() { 1 } else { ACCEPTS };
        for _ in 0..most {
            let leaver = if self.is_crowded() { self.dispensable(now) } else { None };
            if self.drain.is_some() || (self.is_crowded() && leaver.is_none()) {
                return;
            }
            match self.listeners.accept(index) {
                Accepted::Connection(stream, server) => {
                    if let Some(leaver) = leaver {
                        self.evict(leaver, now);
                    }
                    if let Some(token) = self.welcome(stream, server, now) {
                        self.place(token);
                    }
                }
                Accepted::Nothing => return,
                Accepted::Failed(error) => return self.cannot_accept(&error, now),
            }
        }
    }

    /// Takes a new connection in. `None`: it cannot be watched.
    pub(super) fn welcome(&mut self, stream: Stream, server: Arc<Server>, now: Instant) -> Option<Token> {
        let remote = match stream.peer() {
            Peer::Tcp(address) => Some(address),
            Peer::Unix => None,
        };
        self.take_in(stream, Origin { remote, server, proxied: None }, now)
    }

    /// Takes a connection in that comes from `origin`. `None`: it cannot be watched.
    pub(super) fn take_in(&mut self, mut stream: Stream, origin: Origin, now: Instant) -> Option<Token> {
        let token = self.slots.reserve();
        if let Err(error) = self.poll.registry().register(&mut stream, token, INTERESTS) {
            log::error!("cannot watch a connection: {error}");
            self.slots.free(token);
            return None;
        }
        let config = self.config();
        let is_trusted = identity::is_trusted_forwarder(&origin, config);
        let awaits_proxy = config.proxy_protocol != ProxyProtocol::Off;
        let until = now + config.header_timeout;
        let share = Share::new(&self.shared.budget);
        let mut connection = Box::new(Connection::new(stream, origin, self.shared.policy.clone(), share));
        connection.awaits_proxy = awaits_proxy;
        if is_trusted {
            connection.http.trust_forwarder();
        }
        self.slots.put(token, connection);
        self.eviction.is_full = false;
        self.set_deadline(token, Some(until));
        self.line.set_connections(self.slots.count());
        Some(token)
    }

    /// Lets others have their turn: the connection goes on at the next. No event would tell of it again.
    fn interrupt(&mut self, token: Token) {
        if let Some(slot) = self.slots.slot(token)
            && !std::mem::replace(&mut slot.is_interrupted, true)
        {
            self.interrupted.push_back(token);
        }
    }

    /// Goes on with a connection that was interrupted.
    pub(super) fn resume(&mut self, token: Token, now: Instant) {
        let Some(slot) = self.slots.slot(token) else { return };
        slot.is_interrupted = false;
        if let Some(connection) = self.slots.take(token) {
            self.go_on(token, connection, now);
        }
    }

    pub(super) fn socket_event(&mut self, token: Token, event: &Event, now: Instant) {
        let is_here = self.slots.note(token, Readiness::of(event));
        if !is_here || self.slots.slot(token).is_some_and(|slot| slot.is_interrupted) {
            return;
        }
        if let Some(connection) = self.slots.take(token) {
            self.go_on(token, connection, now);
        }
    }

    fn go_on(&mut self, token: Token, connection: Box<Connection<A>>, now: Instant) {
        match connection.phase {
            Phase::Silent | Phase::Idle | Phase::ReadHead | Phase::ReadBody => self.read(token, connection, now),
            Phase::WriteBody => self.write(token, connection, now),
            Phase::Linger => self.linger(token, connection),
            Phase::AwaitApp => self.slots.put(token, connection),
        }
    }

    /// Reads on, until a request is complete or nothing more is here.
    pub(super) fn read(&mut self, token: Token, mut connection: Box<Connection<A>>, now: Instant) {
        if connection.http.wants_buffer()
            && let Some(buffer) = self.spare_input.pop()
        {
            connection.http.lend_buffer(buffer);
        }
        let before = connection.phase;
        let progress = connection.read_request(&self.shared, now);
        match progress {
            Progress::Wait | Progress::Yield => {
                let renewed = match (connection.phase, &connection.pace) {
                    // A head has one deadline from its first byte; a body must make progress.
                    (phase @ (Phase::Silent | Phase::Idle | Phase::ReadHead), _) if phase == before => None,
                    (Phase::ReadBody, Some(pace)) => Some(pace.deadline(connection::demand(&self.shared.config))),
                    _ => Some(now + self.shared.config.header_timeout),
                };
                if matches!(connection.phase, Phase::Silent | Phase::Idle) {
                    self.reclaim_buffers(&mut connection);
                }
                self.slots.put(token, connection);
                if renewed.is_some() {
                    self.set_deadline(token, renewed);
                }
                if let Progress::Yield = progress {
                    self.interrupt(token);
                }
            }
            Progress::Request => self.make_ready(token, connection, now),
            Progress::Refuse(refused) => self.refuse(token, connection, refused, now),
            Progress::Closed => self.close(token, connection),
        }
    }

    /// A request is complete: it waits for the application.
    pub(super) fn make_ready(&mut self, token: Token, mut connection: Box<Connection<A>>, now: Instant) {
        connection.phase = Phase::AwaitApp;
        connection.ready_since = Some(now);
        self.report_dropped_fields(&connection);
        self.slots.put(token, connection);
        let until = self.config().queue_timeout.map(|time| now + time);
        self.set_deadline(token, until);
        self.ready.push_back(token);
    }

    /// A field that is left out is told once, since nobody would find it out otherwise.
    fn report_dropped_fields(&mut self, connection: &Connection<A>) {
        for name in connection.http.head().dropped() {
            let is_trusted = identity::is_trusted_forwarder(&connection.origin, &self.shared.config);
            if self.complaints.is_new_name(name, is_trusted) {
                let peer = if is_trusted { "a trusted" } else { "an untrusted" };
                log::warn!(
                    "header {name:?} of {peer} peer is dropped: its underscore could pass for a hyphen; forwarder_headers \
                     lets it pass from peers in forwarded_allow_ips, header_map = 'dangerous' from all"
                );
            }
        }
    }

    /// The client that a trusted proxy names.
    pub(super) fn named_client(&self, connection: &Connection<A>) -> Option<Client> {
        identity::client(connection.http.head(), &connection.origin, &self.shared.config)
    }

    /// Tells what went wrong with a body while the application ran.
    fn report_trouble(&mut self, connection: &Connection<A>, now: Instant) {
        let line = || exchange::request_line(&connection.http);
        match &connection.exchange.refusal {
            None | Some(Refusal::Gone) => {}
            Some(refusal @ Refusal::Storage(_)) => {
                if self.complaints.add(Kind::Storage, now) {
                    log::error!("{}: {refusal}", line());
                }
            }
            Some(refusal) => {
                let kind = match refusal {
                    Refusal::TooLarge(_) => "body too large",
                    Refusal::TooSlow => "body too slow",
                    Refusal::Malformed { .. } | Refusal::Storage(_) | Refusal::Gone => "body",
                };
                if self.complaints.add(Kind::Request(kind), now) {
                    log::warn!("Invalid request from ip={}: {}: {refusal}", client_of(connection), line());
                }
            }
        }
        if let Some(text) = &connection.exchange.spool_trouble
            && self.complaints.add(Kind::Storage, now)
        {
            log::error!("{text}; the answer to {} waits for its client", line());
        }
    }

    fn refuse(&mut self, token: Token, mut connection: Box<Connection<A>>, refused: Refused, now: Instant) {
        let (status, kind, text) = match &refused {
            Refused::Malformed(error) => (error.status(), Kind::Request(error.kind()), error.to_string()),
            Refused::Body(Trouble::TooLarge(most)) => {
                let text = format!("the request body is larger than {most} bytes (setting limit_request_body)");
                (413, Kind::Request("body too large"), text)
            }
            Refused::Body(Trouble::Storage(text)) => (507, Kind::Storage, text.clone()),
            Refused::ProxyHeader(text) => (400, Kind::Request("PROXY header"), format!("PROXY header: {text}")),
            Refused::Forbidden => {
                let text = "a PROXY header from a peer that is not in proxy_allow_ips".to_owned();
                (403, Kind::Request("PROXY header not allowed"), text)
            }
            Refused::NoMemory => {
                let text = "large requests take all memory that they may (setting buffer_memory)".to_owned();
                (503, Kind::Request("no memory for its head"), text)
            }
        };
        let has_head = connection.phase == Phase::ReadBody;
        if has_head {
            connection.exchange.client = self.named_client(&connection);
        }
        if self.complaints.add(kind, now) {
            let client = client_of(&connection);
            match kind {
                Kind::Storage => log::error!("cannot store the request body of {client}: {text}"),
                _ => log::warn!("Invalid request from ip={client}: {text}"),
            }
        }
        if let Refused::Malformed(error) = &refused
            && !error.is_answered()
        {
            // Another protocol: no answer of ours would be understood.
            return self.close(token, connection);
        }
        // What failed on our side is no business of the client's.
        let shown = if kind == Kind::Storage { "" } else { &text };
        exchange::answer_with_error(&mut connection, status, shown, self.date.at(now));
        if has_head {
            self.log_access(&connection);
        }
        self.finish_writing(token, connection, now);
    }

    /// Writes on, until the answer is out or the socket is full.
    pub(super) fn write(&mut self, token: Token, mut connection: Box<Connection<A>>, now: Instant) {
        let before = connection.output.pending();
        let flushed =
            if connection.readiness.failed { Err(io::ErrorKind::BrokenPipe.into()) } else { connection.flush() };
        match flushed {
            Ok(Flushed::All) => self.conclude(token, connection, now),
            Ok(flushed) => {
                let renew = connection.output.pending() < before || self.deadline(token).is_none();
                if renew {
                    connection.unsent = sys::unsent(connection.stream.as_fd());
                }
                self.slots.put(token, connection);
                if renew {
                    let until = now + self.config().write_timeout;
                    self.set_deadline(token, Some(until));
                }
                if flushed == Flushed::Budget {
                    self.interrupt(token);
                }
            }
            Err(_) => {
                if connection.exchange.started.is_some() {
                    self.end_exchange(&connection, now);
                }
                self.close(token, connection);
            }
        }
    }

    /// The exchange has ended: keep the connection for the next, or close it.
    fn conclude(&mut self, token: Token, mut connection: Box<Connection<A>>, now: Instant) {
        let has_started = connection.exchange.started.is_some();
        if has_started {
            self.end_exchange(&connection, now);
        }
        if !has_started || !connection.exchange.keeps_alive {
            return self.finish_writing(token, connection, now);
        }
        connection.http.next_cycle();
        connection.exchange.restart();
        connection.share.give_back();
        connection.pace = None;
        self.eviction.is_full = false;
        connection.phase = Phase::Idle;
        let until = match self.drain {
            Some(drain) => drain.idle_until,
            None => now + self.config().keepalive,
        };
        if connection.http.has_input() || connection.readiness.readable {
            self.set_deadline(token, Some(until));
            self.read(token, connection, now);
        } else {
            self.reclaim_buffers(&mut connection);
            self.slots.put(token, connection);
            self.set_deadline(token, Some(until));
        }
    }

    /// Says our last word, and closes; lingers if the client may still be sending, since a reset would eat our answer.
    pub(super) fn finish_writing(&mut self, token: Token, mut connection: Box<Connection<A>>, now: Instant) {
        connection.lingers |= connection.has_unread_input();
        match connection.flush() {
            Ok(Flushed::All) => {}
            Ok(flushed) => {
                connection.phase = Phase::WriteBody;
                connection.exchange.started = None;
                let until = now + self.config().write_timeout;
                self.slots.put(token, connection);
                self.set_deadline(token, Some(until));
                if flushed == Flushed::Budget {
                    self.interrupt(token);
                }
                return;
            }
            Err(_) => return self.close(token, connection),
        }
        if !connection.lingers || connection.readiness.failed {
            return self.close(token, connection);
        }
        connection.stream.finish();
        connection.phase = Phase::Linger;
        self.eviction.is_full = false;
        self.set_deadline(token, Some(now + LINGER));
        self.linger(token, connection);
    }

    fn linger(&mut self, token: Token, connection: Box<Connection<A>>) {
        let discarded = connection.linger();
        if discarded == Discarded::Ended {
            return self.close(token, connection);
        }
        self.slots.put(token, connection);
        if discarded == Discarded::More {
            self.interrupt(token);
        }
    }

    /// Ends a request whose client has gone before it was run.
    pub(super) fn abandon(&mut self, token: Token, mut connection: Box<Connection<A>>) {
        connection.exchange.status = Some(CLIENT_GONE);
        self.log_access(&connection);
        self.close(token, connection);
    }

    pub(super) fn close(&mut self, token: Token, mut connection: Box<Connection<A>>) {
        let _ = self.poll.registry().deregister(&mut connection.stream);
        if !connection.readiness.failed {
            // A process that the application has forked may hold a copy of the descriptor: the client hears the end even so.
            connection.stream.finish();
        }
        self.slots.free(token);
        self.eviction.is_full = false;
        connection.output.clear();
        self.reclaim_buffers(&mut connection);
        self.line.set_connections(self.slots.count());
    }

    /// Lets go of a connection that the application has taken over: our descriptor is closed, the connection is not.
    pub(super) fn forget(&mut self, token: Token, connection: &Connection<A>, now: Instant) {
        self.end_exchange(connection, now);
        self.slots.free(token);
        self.eviction.is_full = false;
        self.line.set_connections(self.slots.count());
    }

    pub(super) fn end_exchange(&mut self, connection: &Connection<A>, now: Instant) {
        if connection.exchange.refusal.is_some() || connection.exchange.spool_trouble.is_some() {
            self.report_trouble(connection, now);
        }
        let record = &connection.exchange;
        let busy = u64::try_from(record.duration.as_nanos()).unwrap_or(u64::MAX);
        self.line.count_exchange(record.body_len, busy, record.failed);
        if !record.is_abandoned {
            self.log_access(connection);
        }
        self.busy += connection.exchange.duration;
        self.served += 1;
        if self.served == self.max_requests && self.drain.is_none() {
            log::info!("Autorestarting worker after current request.");
            self.retire();
        }
    }

    #[allow(clippy::disallowed_methods)] // The wall clock of a log line.
    pub(super) fn log_access(&mut self, connection: &Connection<A>) {
        // Of what the application was called for, its side has written the line itself.
        let note = self.note_answer.filter(|_| connection.exchange.started.is_none());
        if self.access.is_none() && note.is_none() {
            return;
        }
        let remote = self.remote.of(connection.client_address());
        let ended = access::Ended::new(connection, remote, self.shared.app.logged_variables());
        if let Some(log) = &mut self.access {
            log.record(&ended, SystemTime::now());
        }
        if let Some(note) = note {
            note(&ended);
        }
    }

    fn reclaim_buffers(&mut self, connection: &mut Connection<A>) {
        for (pool, buffer) in [
            (&mut self.spare_input, connection.http.take_buffer()),
            (&mut self.spare_output, connection.output.take_memory()),
        ] {
            if pool.len() < SPARE_BUFFERS {
                pool.extend(buffer);
            }
        }
    }
}

/// The client, for the log. Gunicorn leaves it empty for unix sockets too.
fn client_of<A: App>(connection: &Connection<A>) -> String {
    connection.client_address().map(|address| address.to_string()).unwrap_or_default()
}
