//! One connection, seen from the server: facts are bytes that came, orders are events and bytes to send. The worker
//! owns socket and clock; it receives into [`Connection::spare`], asks [`Connection::next_event`] until it says
//! `NeedBytes`, and sends what [`Connection::send`] or [`Connection::frame`] appends.

use std::sync::Arc;

use super::chunked::{Advance, Chunked, Found};
use super::error::Error;
use super::framing::Framing;
use super::head::{Head, Parts};
use super::head_reader::{HeadReader, Progress};
use super::input::Input;
use super::policy::{Policy, Trust};
use super::response::{Answer, Frame, Outgoing, SendError, server};

/// What the bytes received so far amount to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// Nothing yet; ask again when more has come.
    NeedBytes,
    /// A request head is complete: see [`Connection::head`].
    Head,
    /// A piece of the request body: see [`Connection::body_chunk`].
    Body,
    /// The request is complete. Repeated until [`Connection::next_cycle`].
    End,
    /// There will be no further request.
    Closed,
}

/// The server's end of an HTTP/1.1 connection, one exchange after the other.
#[derive(Debug)]
pub struct Connection {
    policy: Arc<Policy>,
    trust: Trust,
    server: &'static str,
    input: Input,
    /// The peer has ended its side.
    is_ended: bool,
    reading: Reading,
    parts: Parts,
    answer: Answer,
}

/// What is expected from the peer.
#[derive(Debug)]
enum Reading {
    Head(HeadReader),
    /// So many bytes of the body are to come.
    Length(u64),
    Chunked(Chunked),
    Complete,
    Closed,
    Failed(Error),
}

impl Connection {
    /// A connection on which nothing has come. Allocates nothing.
    pub fn new(policy: Arc<Policy>) -> Self {
        Connection {
            policy,
            trust: Trust::default(),
            server: server(),
            input: Input::default(),
            is_ended: false,
            reading: Reading::Head(HeadReader::default()),
            parts: Parts::default(),
            answer: Answer::default(),
        }
    }

    /// The peer is one of `forwarded_allow_ips`: what it says of the scheme, and names in `forwarder_headers`, are
    /// believed from the next head on.
    pub fn trust_forwarder(&mut self) {
        self.trust = Trust::forwarder(&self.policy);
    }

    /// Has answers carry another `Server` than [`SERVER`](super::SERVER); `name` must be fit for a field value.
    pub fn rename_server(&mut self, name: &'static str) {
        self.server = name;
    }

    /// Takes in a copy of `bytes`. For bytes that did not come through [`Connection::spare`].
    pub fn receive(&mut self, bytes: &[u8]) {
        self.input.push(bytes);
    }

    /// Free space to receive into: at least 4 KiB, normally 16 KiB. Ends the life of [`Connection::body_chunk`].
    pub fn spare(&mut self) -> &mut [u8] {
        self.input.spare()
    }

    /// `count` bytes were put at the start of [`Connection::spare`].
    pub fn received(&mut self, count: usize) {
        self.input.received(count);
    }

    /// The peer has ended its side. What it sent before is still served.
    pub fn end_of_input(&mut self) {
        self.is_ended = true;
    }

    /// Whether bytes have come that no event has told of: a pipelined request, a head or body in part.
    pub fn has_input(&self) -> bool {
        !self.input.unread().is_empty()
    }

    /// The bytes that no event has told of. What a head or a line of chunks has begun with is among them.
    pub fn unread(&self) -> &[u8] {
        self.input.unread()
    }

    /// The head of the request at hand as it was received; empty between requests.
    pub fn head_bytes(&self) -> &[u8] {
        self.input.head()
    }

    /// The body of the request at hand is somewhere else, all of it: the request is complete.
    pub fn finish_body(&mut self) {
        if matches!(self.reading, Reading::Length(_) | Reading::Chunked(_)) {
            self.reading = Reading::Complete;
        }
    }

    /// Takes the first `count` bytes out of [`Connection::unread`], or all if there are fewer: what stands there is not
    /// HTTP, such as a PROXY header. Behind a head nothing is taken until [`Connection::next_cycle`].
    pub fn skip(&mut self, count: usize) {
        if let Reading::Head(reader) = &mut self.reading {
            *reader = HeadReader::default();
            self.parts.clear();
            self.input.consume(count.min(self.input.unread().len()));
        }
    }

