//! An application without an interpreter: it answers with the request's body, or with a greeting if there is none.
//!
//! For tests of the worker and for measuring what the transport alone costs.

#![allow(clippy::disallowed_methods)] // Sleeping is what this application can be asked for.

use std::os::fd::BorrowedFd;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::thread;

use super::{App, Body, Caller, Exchange, Failure, Flush, Gone, Notice, Notices, Part, Refusal, ThreadWork};
use crate::http::Fields;

/// What a request without a body is answered.
pub const GREETING: &[u8] = b"Hello, World!\n";

/// The echo application. `GET /sleep/MILLISECONDS` sleeps before it answers.
#[derive(Clone, Copy, Debug, Default)]
pub struct Echo;

impl App for Echo {
    type Piece = Vec<u8>;
    type Buffer = Vec<u8>;
    type Memory = ();

    fn attached<R>(&self, work: impl FnOnce(&mut dyn Caller<Self>) -> R) -> R {
        work(&mut EchoCaller)
    }

    fn buffer(&self, len: usize) -> Vec<u8> {
        vec![0; len]
    }

    fn start_thread(self: &Arc<Self>, index: usize, work: ThreadWork<Self>) -> Result<(), String> {
        let body = move || work(&mut EchoCaller);
        thread::Builder::new()
            .name(format!("indrik-worker-{index}"))
            .spawn(body)
            .map(drop)
            .map_err(|error| error.to_string())
    }

    fn wake_descriptor(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    fn interrupt(&self, _notice: Notice) {}

    fn interrupt_call(&self, _thread: i32) {}

    fn stacks(&self, _thread: i32) -> Option<String> {
        None
    }
}

struct EchoCaller;

/// All of the request's body, wherever it is.
fn bytes_of(exchange: &mut dyn Exchange<Echo>) -> Result<Vec<u8>, Failure> {
    let mut body = exchange.take_body();
    loop {
        body = match body {
            Body::Empty => return Ok(GREETING.to_vec()),
            Body::Complete(bytes) => return Ok(bytes),
            Body::Spooled { file, len } => {
                let mut bytes = vec![0; len as usize];
                file.read_exact_at(&mut bytes, 0).map_err(|_| Failure::Application)?;
                return Ok(bytes);
            }
            Body::Announced => match exchange.receive_body() {
                Ok(Some(received)) => received,
                Ok(None) => Body::Announced,
                Err(refusal) => return Err(Failure::Request(refusal.status())),
            },
            Body::Streamed => return streamed(exchange).map_err(|refusal| Failure::Request(refusal.status())),
        };
    }
}

fn streamed(exchange: &mut dyn Exchange<Echo>) -> Result<Vec<u8>, Refusal> {
    let mut bytes = Vec::new();
    loop {
        match exchange.receive_part(4096)? {
            Part::Bytes(part) => bytes.extend_from_slice(&part),
            Part::Wait => {}
            Part::End => return Ok(bytes),
        }
    }
}

impl Caller<Echo> for EchoCaller {
    fn call(&mut self, exchange: &mut dyn Exchange<Echo>) -> Result<(), Failure> {
        let (head, _, ()) = exchange.request();
        let nap = head.path().strip_prefix("/sleep/").and_then(|millis| millis.parse().ok());
        if let Some(millis) = nap {
            thread::sleep(std::time::Duration::from_millis(millis));
        }
        let body = bytes_of(exchange)?;
        let mut fields = Fields::new();
        fields.push(b"Content-Type", b"text/plain").expect("a legal field");
        let answer = (|| {
            exchange.respond(b"200 OK", &fields, Some(body.len() as u64))?;
            exchange.send(body, Flush::Later)?;
            exchange.finish()
        })();
        answer.map_err(|Gone| Failure::Gone)
    }

    fn detached(&mut self, wait: &mut (dyn FnMut() + Send)) {
        wait();
    }

    fn notices(&mut self) -> Notices {
        Notices::default()
    }
}
