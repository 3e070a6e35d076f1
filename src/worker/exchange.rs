//! The exchange at hand, on the thread that runs the application: [`crate::app::Exchange`] over a connection.
//!
//! Owns the connection while it lasts, so it reads and writes the socket itself; waiting is left to methods that the
//! application's side calls detached.
#![allow(clippy::disallowed_methods)] // An application thread reads the clock for its waits: it has no loop to ask.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use super::Shared;
use super::body::Incoming;
use super::connection::{Connection, Progress, Refused};
use super::date::Date;
use crate::app::{self, App, Body, Caller, Failure, Flush, Gone, Origin, Refusal, Room};
use crate::http::{self, Fields, Head, Outgoing, Persistence, Response, SendError, Version};
use crate::sys::{self, Interest};

/// More than this much unsent answer, in bytes, makes an iterator wait for its client.
const RESPONSE_HIGH_WATER: usize = 1024 * 1024;

/// How long a thread waits for a client at a time, before it looks for signals. Short enough for any `timeout`.
const WAIT: Duration = Duration::from_millis(400);

/// Runs the application for the request that `connection` holds, to the end of the exchange on the application's side.
///
/// Afterwards the connection has its answer queued or written, or is marked as failed.
pub(super) fn run<A: App>(
    connection: &mut Connection<A>,
    caller: &mut dyn Caller<A>,
    shared: &Shared<A>,
    date: &mut Date,
    now: Instant,
) {
    connection.exchange.started = Some(now);
    let mut running =
        Running { connection, shared, date, now, stage: Stage::Unanswered, has_dropped_body: false, deadline: None };
    let result = caller.call(&mut running);
    let stage = running.stage;
    settle(connection, result, stage, date, now);
    connection.exchange.duration = now.elapsed();
}

/// What the application's verdict means for the connection.
fn settle<A: App>(
    connection: &mut Connection<A>,
    result: Result<(), Failure>,
    stage: Stage,
    date: &mut Date,
    now: Instant,
) {
    if connection.exchange.is_taken_over {
        return;
    }
    let status = match (result, stage) {
        (Ok(()), Stage::Finished) => {
            connection.exchange.keeps_alive =
                connection.http.keeps_alive() && !matches!(connection.body, Incoming::Announced);
            return;
        }
        (Err(Failure::Gone), _) => {
            connection.readiness.failed = true;
            return;
        }
        (Ok(()), _) | (Err(Failure::Application), _) => 500,
        (Err(Failure::Request(status)), _) => status,
    };
    connection.exchange.keeps_alive = false;
    connection.exchange.failed = true;
    if connection.exchange.has_sent {
        // The client sees the truncation: neither the last chunk nor the rest of the announced length comes.
        return;
    }
    connection.output.clear();
    connection.exchange.body_len = 0;
    answer_with_error(connection, status, "", date.at(now));
}

/// Queues an error page; the connection closes after it.
pub(super) fn answer_with_error<A: App>(connection: &mut Connection<A>, status: u16, text: &str, date: &[u8]) {
    let is_head = connection.http.head().method() == "HEAD";
    connection.exchange.status = Some(status);
    connection.exchange.keeps_alive = false;
    connection.exchange.fields.clear();
    connection.output.append(|out| http::error_page(status, http::reason(status), text, date, is_head, out));
}

/// How far the answer has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Unanswered,
    Started,
    Finished,
}

struct Running<'a, A: App> {
    connection: &'a mut Connection<A>,
    shared: &'a Shared<A>,
    date: &'a mut Date,
    now: Instant,
    stage: Stage,
    has_dropped_body: bool,
    /// Of the wait for the client that is going on.
    deadline: Option<Instant>,
}

