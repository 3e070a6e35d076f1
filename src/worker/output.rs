//! What is still to be written to one connection: heads and small pieces copied together, large pieces by reference,
//! parts of files, and what a slow client has made us put on the disk.
//!
//! Does not know HTTP, nor when it is time to spool: whoever owns the connection asks [`Output::memory`] and decides.

mod part;
mod spool;

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, IoSlice};
use std::os::fd::OwnedFd;
use std::path::Path;

use self::part::Part;
use self::spool::Spool;
use crate::net::Stream;

/// Pieces up to this size are copied behind the head: cheaper than a second slice in the system call. Measured.
const COPY_LIMIT: usize = 4096;

/// From so many written bytes on, memory is moved together rather than grown.
const COMPACT_LIMIT: usize = 64 * 1024;

/// Memory beyond this is not worth keeping for the next answer.
const MOST_KEPT: usize = 64 * 1024;

/// How many slices one system call gets. The kernel takes up to 1024; more than a few gain nothing.
const MAX_SLICES: usize = 16;

/// How much of a file is read at a time where the kernel cannot send it by itself.
const READ_SIZE: usize = 64 * 1024;

/// A queue of bytes.
#[derive(Debug)]
pub(super) struct Output<P> {
    /// Before `tail`, in order.
    front: VecDeque<Segment<P>>,
    tail: Vec<u8>,
    /// How much of the first segment (of `tail`, if there is none) is written. A file or spool counts for itself: 0.
    written: usize,
    /// Unsent bytes that are in memory.
    memory: usize,
    /// Unsent bytes that are in files.
    in_files: u64,
    /// Holds the bytes of all spooled segments, in their order. There is one only while there are such bytes: its disk
    /// space and its descriptor go with the last of them.
    spool: Option<Spool>,
}

#[derive(Debug)]
enum Segment<P> {
    Copied(Vec<u8>),
    Piece { piece: P, len: usize },
    File(Part),
    Spooled { len: u64 },
}

/// How far a flush has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flushed {
    /// Nothing is queued any more.
    All,
    /// The socket takes nothing more for now.
    Blocked,
    /// The budget is spent. The socket may take more, and its next event may never come: flush again without one.
    Budget,
}

/// Why a flush cannot go on. What comes before the fault is out; the rest stays queued and counted.
#[derive(Debug)]
pub(super) enum FlushError {
    /// The peer has gone.
    Gone(io::Error),
    /// A file is shorter than it was said to be.
    Truncated {
        /// Bytes that are not there.
        missing: u64,
    },
    /// A file, pushed or our own, cannot be read.
    File(io::Error),
}

/// What one write came to, in bytes.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// So many are out, there may be room for more.
    Took(usize),
    /// So many are out, and the socket is full.
    Full(usize),
}

impl<P> Default for Output<P> {
    fn default() -> Self {
        Self { front: VecDeque::new(), tail: Vec::new(), written: 0, memory: 0, in_files: 0, spool: None }
    }
}

impl<P: AsRef<[u8]>> Output<P> {
    /// Bytes still to be written, wherever they are.
    pub(super) fn pending(&self) -> u64 {
        self.memory as u64 + self.in_files
    }

    /// Bytes still to be written that are in memory.
    pub(super) fn memory(&self) -> usize {
        self.memory
    }

    /// Lets `append` add bytes at the end; gives back what it returned.
    pub(super) fn append<R>(&mut self, append: impl FnOnce(&mut Vec<u8>) -> R) -> R {
        let before = self.tail.len();
        let result = append(&mut self.tail);
        self.memory += self.tail.len() - before;
        result
    }

    /// Adds the first `len` bytes of `piece`.
    pub(super) fn push(&mut self, piece: P, len: usize) {
        if len <= COPY_LIMIT {
            self.append(|tail| tail.extend_from_slice(&piece.as_ref()[..len]));
            return;
        }
        self.seal_tail();
        self.memory += len;
        self.front.push_back(Segment::Piece { piece, len });
    }

    /// Adds `len` bytes of the regular file `file` from `offset`. The descriptor's own position is neither used nor moved.
    ///
    /// Until the peer has them the bytes are the file's: what is overwritten meanwhile may go out changed.
    pub(super) fn push_file(&mut self, file: OwnedFd, offset: u64, len: u64) {
        if len > 0 {
            self.seal_tail();
            self.in_files += len;
            self.front.push_back(Segment::File(Part::new(file, offset, len)));
        }
    }

