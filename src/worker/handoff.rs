//! Several application threads: a thread of its own drives the reactor and hands complete requests over: all that are ready
//! at once, and back in batches too.
//!
//! The main thread takes no requests. It waits for signals, because only there do an application's handlers run.
#![allow(clippy::disallowed_methods)] // These are loops that read the clock.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use mio::{Token, Waker};

use super::connection::Connection;
use super::date::Date;
use super::reactor::{self, Interrupts, Reactor, Turn};
use super::{Ended, Setup, Shared, exchange};
use crate::app::{App, Caller, Notices};
use crate::sys;

/// How long application threads get to leave after the reactor has: they have nothing left to do by then.
const PARTING: Duration = Duration::from_secs(1);

type Job<A> = (Token, Box<Connection<A>>);

/// Between the reactor's thread and the application's threads.
struct Desk<A: App> {
    shared: Arc<Shared<A>>,
    queue: Mutex<Queue<A>>,
    /// A job was queued, or the desk closes.
    changed: Condvar,
    /// Connections on their way back to the reactor, and notices for it.
    tray: Mutex<Tray<A>>,
    /// Ends the reactor's poll.
    waker: Waker,
}

struct Queue<A: App> {
    jobs: VecDeque<Job<A>>,
    idle_threads: usize,
    threads: usize,
    is_closed: bool,
}

struct Tray<A: App> {
    done: Vec<Job<A>>,
    notices: Notices,
    /// For the main thread: orders whose handlers it must run.
    interrupts: Interrupts,
}

/// As [`super::run`].
pub(super) fn run<A: App>(setup: Setup<A>) -> Result<Ended, String> {
    let app = setup.app.clone();
    let threads = setup.config.threads;
    let reactor = Reactor::new(setup).map_err(|error| format!("cannot start polling: {error}"))?;
    let waker = reactor.mailbox().map_err(|error| format!("cannot start polling: {error}"))?;
    let desk = Arc::new(Desk {
        shared: reactor.shared().clone(),
        queue: Mutex::new(Queue { jobs: VecDeque::new(), idle_threads: 0, threads, is_closed: false }),
        changed: Condvar::new(),
        tray: Mutex::new(Tray { done: Vec::new(), notices: Notices::default(), interrupts: Interrupts::new() }),
        waker,
    });
    for index in 0..threads {
        let desk = desk.clone();
        app.start_thread(index, Box::new(move |caller| serve(&desk, caller)))?;
    }
    let (attention, attract) = sys::pipe().map_err(|error| format!("cannot make a pipe: {error}"))?;
    let io_thread = {
        let desk = desk.clone();
        let body = move || drive(reactor, &desk, &attract);
        let spawned = thread::Builder::new().name("indrik-io".to_owned()).spawn(body);
        spawned.map_err(|error| format!("cannot start the thread for input and output: {error}"))?
    };
    attend(&app, &desk, &attention)?;
    let ended = io_thread.join().map_err(|_| "the thread for input and output panicked".to_owned())??;
    match ended {
        // A thread that is still in the application cannot be ended, only left behind.
        Ended::Drained if !desk.wait_for_threads(PARTING) => Ok(Ended::Quit),
        ended => Ok(ended),
    }
}

/// An application thread: runs requests until the desk closes. It takes one at a time: what waits behind a slow one
/// belongs to whichever thread is free next.
fn serve<A: App>(desk: &Arc<Desk<A>>, caller: &mut dyn Caller<A>) {
    let mut date = Date::default();
    loop {
        let mut next = desk.try_take();
        if next.is_none() {
            caller.detached(&mut || next = desk.wait_for_job());
        }
        let Some((token, mut connection)) = next else { return };
        let run = AssertUnwindSafe(|| {
            exchange::run(&mut connection, caller, &desk.shared, &mut date, Instant::now());
        });
        if catch_unwind(run).is_err() {
            // A bug of ours, and the hook has printed it. It costs this connection, not the thread.
            connection.readiness.failed = true;
        }
        desk.put_back((token, connection));
    }
}

/// Closes the desk and calls the main thread when the reactor's thread ends, however it ends.
struct Closing<'a, A: App>(&'a Desk<A>, &'a OwnedFd);

impl<A: App> Drop for Closing<'_, A> {
    fn drop(&mut self) {
        self.0.close();
        ring(self.1);
    }
}

