//! The exchange at hand as the application sees it: [`crate::app::Exchange`] over a connection.
//!
//! Waiting is left to methods that the application's side calls detached; the request's body is in [`super::receiving`].
#![allow(clippy::disallowed_methods)] // An application thread reads the clock for its waits: it has no loop to ask.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use super::Shared;
use super::connection::Connection;
use super::exchange::{Post, request_line};
use super::output::Flushed;
use super::receiving::Receiving;
use crate::app::{self, App, Body, Client, Flush, Gone, Origin, Part, Refusal, Room};
use crate::http::{Fields, Head, Outgoing, Persistence, Response, SendError, Version};
use crate::sys::{self, Interest};

/// How long a thread waits for a client at a time, before it looks for signals. Short enough for any `timeout`.
const WAIT: Duration = Duration::from_millis(400);

/// How far the answer has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Unanswered,
    Started,
    Finished,
}

/// A connection, lent to the application.
pub(super) struct Running<'a, A: App> {
    pub(super) connection: &'a mut Connection<A>,
    pub(super) shared: &'a Shared<A>,
    pub(super) stage: Stage,
    pub(super) receiving: Receiving,
    post: &'a mut Post,
    now: Instant,
    has_dropped_body: bool,
    has_cut_body: bool,
    is_answering: bool,
    /// Of the wait for room that is going on.
    deadline: Option<Instant>,
}

impl<'a, A: App> Running<'a, A> {
    pub(super) fn new(
        connection: &'a mut Connection<A>,
        shared: &'a Shared<A>,
        post: &'a mut Post,
        now: Instant,
    ) -> Self {
        Self {
            connection,
            shared,
            stage: Stage::Unanswered,
            receiving: Receiving::default(),
            post,
            now,
            has_dropped_body: false,
            has_cut_body: false,
            is_answering: false,
            deadline: None,
        }
    }

    pub(super) fn stage(&self) -> Stage {
        self.stage
    }
}

