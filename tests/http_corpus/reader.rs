//! A worker in small: reads all requests of one connection, answers each, and notes what it saw, so that two ways of
//! cutting the same bytes can be compared. The fuzz targets read with it too.

use std::sync::Arc;

use indrik::http::{Connection, Error, Event, Policy};

use super::answer::Reply;

/// The bytes that a wire in the notation of the corpus stands for.
pub fn bytes(wire: &str) -> Vec<u8> {
    let byte = |c| u8::try_from(u32::from(c)).expect("a character of a wire is a byte");
    wire.replace('|', "\r\n").chars().map(byte).collect()
}

/// Who sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// Anybody.
    Stranger,
    /// A proxy that is trusted to forward for others.
    Forwarder,
}

/// One request as it was understood.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// The request line, if a head was complete.
    pub line: String,
    /// The fields, `Name: value` each, escaped.
    pub fields: Vec<String>,
    /// The names of dropped fields, joined with a space.
    pub dropped: String,
    /// What was said of the scheme.
    pub is_secure: Option<bool>,
    /// Path, query, host, framing.
    pub details: String,
    /// The whole body.
    pub body: Vec<u8>,
    /// `closes`, `waits`, or nothing.
    pub ending: &'static str,
    /// Why it was refused.
    pub refusal: Option<Error>,
    /// What was answered.
    pub answer: Vec<u8>,
}

impl Seen {
    /// Line, body and ending in one line of text.
    pub fn brief(&self) -> String {
        let mut parts = Vec::new();
        match (self.line.as_str(), self.body.as_slice()) {
            ("", _) => {}
            (line, []) => parts.push(line.to_owned()),
            (line, body) => parts.push(format!("{line} with '{}'", body.escape_ascii())),
        }
        if !self.ending.is_empty() {
            parts.push(self.ending.to_owned());
        }
        if let Some(error) = &self.refusal {
            parts.push(format!("refuse {}: {error}", error.status()));
        }
        parts.join(", ")
    }
}

/// Reads requests from one connection and answers each of them alike.
pub struct Reader {
    connection: Connection,
    reply: Reply,
    seen: Vec<Seen>,
    is_inside: bool,
}

impl Reader {
    /// A reader that answers with nothing.
    pub fn new(policy: &Arc<Policy>, peer: Peer) -> Self {
        let mut connection = Connection::new(Arc::clone(policy));
        match peer {
            Peer::Stranger => {}
            Peer::Forwarder => connection.trust_forwarder(),
        }
        Reader { connection, reply: Reply::default(), seen: Vec::new(), is_inside: false }
    }

    /// The same with another answer.
    pub fn replying(self, reply: Reply) -> Self {
        Reader { reply, ..self }
    }

    /// What is seen of a connection on which `pieces` come, and then the peer's FIN if `is_ended`.
    pub fn feed<'a>(mut self, pieces: impl IntoIterator<Item = &'a [u8]>, is_ended: bool) -> Vec<Seen> {
        for piece in pieces {
            match piece {
                // As a socket would: into the connection's own buffer.
                [byte] => {
                    let spare = self.connection.spare();
                    assert!(spare.len() >= 4096);
                    spare[0] = *byte;
                    self.connection.received(1);
                }
                piece => self.connection.receive(piece),
            }
            self.read();
        }
        if is_ended {
            self.connection.end_of_input();
            self.read();
        }
        let is_over = self.seen.last().is_some_and(|seen| !seen.ending.is_empty() || seen.refusal.is_some());
        if !is_over && (self.is_inside || self.connection.has_input()) {
            self.request().ending = "waits";
        }
        self.seen
    }

    /// The request at hand.
    fn request(&mut self) -> &mut Seen {
        if !self.is_inside {
            self.is_inside = true;
            self.seen.push(Seen::default());
        }
        self.seen.last_mut().expect("there is one now")
    }

    fn read(&mut self) {
        loop {
            match self.connection.next_event() {
                Ok(Event::NeedBytes | Event::Closed) => return,
                Ok(Event::Head) => {
                    self.see_head();
                    let line = self.connection.head().first_line().to_string();
                    self.request().line = line;
                }
                Ok(Event::Body) => {
                    let chunk = self.connection.body_chunk().to_vec();
                    assert!(!chunk.is_empty());
                    self.request().body.extend(chunk);
                }
                Ok(Event::End) => {
                    let ending = if self.answer() { "" } else { "closes" };
                    self.request().ending = ending;
                    self.is_inside = false;
                    self.connection.next_cycle();
                }
                Err(error) => {
                    assert_eq!(self.connection.next_event(), Err(error.clone()));
                    let known = self.seen.last().is_some_and(|seen| seen.refusal.is_some());
                    if !known {
                        self.refuse(error);
                    }
                    return;
                }
            }
        }
    }

    /// Notes what is known of the head, be it sound or not.
    fn see_head(&mut self) {
        let head = self.connection.head();
        let fields: Vec<_> = head.fields().map(|field| format!("{field:?}")).collect();
        let dropped: Vec<_> = head.dropped().collect();
        let (dropped, is_secure) = (dropped.join(" "), head.is_secure());
        let host = head.host().map(|host| host.escape_ascii().to_string());
        let details = format!(
            "{} path {} query {} host {host:?} length {:?} chunked {} version {:?} expects {}",
            head.first_line(),
            head.path(),
            head.query(),
            head.content_length(),
            head.is_chunked(),
            head.version(),
            head.expects_continue(),
        );
        let request = self.request();
        (request.fields, request.dropped, request.is_secure, request.details) = (fields, dropped, is_secure, details);
    }

    fn refuse(&mut self, error: Error) {
        assert!([400, 414, 417, 431, 501].contains(&error.status()) && !error.reason().is_empty());
        self.see_head();
        self.request().refusal = Some(error);
    }

    /// Whether the connection is kept.
    fn answer(&mut self) -> bool {
        let answer = self.reply.send(&mut self.connection);
        self.reply.check(&answer, &self.connection);
        self.request().answer = answer;
        self.connection.keeps_alive()
    }
}
