//! What a reload does to the master itself: the settings are read again and what is new is bound; they become the master's
//! own once a worker has booted with them.
#![allow(clippy::disallowed_methods)] // Part of the loop, which reads the clock.

use std::collections::hash_map::Entry;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::binding::{announce, rebind};
use super::pidfile::Pidfile;
use super::run::Master;
use super::supervisor::{Fact, Order, Plan};
use super::trial::Trial;
use crate::config::Config;
use crate::net::Listener;

/// What the workers of one generation are made with.
#[derive(Clone)]
pub(super) struct Load {
    pub(super) config: Arc<Config>,
    pub(super) listeners: Vec<Arc<Listener>>,
}

impl Master<'_> {
    /// Has the settings tried; a trial that is still going on is of files that have changed since.
    pub(super) fn begin_trial(&mut self) -> Option<Fact> {
        if let Some(trial) = self.trial.take() {
            trial.cancel();
        }
        let generation = self.supervisor.generation();
        let limit = self.loads.get(&generation).map_or(Duration::MAX, |load| load.config.boot_timeout);
        match Trial::begin(self.crew, limit) {
            Ok(trial) => {
                self.trial = Some(trial);
                None
            }
            Err(text) => Some(self.fail(&text)),
        }
    }

    /// The trial has ended.
    pub(super) fn end_trial(&mut self, verdict: Result<(), String>) -> Vec<Order> {
        match verdict {
            Ok(()) => self.reload(),
            Err(text) => {
                let failed = self.fail(&text);
                self.supervisor.on(failed, Instant::now())
            }
        }
    }

    /// Reads the settings and binds what is new. What the master itself takes from them waits for a worker that boots.
    fn reload(&mut self) -> Vec<Order> {
        let reread = self.crew.reread(self.supervisor.target()).and_then(|config| {
            let listeners = rebind(&config, self.sockets, &self.listeners())?;
            Ok(Load { config, listeners })
        });
        match reread {
            Ok(load) => {
                let orders = self.supervisor.on(Fact::Reloaded(plan(&load.config)), Instant::now());
                let generation = self.supervisor.generation();
                // A master that is about to stop takes no new generation.
                if let Entry::Vacant(place) = self.loads.entry(generation) {
                    place.insert(load);
                    self.candidate = Some(generation);
                }
                orders
            }
            Err(text) => {
                let failed = self.fail(&text);
                self.supervisor.on(failed, Instant::now())
            }
        }
    }

    fn fail(&mut self, text: &str) -> Fact {
        self.service.hear_complaint(text);
        log::error!("Reload failed, the old settings stay in force: {text}");
        Fact::ReloadFailed
    }

    /// Once a reload can no longer be abandoned, its settings are the master's too. One that was leaves nothing behind.
    pub(super) fn settle_reload(&mut self) {
        if self.supervisor.is_reloading() {
            return;
        }
        let current = self.supervisor.generation();
        if let Some(candidate) = self.candidate.take()
            && candidate == current
            && let Some(load) = self.loads.get(&current).cloned()
        {
            self.crew.adopt(&load.config);
            let is_moved = self.loads.values().any(|other| other.config.bind != load.config.bind);
            if is_moved {
                announce(&load.listeners);
            }
            self.renew_pidfile(&load.config);
        }
        // Sockets that no load names any more close here; old workers hold their own copies until they have drained.
        self.loads.retain(|generation, _| *generation == current);
    }

    /// Where the pid file belongs: a second master's lies beside the first one's.
    fn pidfile_of(&self, config: &Config) -> Option<PathBuf> {
        let path = config.pidfile.clone()?;
        Some(if self.parent.is_some() { Pidfile::second(&path) } else { path })
    }

    pub(super) fn renew_pidfile(&mut self, config: &Config) {
        let wanted = self.pidfile_of(config);
        if self.pidfile.as_ref().map(Pidfile::path) == wanted.as_deref() {
            return;
        }
        match wanted.as_deref().map(Pidfile::create).transpose() {
            Ok(pidfile) => self.pidfile = pidfile,
            Err(error) => log::error!("{error}; the old pid file stays"),
        }
    }

    /// All sockets that some load names.
    pub(super) fn listeners(&self) -> Vec<Arc<Listener>> {
        self.loads.values().flat_map(|load| &load.listeners).cloned().collect()
    }
}

/// What the supervisor takes from settings.
pub(super) fn plan(config: &Config) -> Plan {
    Plan {
        workers: config.workers,
        is_daemon: config.daemon,
        timeout: config.timeout,
        graceful_timeout: config.graceful_timeout,
        boot_timeout: config.boot_timeout,
        reload_surge: config.reload_surge,
        shutdown_delay: config.shutdown_delay,
        max_lifetime: config.max_worker_lifetime,
        lifetime_jitter: config.max_worker_lifetime_jitter,
        max_memory: config.max_worker_memory,
    }
}
