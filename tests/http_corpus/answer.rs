//! An answer, sent through a connection and read back from its bytes by httparse, as a client would.

use indrik::http::{Connection, Fields, Outgoing, Persistence, Response};

const DATE: &[u8] = b"Sun, 06 Nov 1994 08:49:37 GMT";

/// What an application answers.
#[derive(Debug, Clone)]
pub struct Reply {
    /// Code and reason.
    pub status: Vec<u8>,
    /// Fields; the names begin with `X-`.
    pub fields: Vec<(String, Vec<u8>)>,
    /// The body.
    pub pieces: Vec<Vec<u8>>,
    /// Who tells the length.
    pub length: Length,
}

/// How the length of an answer's body becomes known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// Not before its end.
    Unknown,
    /// The server knows it.
    Known,
    /// The application states it.
    Stated,
}

impl Default for Reply {
    fn default() -> Self {
        Reply { status: b"200 OK".to_vec(), fields: Vec::new(), pieces: Vec::new(), length: Length::Known }
    }
}

impl Reply {
    /// The bytes of the whole answer to the request at hand.
    pub fn send(&self, connection: &mut Connection) -> Vec<u8> {
        let body_len = self.pieces.iter().map(|piece| piece.len() as u64).sum::<u64>();
        let mut fields = Fields::new();
        for (name, value) in &self.fields {
            fields.push(name.as_bytes(), value).expect("the field is good");
        }
        if self.length == Length::Stated {
            fields.push(b"Content-Length", body_len.to_string().as_bytes()).expect("the length is good");
        }
        let length = (self.length == Length::Known).then_some(body_len);
        let persistence = Persistence::Allow;
        let response = Response { status: &self.status, fields: &fields, length, date: DATE, persistence };
        let mut out = Vec::new();
        connection.send(Outgoing::Head(&response), &mut out).expect("the status is good");
        for piece in &self.pieces {
            connection.send(Outgoing::Body(piece), &mut out).expect("it is the body's turn");
        }
        connection.send(Outgoing::End, &mut out).expect("nothing is missing");
        out
    }

    /// Reads `wire`, which [`Reply::send`] gave, as a client of `connection` would, and compares.
    #[track_caller]
    pub fn check(&self, wire: &[u8], connection: &Connection) {
        let request = connection.head();
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut parsed = httparse::Response::new(&mut headers);
        let head_len = parsed.parse(wire).expect("the head is good").unwrap();
        let code = parsed.code.expect("there is a code");
        assert_eq!(code.to_string().as_bytes(), &self.status[..3]);
        assert_eq!(format!("HTTP/1.{}", parsed.version.expect("there is a version")), request.protocol());

        let own: Vec<_> = parsed.headers.iter().filter(|header| header.name.starts_with("X-")).collect();
        assert_eq!(own.len(), self.fields.len());
        for (header, (name, value)) in own.iter().zip(&self.fields) {
            assert_eq!((header.name, header.value), (name.as_str(), trim(value)));
        }
        let field = |name| parsed.headers.iter().find(|header| header.name == name).map(|header| header.value);
        assert_eq!(field("Connection") == Some(b"keep-alive"), connection.keeps_alive());
        assert_eq!(field("Date"), Some(DATE));

        let is_bodyless = request.method() == "HEAD" || matches!(code, 204 | 304);
        let is_tunnel = request.method() == "CONNECT" && code < 300;
        assert_eq!(connection.is_bodyless(), is_bodyless);
        let body = &wire[head_len..];
        let received = match (field("Transfer-Encoding"), field("Content-Length")) {
            (Some(coding), stated) => {
                assert!(coding == b"chunked" && stated.is_none() && !is_bodyless && !is_tunnel);
                assert_eq!(request.protocol(), "HTTP/1.1");
                unchunk(body)
            }
            (None, Some(_)) if is_bodyless => body.to_vec(),
            (None, Some(stated)) => {
                assert_eq!(stated, body.len().to_string().as_bytes());
                body.to_vec()
            }
            (None, None) => {
                assert!(is_bodyless || !connection.keeps_alive());
                body.to_vec()
            }
        };
        assert_eq!(received, if is_bodyless { Vec::new() } else { self.pieces.concat() });
    }
}

fn trim(value: &[u8]) -> &[u8] {
    let is_blank = |byte: &u8| b" \t".contains(byte);
    let start = value.iter().take_while(|&byte| is_blank(byte)).count();
    let end = value.iter().rev().take_while(|&byte| is_blank(byte)).count();
    if start == value.len() { b"" } else { &value[start..value.len() - end] }
}

/// The data of a chunked body that must end exactly where `wire` ends.
pub fn unchunk(mut wire: &[u8]) -> Vec<u8> {
    let mut data = Vec::new();
    loop {
        let (line_len, size) = httparse::parse_chunk_size(wire).expect("a size is good").unwrap();
        let size = usize::try_from(size).expect("a size is small");
        let (chunk, rest) = wire[line_len..].split_at(size);
        data.extend_from_slice(chunk);
        wire = rest.strip_prefix(b"\r\n").expect("CRLF ends each chunk");
        if size == 0 {
            assert_eq!(wire, b"");
            return data;
        }
    }
}
