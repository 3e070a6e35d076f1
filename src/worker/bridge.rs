//! What the threads of a worker share: the helm with the reactor, the bell that ends its poll, the queue of requests for
//! application threads, and the tray on which connections come back.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use mio::{Token, Waker};

use super::connection::Connection;
use super::deputy::THRESHOLD;
use super::helm::{Found, Helm, Ticket};
use super::reactor::{Reactor, Turn};
use super::{Ended, Shared};
use crate::app::{App, Caller, Notices};
use crate::sys::{self, Alarm, Monotonic, ThreadClock};

/// A connection with a complete request, or with its answer.
pub(super) type Job<A> = (Token, Box<Connection<A>>);

/// Shared by leader, deputy and application threads.
pub(super) struct Bridge<A: App> {
    pub(super) shared: Arc<Shared<A>>,
    pub(super) helm: Helm<Box<Reactor<A>>>,
    /// The deputy sleeps until it goes off; the leader puts it off.
    pub(super) alarm: Alarm,
    /// Ends the poll of whoever drives the reactor.
    pub(super) waker: Waker,
    queue: Mutex<Queue<A>>,
    /// A job was queued, the reactor was offered, or the worker leaves.
    changed: Condvar,
    tray: Mutex<Tray<A>>,
    /// Is there something on the tray? Looked at once per poll, without the lock.
    has_mail: AtomicBool,
    /// The processor time of the thread that leads.
    leader_clock: Mutex<Option<ThreadClock>>,
    /// Wakes the main thread where that only listens for signals: reader and writer of a pipe.
    attention: (OwnedFd, OwnedFd),
    /// How the worker ended, once it has.
    ended: Mutex<Option<Result<Ended, String>>>,
}

struct Queue<A: App> {
    /// Each with the moment at which it was queued.
    jobs: VecDeque<(Job<A>, Instant)>,
    /// Threads that wait for something to do.
    idle_threads: usize,
    /// Threads that have been woken and are on their way: they may have to wait for the interpreter.
    rising_threads: usize,
    /// Whoever drives the reactor has found no idle thread, and wants to hear of the next.
    is_awaited: bool,
    threads: usize,
}

impl<A: App> Queue<A> {
    fn free_threads(&self) -> usize {
        (self.idle_threads + self.rising_threads).saturating_sub(self.jobs.len())
    }
}

struct Tray<A: App> {
    done: Vec<Job<A>>,
    notices: Notices,
}

/// What an application thread does next.
pub(super) enum Work<A: App> {
    /// Run this request.
    Job(Job<A>),
    /// Drive the reactor.
    Lead(Box<Reactor<A>>),
}

impl<A: App> Bridge<A> {
    /// Errors: no descriptors left.
    pub(super) fn new(
        shared: Arc<Shared<A>>,
        helm: Helm<Box<Reactor<A>>>,
        waker: Waker,
        alarm: Alarm,
    ) -> io::Result<Self> {
        let threads = shared.config.threads;
        Ok(Self {
            shared,
            helm,
            alarm,
            waker,
            queue: Mutex::new(Queue {
                jobs: VecDeque::new(),
                idle_threads: 0,
                rising_threads: 0,
                is_awaited: false,
                threads,
            }),
            changed: Condvar::new(),
            tray: Mutex::new(Tray { done: Vec::new(), notices: Notices::default() }),
            has_mail: AtomicBool::new(false),
            leader_clock: Mutex::new(None),
            attention: sys::pipe()?,
            ended: Mutex::new(None),
        })
    }

    /// What an application thread can do at once. Called attached: a request is not taken by a thread that cannot run it yet.
    /// `has_risen`: the thread was counted as being on its way.
    pub(super) fn look_for_work(&self, has_risen: bool) -> Option<Work<A>> {
        let mut queue = lock(&self.queue);
        queue.rising_threads -= usize::from(has_risen);
        if let Some((job, _)) = queue.jobs.pop_front() {
            return Some(Work::Job(job));
        }
        drop(queue);
        self.helm.accept().map(Work::Lead)
    }