    /// Takes what was received and not consumed, for somebody who goes on with the connection in another protocol.
    /// The head stays.
    pub fn take_rest(&mut self) -> Vec<u8> {
        self.input.take_unread()
    }

    /// Would [`Connection::spare`] have to allocate?
    pub fn wants_buffer(&self) -> bool {
        self.input.is_unallocated()
    }

    /// Gives a buffer to receive into, used at its full capacity. Dropped if there already is one.
    pub fn lend_buffer(&mut self, buffer: Vec<u8>) {
        self.input.lend(buffer);
    }

    /// Gives the buffer back; `None` while a head or unconsumed bytes are in it, or if there is none.
    pub fn take_buffer(&mut self) -> Option<Vec<u8>> {
        self.input.take()
    }

    /// What the bytes received so far amount to, one thing at a time.
    ///
    /// Errors: each [`Error`], and the same again whenever asked; the connection is then good for one last answer.
    pub fn next_event(&mut self) -> Result<Event, Error> {
        self.input.forget_piece();
        let outcome = match &mut self.reading {
            Reading::Head(_) => self.read_head(),
            Reading::Length(_) | Reading::Chunked(_) => self.read_body(),
            Reading::Complete => return Ok(Event::End),
            Reading::Closed => return Ok(Event::Closed),
            Reading::Failed(error) => return Err(error.clone()),
        };
        match outcome {
            Ok(Event::NeedBytes) if self.is_ended => self.read_end(),
            Ok(event) => Ok(event),
            Err(error) => Err(self.fail(error)),
        }
    }

    fn fail(&mut self, error: Error) -> Error {
        if matches!(self.reading, Reading::Head(_)) {
            // What was understood may be logged, and must not show more than a sound head would.
            self.parts.drop_fields(self.input.since_head(), &self.policy, self.trust);
        }
        self.reading = Reading::Failed(error.clone());
        error
    }

    fn read_head(&mut self) -> Result<Event, Error> {
        let Reading::Head(reader) = &mut self.reading else {
            return Ok(Event::NeedBytes);
        };
        loop {
            match reader.read(self.input.unread_mut(), &self.policy, self.trust, &mut self.parts)? {
                Progress::NeedBytes => return Ok(Event::NeedBytes),
                Progress::Blank(len) => self.input.consume(len),
                Progress::Complete(len) => {
                    self.input.pin_head(len);
                    self.reading = match self.parts.meaning.framing {
                        Framing::Length(len) => Reading::Length(len),
                        Framing::Chunked => Reading::Chunked(Chunked::default()),
                    };
                    return Ok(Event::Head);
                }
            }
        }
    }

    fn read_body(&mut self) -> Result<Event, Error> {
        let unread = self.input.unread();
        let (found, skipped) = match &mut self.reading {
            Reading::Length(0) => (Found::End, 0),
            Reading::Length(_) if unread.is_empty() => (Found::NeedBytes, 0),
            Reading::Length(remaining) => {
                let len = usize::try_from(*remaining).map_or(unread.len(), |most| most.min(unread.len()));
                *remaining -= len as u64;
                (Found::Data(len), 0)
            }
            Reading::Chunked(chunked) => {
                let Advance { skipped, found } = chunked.advance(unread, &self.policy)?;
                (found, skipped)
            }
            Reading::Head(_) | Reading::Complete | Reading::Closed | Reading::Failed(_) => (Found::NeedBytes, 0),
        };
        self.input.consume(skipped);
        Ok(match found {
            Found::NeedBytes => Event::NeedBytes,
            Found::Data(len) => {
                self.input.consume_piece(len);
                Event::Body
            }
            Found::End => {
                self.reading = Reading::Complete;
                Event::End
            }
        })
    }

    /// No more bytes will come, and more are needed.
    fn read_end(&mut self) -> Result<Event, Error> {
        let is_between = matches!(self.reading, Reading::Head(_)) && !self.has_input();
        if is_between {
            self.reading = Reading::Closed;
            return Ok(Event::Closed);
        }
        Err(self.fail(Error::Truncated))
    }