impl<A: App> app::Exchange<A> for Running<'_, A> {
    fn request(&mut self) -> (Head<'_>, &Origin, &mut A::Memory) {
        let connection = &mut *self.connection;
        (connection.http.head(), &connection.origin, &mut connection.memory)
    }

    fn number(&self) -> u64 {
        self.connection.requests
    }

    fn take_body(&mut self) -> Body<A::Buffer> {
        match self.connection.body {
            Incoming::Announced => Body::Announced,
            Incoming::None | Incoming::Sized { .. } | Incoming::Growing(_) => {
                self.connection.body.take().map_or(Body::Empty, Body::Complete)
            }
        }
    }

    fn receive_body(&mut self) -> Result<Option<A::Buffer>, Refusal> {
        let received = self.receive_some();
        if received.is_err() {
            // The rest of the body will not be read: the connection closes after the answer.
            self.connection.body = Incoming::Announced;
        }
        received
    }

    fn respond(&mut self, status: &[u8], fields: &Fields, length: Option<u64>) -> Result<(), Gone> {
        let connection = &mut *self.connection;
        let may_keep_alive = !self.shared.is_draining()
            && !self.shared.config.keepalive.is_zero()
            && !matches!(connection.body, Incoming::Announced);
        let persistence = if may_keep_alive { Persistence::Allow } else { Persistence::Close };
        let response = Response { status, fields, length, date: self.date.at(self.now), persistence };
        let sent = connection.output.append(|out| connection.http.send(Outgoing::Head(&response), out));
        connection.exchange.status = http::status(status).ok();
        if self.shared.logs_access {
            connection.exchange.fields.clear();
            connection.exchange.fields.extend_from_slice(fields.lines());
        }
        self.stage = Stage::Started;
        sent.map_err(|error| self.log_wrong_answer(&error))
    }

    fn hint(&mut self, fields: &Fields) -> Result<(), Gone> {
        let connection = &mut *self.connection;
        if self.stage != Stage::Unanswered || connection.http.head().version() == Version::Http10 {
            return Ok(());
        }
        let hints = Outgoing::EarlyHints(fields);
        connection.output.append(|out| connection.http.send(hints, out)).map_err(|_| Gone)?;
        let is_out = connection.flush().map_err(|_| Gone)?;
        // An interim answer is not the answer: an error page may still follow it, if this one is out as a whole.
        connection.exchange.has_sent = !is_out;
        Ok(())
    }

    fn send(&mut self, piece: A::Piece, flush: Flush) -> Result<Room, Gone> {
        if self.is_taken_over() {
            return Err(Gone);
        }
        let connection = &mut *self.connection;
        let len = piece.as_ref().len() as u64;
        if len > 0 {
            let frame = connection.output.append(|out| connection.http.frame(len, out));
            connection.exchange.body_len += frame.take;
            connection.output.push(piece, frame.take as usize);
            connection.output.append(|out| out.extend_from_slice(frame.suffix));
            if frame.excess {
                log::error!(
                    "Error handling request {}: body is longer than Content-Length; cut",
                    request_line(&connection.http)
                );
            } else if frame.take == 0 && connection.http.is_bodyless() {
                self.log_dropped_body();
            }
        }
        if flush == Flush::Now {
            self.connection.flush().map_err(|_| Gone)?;
        }
        Ok(if self.connection.output.pending() > RESPONSE_HIGH_WATER { Room::Full } else { Room::Yes })
    }

    fn wait_for_room(&mut self) -> Result<Room, Gone> {
        let patience = self.shared.config.write_timeout;
        let deadline = *self.deadline.get_or_insert_with(|| Instant::now() + patience);
        let before = self.connection.output.pending();
        self.wait(Interest::Writable, deadline).map_err(|_| Gone)?;
        self.connection.flush().map_err(|_| Gone)?;
        if self.connection.output.pending() < before {
            self.deadline = None;
        }
        Ok(if self.connection.output.pending() > RESPONSE_HIGH_WATER / 2 { Room::Full } else { Room::Yes })
    }

    fn finish(&mut self) -> Result<(), Gone> {
        let connection = &mut *self.connection;
        let ended = connection.output.append(|out| connection.http.send(Outgoing::End, out));
        self.stage = Stage::Finished;
        let flushed = self.connection.flush();
        ended.map_err(|error| self.log_wrong_answer(&error))?;
        flushed.map(drop).map_err(|_| Gone)
    }

    fn socket(&self) -> BorrowedFd<'_> {
        self.connection.stream.as_fd()
    }

    fn take_over(&mut self) -> io::Result<(OwnedFd, Vec<u8>)> {
        let deadline = Instant::now() + self.shared.config.write_timeout;
        flush_until(self.connection, deadline)?;
        let socket = self.connection.stream.as_fd().try_clone_to_owned()?;
        // Out of the reactor first: the flag that is changed next is shared with its descriptor.
        self.shared.registry.deregister(&mut self.connection.stream)?;
        sys::make_blocking(socket.as_fd())?;
        self.connection.exchange.is_taken_over = true;
        self.stage = Stage::Finished;
        Ok((socket, self.connection.http.take_rest()))
    }

    fn is_taken_over(&self) -> bool {
        self.connection.exchange.is_taken_over
    }

    fn has_responded(&self) -> bool {
        self.stage != Stage::Unanswered
    }

    fn note_variable(&mut self, index: usize, value: &[u8]) {
        let variables = &mut self.connection.exchange.variables;
        if variables.len() <= index {
            variables.resize(index + 1, Vec::new());
        }
        variables[index] = value.to_owned();
    }
}

