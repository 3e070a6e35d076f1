//! The trial of the settings at a reload: a child of the master reads them first. A settings file that crashes, exits or
//! never ends does so there, and the master goes on meanwhile.
#![allow(clippy::disallowed_methods)] // Part of the loop, which reads the clock.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::time::{Duration, Instant};

use super::crew::{Crew, Forked};
use crate::sys::{self, Death};

/// What the child exits with if the settings can be used. No number that a settings file would end its process with.
const SOUND: i32 = 86;

/// How much of what the child has printed is logged, in bytes: its end, where the error stands.
const MOST_OUTPUT: usize = 16 * 1024;

/// A child that reads the settings.
pub(super) struct Trial {
    /// The child.
    pub(super) pid: i32,
    /// What it prints, the error last.
    output: File,
    deadline: Instant,
    limit: Duration,
    is_late: bool,
}

impl Trial {
    /// Makes the child; it has `limit`. Errors: it cannot be made; the text says why.
    pub(super) fn begin(crew: &mut dyn Crew, limit: Duration) -> Result<Self, String> {
        let failed = |error| format!("cannot try the settings: {error}");
        let master = std::process::id().cast_signed();
        let output = sys::memory_file("indrik-trial", b"").map_err(failed)?;
        sys::block_all();
        let forked = crew.fork();
        match forked {
            Ok(Forked::Master(pid)) => {
                sys::unblock_all();
                Ok(Self { pid, output, deadline: Instant::now() + limit, limit, is_late: false })
            }
            Ok(Forked::Worker) => {
                sys::default_all();
                sys::ignore_operator();
                sys::unblock_all();
                if !sys::end_with_parent(master) {
                    sys::exit_now(1);
                }
                sys::print_into(&output);
                let code = match crew.try_settings() {
                    Ok(()) => SOUND,
                    Err(text) => {
                        let _ = io::stderr().write_all(text.as_bytes());
                        1
                    }
                };
                sys::exit_now(code)
            }
            Err(error) => {
                sys::unblock_all();
                Err(failed(error))
            }
        }
    }

    /// When it has had its time; `None`: it is ended already.
    pub(super) fn deadline(&self) -> Option<Instant> {
        (!self.is_late).then_some(self.deadline)
    }

    /// Ends it where it has had its time.
    pub(super) fn enforce(&mut self, now: Instant) {
        if now >= self.deadline && !self.is_late {
            self.is_late = true;
            self.cancel();
        }
    }

    /// Ends it. It is reaped like any child.
    pub(super) fn cancel(&self) {
        let _ = sys::kill(self.pid, sys::SIGKILL);
    }

    /// What has come out, now that the child has ended. Errors: the settings cannot be used; the text says why.
    pub(super) fn verdict(mut self, death: Death) -> Result<(), String> {
        let how = match death {
            Death::Code(SOUND) => return Ok(()),
            Death::Code(1) => None,
            _ if self.is_late => Some(format!("they were not read within {} s (boot_timeout)", self.limit.as_secs())),
            Death::Code(code) => Some(format!("reading them ended the process with code {code}")),
            Death::Signal(signal) => Some(format!("reading them ended the process by signal {signal}")),
        };
        let mut output = Vec::new();
        let _ = self.output.rewind().and_then(|()| self.output.read_to_end(&mut output));
        let end = &output[output.len().saturating_sub(MOST_OUTPUT)..];
        let said = String::from_utf8_lossy(end).trim().to_owned();
        Err(match how {
            Some(how) if said.is_empty() => how,
            Some(how) => format!("{how}\n{said}"),
            None => said,
        })
    }
}
