//! One connection: its socket, its place in the protocol, the exchange at hand. It moves as a whole to the thread that
//! runs the application for it and back, so it never has two owners.

use std::cell::RefCell;
use std::io;
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::body::{Bounds, Incoming, Trouble};
use super::budget::Share;
use super::output::{FlushError, Flushed, Output};
use super::pace::{Demand, Pace};
use super::{Shared, identity};
use crate::app::{App, Client, Origin, Refusal};
use crate::config::Config;
use crate::http::{self, Event, Policy};
use crate::net::Stream;
use crate::sys::{self, Discarded, Private};

/// What is read from one connection, or written to it, before others get their turn; in bytes.
const TURN: u64 = 1024 * 1024;

/// Heads up to this length, in bytes, may wait for their rest in any number: each connection has a buffer of this size.
const SMALL_HEAD: usize = 16 * 1024;

/// Bytes that are read at once on their way to a file.
const SCRATCH: usize = 128 * 1024;

thread_local! {
    static TO_FILE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// One connection.
pub(super) struct Connection<A: App> {
    /// Of the stream's descriptor, which must be closed after this is gone.
    _private: Private,
    pub(super) stream: Stream,
    pub(super) http: http::Connection,
    pub(super) origin: Origin,
    pub(super) memory: A::Memory,
    pub(super) body: Incoming<A::Buffer>,
    /// Memory that the body has taken.
    pub(super) share: Share,
    /// How fast the body comes, while one does.
    pub(super) pace: Option<Pace>,
    /// May a PROXY header stand in front of the first request?
    pub(super) awaits_proxy: bool,
    pub(super) output: Output<A::Piece>,
    pub(super) phase: Phase,
    pub(super) readiness: Readiness,
    /// The client has ended its side, and all that it sent has been read.
    pub(super) is_ended: bool,
    /// Bytes of the answer that the kernel had not got rid of when the client was last looked at.
    pub(super) unsent: usize,
    /// When its request was complete.
    pub(super) ready_since: Option<Instant>,
    /// Must the connection linger when its last word is out?
    pub(super) lingers: bool,
    /// Requests so far, the present one included.
    pub(super) requests: u64,
    pub(super) exchange: Record,
}

/// What a connection waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The first byte of a new connection.
    Silent,
    /// The next request of a kept-alive connection; nothing of it is here.
    Idle,
    /// The rest of a head.
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
    /// Who the client is where a trusted proxy says so.
    pub(super) client: Option<Client>,
    /// How long the complete request waited for a thread.
    pub(super) queued: Duration,
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
    /// Why its body did not come, if the application asked for it in vain.
    pub(super) refusal: Option<Refusal>,
    /// Why its answer could not be put into a file, if that was tried in vain; the text says where.
    pub(super) spool_trouble: Option<String>,
    /// Was it an error of the application or of ours?
    pub(super) failed: bool,
    /// Has the application taken the connection over?
    pub(super) is_taken_over: bool,
    /// Has somebody given up on the exchange, and answered in its place?
    pub(super) is_abandoned: bool,
}

/// What reading led to.
#[derive(Debug)]
pub(super) enum Progress {
    /// More must come.
    Wait,
    /// Others come first: there may be more to read at once.
    Yield,
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
    /// Its body is not taken in.
    Body(Trouble),
    /// The PROXY header in front of it is malformed; the text says how.
    ProxyHeader(String),
    /// The peer may not send a PROXY header.
    Forbidden,
    /// Its head is large, and so are many others'.
    NoMemory,
}

/// What reading from the socket led to.
enum Filled {
    /// So many bytes, or the end of the input.
    Bytes(u64),
    /// Nothing is there.
    Nothing,
}

impl<A: App> Connection<A> {
    pub(super) fn new(stream: Stream, origin: Origin, policy: Arc<Policy>, share: Share) -> Self {
        Self {
            _private: Private::new(&stream.as_fd()),
            stream,
            http: http::Connection::new(policy),
            origin,
            memory: A::Memory::default(),
            body: Incoming::None,
            share,
            pace: None,
            awaits_proxy: false,
            output: Output::default(),
            phase: Phase::Silent,
            readiness: Readiness::default(),
            is_ended: false,
            unsent: 0,
            ready_since: None,
            lingers: false,
            requests: 0,
            exchange: Record::default(),
        }
    }