impl<A: App> app::Exchange<A> for Running<'_, A> {
    fn request(&mut self) -> (Head<'_>, &Origin, &mut A::Memory) {
        let connection = &mut *self.connection;
        (connection.http.head(), &connection.origin, &mut connection.memory)
    }

    fn client(&self) -> Option<Client> {
        self.connection.exchange.client
    }

    fn number(&self) -> u64 {
        self.connection.requests
    }

    fn take_body(&mut self) -> Body<A::Buffer> {
        self.connection.body.take()
    }

    fn receive_body(&mut self) -> Result<Option<Body<A::Buffer>>, Refusal> {
        self.receive_all()
    }

    fn receive_part(&mut self, most: usize) -> Result<Part, Refusal> {
        self.receive_some(most)
    }

    fn refusal(&self) -> Option<Refusal> {
        self.connection.exchange.refusal.clone()
    }

    fn respond(&mut self, status: &[u8], fields: &Fields, length: Option<u64>) -> Result<(), Gone> {
        self.note_end();
        if length.is_some() {
            // The application is done, so what is left of the request's body is nobody's.
            self.skip_rest();
        }
        let connection = &mut *self.connection;
        let may_keep_alive =
            !self.shared.is_draining() && !self.shared.config.keepalive.is_zero() && !connection.body.is_outstanding();
        let persistence = if may_keep_alive { Persistence::Allow } else { Persistence::Close };
        let response = Response { status, fields, length, date: self.post.date.at(self.now), persistence };
        let sent = connection.output.append(|out| connection.http.send(Outgoing::Head(&response), out));
        connection.exchange.status = connection.http.answered_status();
        if self.shared.logs_fields {
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
        self.send_interim(|connection| connection.flush()).map(drop).map_err(|_| Gone)
    }

    fn send(&mut self, piece: A::Piece, flush: Flush) -> Result<Room, Gone> {
        if self.is_taken_over() {
            return Err(Gone);
        }
        let len = piece.as_ref().len() as u64;
        if len > 0 {
            self.frame(len, |connection, len| connection.output.push(piece, len as usize));
        }
        if flush == Flush::Now {
            self.begin_to_answer()?;
            self.connection.flush().map_err(|_| Gone)?;
        }
        if self.has_cut_body {
            return Ok(Room::Never);
        }
        Ok(self.room(self.shared.config.response_high_water))
    }

    fn wait_for_room(&mut self) -> Result<Room, Gone> {
        let high_water = self.shared.config.response_high_water;
        self.begin_to_answer()?;
        self.connection.flush().map_err(|_| Gone)?;
        if self.room(high_water) == Room::Yes || self.spool() {
            self.deadline = None;
            return Ok(Room::Yes);
        }
        let deadline = match self.deadline {
            Some(deadline) => deadline,
            None => {
                self.connection.unsent = sys::unsent(self.connection.stream.as_fd());
                Instant::now() + self.shared.config.write_timeout
            }
        };
        self.deadline = Some(deadline);
        let before = self.connection.output.pending();
        match self.wait(Interest::Writable, deadline) {
            // The kernel tells of room only when there is much of it; a client that reads slowly still reads.
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                let unsent = sys::unsent(self.connection.stream.as_fd());
                if unsent >= self.connection.unsent {
                    return Err(Gone);
                }
                self.deadline = None;
            }
            waited => waited.map_err(|_| Gone)?,
        }
        self.connection.flush().map_err(|_| Gone)?;
        if self.connection.output.pending() < before {
            self.deadline = None;
        }
        // Not at the first byte that fits: a thread that wakes for each gets nothing done.
        Ok(self.room(high_water / 2))
    }

    fn sends_files(&self) -> bool {
        self.shared.config.sendfile
    }

    fn send_file(&mut self, file: OwnedFd, offset: u64, len: u64) -> Result<(), Gone> {
        if self.is_taken_over() {
            return Err(Gone);
        }
        if len > 0 {
            self.frame(len, |connection, len| connection.output.push_file(file, offset, len));
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Gone> {
        let connection = &mut *self.connection;
        let ended = connection.output.append(|out| connection.http.send(Outgoing::End, out));
        self.stage = Stage::Finished;
        self.note_end();
        self.begin_to_answer()?;
        let flushed = self.connection.flush();
        if let Err(error) = ended {
            // What there is of the body still goes out, and then the connection is closed.
            self.log_wrong_answer(&error);
        }
        flushed.map(drop).map_err(|_| Gone)
    }

    fn has_hung_up(&self) -> bool {
        sys::has_hung_up(self.connection.stream.as_fd())
    }

    fn socket(&self) -> BorrowedFd<'_> {
        self.connection.stream.as_fd()
    }

    fn take_over(&mut self) -> io::Result<(OwnedFd, Vec<u8>)> {
        let deadline = Instant::now() + self.shared.config.write_timeout;
        self.begin_to_answer().map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
        // First: how long the client takes for what it is sent is no time of the application's.
        self.post.place.take_over();
        let socket = self.detach(deadline).inspect_err(|_| self.post.place.keep())?;
        if self.shared.config.threads == 1 {
            // How long the application talks to its client is its own business.
            self.shared.line.excuse();
        }
        self.connection.exchange.is_taken_over = true;
        self.stage = Stage::Finished;
        Ok((socket, self.connection.http.take_rest()))
    }

    fn is_taken_over(&self) -> bool {
        self.connection.exchange.is_taken_over
    }

    fn is_given_up(&self) -> bool {
        self.post.place.in_progress().is_some_and(|call| call.is_abandoned)
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
    /// Queues `len` bytes of the body, which `push` adds: as many of them as belong to it, between what frames them.
    fn frame(&mut self, len: u64, push: impl FnOnce(&mut Connection<A>, u64)) {
        let connection = &mut *self.connection;
        let frame = connection.output.append(|out| connection.http.frame(len, out));
        connection.exchange.body_len += frame.take;
        if frame.take > 0 {
            push(connection, frame.take);
        }
        connection.output.append(|out| out.extend_from_slice(frame.suffix));
        if frame.excess && !std::mem::replace(&mut self.has_cut_body, true) {
            log::error!(
                "Error handling request {}: body is longer than Content-Length; cut",
                request_line(&connection.http)
            );
        } else if frame.take == 0 && self.connection.http.is_bodyless() {
            self.log_dropped_body();
        }
    }

    /// The answer is about to leave. Errors: somebody has given up on this exchange, and the client has another answer.
    fn begin_to_answer(&mut self) -> Result<(), Gone> {
        if std::mem::replace(&mut self.is_answering, true) {
            return Ok(());
        }
        let status = self.connection.exchange.status.unwrap_or_default();
        self.post.place.answer(status, self.post.watched).map_err(|_| {
            self.is_answering = false;
            Gone
        })
    }

    /// Lets `send` write an interim answer: it is not the answer, so an error page may still follow it, if it is out as a
    /// whole. Nobody gives up on the exchange meanwhile.
    pub(super) fn send_interim(
        &mut self,
        send: impl FnOnce(&mut Connection<A>) -> io::Result<Flushed>,
    ) -> io::Result<()> {
        self.post.place.hold(self.post.watched).map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
        let sent = send(self.connection);
        if !self.is_answering {
            self.post.place.release();
        }
        self.connection.exchange.has_sent = sent? != Flushed::All;
        Ok(())
    }

    /// Sends what is queued, and takes the connection out of the reactor. Returns its socket, which blocks.
    fn detach(&mut self, deadline: Instant) -> io::Result<OwnedFd> {
        flush_until(self.connection, deadline)?;
        let socket = self.connection.stream.as_fd().try_clone_to_owned()?;
        // Out of the reactor first: the flag that is changed next is shared with its descriptor.
        self.shared.registry.deregister(&mut self.connection.stream)?;
        sys::make_blocking(socket.as_fd())?;
        Ok(socket)
    }

    /// Is there room for more in memory, when `most` bytes may lie there?
    fn room(&self, most: usize) -> Room {
        if self.connection.output.memory() > most { Room::Full } else { Room::Yes }
    }

    /// Puts what the client has not taken into a file. `false`: there is no room, or no file.
    fn spool(&mut self) -> bool {
        let config = &self.shared.config;
        if config.response_spool == 0 || self.connection.exchange.spool_trouble.is_some() {
            return false;
        }
        let directory = &config.tmp_upload_dir;
        self.connection.output.spool(directory, config.response_spool).unwrap_or_else(|error| {
            let directory = directory.display();
            let text = format!("cannot write to a temporary file in {directory} (setting tmp_upload_dir): {error}");
            self.connection.exchange.spool_trouble = Some(text);
            false
        })
    }

    /// Waits for the client, at most a moment. That is not application time, so the worker shows that it is alive.
    ///
    /// Errors: `deadline` is over, or the socket has failed.
    pub(super) fn wait(&self, interest: Interest, deadline: Instant) -> io::Result<()> {
        self.shared.beat_for_waiting();
        let began = Instant::now();
        self.post.place.wait(None);
        let waited = wait_until(self.connection, interest, deadline, WAIT);
        self.post.place.wait(Some(began.elapsed().as_nanos() as u64));
        waited
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

/// Writes all that is queued, waiting for the client until `deadline`.
pub(super) fn flush_until<A: App>(connection: &mut Connection<A>, deadline: Instant) -> io::Result<Flushed> {
    while connection.flush()? != Flushed::All {
        wait_until(connection, Interest::Writable, deadline, WAIT)?;
    }
    Ok(Flushed::All)
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