    /// Moves what is queued in memory to a file without a name in `dir`, unless more than `most` unsent bytes would be
    /// there: then `Ok(false)`, and nothing has changed. `most` is the same for all calls. Called detached: the disk may
    /// block.
    ///
    /// Errors: the file cannot be made or written; the queue is as before.
    pub(super) fn spool(&mut self, dir: &Path, most: u64) -> io::Result<bool> {
        if self.memory == 0 {
            return Ok(true);
        }
        let len = self.memory as u64;
        if !self.spool.as_ref().map_or(len <= most, |spool| spool.has_room(len)) {
            return Ok(false);
        }
        let mut spool = match self.spool.take() {
            Some(spool) => spool,
            None => Spool::create(dir, most)?,
        };
        let result = spool.append(self.slices());
        // One that is still empty after a failure has nothing but disk space to give back.
        self.spool = (spool.len() > 0).then_some(spool);
        result?;
        self.replace_memory();
        Ok(true)
    }

    /// Writes what the kernel takes, but stops after some `budget` bytes, so that one fast reader of a large file does not
    /// keep all others waiting.
    pub(super) fn flush(&mut self, stream: &mut Stream, budget: u64) -> Result<Flushed, FlushError> {
        let mut left = budget;
        let mut scratch = Vec::new();
        while self.pending() > 0 {
            if left == 0 {
                return Ok(Flushed::Budget);
            }
            let count = match self.write_first(stream, left, &mut scratch)? {
                Step::Took(count) => count,
                Step::Full(count) => {
                    self.advance(count);
                    return Ok(Flushed::Blocked);
                }
            };
            self.advance(count);
            left = left.saturating_sub(count as u64);
        }
        Ok(Flushed::All)
    }

    /// Throws away what is queued.
    pub(super) fn clear(&mut self) {
        self.front.clear();
        self.tail.clear();
        self.written = 0;
        self.memory = 0;
        self.in_files = 0;
        self.spool = None;
    }

    /// Gives the memory of an empty queue away.
    pub(super) fn take_memory(&mut self) -> Option<Vec<u8>> {
        (self.pending() == 0 && self.tail.capacity() > 0)
            .then(|| {
                self.written = 0;
                let mut memory = std::mem::take(&mut self.tail);
                memory.clear();
                memory
            })
            .filter(|memory| memory.capacity() <= MOST_KEPT)
    }

    /// Takes (empty) memory for small pieces, if it has none.
    pub(super) fn lend_memory(&mut self, memory: Vec<u8>) {
        if self.tail.capacity() == 0 {
            self.tail = memory;
        }
    }

    /// Does it lack memory for small pieces?
    pub(super) fn wants_memory(&self) -> bool {
        self.tail.capacity() == 0
    }

    /// Makes the tail a segment, so that another can stand behind it.
    fn seal_tail(&mut self) {
        if !self.tail.is_empty() {
            self.front.push_back(Segment::Copied(std::mem::take(&mut self.tail)));
        }
    }

    /// Writes the beginning of the queue; of a file or spool at most `most` bytes. `scratch`: memory to read into.
    fn write_first(&mut self, stream: &mut Stream, most: u64, scratch: &mut Vec<u8>) -> Result<Step, FlushError> {
        let written = match self.front.front_mut() {
            None => stream.write(&self.tail[self.written..]),
            Some(Segment::Copied(_) | Segment::Piece { .. }) => self.write_slices(stream),
            Some(Segment::File(part)) => return part.write(stream, most, scratch),
            Some(Segment::Spooled { len }) => {
                let most = most.min(*len);
                let spool = self.spool.as_ref().expect("one is there while there are spooled segments");
                spool.read(most, scratch).map_err(FlushError::File)?;
                return write_whole(stream, scratch);
            }
        };
        match written {
            Ok(count) => Ok(count.map_or(Step::Full(0), Step::Took)),
            Err(error) => Err(FlushError::Gone(error)),
        }
    }

    /// Writes from memory, up to the first file or spool.
    fn write_slices(&self, stream: &mut Stream) -> io::Result<Option<usize>> {
        let mut slices = [IoSlice::new(&[]); MAX_SLICES];
        let mut count = 0;
        let mut skip = self.written;
        let segments = self.front.iter().map(Segment::bytes).chain([Some(self.tail.as_slice())]);
        let segments = segments.map_while(|bytes| bytes).filter(|bytes| !bytes.is_empty());
        for (slice, bytes) in slices.iter_mut().zip(segments) {
            *slice = IoSlice::new(&bytes[std::mem::take(&mut skip)..]);
            count += 1;
        }
        stream.write_vectored(&slices[..count])
    }