    /// Reads and parses as far as the bytes that are here allow.
    pub(super) fn read_request(&mut self, shared: &Shared<A>, now: Instant) -> Progress {
        let mut turn = TURN;
        loop {
            if matches!(self.phase, Phase::Silent | Phase::Idle) && self.http.has_input() {
                self.phase = Phase::ReadHead;
            }
            let event = if self.awaits_proxy { self.read_proxy_header(&shared.config) } else { self.next_event() };
            let next = match event {
                Ok(Event::NeedBytes) => match self.fill(&shared.config, now) {
                    Ok(Filled::Bytes(len)) if len < turn => {
                        turn -= len;
                        Ok(None)
                    }
                    Ok(Filled::Bytes(_)) => return Progress::Yield,
                    Ok(Filled::Nothing) => return self.wait(),
                    Err(stop) => Err(stop),
                },
                Ok(Event::Head) => self.start_body(shared, now),
                Ok(Event::Body) => {
                    let bounds = bounds(&shared.config);
                    let added = self.body.add(self.http.body_chunk(), bounds, &mut self.share);
                    added.map(|()| None).map_err(|trouble| Progress::Refuse(Refused::Body(trouble)))
                }
                Ok(Event::End) => Ok(Some(Progress::Request)),
                Ok(Event::Closed) => Err(Progress::Closed),
                Err(stop) => Err(stop),
            };
            match next {
                Ok(None) => {}
                Ok(Some(progress)) | Err(progress) => return progress,
            }
        }
    }

    /// More must come; what is here may wait for it, if it is not too much.
    fn wait(&mut self) -> Progress {
        if self.phase != Phase::ReadHead {
            return Progress::Wait;
        }
        let len = self.http.unread().len();
        if len == 0 {
            // An empty line, or a PROXY header: nothing of a request.
            self.phase = if self.requests == 0 { Phase::Silent } else { Phase::Idle };
        } else if len > SMALL_HEAD {
            self.share.give_back();
            if !self.share.take(len as u64) {
                return Progress::Refuse(Refused::NoMemory);
            }
        }
        Progress::Wait
    }

    /// What the bytes that are here amount to. Errors: what ends reading.
    fn next_event(&mut self) -> Result<Event, Progress> {
        self.http.next_event().map_err(|error| match error {
            http::Error::Truncated => Progress::Closed,
            error => Progress::Refuse(Refused::Malformed(error)),
        })
    }

    /// Looks for a PROXY header; [`Event::NeedBytes`] while it is not all here.
    fn read_proxy_header(&mut self, config: &Config) -> Result<Event, Progress> {
        let is_over = identity::read_proxy_header(self.http.unread(), &mut self.origin, config);
        match is_over.map_err(Progress::Refuse)? {
            Some(len) => {
                self.http.skip(len);
                self.awaits_proxy = false;
                self.next_event()
            }
            None if self.is_ended => Err(Progress::Closed),
            None => Ok(Event::NeedBytes),
        }
    }

    /// Looks at a complete head and makes room for the body. `Some`: the request can run, or must not.
    fn start_body(&mut self, shared: &Shared<A>, now: Instant) -> Result<Option<Progress>, Progress> {
        self.phase = Phase::ReadBody;
        self.requests += 1;
        let head = self.http.head();
        let length = head.content_length().unwrap_or(0);
        if length == 0 && !head.is_chunked() {
            self.body = Incoming::None;
            return Ok(None);
        }
        let refuse = |trouble| Progress::Refuse(Refused::Body(trouble));
        bounds(&shared.config).check(length).map_err(refuse)?;
        self.body = match (shared.config.request_buffering, head.expects_continue()) {
            (false, _) => Incoming::Streamed,
            (true, true) => Incoming::Announced,
            (true, false) => {
                self.expect_body(shared, now).map_err(refuse)?;
                return Ok(None);
            }
        };
        Ok(Some(Progress::Request))
    }

    /// Makes room for the body that the head announces. Errors: there is none.
    pub(super) fn expect_body(&mut self, shared: &Shared<A>, now: Instant) -> Result<(), Trouble> {
        let head = self.http.head();
        let length = if head.is_chunked() { None } else { Some(head.content_length().unwrap_or(0)) };
        self.pace = Some(Pace::begin(now));
        let buffer = |len| shared.app.buffer(len);
        self.body = Incoming::expect(length, bounds(&shared.config), &mut self.share, buffer)?;
        Ok(())
    }

    /// Reads once. Errors: what ends reading.
    fn fill(&mut self, config: &Config, now: Instant) -> Result<Filled, Progress> {
        if !self.readiness.readable {
            return Ok(Filled::Nothing);
        }
        let direct = usize::try_from(self.http.direct_remaining()).unwrap_or(usize::MAX);
        let (count, offered) = match &mut self.body {
            Incoming::Sized { .. } if direct > 0 => self.fill_in_place(direct),
            Incoming::Spooled { .. } | Incoming::ToSpool if direct > 0 => self.fill_file(direct, config)?,
            _ => self.fill_buffer(),
        };
        let count = self.note_read(count.map_err(|_| Progress::Closed)?, offered);
        if let (Some(count), Some(pace)) = (count, &mut self.pace) {
            pace.note(count, now);
        }
        Ok(count.map_or(Filled::Nothing, Filled::Bytes))
    }

