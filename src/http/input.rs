//! The bytes of a connection on their way in: one buffer that holds the head of the request at hand and what has not
//! been consumed behind it. Knows nothing of HTTP.
//!
//! ```text
//! 0 ······ start ▓▓ head ▓▓ head_end ······ unread ▒▒ not consumed ▒▒ end ······ free ······ len
//! ```

use std::ops::Range;

/// What a fresh buffer has: a browser's head with room to spare, and a fair piece of a body.
const INITIAL_LEN: usize = 16 << 10;
/// The least that `spare` offers.
const LEAST_SPARE: usize = 4 << 10;
/// A buffer that grew beyond this is not kept between requests.
const MOST_KEPT: usize = 64 << 10;

/// See the drawing above. The buffer is kept at full length, so that nothing is zeroed twice.
#[derive(Debug, Default)]
pub(super) struct Input {
    bytes: Vec<u8>,
    start: usize,
    head_end: usize,
    unread: usize,
    end: usize,
    /// The piece of body last consumed, until the buffer is touched again.
    piece: Range<usize>,
}

impl Input {
    /// Free space to receive into, at least 4 KiB.
    pub(super) fn spare(&mut self) -> &mut [u8] {
        self.make_room(LEAST_SPARE);
        &mut self.bytes[self.end..]
    }

    /// So many bytes were put at the start of [`Input::spare`].
    pub(super) fn received(&mut self, count: usize) {
        self.end = (self.end + count).min(self.bytes.len());
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.make_room(bytes.len().max(LEAST_SPARE));
        self.bytes[self.end..][..bytes.len()].copy_from_slice(bytes);
        self.end += bytes.len();
    }

    /// What has not been consumed.
    pub(super) fn unread(&self) -> &[u8] {
        &self.bytes[self.unread..self.end]
    }

    /// The same, for a head that is to be put differently than it was sent.
    pub(super) fn unread_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[self.unread..self.end]
    }

    /// The head and everything behind it; before the head is pinned, what has come of it.
    pub(super) fn since_head(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// The head that is pinned.
    pub(super) fn head(&self) -> &[u8] {
        &self.bytes[self.start..self.head_end]
    }

    /// The first `len` unread bytes are done with. Not for parts of a head.
    pub(super) fn consume(&mut self, len: usize) {
        self.unread += len;
        if self.head_end == self.start {
            self.start = self.unread;
            self.head_end = self.unread;
        }
    }

    /// The first `len` unread bytes are a piece of a body, which [`Input::piece`] shows for a while.
    pub(super) fn consume_piece(&mut self, len: usize) {
        self.piece = self.unread..self.unread + len;
        self.unread += len;
    }

    pub(super) fn piece(&self) -> &[u8] {
        &self.bytes[self.piece.clone()]
    }

    pub(super) fn forget_piece(&mut self) {
        self.piece = 0..0;
    }

    /// The first `len` unread bytes are a head, to be kept until it is released.
    pub(super) fn pin_head(&mut self, len: usize) {
        self.head_end = self.start + len;
        self.unread = self.head_end;
    }

    pub(super) fn release_head(&mut self) {
        self.forget_piece();
        self.start = self.unread;
        self.head_end = self.unread;
        if self.unread == self.end {
            self.rewind();
            if self.bytes.len() > MOST_KEPT {
                self.bytes = Vec::new();
            }
        }
    }

    /// Everything that was not consumed; the head stays.
    pub(super) fn take_unread(&mut self) -> Vec<u8> {
        let rest = self.unread().to_vec();
        self.unread = self.end;
        rest
    }

    /// Forgets everything.
    pub(super) fn discard(&mut self) {
        self.unread = self.end;
        self.release_head();
    }

    pub(super) fn is_unallocated(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Takes `buffer` into use if there is none; else it is dropped.
    pub(super) fn lend(&mut self, mut buffer: Vec<u8>) {
        if self.bytes.is_empty() {
            buffer.resize(buffer.capacity(), 0);
            self.bytes = buffer;
        }
    }

    /// The buffer, if there is one and nothing in it is needed.
    pub(super) fn take(&mut self) -> Option<Vec<u8>> {
        let is_free = self.start == self.end && !self.bytes.is_empty();
        is_free.then(|| {
            self.rewind();
            std::mem::take(&mut self.bytes)
        })
    }

    /// All is consumed and released.
    fn rewind(&mut self) {
        *self = Input { bytes: std::mem::take(&mut self.bytes), ..Input::default() };
    }

    /// Sees to `len` free bytes: by reusing what was consumed, then by growing.
    fn make_room(&mut self, len: usize) {
        self.forget_piece();
        if self.unread == self.end {
            self.unread = self.head_end;
            self.end = self.head_end;
        }
        if self.bytes.len() - self.end < len {
            self.compact();
        }
        if self.bytes.len() - self.end < len {
            let doubled = (self.bytes.len() * 2).max(INITIAL_LEN);
            self.bytes.resize(doubled.max(self.end + len), 0);
        }
    }

    fn compact(&mut self) {
        let (head_len, unread_len) = (self.head_end - self.start, self.end - self.unread);
        self.bytes.copy_within(self.start..self.head_end, 0);
        self.bytes.copy_within(self.unread..self.end, head_len);
        self.start = 0;
        self.head_end = head_len;
        self.unread = head_len;
        self.end = head_len + unread_len;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_allocated_until_bytes_come() {
        let mut input = Input::default();
        assert_eq!(input.bytes.capacity(), 0);
        assert_eq!(input.spare().len(), INITIAL_LEN);
    }

    #[test]
    fn the_head_stays_while_bodies_pass_behind_it() {
        let mut input = Input::default();
        input.push(b"\r\nhead");
        input.consume(2);
        input.pin_head(4);
        for _ in 0..100 {
            let spare = input.spare();
            let count = spare.len();
            spare.fill(b'x');
            input.received(count);
            input.consume_piece(count - 3);
            assert_eq!(input.piece().len(), count - 3);
            assert_eq!(input.unread(), b"xxx");
            assert!(input.spare().len() >= LEAST_SPARE);
            input.consume_piece(3);
            assert!(input.since_head().starts_with(b"head"));
        }
        assert_eq!(input.bytes.len(), INITIAL_LEN);
    }

    #[test]
    fn what_is_pipelined_survives_compaction() {
        let mut input = Input::default();
        input.push(&[b'h'; 10_000]);
        input.push(b"next");
        input.pin_head(10_000);
        input.release_head();
        input.push(&[b'n'; 10_000]);
        assert_eq!(input.bytes.len(), INITIAL_LEN);
        assert!(input.unread().starts_with(b"nextnnn"));
        assert_eq!(input.unread().len(), 10_004);
    }

    #[test]
    fn a_buffer_is_lent_and_returned_when_empty() {
        let mut input = Input::default();
        assert_eq!(input.take(), None);
        input.lend(Vec::with_capacity(9000));
        input.push(b"head");
        assert_eq!(input.bytes.len(), 9000);
        assert_eq!(input.take(), None);
        input.pin_head(4);
        assert_eq!(input.take(), None);
        input.release_head();
        assert_eq!(input.take().map(|buffer| buffer.len()), Some(9000));
    }

    #[test]
    fn a_buffer_that_grew_is_not_kept() {
        let mut input = Input::default();
        input.push(&vec![0; MOST_KEPT + 1]);
        input.discard();
        assert_eq!(input.bytes.capacity(), 0);
    }
}