    /// All unsent bytes that are in memory, in order.
    fn slices(&self) -> impl Iterator<Item = &[u8]> {
        let mut skip = self.written;
        let segments = self.front.iter().filter_map(Segment::bytes).chain([self.tail.as_slice()]);
        segments.filter(|bytes| !bytes.is_empty()).map(move |bytes| &bytes[std::mem::take(&mut skip)..])
    }

    /// Puts spooled segments in the place of what is in memory, which has just been spooled.
    fn replace_memory(&mut self) {
        let mut skip = std::mem::take(&mut self.written);
        let before = std::mem::take(&mut self.front);
        for segment in before {
            match segment.bytes().map(<[u8]>::len) {
                Some(len) => self.add_spooled(len - std::mem::take(&mut skip)),
                None => self.front.push_back(segment),
            }
        }
        if !self.tail.is_empty() {
            self.add_spooled(self.tail.len() - skip);
            self.tail.clear();
            self.tail.shrink_to(MOST_KEPT);
        }
        self.in_files += self.memory as u64;
        self.memory = 0;
    }

    fn add_spooled(&mut self, more: usize) {
        match self.front.back_mut() {
            Some(Segment::Spooled { len }) => *len += more as u64,
            _ => self.front.push_back(Segment::Spooled { len: more as u64 }),
        }
    }

    /// Forgets `count` bytes that are out. Of a file or spool they never reach into the next segment.
    fn advance(&mut self, count: usize) {
        let rest = match self.front.front_mut() {
            None | Some(Segment::Copied(_) | Segment::Piece { .. }) => return self.advance_memory(count),
            Some(Segment::File(part)) => part.skip(count as u64),
            Some(Segment::Spooled { len }) => {
                let spool = self.spool.as_mut().expect("one is there while there are spooled segments");
                spool.skip(count as u64);
                if spool.len() == 0 {
                    self.spool = None;
                }
                *len -= count as u64;
                *len
            }
        };
        self.in_files -= count as u64;
        if rest == 0 {
            self.front.pop_front();
        }
    }

    fn advance_memory(&mut self, mut count: usize) {
        self.memory -= count;
        while let Some(first) = self.front.front() {
            // What stands behind a file was not written with what stands before it.
            let Some(bytes) = first.bytes() else { return };
            let rest = bytes.len() - self.written;
            if count < rest {
                self.written += count;
                return;
            }
            count -= rest;
            self.written = 0;
            // The memory of a copied segment serves again as the tail, if that has none.
            if let Some(Segment::Copied(mut memory)) = self.front.pop_front()
                && self.tail.capacity() == 0
            {
                memory.clear();
                self.tail = memory;
            }
        }
        self.written += count;
        if self.written == self.tail.len() {
            self.tail.clear();
            self.written = 0;
        } else if self.written >= COMPACT_LIMIT && self.written * 2 >= self.tail.len() {
            // A client that always lags a little never empties the queue: what it has taken must not pile up.
            self.tail.drain(..self.written);
            self.written = 0;
        }
    }
}

impl<P: AsRef<[u8]>> Segment<P> {
    /// The bytes, if they are in memory.
    fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Copied(bytes) => Some(bytes),
            Self::Piece { piece, len } => Some(&piece.as_ref()[..*len]),
            Self::File(_) | Self::Spooled { .. } => None,
        }
    }
}

impl fmt::Display for FlushError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gone(error) => write!(f, "the client has gone: {error}"),
            Self::Truncated { missing } => write!(f, "the file ends {missing} bytes too early"),
            Self::File(error) => write!(f, "cannot read the file: {error}"),
        }
    }
}

/// Writes `bytes`, as far as the kernel takes them.
fn write_whole(stream: &mut Stream, bytes: &[u8]) -> Result<Step, FlushError> {
    let mut sent = 0;
    while sent < bytes.len() {
        match stream.write(&bytes[sent..]).map_err(FlushError::Gone)? {
            Some(count) => sent += count,
            None => return Ok(Step::Full(sent)),
        }
    }
    Ok(Step::Took(sent))
}

/// Space for up to `most` bytes that are to be read, at most [`READ_SIZE`]; what is in `scratch` is overwritten.
fn space(scratch: &mut Vec<u8>, most: u64) -> &mut [u8] {
    let len = usize::try_from(most).map_or(READ_SIZE, |most| most.min(READ_SIZE));
    scratch.resize(len, 0);
    scratch
}

#[cfg(test)]
mod tests;
