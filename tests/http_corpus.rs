//! What the HTTP room accepts and refuses, case by case, and two properties of it: no splitting of any bytes changes
//! what is understood, and what is sent can be read back.
//!
//! In a wire `|` is CRLF, a character up to U+00FF is the byte of that number, and `$` at the end is the peer's FIN.

use indrik::http::{Connection, Error, Event, Fields, Limits, Outgoing, Persistence, Response};
use proptest::collection::vec;
use proptest::prelude::*;

#[path = "http_corpus/body.rs"]
mod body;
#[path = "http_corpus/header_section.rs"]
mod header_section;
#[path = "http_corpus/request_line.rs"]
mod request_line;

const DATE: &[u8] = b"Sun, 06 Nov 1994 08:49:37 GMT";
const SECOND: &str = "GET /second HTTP/1.1|Host: b||";

/// Feeds `wire` whole, byte by byte, and with a second request behind it; each must give `want`: the request line of
/// each request, its body, and how it ended: `closes`, `waits` for more bytes, or `refuse`.
#[track_caller]
fn check(wire: &str, want: &str) {
    check_within(Limits::default(), wire, want);
}

#[track_caller]
fn check_within(limits: Limits, wire: &str, want: &str) {
    let (wire, is_ended) = wire.strip_suffix('$').map_or((wire, false), |wire| (wire, true));
    let bytes = bytes(wire);
    let whole = Reader::new(limits).feed([&bytes[..]], is_ended);
    assert_eq!(brief(&whole), want, "whole: {wire:?}");
    let bytewise = Reader::new(limits).feed(bytes.chunks(1), is_ended);
    assert_eq!(bytewise, whole, "byte by byte: {wire:?}");
    if is_ended || want.ends_with("waits") {
        return;
    }
    let stream = [bytes, self::bytes(SECOND)].concat();
    let followed = Reader::new(limits).feed([&stream[..]], false);
    let goes_on = !want.contains("refuse") && !want.ends_with("closes");
    let want = match (goes_on, want) {
        (true, "") => "GET /second HTTP/1.1".to_owned(),
        (true, want) => format!("{want}; GET /second HTTP/1.1"),
        (false, want) => want.to_owned(),
    };
    assert_eq!(brief(&followed), want, "with a second request behind: {wire:?}");
}

/// Checks `GET / HTTP/1.1` with these fields behind a Host.
#[track_caller]
fn check_fields(fields: &str, want: &str) {
    check(&format!("GET / HTTP/1.1|Host: a|{fields}||"), want);
}

/// Checks a POST with this chunked body.
#[track_caller]
fn check_chunked(body: &str, want: &str) {
    let want = match want {
        "" => "POST / HTTP/1.1".to_owned(),
        want => format!("POST / HTTP/1.1{want}"),
    };
    check(&format!("POST / HTTP/1.1|Host: a|Transfer-Encoding: chunked||{body}"), &want);
}

fn bytes(wire: &str) -> Vec<u8> {
    let byte = |c| u8::try_from(u32::from(c)).expect("a character of a wire is a byte");
    wire.replace('|', "\r\n").chars().map(byte).collect()
}

/// One request as it was understood.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    line: String,
    /// Path, query, host, framing, fields.
    details: Vec<String>,
    body: Vec<u8>,
    ending: &'static str,
    refusal: Option<Error>,
}

fn brief(seen: &[Seen]) -> String {
    let requests: Vec<_> = seen.iter().map(Seen::brief).collect();
    requests.join("; ")
}

