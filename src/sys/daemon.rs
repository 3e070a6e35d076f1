//! What makes a process a daemon, but for the forks: a session of its own, and no terminal.
//!
//! Source: daemon(7), "SysV daemons"; Gunicorn's `daemonize`.

use std::io::{self, IsTerminal};

use nix::fcntl::{OFlag, open};
use nix::sys::stat::{Mode, umask};
use nix::unistd::{dup2_stderr, dup2_stdin, dup2_stdout, setsid};

/// What becomes of standard output and error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// They lead nowhere.
    Dropped,
    /// They stay what they are, unless they are a terminal.
    Kept,
}

/// A session without a terminal, led by this process. Errors: it leads a group of processes already.
pub fn lead_session() -> io::Result<()> {
    Ok(setsid().map(drop)?)
}

/// Lets go of the three streams, and of whatever mask of permissions somebody's shell had.
///
/// Errors: there is no /dev/null.
pub fn leave_streams(output: Output) -> io::Result<()> {
    umask(Mode::from_bits_truncate(0o022));
    let null = open("/dev/null", OFlag::O_RDWR | OFlag::O_CLOEXEC, Mode::empty())?;
    dup2_stdin(&null)?;
    if output == Output::Dropped || io::stdout().is_terminal() {
        dup2_stdout(&null)?;
    }
    if output == Output::Dropped || io::stderr().is_terminal() {
        dup2_stderr(&null)?;
    }
    Ok(())
}