    /// The head of the request at hand, from [`Event::Head`] until [`Connection::next_cycle`]. After an error, what
    /// was understood of it; otherwise without method, target and fields.
    pub fn head(&self) -> Head<'_> {
        Head::new(self.input.since_head(), &self.parts)
    }

    /// The bytes of the [`Event::Body`] last told, until the next event or until more is received.
    pub fn body_chunk(&self) -> &[u8] {
        self.input.piece()
    }

    /// How many bytes of a body with Content-Length are still to come and may be received elsewhere, since all that
    /// are here have been told of; else 0.
    pub fn direct_remaining(&self) -> u64 {
        match self.reading {
            Reading::Length(remaining) if !self.has_input() => remaining,
            _ => 0,
        }
    }

    /// Whether all of the request has been told of, so that [`Event::End`] comes next, or has come.
    pub fn is_request_complete(&self) -> bool {
        matches!(self.reading, Reading::Length(0) | Reading::Complete)
    }

    /// `count` bytes of the body were received elsewhere; see [`Connection::direct_remaining`].
    pub fn received_directly(&mut self, count: u64) {
        if let Reading::Length(remaining) = &mut self.reading {
            *remaining = remaining.saturating_sub(count);
        }
    }

    /// Appends `outgoing` to `out`; on an error nothing is appended.
    ///
    /// Errors: [`SendError::OutOfTurn`]; [`SendError::Status`] for a head; [`SendError::ShortBody`] at the end, after
    /// which the connection must be closed.
    pub fn send(&mut self, outgoing: Outgoing<'_>, out: &mut Vec<u8>) -> Result<(), SendError> {
        if matches!(self.reading, Reading::Head(_) | Reading::Closed) {
            return Err(SendError::OutOfTurn);
        }
        match outgoing {
            Outgoing::Continue => self.answer.send_continue(out),
            Outgoing::EarlyHints(fields) => self.answer.send_early_hints(fields, out),
            Outgoing::Head(response) => {
                let request = Head::new(self.input.since_head(), &self.parts);
                let persists = self.parts.meaning.persists && self.is_sound();
                self.answer.send_head(response, request, persists, self.server, out)
            }
            Outgoing::Body(piece) => self.answer.send_body(piece, out),
            Outgoing::End => self.answer.send_end(out),
        }
    }

    /// Accounts for a piece of `len` bytes that the caller sends itself, and appends what goes before it to `out`.
    /// Before the head and behind the end nothing of it may be sent.
    pub fn frame(&mut self, len: u64, out: &mut Vec<u8>) -> Frame {
        self.answer.frame(len, out)
    }

    /// Whether the answer has no body by its nature (HEAD, 1xx, 204, 304). Known once its head was sent.
    pub fn is_bodyless(&self) -> bool {
        self.answer.is_bodyless()
    }

    /// The status of the answer to the request at hand, once its head was sent.
    pub fn answered_status(&self) -> Option<u16> {
        self.answer.code()
    }

    /// Whether the client has said that this request is its last: it will send nothing more.
    pub fn is_last_request(&self) -> bool {
        !self.parts.meaning.persists
    }

    /// Whether the connection goes on behind this exchange. Decided when the head of the answer is sent; a fault of
    /// either side afterwards takes it back.
    pub fn keeps_alive(&self) -> bool {
        self.answer.keeps_alive() && self.is_sound()
    }

    fn is_sound(&self) -> bool {
        !matches!(self.reading, Reading::Failed(_) | Reading::Closed)
    }

    /// Forgets the exchange and goes on with what is pipelined.
    ///
    /// If it has not ended in both directions, or is not kept alive, the next bytes cannot be known to be a request:
    /// then they are thrown away and all that follows is [`Event::Closed`].
    pub fn next_cycle(&mut self) {
        let goes_on = matches!(self.reading, Reading::Complete) && self.answer.is_over() && self.answer.keeps_alive();
        self.parts.clear();
        self.answer = Answer::default();
        if goes_on {
            self.reading = Reading::Head(HeadReader::default());
            self.input.release_head();
        } else {
            self.reading = Reading::Closed;
            self.input.discard();
        }
    }
}

#[cfg(test)]
mod tests;
