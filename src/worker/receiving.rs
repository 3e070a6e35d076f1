//! The body of a request whose application already runs: because its client waits for `100 Continue`, or because bodies are
//! not buffered. Here, and only here, a slow client costs a thread; so it is under more than one limit.
#![allow(clippy::disallowed_methods)] // An application thread reads the clock for its waits: it has no loop to ask.

use std::io;
use std::time::{Duration, Instant};

use super::body::{Incoming, Trouble};
use super::connection::{self, Progress, Refused};
use super::pace::Pace;
use super::running::{Running, Stage, flush_until};
use crate::app::{App, Body, Part, Refusal};
use crate::http::{self, Event, Outgoing};
use crate::sys::Interest;

/// Bytes that are read at once, straight from the socket.
const MOST_AT_ONCE: u64 = 256 * 1024;

/// Bytes of an unread body that are thrown away to keep a connection. Source: Gunicorn.
const SKIPPED: usize = 64 * 1024;

/// A client that was told to go on may make a thread wait for `body_timeout` in all, and for a second more with each of so
/// many bytes that it has sent: slow progress does not hold a thread for ever.
const BYTES_PER_SECOND: u64 = 64 * 1024;

/// When the application has not asked for so long, the client's pace is measured anew.
const PAUSE: Duration = Duration::from_secs(1);

/// How far the reception has got.
#[derive(Debug, Default)]
pub(super) struct Receiving {
    pace: Option<Pace>,
    /// How long the thread has waited for the client.
    waited: Duration,
    /// When the application was last given something.
    left: Option<Instant>,
    /// Why there will be no more.
    refusal: Option<Refusal>,
}

