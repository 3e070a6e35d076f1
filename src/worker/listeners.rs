//! A reactor's listeners: watched while there is room for another connection, and only then.

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::{Poll, Token};

use crate::app::Server;
use crate::net::{Listener, Stream};
use crate::sys::{self, Private};

/// How long no connection is accepted after descriptors ran out.
const PAUSE: Duration = Duration::from_millis(100);

/// The listeners, each with how applications see it.
pub(super) struct Listeners {
    all: Vec<(Arc<Listener>, Arc<Server>)>,
    private: Vec<Private>,
    first_token: usize,
    are_watched: bool,
    paused_until: Option<Instant>,
}

/// What a look at a listener brought.
pub(super) enum Accepted {
    /// A connection, and the listener as applications see it.
    Connection(Stream, Arc<Server>),
    /// None waits, or another worker was quicker.
    Nothing,
    /// One waits and cannot be had, mostly for want of descriptors.
    Failed(io::Error),
}

impl Listeners {
    /// `first_token`: of the first listener; the others follow.
    pub(super) fn new(listeners: Vec<Arc<Listener>>, first_token: usize) -> Self {
        let private = listeners.iter().map(|listener| Private::new(&listener.as_fd())).collect();
        let all = listeners.into_iter().map(|listener| {
            let server = Arc::new(server_of(&listener));
            (listener, server)
        });
        Self { all: all.collect(), private, first_token, are_watched: false, paused_until: None }
    }

    /// The first token that is not a listener's.
    pub(super) fn end_token(&self) -> usize {
        self.first_token + self.all.len()
    }

    /// Which listener a token stands for.
    pub(super) fn index(&self, token: Token) -> Option<usize> {
        let index = token.0.checked_sub(self.first_token)?;
        (index < self.all.len()).then_some(index)
    }

    /// Their indices.
    pub(super) fn indices(&self) -> std::ops::Range<usize> {
        0..self.all.len()
    }

    /// Takes one connection, if one waits.
    pub(super) fn accept(&self, index: usize) -> Accepted {
        let Some((listener, server)) = self.all.get(index) else { return Accepted::Nothing };
        match listener.accept() {
            Ok(Some(stream)) => Accepted::Connection(stream, server.clone()),
            Ok(None) => Accepted::Nothing,
            Err(error) => Accepted::Failed(error),
        }
    }

    /// Takes none before `until`, or before an earlier pause has ended.
    pub(super) fn pause(&mut self, until: Instant) {
        self.paused_until = self.paused_until.max(Some(until));
    }

    /// Takes none for a while; tells how long.
    pub(super) fn pause_after_failure(&mut self, now: Instant) -> Duration {
        self.pause(now + PAUSE);
        PAUSE
    }

    /// When to look again after a pause.
    pub(super) fn paused_until(&self) -> Option<Instant> {
        self.paused_until
    }

    /// Looks away while there is no room for another connection, and back when there is.
    pub(super) fn manage(&mut self, poll: &Poll, has_room: bool, now: Instant) {
        if self.paused_until.is_some_and(|until| now >= until) {
            self.paused_until = None;
        }
        let is_wanted = has_room && self.paused_until.is_none();
        if self.are_watched && !is_wanted {
            self.ignore(poll);
        } else if !self.are_watched
            && is_wanted
            && let Err(error) = self.watch(poll)
        {
            log::error!("cannot listen again: {error}");
        }
    }

    /// Begins to watch. Errors: as epoll_ctl(2).
    pub(super) fn watch(&mut self, poll: &Poll) -> io::Result<()> {
        for (index, (listener, _)) in self.all.iter().enumerate() {
            sys::add_exclusive(poll, listener.as_fd(), self.first_token + index)?;
        }
        self.are_watched = true;
        Ok(())
    }

    /// Closes them: this process's copies of the sockets.
    pub(super) fn close(&mut self, poll: &Poll) {
        if self.are_watched {
            self.ignore(poll);
        }
        self.private.clear();
        self.all.clear();
    }

    fn ignore(&mut self, poll: &Poll) {
        for (listener, _) in &self.all {
            let _ = sys::remove(poll, listener.as_fd());
        }
        self.are_watched = false;
    }
}

fn server_of(listener: &Listener) -> Server {
    match listener.server_name() {
        Some((name, port)) => Server::Tcp { name, port },
        None => Server::Unix { path: listener.path().unwrap_or_default() },
    }
}
