//! One exchange, on the thread that runs the application: from the complete request to the end of the application's part.
//!
//! The thread owns the connection meanwhile, so it reads and writes the socket itself ([`super::running`]).
#![allow(clippy::disallowed_methods)] // An application thread reads the clock for its waits: it has no loop to ask.

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use mio::Token;

use super::connection::Connection;
use super::date::Date;
use super::running::{Running, Stage};
use super::{Shared, identity};
use crate::app::{App, Caller, Failure};
use crate::http;
use crate::ipc::{Place, Watched, WorkerLine};
use crate::sys::{self, Monotonic};

/// A request that has waited longer than this for a thread is not run if its client has hung up meanwhile. Before that
/// half-closed clients get the benefit of the doubt: some legal ones end their side and read on.
const LONG_WAIT: Duration = Duration::from_secs(1);

/// Where an application thread's calls show themselves, and to whom.
pub(super) struct Post {
    /// In shared memory.
    pub(super) place: Place,
    /// May somebody give up on an exchange of this thread?
    pub(super) watched: Watched,
    pub(super) date: Date,
}

impl Post {
    /// The post of application thread number `index`, which is the calling one.
    pub(super) fn new(line: &WorkerLine, index: usize) -> Self {
        let place = line.place(index);
        place.settle(sys::thread_id());
        Self { place, watched: Watched::Yes, date: Date::default() }
    }
}

/// Runs the application for the request that `connection` holds, to the end of the exchange on the application's side.
/// Returns when that was. `now` and `moment` are the same, on both clocks.
///
/// Afterwards the connection has its answer queued or written, or is marked as failed.
pub(super) fn run<A: App>(
    token: Token,
    connection: &mut Connection<A>,
    caller: &mut dyn Caller<A>,
    shared: &Shared<A>,
    post: &mut Post,
    now: Instant,
    moment: Monotonic,
) -> Instant {
    let waited = connection.ready_since.take().map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
    connection.exchange.queued = waited;
    if waited > LONG_WAIT && sys::has_hung_up(connection.stream.as_fd()) {
        connection.readiness.failed = true;
        return now;
    }
    connection.exchange.started = Some(now);
    let head = connection.http.head();
    connection.exchange.client = identity::client(head, &connection.origin, &shared.config);
    let peer = connection.client_address();
    post.place.begin(head.raw_method(), head.raw_target(), peer, token.0, moment);
    let mut running = Running::new(connection, shared, post, now);
    let result = caller.call(&mut running);
    let stage = running.stage();
    let ended = Instant::now();
    connection.exchange.duration = ended.saturating_duration_since(now);
    connection.share.give_back();
    if post.place.end(post.watched) {
        // The client has had its answer, and the log its line.
        connection.exchange.is_abandoned = true;
        connection.readiness.failed = true;
    } else {
        settle(connection, result, stage, &mut post.date, now);
    }
    ended
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
            connection.exchange.keeps_alive = connection.http.keeps_alive() && !connection.body.is_outstanding();
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
    connection.exchange.failed = status >= 500;
    if connection.exchange.has_sent {
        // The client sees the truncation: neither the last chunk nor the rest of the announced length comes.
        return;
    }
    connection.output.clear();
    answer_with_error(connection, status, "", date.at(now));
}

/// Queues an error page; the connection closes after it.
pub(super) fn answer_with_error<A: App>(connection: &mut Connection<A>, status: u16, text: &str, date: &[u8]) {
    // Of a request line that was refused nothing is known but its bytes.
    let is_head = match connection.http.head().method() {
        "" => connection.http.unread().starts_with(b"HEAD "),
        method => method == "HEAD",
    };
    connection.exchange.status = Some(status);
    connection.exchange.keeps_alive = false;
    connection.exchange.fields.clear();
    let reason = http::reason(status);
    let body_len = connection.output.append(|out| http::error_page(status, reason, text, date, is_head, out));
    connection.exchange.body_len = body_len as u64;
}

/// `GET /path`, for the log.
pub(super) fn request_line(http: &http::Connection) -> String {
    let head = http.head();
    format!("{} {}", head.method(), head.target())
}