/// The reactor's thread: never attached.
fn drive<A: App>(mut reactor: Reactor<A>, desk: &Desk<A>, attract: &OwnedFd) -> Result<Ended, String> {
    let _closing = Closing(desk, attract);
    let mut events = reactor::events();
    let mut done = Vec::new();
    reactor.report_booted();
    let ended = loop {
        if let Err(error) = reactor.wait(&mut events, Instant::now()) {
            break Err(format!("cannot poll: {error}"));
        }
        let now = Instant::now();
        let notices = {
            let mut tray = lock(&desk.tray);
            std::mem::swap(&mut tray.done, &mut done);
            std::mem::take(&mut tray.notices)
        };
        for (token, connection) in done.drain(..) {
            reactor.give_back(token, connection, now);
        }
        let mut interrupts = Interrupts::new();
        let mut turn = reactor.turn(&events, now, &mut interrupts);
        if turn == Turn::GoOn {
            turn = reactor.obey(notices, now);
        }
        if !interrupts.is_empty() {
            lock(&desk.tray).interrupts.append(&mut interrupts);
            ring(attract);
        }
        desk.hand_over(&mut reactor);
        reactor.flush_log();
        if let Turn::Leave(ended) = turn {
            break Ok(ended);
        }
    };
    reactor.finish_log();
    ended
}

/// The main thread: runs signal handlers, and passes on what they post, until the reactor's thread is done.
fn attend<A: App>(app: &Arc<A>, desk: &Arc<Desk<A>>, attention: &OwnedFd) -> Result<(), String> {
    let attention = attention.as_fd();
    let mut watched = vec![attention];
    watched.extend(app.wake_descriptor());
    loop {
        if let Err(error) = sys::wait_for_any(&watched, None)
            && error.kind() != io::ErrorKind::Interrupted
        {
            return Err(format!("cannot wait for signals: {error}"));
        }
        watched.iter().for_each(|descriptor| sys::discard_bytes(*descriptor));
        let interrupts = std::mem::take(&mut lock(&desk.tray).interrupts);
        let notices = app.attached(|caller| {
            for notice in interrupts {
                caller.interrupt(notice);
            }
            caller.notices()
        });
        if !notices.is_empty() {
            let mut tray = lock(&desk.tray);
            tray.notices = tray.notices.union(notices);
            let _ = desk.waker.wake();
        }
        if lock(&desk.queue).is_closed {
            return Ok(());
        }
    }
}

impl<A: App> Desk<A> {
    /// Takes a job if one waits.
    fn try_take(&self) -> Option<Job<A>> {
        lock(&self.queue).jobs.pop_front()
    }

    /// Waits for a job. `None`: the desk has closed; the thread is counted out.
    fn wait_for_job(&self) -> Option<Job<A>> {
        let mut queue = lock(&self.queue);
        loop {
            if let Some(job) = queue.jobs.pop_front() {
                return Some(job);
            }
            if queue.is_closed {
                queue.threads -= 1;
                self.changed.notify_all();
                return None;
            }
            queue.idle_threads += 1;
            queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
            queue.idle_threads -= 1;
        }
    }

    /// Queues everything that is ready and wakes as many threads as can be of use.
    fn hand_over(&self, reactor: &mut Reactor<A>) {
        if reactor.ready_count() == 0 {
            return;
        }
        let mut queue = lock(&self.queue);
        while let Some(job) = reactor.next_request() {
            queue.jobs.push_back(job);
        }
        let useful = queue.jobs.len().min(queue.idle_threads);
        drop(queue);
        for _ in 0..useful {
            self.changed.notify_one();
        }
    }

    fn put_back(&self, job: Job<A>) {
        let mut tray = lock(&self.tray);
        let is_first = tray.done.is_empty();
        tray.done.push(job);
        drop(tray);
        // Whoever put the first one in has ended the poll already.
        if is_first {
            let _ = self.waker.wake();
        }
    }

    fn close(&self) {
        lock(&self.queue).is_closed = true;
        self.changed.notify_all();
    }

    /// Waits for the application threads to end. `false`: some have not.
    fn wait_for_threads(&self, patience: Duration) -> bool {
        let queue = lock(&self.queue);
        let waited = self.changed.wait_timeout_while(queue, patience, |queue| queue.threads > 0);
        let (queue, _) = waited.unwrap_or_else(PoisonError::into_inner);
        queue.threads == 0
    }
}

/// A thread that panicked left nothing half-done in these queues.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn ring(bell: &OwnedFd) {
    sys::write_byte(bell.as_fd());
}