impl<A: App> Running<'_, A> {
    /// One step of [`app::Exchange::receive_body`].
    fn receive_some(&mut self) -> Result<Option<A::Buffer>, Refusal> {
        let limit = self.shared.config.body_memory;
        let patience = self.shared.config.body_timeout;
        let is_first = self.deadline.is_none();
        let deadline = *self.deadline.get_or_insert_with(|| Instant::now() + patience);
        let connection = &mut *self.connection;
        if is_first {
            connection.expect_body(&self.shared.app);
            if self.stage == Stage::Unanswered {
                connection.output.append(|out| connection.http.send(Outgoing::Continue, out)).map_err(broken)?;
                flush_until(connection, deadline).map_err(broken)?;
                // An interim answer is not the answer: an error page may still follow it.
                connection.exchange.has_sent = false;
            }
        }
        connection.readiness.readable = true;
        match connection.read_request(&self.shared.app, limit) {
            Progress::Request => {
                self.deadline = None;
                Ok(Some(connection.body.take().unwrap_or_else(|| A::Buffer::from(Vec::new()))))
            }
            Progress::Wait => self.wait(Interest::Readable, deadline).map(|()| None).map_err(broken),
            Progress::Refuse(Refused::TooLarge) => Err(Refusal::TooLarge(limit)),
            Progress::Refuse(Refused::Malformed(error)) => Err(Refusal::Broken(error.to_string())),
            Progress::Closed => Err(Refusal::Broken("the client has gone".to_owned())),
        }
    }

    /// Waits for the client, at most a moment. That is not application time, so the worker shows that it is alive.
    ///
    /// Errors: `deadline` is over, or the socket has failed.
    fn wait(&self, interest: Interest, deadline: Instant) -> io::Result<()> {
        self.shared.beat_for_waiting();
        wait_until(self.connection, interest, deadline, WAIT)
    }

    fn log_wrong_answer(&mut self, error: &SendError) -> Gone {
        self.connection.exchange.failed = true;
        log::error!("Error handling request {}: {error}", request_line(&self.connection.http));
        Gone
    }

    /// Once per exchange.
    fn log_dropped_body(&mut self) {
        if std::mem::replace(&mut self.has_dropped_body, true) {
            return;
        }
        let head = self.connection.http.head();
        let status = self.connection.exchange.status.unwrap_or_default();
        log::warn!(
            "WSGI app sent body bytes on a no-body response (method={} status={status}); dropping per RFC 9110.",
            head.method()
        );
    }
}

/// `GET /path`, for the log.
fn request_line(http: &http::Connection) -> String {
    let head = http.head();
    format!("{} {}", head.method(), head.target())
}

fn broken(error: impl std::fmt::Display) -> Refusal {
    Refusal::Broken(error.to_string())
}

/// Writes all that is queued, waiting for the client until `deadline`.
fn flush_until<A: App>(connection: &mut Connection<A>, deadline: Instant) -> io::Result<()> {
    while !connection.flush()? {
        wait_until(connection, Interest::Writable, deadline, WAIT)?;
    }
    Ok(())
}

/// Waits until the socket is ready, a signal arrives, or `most` is over. Errors: `deadline` is over, or it has failed.
fn wait_until<A: App>(
    connection: &Connection<A>,
    interest: Interest,
    deadline: Instant,
    most: Duration,
) -> io::Result<()> {
    let rest = deadline.saturating_duration_since(Instant::now());
    if rest == Duration::ZERO {
        return Err(io::Error::new(io::ErrorKind::TimedOut, "the client is too slow"));
    }
    match sys::wait_for(connection.stream.as_fd(), interest, Some(rest.min(most))) {
        Err(error) if error.kind() != io::ErrorKind::Interrupted => Err(error),
        Ok(_) | Err(_) => Ok(()),
    }
}