    /// Notes what a read that was offered so much room says of the socket.
    pub(super) fn note_read(&mut self, count: Option<usize>, offered: usize) -> Option<u64> {
        match count {
            None => self.readiness.readable = false,
            Some(0) => {
                self.readiness.readable = false;
                self.is_ended = true;
                self.http.end_of_input();
            }
            // A short read has emptied an edge-triggered socket; asking again would cost a system call.
            Some(count) if count < offered && !self.readiness.read_closed => self.readiness.readable = false,
            Some(_) => {}
        }
        count.map(|count| count as u64)
    }

    /// Reads into the buffer of the protocol: what came, and how much room there was.
    pub(super) fn fill_buffer(&mut self) -> (io::Result<Option<usize>>, usize) {
        let space = self.http.spare();
        let offered = space.len();
        let count = self.stream.read(space);
        if let Ok(Some(count)) = count {
            self.http.received(count);
        }
        (count, offered)
    }

    /// Reads a body of known length to where it belongs.
    fn fill_in_place(&mut self, direct: usize) -> (io::Result<Option<usize>>, usize) {
        let space = self.body.space().unwrap_or_default();
        let offered = space.len().min(direct);
        let count = self.stream.read(&mut space[..offered]);
        if let Ok(Some(count)) = count {
            self.body.filled_by(count);
            self.http.received_directly(count as u64);
        }
        (count, offered)
    }

    /// Reads a body of known length that is on its way to a file.
    fn fill_file(&mut self, direct: usize, config: &Config) -> Result<(io::Result<Option<usize>>, usize), Progress> {
        TO_FILE.with_borrow_mut(|scratch| {
            scratch.resize(SCRATCH, 0);
            let offered = scratch.len().min(direct);
            let count = self.stream.read(&mut scratch[..offered]);
            if let Ok(Some(count)) = count {
                let added = self.body.add(&scratch[..count], bounds(config), &mut self.share);
                added.map_err(|trouble| Progress::Refuse(Refused::Body(trouble)))?;
                self.http.received_directly(count as u64);
            }
            Ok((count, offered))
        })
    }

    /// Writes what is queued, as far as the kernel takes it and others can wait.
    ///
    /// Errors: the client has gone, or a file that was to be sent could not be; the latter is logged.
    pub(super) fn flush(&mut self) -> io::Result<Flushed> {
        let before = self.output.pending();
        let result = self.output.flush(&mut self.stream, TURN);
        self.exchange.has_sent |= self.output.pending() < before;
        result.map_err(|error| {
            let head = self.http.head();
            let (method, target) = (head.method(), head.target());
            match error {
                FlushError::Gone(error) => return error,
                FlushError::File(error) => {
                    log::error!("Error handling request {method} {target}: cannot read the file to be sent: {error}");
                }
                FlushError::Truncated { missing } => log::error!(
                    "Error handling request {method} {target}: the file to be sent is {missing} bytes shorter than announced"
                ),
            }
            self.exchange.failed = true;
            io::ErrorKind::Other.into()
        })
    }

    /// The client's address, as far as is known; `None`: somebody on a unix socket.
    pub(super) fn client_address(&self) -> Option<IpAddr> {
        let named = self.exchange.client.map(|client| client.address);
        named.or_else(|| self.origin.client().map(|address| address.ip()))
    }

    /// May the client still be sending? Unless it has said that this request is its last, it cannot know that we close.
    pub(super) fn has_unread_input(&self) -> bool {
        matches!(self.phase, Phase::ReadHead | Phase::ReadBody)
            || self.readiness.readable
            || !self.http.is_last_request()
            || self.http.has_input()
            || self.body.is_outstanding()
    }

    /// Throws away what the client still sends after our last word.
    pub(super) fn linger(&self) -> Discarded {
        sys::discard_pending(self.stream.as_fd(), TURN as usize)
    }
}

/// How large bodies may get, and where.
pub(super) fn bounds(config: &Config) -> Bounds<'_> {
    Bounds { memory: config.body_memory, most: config.limit_request_body, directory: &config.tmp_upload_dir }
}

/// How fast bodies must come.
pub(super) fn demand(config: &Config) -> Demand {
    Demand { patience: config.body_timeout, min_rate: config.body_min_rate }
}

impl Record {
    /// Forgets the exchange that has ended, but keeps the memory.
    pub(super) fn restart(&mut self) {
        let mut fields = std::mem::take(&mut self.fields);
        let mut variables = std::mem::take(&mut self.variables);
        fields.clear();
        variables.clear();
        *self = Self { fields, variables, ..Self::default() };
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