impl<A: App> Running<'_, A> {
    /// As [`crate::app::Exchange::receive_body`].
    pub(super) fn receive_all(&mut self) -> Result<Option<Body<A::Buffer>>, Refusal> {
        self.unless_refused(|running| {
            let now = Instant::now();
            if running.connection.pace.is_none() {
                running.tell_to_go_on(now)?;
                running.connection.expect_body(running.shared, now).map_err(Refusal::from)?;
            }
            running.connection.readiness.readable = true;
            match running.connection.read_request(running.shared, now) {
                Progress::Request => Ok(Some(running.connection.body.take())),
                Progress::Yield => Ok(None),
                Progress::Wait => {
                    let mut pace = running.connection.pace.unwrap_or_else(|| Pace::begin(now));
                    running.wait_for_bytes(&mut pace, now)?;
                    running.connection.pace = Some(pace);
                    Ok(None)
                }
                Progress::Refuse(refused) => Err(Refusal::from(refused)),
                Progress::Closed => Err(Refusal::Gone),
            }
        })
    }

    /// As [`crate::app::Exchange::receive_part`].
    pub(super) fn receive_some(&mut self, most: usize) -> Result<Part, Refusal> {
        self.unless_refused(|running| {
            let now = Instant::now();
            let mut pace = match running.receiving.pace {
                Some(pace) => pace,
                None => {
                    running.tell_to_go_on(now)?;
                    Pace::begin(now)
                }
            };
            if running.receiving.left.is_some_and(|left| now.saturating_duration_since(left) > PAUSE) {
                pace.restart(now);
            }
            if !matches!(running.connection.body, Incoming::Streamed) {
                return Ok(Part::End);
            }
            let part = running.take_some(most, &mut pace, now);
            running.receiving.pace = Some(pace);
            running.receiving.left = Some(Instant::now());
            part
        })
    }

    /// Throws away what has come of a streamed body that nobody reads, if it is little; if that was all, the connection
    /// can be kept.
    pub(super) fn skip_rest(&mut self) {
        let connection = &mut *self.connection;
        if !matches!(connection.body, Incoming::Streamed) || self.receiving.refusal.is_some() {
            return;
        }
        // Whoever reads after this, in close() of the answer, must not take the rest for all there was.
        self.receiving.refusal = Some(Refusal::Gone);
        let mut skipped = 0;
        while skipped < SKIPPED {
            match connection.http.next_event() {
                Ok(Event::Body) => skipped += connection.http.body_chunk().len(),
                Ok(Event::End) => {
                    connection.body = Incoming::None;
                    return;
                }
                Ok(Event::NeedBytes) => {
                    let (count, offered) = connection.fill_buffer();
                    let Ok(Some(count)) = count else { return };
                    connection.note_read(Some(count), offered);
                }
                Ok(Event::Head | Event::Closed) | Err(_) => return,
            }
        }
    }

    /// Says again why there is no more; notes it when it is found out.
    fn unless_refused<R>(&mut self, work: impl FnOnce(&mut Self) -> Result<R, Refusal>) -> Result<R, Refusal> {
        if let Some(refusal) = &self.receiving.refusal {
            return Err(refusal.clone());
        }
        work(self).inspect_err(|refusal| {
            self.receiving.refusal = Some(refusal.clone());
            self.connection.exchange.refusal = Some(refusal.clone());
            // The rest of the body will not be read: the connection closes after the answer.
            self.connection.body = Incoming::Announced;
        })
    }

    /// The client is told to go on, if it waits for that. Errors: it has gone.
    fn tell_to_go_on(&mut self, now: Instant) -> Result<(), Refusal> {
        let connection = &mut *self.connection;
        if connection.http.head().expects_continue() && self.stage == Stage::Unanswered {
            let told = connection.output.append(|out| connection.http.send(Outgoing::Continue, out));
            told.map_err(|_| Refusal::Gone)?;
            let deadline = now + self.shared.config.body_timeout;
            self.send_interim(|connection| flush_until(connection, deadline)).map_err(|error| cut(&error))?;
        }
        Ok(())
    }

    /// One step of a streamed body.
    fn take_some(&mut self, most: usize, pace: &mut Pace, now: Instant) -> Result<Part, Refusal> {
        loop {
            let connection = &mut *self.connection;
            let event = connection.http.next_event();
            match event.map_err(|error| Refusal::from(Refused::Malformed(error)))? {
                Event::Body => {
                    let bytes = connection.http.body_chunk().to_vec();
                    return self.part(bytes, pace, now);
                }
                Event::End => {
                    connection.body = Incoming::None;
                    return Ok(Part::End);
                }
                Event::NeedBytes => {}
                Event::Head | Event::Closed => return Err(Refusal::Gone),
            }
            let direct = connection.http.direct_remaining().min(MOST_AT_ONCE).min(most as u64) as usize;
            let mut bytes = vec![0; direct];
            let (count, offered) = match direct {
                0 => connection.fill_buffer(),
                _ => (connection.stream.read(&mut bytes), direct),
            };
            match connection.note_read(count.map_err(|_| Refusal::Gone)?, offered) {
                None => {
                    self.wait_for_bytes(pace, now)?;
                    return Ok(Part::Wait);
                }
                Some(count @ 1..) if direct > 0 => {
                    connection.http.received_directly(count);
                    bytes.truncate(count as usize);
                    return self.part(bytes, pace, now);
                }
                Some(_) => {}
            }
        }
    }

    /// The application may have read exactly what was announced, and never asked whether that was all.
    pub(super) fn note_end(&mut self) {
        let connection = &mut *self.connection;
        if matches!(connection.body, Incoming::Streamed)
            && connection.http.is_request_complete()
            && matches!(connection.http.next_event(), Ok(Event::End))
        {
            connection.body = Incoming::None;
        }
    }

    fn part(&mut self, bytes: Vec<u8>, pace: &mut Pace, now: Instant) -> Result<Part, Refusal> {
        pace.note(bytes.len() as u64, now);
        connection::bounds(&self.shared.config).check(pace.len()).map_err(Refusal::from)?;
        Ok(Part::Bytes(bytes))
    }

    /// Waits a moment for the client. Errors: it is too slow, or has gone.
    fn wait_for_bytes(&mut self, pace: &mut Pace, now: Instant) -> Result<(), Refusal> {
        let demand = connection::demand(&self.shared.config);
        let mut deadline = pace.look(demand, now).ok_or(Refusal::TooSlow)?;
        if self.connection.http.head().expects_continue() {
            let allowed = demand.patience + Duration::from_secs(pace.len() / BYTES_PER_SECOND);
            deadline = deadline.min(now + allowed.saturating_sub(self.receiving.waited));
        }
        let waited = self.wait(Interest::Readable, deadline);
        self.receiving.waited += now.elapsed();
        waited.map_err(|error| cut(&error))
    }
}

fn cut(error: &io::Error) -> Refusal {
    if error.kind() == io::ErrorKind::TimedOut { Refusal::TooSlow } else { Refusal::Gone }
}

impl From<Trouble> for Refusal {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::TooLarge(most) => Self::TooLarge(most),
            Trouble::Storage(text) => Self::Storage(text),
        }
    }
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Malformed(http::Error::Truncated) => Self::Gone,
            Refused::Malformed(error) => Self::Malformed { status: error.status(), text: error.to_string() },
            Refused::Body(trouble) => Self::from(trouble),
            // Behind the first request no PROXY header is looked for.
            Refused::ProxyHeader(text) => Self::Malformed { status: 400, text },
            Refused::Forbidden | Refused::NoMemory => Self::Gone,
        }
    }
}