impl Seen {
    fn brief(&self) -> String {
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

/// Reads requests from one connection and answers each of them with nothing.
struct Reader {
    connection: Connection,
    seen: Vec<Seen>,
    is_inside: bool,
}

impl Reader {
    fn new(limits: Limits) -> Self {
        Reader { connection: Connection::new(limits), seen: Vec::new(), is_inside: false }
    }

    fn feed<'a>(mut self, pieces: impl IntoIterator<Item = &'a [u8]>, is_ended: bool) -> Vec<Seen> {
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
                Ok(Event::Head) => self.see_head(),
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
                        self.request().refusal = Some(error);
                    }
                    return;
                }
            }
        }
    }

    fn see_head(&mut self) {
        let head = self.connection.head();
        let host = head.host().map(|host| host.escape_ascii().to_string());
        let mut details = vec![
            format!("path {} query {} host {host:?}", head.path(), head.query()),
            format!("length {:?} chunked {}", head.content_length(), head.is_chunked()),
            format!("version {:?} expects {}", head.version(), head.expects_continue()),
        ];
        details.extend(head.fields().map(|field| format!("{field:?}")));
        let line = head.first_line().to_string();
        *self.request() = Seen { line, details, ..Seen::default() };
    }

    /// Whether the connection is kept.
    fn answer(&mut self) -> bool {
        let fields = Fields::new();
        let response = Response {
            status: b"200 OK",
            fields: &fields,
            length: Some(0),
            date: DATE,
            persistence: Persistence::Allow,
        };
        let mut out = Vec::new();
        self.connection.send(Outgoing::Head(&response), &mut out).expect("the status is good");
        self.connection.send(Outgoing::End, &mut out).expect("nothing is missing");
        self.connection.keeps_alive()
    }
}

#[test]
fn ordinary_requests_are_accepted() {
    check("GET / HTTP/1.1|Host: a||", "GET / HTTP/1.1");
    check("GET /a?b=c#d HTTP/1.1|Host: a:80|Accept: */*||", "GET /a?b=c#d HTTP/1.1");
    check("GET / HTTP/1.0||", "GET / HTTP/1.0, closes");
    check("POST / HTTP/1.1|Host: a|Content-Length: 5||hello", "POST / HTTP/1.1 with 'hello'");
    check("", "");
    check("GET / HTTP/1.1|Host: a|", "waits");
}

#[test]
fn connection_is_a_list_of_options() {
    for value in ["close", "Close", "close, foo", "foo ,\tclose", "keep-alive, close"] {
        check_fields(&format!("Connection: {value}"), "GET / HTTP/1.1, closes");
    }
    check_fields("Connection: a|Connection: close", "GET / HTTP/1.1, closes");
    for value in ["keep-alive", "closed", "x-close", "\"close\"", ""] {
        check_fields(&format!("Connection: {value}"), "GET / HTTP/1.1");
    }
    check("GET / HTTP/1.0|Connection: foo, Keep-Alive||", "GET / HTTP/1.0");
    check("GET / HTTP/1.0|Connection: keep-alive, close||", "GET / HTTP/1.0, closes");
}

#[test]
fn connect_is_served_and_always_closes() {
    check("CONNECT a:443 HTTP/1.1|Host: a:443||", "CONNECT a:443 HTTP/1.1, closes");
}

#[test]
fn pipelined_requests_are_answered_in_turn() {
    let one = "POST /1 HTTP/1.1|Host: a|Content-Length: 3||abc";
    let two = "POST /2 HTTP/1.1|Host: a|Transfer-Encoding: chunked||3|def|0||";
    let want = "POST /1 HTTP/1.1 with 'abc'; POST /2 HTTP/1.1 with 'def'; POST /1 HTTP/1.1 with 'abc'";
    check(&format!("{one}{two}{one}"), want);
}

