//! A call of the application around which Python code of the operator runs: `pre_request`, `post_request`, and a logger
//! class that writes the access line. Only workers that have one of these come here.
#![allow(clippy::disallowed_methods)] // Python's loggers measure the call, not the exchange.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::Instant;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyModule, PyString};

use super::answer::{self, fail};
use super::bytes::{Buffer, Piece};
use super::start_response::State;
use super::{Memory, Tools, Wsgi, strings};
use crate::app::{Body, Client, Exchange, Failure, Flush, Gone, Origin, Part, Refusal, Room};
use crate::http::{Fields, Head, Version};

/// What such a worker does around each call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Around {
    /// Python's logger class writes the access line.
    pub logs_access: bool,
}

/// The request as hooks see it, and what has become of it.
pub(super) struct Request<'py> {
    req: Bound<'py, PyAny>,
    resp: Bound<'py, PyAny>,
    environ: Option<Bound<'py, PyDict>>,
    status: Option<String>,
    headers: Vec<(String, String)>,
}

impl<'py> Request<'py> {
    /// Brings what `pre_request` has changed into the environ.
    pub(super) fn amend(&mut self, environ: &Bound<'py, PyDict>) -> PyResult<()> {
        self.environ = Some(environ.clone());
        life(environ.py())?.getattr("amend")?.call1((&self.req, environ)).map(drop)
    }

    /// Remembers what the application has said of its answer.
    pub(super) fn note(&mut self, py: Python<'_>, state: &State) {
        let answer = state.answer(py);
        if !answer.is_started() {
            return;
        }
        self.status = Some(latin1(&answer.status));
        let lines = answer.fields.lines().split(|byte| *byte == b'\n');
        self.headers = lines.filter_map(|line| pair(line.strip_suffix(b"\r").unwrap_or(line))).collect();
    }
}

fn pair(line: &[u8]) -> Option<(String, String)> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    Some((latin1(&line[..colon]), latin1(line[colon + 1..].trim_ascii())))
}

/// Python's native strings are Latin-1. Source: PEP 3333.
pub(in crate::py) fn latin1(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

fn life(py: Python<'_>) -> PyResult<Bound<'_, PyModule>> {
    py.import("gunicorn._life")
}

/// As [`answer::call`], with the hooks around it.
pub(super) fn call(
    py: Python<'_>,
    wsgi: &Wsgi,
    tools: &mut Tools,
    exchange: &mut dyn Exchange<Wsgi>,
    around: Around,
) -> Result<(), Failure> {
    let mut request = match begin(py, exchange) {
        Ok(request) => request,
        Err(error) => return Err(fail(py, exchange, &error)),
    };
    let begun = Instant::now();
    let mut counted = Counted { inner: exchange, sent: 0 };
    let result = answer::answer(py, wsgi, tools, &mut counted, Some(&mut request));
    let sent = counted.sent;
    let has_begun = exchange.has_responded();
    let failed = match result {
        Err(Failure::Application) if !has_begun => Some(500),
        Err(Failure::Request(status)) if !has_begun => Some(status),
        Ok(()) | Err(Failure::Application | Failure::Request(_) | Failure::Gone) => None,
    };
    let seconds = begun.elapsed().as_secs_f64();
    let status = request.status.as_ref().map(|status| PyString::new(py, status));
    let outcome = (status, request.headers, sent, has_begun, failed);
    // The client has had its 504, and the log its line.
    let logs = around.logs_access && !exchange.is_given_up();
    let ended = life(py).and_then(|life| {
        let end = life.getattr("end_request")?;
        end.call1((request.req, request.resp, request.environ, outcome, seconds, logs))
    });
    if let Err(error) = ended {
        log::error!("Exception after a request\n{}", crate::py::traceback::text(py, &error));
    }
    result
}

fn begin<'py>(py: Python<'py>, exchange: &mut dyn Exchange<Wsgi>) -> PyResult<Request<'py>> {
    let number = exchange.number();
    let client = exchange.client();
    let (head, origin, _) = exchange.request();
    let mut headers = Vec::new();
    for (name, value) in head.raw_fields() {
        headers.push((latin1(&name.to_ascii_uppercase()), strings::native(py, value)?));
    }
    let version = match head.version() {
        Version::Http10 => (1, 0),
        Version::Http11 => (1, 1),
    };
    let scheme = if head.is_secure() == Some(true) { "https" } else { "http" };
    let address = |address: Option<std::net::SocketAddr>| address.map(|one| (one.ip().to_string(), one.port()));
    let peer = address(origin.remote);
    let remote = match client {
        Some(client) => Some((client.address.to_string(), client.port.unwrap_or(0))),
        None => address(origin.client()),
    };
    let proxied = match origin.proxied.as_ref() {
        Some(proxied) => {
            let info = PyDict::new(py);
            info.set_item("proxy_protocol", proxied.protocol)?;
            if let Some((client, server)) = proxied.addresses {
                info.set_item("client_addr", client.ip().to_string())?;
                info.set_item("client_port", client.port())?;
                info.set_item("proxy_addr", server.ip().to_string())?;
                info.set_item("proxy_port", server.port())?;
            }
            Some(info)
        }
        None => None,
    };
    let arguments = (head.method(), head.target(), version, headers, scheme, number, peer, remote, proxied);
    let made = life(py)?.getattr("begin_request")?.call1(arguments)?;
    let (req, resp) = made.extract()?;
    Ok(Request { req, resp, environ: None, status: None, headers: Vec::new() })
}

