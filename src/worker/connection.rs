//! One connection: its socket, its place in the protocol, the exchange at hand. It moves as a whole to the thread that
//! runs the application for it and back, so it never has two owners.

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::body::{Incoming, TooLarge};
use super::output::Output;
use crate::app::{App, Origin};
use crate::http::{self, Event, Limits};
use crate::net::Stream;

/// Bodies up to this announced length, in bytes, get their final place at once.
const SIZED_LIMIT: u64 = 256 * 1024;

/// How much of an abandoned request is read and thrown away, so that the client sees our answer and not a reset.
const LINGER_BYTES: usize = 64 * 1024;

/// One connection.
pub(super) struct Connection<A: App> {
    pub(super) stream: Stream,
    pub(super) http: http::Connection,
    pub(super) origin: Origin,
    pub(super) memory: A::Memory,
    pub(super) body: Incoming<A::Buffer>,
    pub(super) output: Output<A::Piece>,
    pub(super) phase: Phase,
    pub(super) readiness: Readiness,
    /// Must the connection linger when its last word is out?
    pub(super) lingers: bool,
    /// Requests so far, the present one included.
    pub(super) requests: u64,
    pub(super) exchange: Record,
}

/// What a connection waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The next request of a kept-alive connection; nothing of it is here.
    Idle,
    /// The first request, or the rest of a head.
    ReadHead,
    /// The rest of a body.
    ReadBody,
    /// A thread that runs the application.
    AwaitApp,
    /// Room in the socket for the rest of the answer.
    WriteBody,
    /// The client to close, after we have.
    Linger,
}

/// What is known of a socket. Registered once, edge-triggered: true stays true until a call shows otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Readiness {
    /// There may be bytes to read.
    pub(super) readable: bool,
    /// The client has ended its side; a short read then does not mean drained.
    pub(super) read_closed: bool,
    /// The connection has failed: reset, or gone.
    pub(super) failed: bool,
}

/// What is noted of the exchange at hand, for the access log and the scoreboard.
#[derive(Debug, Default)]
pub(super) struct Record {
    /// When the application was called.
    pub(super) started: Option<Instant>,
    /// From there to the end of the iterable.
    pub(super) duration: Duration,
    /// Status of the answer, once there is one.
    pub(super) status: Option<u16>,
    /// Header lines of the answer as the application gave them.
    pub(super) fields: Vec<u8>,
    /// Body bytes queued.
    pub(super) body_len: u64,
    /// Values of the variables that the access log wants.
    pub(super) variables: Vec<Vec<u8>>,
    /// Does the connection stay open after this exchange?
    pub(super) keeps_alive: bool,
    /// Has a byte of the answer gone to the kernel?
    pub(super) has_sent: bool,
    /// Was it an error of the application or of ours?
    pub(super) failed: bool,
    /// Has the application taken the connection over?
    pub(super) is_taken_over: bool,
}

/// What reading led to.
#[derive(Debug)]
pub(super) enum Progress {
    /// More must come.
    Wait,
    /// A request is complete (or announced with `Expect`).
    Request,
    /// It must be refused.
    Refuse(Refused),
    /// The client has gone, between requests or in the middle of one.
    Closed,
}

/// Why a request is refused.
#[derive(Debug)]
pub(super) enum Refused {
    /// It is not HTTP as we accept it.
    Malformed(http::Error),
    /// Its body exceeds `body_memory`.
    TooLarge,
}

impl<A: App> Connection<A> {
    pub(super) fn new(stream: Stream, origin: Origin, limits: Limits) -> Self {
        Self {
            stream,
            http: http::Connection::new(limits),
            origin,
            memory: A::Memory::default(),
            body: Incoming::None,
            output: Output::default(),
            phase: Phase::ReadHead,
            readiness: Readiness::default(),
            lingers: false,
            requests: 0,
            exchange: Record::default(),
        }
    }

    /// Reads and parses as far as the bytes that are here allow. `body_limit`: bytes.
    pub(super) fn read_request(&mut self, app: &Arc<A>, body_limit: u64) -> Progress {
        loop {
            if self.phase == Phase::Idle && self.http.has_input() {
                self.phase = Phase::ReadHead;
            }
            match self.http.next_event() {
                Ok(Event::NeedBytes) => match self.fill() {
                    Ok(true) => {}
                    Ok(false) => return Progress::Wait,
                    Err(_) => return Progress::Closed,
                },
                Ok(Event::Head) => {
                    if let Some(progress) = self.start_body(app, body_limit) {
                        return progress;
                    }
                }
                Ok(Event::Body) => {
                    if let Err(TooLarge) = self.body.add(self.http.body_chunk(), body_limit) {
                        return Progress::Refuse(Refused::TooLarge);
                    }
                }
                Ok(Event::End) => return Progress::Request,
                Ok(Event::Closed) => return Progress::Closed,
                Err(http::Error::Truncated) => return Progress::Closed,
                Err(error) => return Progress::Refuse(Refused::Malformed(error)),
            }
        }
    }