/// Pieces that requests are made of, sound and not.
#[rustfmt::skip]
const SCRAPS: [&str; 60] = [
    "GET / HTTP/1.1|Host: a||", "POST /b?c HTTP/1.1|Host: a|Content-Length: 3||abc", "|", "\n", "\r", " ", ":", "\0",
    "a", "POST / HTTP/1.1|Host: a|Transfer-Encoding: chunked||2|ab|0||", "GET http://a/ HTTP/1.2|Host: a|",
    "HEAD / HTTP/1.0|", "GET /abcdefghijklmnopqrstuvwxyz HTTP/1.1|", "GET /abcdefghijklmnopqrstuvwxyz/ HTTP/1.1|",
    "GET", " / ", "HTTP/1.1", "GET / HTTP/1.1|", "Host: a|", "Host: a||", "host:b|", "A:|", "A: \t|", "A:b |",
    "A_b: \u{e9}|", " fold|", "A : b|", "Connection: close|", "Connection: keep-alive|", "Content-Length: 5|",
    "Content-Length: 0|", "Content-Length: 99|", "Transfer-Encoding: chunked|", "Transfer-Encoding: gzip, chunked|",
    "Expect: 100-continue|", "Expect: x|", "||", "0|", "0||", "5|hello|", "3;a=b|abc|",
    "1;aaaaaaaaaaaaaaaaaaaaaaaaaa|x|", "A|0123456789|", "ffffffffffffffff|", "X-Sum: 1|", "TE: a|", "\u{16}\u{3}",
    "PRI * HTTP/2.0||SM||", "CONNECT a:1 HTTP/1.1|Host: a:1||", "OPTIONS * HTTP/1.1|", "\u{ff}", "A:b\n", "A:b\rc|",
    "Aaaaaaaaaaaaaa: aaaaaaaaaaaaa|", "Aaaaaaaaaaaaaa: aaaaaaaaaaaaaa|", "Aaaaaaaaaaaaaa: aaaaaaaaaaaaaaa|",
    "aaaaaaaaaaaaaaaaaaaaaaaa", "hello", "Content-Type: a|", "A: b|A: b|",
];

fn any_limits() -> impl Strategy<Value = Limits> {
    prop_oneof![
        Just(Limits::default()),
        Just(Limits::new(40, 4, 31)),
        (1usize..60, 1usize..6, 8usize..40).prop_map(|(line, fields, size)| Limits::new(line, fields, size)),
    ]
}