/// An exchange of which the bytes of the body are counted.
struct Counted<'a> {
    inner: &'a mut dyn Exchange<Wsgi>,
    sent: u64,
}

impl Exchange<Wsgi> for Counted<'_> {
    fn request(&mut self) -> (Head<'_>, &Origin, &mut Memory) {
        self.inner.request()
    }

    fn client(&self) -> Option<Client> {
        self.inner.client()
    }

    fn number(&self) -> u64 {
        self.inner.number()
    }

    fn take_body(&mut self) -> Body<Buffer> {
        self.inner.take_body()
    }

    fn receive_body(&mut self) -> Result<Option<Body<Buffer>>, Refusal> {
        self.inner.receive_body()
    }

    fn receive_part(&mut self, most: usize) -> Result<Part, Refusal> {
        self.inner.receive_part(most)
    }

    fn refusal(&self) -> Option<Refusal> {
        self.inner.refusal()
    }

    fn respond(&mut self, status: &[u8], fields: &Fields, length: Option<u64>) -> Result<(), Gone> {
        self.inner.respond(status, fields, length)
    }

    fn hint(&mut self, fields: &Fields) -> Result<(), Gone> {
        self.inner.hint(fields)
    }

    fn send(&mut self, piece: Piece, flush: Flush) -> Result<Room, Gone> {
        let len = piece.as_ref().len() as u64;
        let room = self.inner.send(piece, flush)?;
        self.sent += len;
        Ok(room)
    }

    fn wait_for_room(&mut self) -> Result<Room, Gone> {
        self.inner.wait_for_room()
    }

    fn sends_files(&self) -> bool {
        self.inner.sends_files()
    }

    fn send_file(&mut self, file: OwnedFd, offset: u64, len: u64) -> Result<(), Gone> {
        self.inner.send_file(file, offset, len)?;
        self.sent += len;
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Gone> {
        self.inner.finish()
    }

    fn has_hung_up(&self) -> bool {
        self.inner.has_hung_up()
    }

    fn socket(&self) -> BorrowedFd<'_> {
        self.inner.socket()
    }

    fn take_over(&mut self) -> io::Result<(OwnedFd, Vec<u8>)> {
        self.inner.take_over()
    }

    fn is_taken_over(&self) -> bool {
        self.inner.is_taken_over()
    }

    fn is_given_up(&self) -> bool {
        self.inner.is_given_up()
    }

    fn has_responded(&self) -> bool {
        self.inner.has_responded()
    }

    fn note_variable(&mut self, index: usize, value: &[u8]) {
        self.inner.note_variable(index, value);
    }
}