    /// Waits until [`Bridge::look_for_work`] may find something. Called detached. `false`: the worker leaves, and the thread
    /// is counted out.
    pub(super) fn wait_for_work(&self) -> bool {
        let mut queue = lock(&self.queue);
        queue.idle_threads += 1;
        if std::mem::take(&mut queue.is_awaited) {
            // It looks away from the listeners, and nothing else would wake it.
            self.ring();
        }
        while queue.jobs.len() <= queue.rising_threads && !self.helm.is_offered() {
            if self.helm.is_over() {
                queue.idle_threads -= 1;
                queue.threads -= 1;
                self.changed.notify_all();
                return false;
            }
            queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        queue.idle_threads -= 1;
        queue.rising_threads += 1;
        true
    }

    /// How many application threads wait for something to do and will not get a request that is queued already. If there is
    /// none, or `waiting` requests have not been queued yet, the next one ends the poll: a thread on its way may find the
    /// queue empty and sleep again.
    pub(super) fn idle_threads(&self, waiting: usize) -> usize {
        let mut queue = lock(&self.queue);
        let count = queue.free_threads();
        queue.is_awaited = count == 0 || waiting > 0;
        count
    }

    /// Gives the reactor those requests back that were queued `patience` ago and that no thread has taken: somebody holds the
    /// interpreter. Returns when to do it again.
    pub(super) fn take_back(&self, reactor: &mut Reactor<A>, patience: Duration, now: Instant) -> Option<Instant> {
        let mut queue = lock(&self.queue);
        let is_stale = |queued: Instant| now.saturating_duration_since(queued) >= patience;
        let stale = queue.jobs.iter().take_while(|(_, queued)| is_stale(*queued)).count();
        for (job, _) in queue.jobs.drain(..stale).rev() {
            reactor.make_ready_again(job);
        }
        queue.jobs.front().map(|(_, queued)| *queued + patience)
    }

    /// Queues up to `most` of the requests that are ready, and wakes as many threads as can be of use.
    pub(super) fn hand_over(&self, reactor: &mut Reactor<A>, most: usize, now: Instant) {
        if reactor.ready_count() == 0 || most == 0 {
            return;
        }
        let mut queue = lock(&self.queue);
        let mut count = 0;
        while count < most
            && let Some(job) = reactor.next_request()
        {
            queue.jobs.push_back((job, now));
            count += 1;
        }
        let useful = queue.jobs.len().min(queue.idle_threads);
        drop(queue);
        for _ in 0..useful {
            self.changed.notify_one();
        }
    }

    /// Offers the reactor to an application thread that has nothing to do. `Err`: there is none.
    pub(super) fn offer(&self, reactor: Box<Reactor<A>>, now: Monotonic) -> Result<(), Box<Reactor<A>>> {
        let queue = lock(&self.queue);
        if queue.idle_threads == 0 || !queue.jobs.is_empty() {
            return Err(reactor);
        }
        self.helm.offer(reactor, now);
        drop(queue);
        // The thread may have to wait for the interpreter, and then the deputy drives on.
        self.alarm.set(THRESHOLD);
        self.changed.notify_one();
        Ok(())
    }

    /// An application thread has run a request, and looks for work next: it is counted as being on its way.
    pub(super) fn put_back_and_rise(&self, job: Job<A>) {
        lock(&self.queue).rising_threads += 1;
        self.put_back(job);
    }

    /// An application thread has run a request for which it does not lead.
    pub(super) fn put_back(&self, job: Job<A>) {
        let mut tray = lock(&self.tray);
        let is_first = tray.done.is_empty();
        tray.done.push(job);
        drop(tray);
        self.has_mail.store(true, Relaxed);
        // Whoever put the first one in has ended the poll already.
        if is_first {
            self.ring();
        }
    }

    /// Passes on what signal handlers posted.
    pub(super) fn post(&self, notices: Notices) {
        let mut tray = lock(&self.tray);
        tray.notices = tray.notices.union(notices);
        drop(tray);
        self.has_mail.store(true, Relaxed);
        self.ring();
    }

    /// Gives the reactor what lies on the tray. Called behind each poll.
    pub(super) fn empty_tray(&self, reactor: &mut Reactor<A>, now: Instant) -> Turn {
        if !self.has_mail.load(Relaxed) {
            return Turn::GoOn;
        }
        // Before the tray is emptied: what is put there meanwhile is seen the next time.
        self.has_mail.store(false, Relaxed);
        let (done, notices) = {
            let mut tray = lock(&self.tray);
            (std::mem::take(&mut tray.done), std::mem::take(&mut tray.notices))
        };
        for (token, connection) in done {
            reactor.give_back(token, connection, now);
        }
        reactor.obey(notices, now)
    }

    /// Ends the poll of whoever drives the reactor.
    pub(super) fn ring(&self) {
        // A full counter has ended it already.
        let _ = self.waker.wake();
    }

    /// The leader is back: takes the reactor up, and waits for the deputy where that has it.
    pub(super) fn take_up(&self, ticket: Ticket, caller: &mut dyn Caller<A>) -> Found<Box<Reactor<A>>> {
        let mut found = self.helm.take_up(ticket);
        while matches!(found, Found::Wait) {
            self.ring();
            caller.detached(&mut || found = self.helm.wait(ticket));
        }
        found
    }

    /// Says whose processor time is the leader's: the calling thread's.
    pub(super) fn note_leader(&self) {
        *lock(&self.leader_clock) = sys::thread_clock().ok();
    }

    /// How long the thread that leads, or led last, has computed in its life.
    pub(super) fn leader_time(&self) -> Option<Duration> {
        lock(&self.leader_clock).and_then(ThreadClock::now)
    }

    /// The worker leaves; the reactor is dropped by the caller. The first word counts.
    pub(super) fn end(&self, ended: Result<Ended, String>) {
        lock(&self.ended).get_or_insert(ended);
        // Under the lock of the queue, so that no thread falls asleep between its look and its wait.
        let queue = lock(&self.queue);
        self.helm.end();
        drop(queue);
        self.changed.notify_all();
        // The deputy and the main thread sleep on nothing else.
        self.alarm.set(Duration::ZERO);
        sys::write_byte(self.attention.1.as_fd());
    }

    /// Readable once the worker has left.
    pub(super) fn attention(&self) -> BorrowedFd<'_> {
        self.attention.0.as_fd()
    }

    /// How the worker ended.
    pub(super) fn ended(&self) -> Option<Result<Ended, String>> {
        lock(&self.ended).take()
    }

    /// Waits for the application threads to leave. `false`: some have not.
    pub(super) fn wait_for_threads(&self, patience: Duration) -> bool {
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