/// A stream of scraps, now and then with a byte changed.
fn any_stream() -> impl Strategy<Value = Vec<u8>> {
    let scraps = vec(prop::sample::select(SCRAPS.to_vec()), 0..14);
    let sound = prop::bool::ANY;
    let changes = vec((any::<prop::sample::Index>(), any::<u8>()), 0..2);
    (sound, scraps, changes).prop_map(|(sound, scraps, changes)| {
        let start = if sound { "POST / HTTP/1.1|Host: a|" } else { "" };
        let mut stream = bytes(&format!("{start}{}", scraps.concat()));
        for (at, byte) in changes {
            if !stream.is_empty() {
                let at = at.index(stream.len());
                stream[at] = byte;
            }
        }
        stream
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_splitting_of_any_bytes_gives_the_same_events(
        stream in prop_oneof![9 => any_stream(), 1 => vec(any::<u8>(), 0..200)],
        cuts in vec(any::<prop::sample::Index>(), 0..6),
        limits in any_limits(),
        is_ended in any::<bool>(),
    ) {
        let whole = Reader::new(limits).feed([&stream[..]], is_ended);
        let bytewise = Reader::new(limits).feed(stream.chunks(1), is_ended);
        prop_assert_eq!(&bytewise, &whole);

        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        cuts.sort_unstable();
        let starts = std::iter::once(0).chain(cuts.iter().copied());
        let ends = cuts.iter().copied().chain([stream.len()]);
        let pieces = starts.zip(ends).map(|(start, end)| &stream[start..end]);
        let split = Reader::new(limits).feed(pieces, is_ended);
        prop_assert_eq!(&split, &whole);
    }

    #[test]
    fn what_is_sent_can_be_read_back(
        request in prop::sample::select(vec![
            "GET / HTTP/1.1|Host: a||", "HEAD / HTTP/1.1|Host: a||", "GET / HTTP/1.0||",
            "GET / HTTP/1.0|Connection: keep-alive||", "GET / HTTP/1.1|Host: a|Connection: close||",
        ]),
        status in prop::sample::select(vec!["200 OK", "404", "204 No Content", "304 Not Modified", "500 \u{e9}"]),
        fields in vec(("X-[a-zA-Z]{1,8}", "[ -~\t]{0,12}"), 0..5),
        pieces in vec(vec(any::<u8>(), 0..40), 0..5),
        length in prop::sample::select(vec!["unknown", "known", "stated"]),
    ) {
        let body = pieces.concat();
        let mut serialised = Fields::new();
        for (name, value) in &fields {
            serialised.push(name.as_bytes(), value.as_bytes()).unwrap();
        }
        if length == "stated" {
            serialised.push(b"Content-Length", body.len().to_string().as_bytes()).unwrap();
        }
        let response = Response {
            status: status.as_bytes(),
            fields: &serialised,
            length: (length == "known").then_some(body.len() as u64),
            date: DATE,
            persistence: Persistence::Allow,
        };
        let mut connection = Connection::new(Limits::default());
        connection.receive(&bytes(request));
        prop_assert_eq!(connection.next_event(), Ok(Event::Head));
        let mut out = Vec::new();
        connection.send(Outgoing::Head(&response), &mut out).unwrap();
        for piece in &pieces {
            connection.send(Outgoing::Body(piece), &mut out).unwrap();
        }
        connection.send(Outgoing::End, &mut out).unwrap();

        let mut headers = [httparse::EMPTY_HEADER; 16];
        let mut parsed = httparse::Response::new(&mut headers);
        let head_len = parsed.parse(&out).unwrap().unwrap();
        prop_assert_eq!(parsed.code, status[..3].parse().ok());
        prop_assert_eq!(parsed.version, Some(u8::from(!request.contains("1.0"))));
        let sent: Vec<_> = parsed.headers.iter().filter(|header| header.name.starts_with("X-")).collect();
        prop_assert_eq!(sent.len(), fields.len());
        for (header, (name, value)) in sent.iter().zip(&fields) {
            prop_assert_eq!((header.name, header.value), (name.as_str(), value.trim_matches([' ', '\t']).as_bytes()));
        }
        let field = |name| parsed.headers.iter().find(|header| header.name == name).map(|header| header.value.to_vec());
        prop_assert_eq!(field("Connection") == Some(b"keep-alive".to_vec()), connection.keeps_alive());
        let is_bodyless = request.starts_with("HEAD") || status.starts_with("204") || status.starts_with("304");
        prop_assert_eq!(connection.is_bodyless(), is_bodyless);
        let wire = &out[head_len..];
        let received = match (is_bodyless, field("Transfer-Encoding"), field("Content-Length")) {
            (true, chunked, _) => {
                prop_assert_eq!(chunked, None);
                wire.to_vec()
            }
            (false, Some(_), stated) => {
                prop_assert_eq!(stated, None);
                unchunk(wire)
            }
            (false, None, Some(stated)) => {
                prop_assert_eq!(stated, wire.len().to_string().into_bytes());
                wire.to_vec()
            }
            (false, None, None) => {
                prop_assert!(!connection.keeps_alive());
                wire.to_vec()
            }
        };
        prop_assert_eq!(received, if is_bodyless { Vec::new() } else { body });
    }
}

/// The data of a chunked body that must end exactly where `wire` ends.
fn unchunk(mut wire: &[u8]) -> Vec<u8> {
    let mut data = Vec::new();
    loop {
        let (line_len, size) = httparse::parse_chunk_size(wire).unwrap().unwrap();
        let size = usize::try_from(size).unwrap();
        let (chunk, rest) = wire[line_len..].split_at(size);
        data.extend_from_slice(chunk);
        wire = rest.strip_prefix(b"\r\n").expect("CRLF ends each chunk");
        if size == 0 {
            assert_eq!(wire, b"");
            return data;
        }
    }
}
