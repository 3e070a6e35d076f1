//! A part of a file that is sent as it stands: by the kernel alone, or read and written where the kernel cannot.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;

use super::{FlushError, Step, space, write_whole};
use crate::net::Stream;

/// The unsent rest of a part of a file.
#[derive(Debug)]
pub(super) struct Part {
    file: File,
    offset: u64,
    /// In bytes; never 0 while it is queued.
    len: u64,
    pub(super) way: Way,
}

/// How a file gets into a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// By sendfile(2).
    Kernel,
    /// Through our memory.
    Memory,
}

impl Part {
    pub(super) fn new(file: OwnedFd, offset: u64, len: u64) -> Self {
        Self { file: File::from(file), offset, len, way: Way::Kernel }
    }

    /// Writes at most `most` bytes.
    pub(super) fn write(&mut self, stream: &mut Stream, most: u64, scratch: &mut Vec<u8>) -> Result<Step, FlushError> {
        let most = most.min(self.len);
        if self.way == Way::Kernel {
            let limit = usize::try_from(most).unwrap_or(usize::MAX);
            match stream.send_file(self.file.as_fd(), self.offset, limit) {
                Ok(Some(0)) => return Err(FlushError::Truncated { missing: self.len }),
                Ok(Some(count)) => return Ok(Step::Took(count)),
                Ok(None) => return Ok(Step::Full(0)),
                // The file cannot be sent so, or it cannot be read, or the client has gone: the call does not say which.
                // Reading and writing do.
                Err(_) => self.way = Way::Memory,
            }
        }
        let count = self.read(space(scratch, most)).map_err(FlushError::File)?;
        if count == 0 {
            return Err(FlushError::Truncated { missing: self.len });
        }
        write_whole(stream, &scratch[..count])
    }

    /// Forgets the first `count` bytes. Gives how many remain.
    pub(super) fn skip(&mut self, count: u64) -> u64 {
        self.offset += count;
        self.len -= count;
        self.len
    }

    fn read(&self, space: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.file.read_at(space, self.offset) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => return other,
            }
        }
    }
}
