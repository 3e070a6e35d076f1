//! Where a log goes: a standard stream or a file, as the settings `errorlog` and `accesslog` name it.
//!
//! Only the name; `sink` opens it. The caller makes relative paths absolute, because a reopen may happen after a change
//! of directory.

use std::fmt;
use std::path::{Path, PathBuf};

/// The target of one log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// The standard error stream of the process.
    Stderr,
    /// The standard output stream of the process.
    Stdout,
    /// A file that is appended to and created when missing.
    File(PathBuf),
}

/// The standard stream that `-` stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// For the error log.
    Stderr,
    /// For the access log.
    Stdout,
}

impl Destination {
    /// Reads a destination as the operator wrote it; `-` is `stream`, anything else a path.
    ///
    /// `/dev/stdout` and `/dev/stderr` mean the streams too: opened as files they fail when the stream is a socket, as
    /// under systemd, and after privileges were dropped, as in many containers.
    pub fn parse(text: &str, stream: Stream) -> Destination {
        match (text, stream) {
            ("-", Stream::Stderr) | ("/dev/stderr", _) => Destination::Stderr,
            ("-", Stream::Stdout) | ("/dev/stdout", _) => Destination::Stdout,
            (path, _) => Destination::File(PathBuf::from(path)),
        }
    }

    /// The path of a file; `None` for a standard stream.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Destination::Stderr | Destination::Stdout => None,
            Destination::File(path) => Some(path),
        }
    }
}

/// As messages to the operator name it.
impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Destination::Stderr => f.write_str("stderr"),
            Destination::Stdout => f.write_str("stdout"),
            Destination::File(path) => path.display().fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, stream: Stream, want: Destination) {
        assert_eq!(Destination::parse(text, stream), want);
    }

    #[test]
    fn a_dash_is_the_stream_of_that_log() {
        check("-", Stream::Stderr, Destination::Stderr);
        check("-", Stream::Stdout, Destination::Stdout);
        check("/dev/stdout", Stream::Stderr, Destination::Stdout);
        check("/dev/stderr", Stream::Stdout, Destination::Stderr);
        check("/var/log/a", Stream::Stderr, Destination::File("/var/log/a".into()));
        check("--", Stream::Stdout, Destination::File("--".into()));
    }
}