    /// Looks at a complete head and makes room for the body.
    fn start_body(&mut self, app: &Arc<A>, body_limit: u64) -> Option<Progress> {
        self.phase = Phase::ReadBody;
        self.requests += 1;
        let head = self.http.head();
        let length = head.content_length();
        if length.is_some_and(|length| length > body_limit) {
            return Some(Progress::Refuse(Refused::TooLarge));
        }
        let has_body = head.is_chunked() || length.is_some_and(|length| length > 0);
        if has_body && head.expects_continue() {
            self.body = Incoming::Announced;
            return Some(Progress::Request);
        }
        self.expect_body(app);
        None
    }

    /// Makes room for the body that the head announces.
    pub(super) fn expect_body(&mut self, app: &Arc<A>) {
        let head = self.http.head();
        self.body = match head.content_length() {
            _ if head.is_chunked() => Incoming::Growing(Vec::new()),
            // Room is made as the bytes come, not because a client has announced them.
            Some(length) if length > SIZED_LIMIT => Incoming::Growing(Vec::new()),
            Some(length) if length > 0 => Incoming::Sized { buffer: app.buffer(length as usize), filled: 0 },
            _ => Incoming::None,
        };
    }

    /// Reads once. `Ok(false)`: nothing is there. Errors: the connection has failed.
    pub(super) fn fill(&mut self) -> io::Result<bool> {
        if !self.readiness.readable {
            return Ok(false);
        }
        let direct = self.http.direct_remaining();
        let space = if direct > 0 { self.body.space() } else { None };
        let (count, offered) = match space {
            Some(space) => {
                let offered = space.len().min(usize::try_from(direct).unwrap_or(usize::MAX));
                let count = self.stream.read(&mut space[..offered])?;
                if let Some(count) = count {
                    self.body.filled_by(count);
                    self.http.received_directly(count as u64);
                }
                (count, offered)
            }
            None => {
                let space = self.http.spare();
                let offered = space.len();
                let count = self.stream.read(space)?;
                if let Some(count) = count {
                    self.http.received(count);
                }
                (count, offered)
            }
        };
        match count {
            None => {
                self.readiness.readable = false;
                Ok(false)
            }
            Some(0) => {
                self.readiness.readable = false;
                self.http.end_of_input();
                Ok(true)
            }
            Some(count) => {
                // A short read has emptied an edge-triggered socket; asking again would cost a system call.
                if count < offered && !self.readiness.read_closed {
                    self.readiness.readable = false;
                }
                Ok(true)
            }
        }
    }

    /// Writes what is queued, as far as the kernel takes it. `Ok(true)`: all of it. Errors: the client has gone.
    pub(super) fn flush(&mut self) -> io::Result<bool> {
        let before = self.output.pending();
        let result = self.output.flush(&mut self.stream);
        self.exchange.has_sent |= self.output.pending() < before;
        result
    }

    /// May the client still be sending? Unless it has said that this request is its last, it cannot know that we close.
    pub(super) fn has_unread_input(&self) -> bool {
        self.phase == Phase::ReadHead
            || self.phase == Phase::ReadBody
            || self.readiness.readable
            || !self.http.is_last_request()
            || self.http.has_input()
            || matches!(self.body, Incoming::Announced)
    }

    /// Throws away what the client still sends after our last word. `true`: it has closed, or sends too much.
    pub(super) fn linger(&mut self) -> bool {
        crate::sys::discard_pending(self.stream.as_fd(), LINGER_BYTES)
    }
}

impl Readiness {
    /// Adds what an event says.
    pub(super) fn add(&mut self, other: Self) {
        self.readable |= other.readable;
        self.read_closed |= other.read_closed;
        self.failed |= other.failed;
    }

    /// What a mio event says.
    pub(super) fn of(event: &mio::event::Event) -> Self {
        Self {
            readable: event.is_readable() || event.is_read_closed(),
            read_closed: event.is_read_closed(),
            // A full hang-up: reset, or both sides closed. A half-closed client is legal and still reads.
            failed: event.is_error() || (event.is_write_closed() && event.is_read_closed()),
        }
    }
}
