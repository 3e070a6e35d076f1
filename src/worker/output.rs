//! What is still to be written to one connection: heads and small pieces copied together, large pieces by reference.

use std::collections::VecDeque;
use std::io::{self, IoSlice};

use crate::net::Stream;

/// Pieces up to this size are copied behind the head: cheaper than a second slice in the system call. Measured.
const COPY_LIMIT: usize = 4096;

/// From so many written bytes on, memory is moved together rather than grown.
const COMPACT_LIMIT: usize = 64 * 1024;

/// Memory beyond this is not worth keeping for the next answer.
const MOST_KEPT: usize = 64 * 1024;

/// How many slices one system call gets. The kernel takes up to 1024; more than a few gain nothing.
const MAX_SLICES: usize = 16;

/// A queue of bytes.
#[derive(Debug)]
pub(super) struct Output<P> {
    /// Before `tail`, in order.
    front: VecDeque<Segment<P>>,
    tail: Vec<u8>,
    /// How much of the first segment (of `tail`, if there is none) is written.
    written: usize,
    /// All that is queued, in bytes.
    pending: usize,
}

#[derive(Debug)]
enum Segment<P> {
    Copied(Vec<u8>),
    Piece { piece: P, len: usize },
}

impl<P> Default for Output<P> {
    fn default() -> Self {
        Self { front: VecDeque::new(), tail: Vec::new(), written: 0, pending: 0 }
    }
}

impl<P: AsRef<[u8]>> Output<P> {
    /// Bytes still to be written.
    pub(super) fn pending(&self) -> usize {
        self.pending
    }

    /// Lets `append` add bytes at the end; gives back what it returned.
    pub(super) fn append<R>(&mut self, append: impl FnOnce(&mut Vec<u8>) -> R) -> R {
        let before = self.tail.len();
        let result = append(&mut self.tail);
        self.pending += self.tail.len() - before;
        result
    }

    /// Adds the first `len` bytes of `piece`.
    pub(super) fn push(&mut self, piece: P, len: usize) {
        if len <= COPY_LIMIT {
            self.append(|tail| tail.extend_from_slice(&piece.as_ref()[..len]));
            return;
        }
        if !self.tail.is_empty() {
            self.front.push_back(Segment::Copied(std::mem::take(&mut self.tail)));
        }
        self.pending += len;
        self.front.push_back(Segment::Piece { piece, len });
    }

    /// Writes what the kernel takes. `Ok(true)`: all is written. Errors: the peer has gone.
    pub(super) fn flush(&mut self, stream: &mut Stream) -> io::Result<bool> {
        while self.pending > 0 {
            let count = if self.front.is_empty() {
                stream.write(&self.tail[self.written..])?
            } else {
                self.write_segments(stream)?
            };
            match count {
                None => return Ok(false),
                Some(count) => self.advance(count),
            }
        }
        Ok(true)
    }

    /// Throws away what is queued.
    pub(super) fn clear(&mut self) {
        self.front.clear();
        self.tail.clear();
        self.written = 0;
        self.pending = 0;
    }

    /// Gives the memory of an empty queue away.
    pub(super) fn take_memory(&mut self) -> Option<Vec<u8>> {
        (self.pending == 0 && self.tail.capacity() > 0)
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

    fn write_segments(&self, stream: &mut Stream) -> io::Result<Option<usize>> {
        let mut slices = [IoSlice::new(&[]); MAX_SLICES];
        let mut count = 0;
        let mut skip = self.written;
        let segments = self.front.iter().map(Segment::bytes).chain([self.tail.as_slice()]);
        for (slice, bytes) in slices.iter_mut().zip(segments.filter(|bytes| !bytes.is_empty())) {
            *slice = IoSlice::new(&bytes[std::mem::take(&mut skip)..]);
            count += 1;
        }
        stream.write_vectored(&slices[..count])
    }

    fn advance(&mut self, mut count: usize) {
        self.pending -= count;
        while let Some(first) = self.front.front() {
            let rest = first.bytes().len() - self.written;
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
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Copied(bytes) => bytes,
            Self::Piece { piece, len } => &piece.as_ref()[..*len],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes `take` bytes at a time into a vector, as a slow kernel would.
    fn drain(output: &mut Output<Vec<u8>>, take: usize) -> Vec<u8> {
        let mut got = Vec::new();
        while output.pending() > 0 {
            let segments = output.front.iter().map(Segment::bytes).chain([output.tail.as_slice()]);
            let all: Vec<u8> = segments.flatten().copied().skip(output.written).collect();
            assert_eq!(all.len(), output.pending());
            let count = take.min(all.len());
            got.extend_from_slice(&all[..count]);
            output.advance(count);
        }
        got
    }

    #[test]
    fn bytes_leave_in_order_whatever_the_kernel_takes() {
        for take in [1, 2, 7, 4096, 5000, 1 << 20] {
            let mut output = Output::default();
            let mut want = Vec::new();
            for (number, size) in [3, 4096, 5000, 1, 0, 9000, 12].into_iter().enumerate() {
                let piece = vec![number as u8; size];
                output.append(|tail| tail.push(b'#'));
                want.push(b'#');
                want.extend_from_slice(&piece);
                output.push(piece, size);
            }
            assert_eq!(drain(&mut output, take), want, "taking {take}");
            assert_eq!(output.pending(), 0);
        }
    }

    #[test]
    fn a_client_that_always_lags_does_not_make_it_grow() {
        let mut output: Output<Vec<u8>> = Output::default();
        output.push(vec![0; 4096], 4096);
        for _ in 0..10_000 {
            output.push(vec![0; 1000], 1000);
            output.advance(1000);
        }
        assert_eq!(output.pending(), 4096);
        assert!(output.tail.capacity() < 4 * COMPACT_LIMIT, "{}", output.tail.capacity());
    }

    #[test]
    fn a_piece_may_be_cut() {
        let mut output = Output::default();
        output.push(vec![1; 10_000], 5000);
        output.push(vec![2; 10], 3);
        assert_eq!(drain(&mut output, 64).len(), 5003);
    }

    #[test]
    fn memory_is_given_away_only_when_nothing_is_queued() {
        let mut output: Output<Vec<u8>> = Output::default();
        output.append(|tail| tail.extend_from_slice(b"abc"));
        assert!(output.take_memory().is_none());
        output.clear();
        assert!(output.take_memory().is_some());
        assert!(output.wants_memory());
        output.lend_memory(Vec::with_capacity(16));
        assert!(!output.wants_memory());
    }
}
