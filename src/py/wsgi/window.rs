//! Bytes of a request's body that have come and are not read yet. Every way of reading looks at the same window.
//!
//! Knows nothing of where bytes come from ([`super::body`]), and of Python only how to make a bytes object of them.

use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::bytes::Buffer;

/// The bytes at hand, and how many of them were read.
#[derive(Debug)]
pub(super) struct Window {
    buffer: Buffer,
    position: usize,
}

/// Where a read ends, besides at its limit and at the end of the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Until {
    /// Nowhere.
    Limit,
    /// Behind the first line end.
    LineEnd,
    /// Where waiting would begin.
    AtHand,
}

impl Window {
    pub(super) fn new(buffer: Buffer) -> Self {
        Self { buffer, position: 0 }
    }

    pub(super) fn empty() -> Self {
        Self::new(Buffer::Plain(Vec::new()))
    }

    /// What has not been read.
    pub(super) fn rest(&self) -> &[u8] {
        &self.buffer.as_ref()[self.position..]
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest().is_empty()
    }

    /// `count` bytes were read.
    pub(super) fn advance(&mut self, count: usize) {
        self.position += count;
    }

    /// How many bytes at hand a read takes that still wants `limit`, and whether it ends there.
    pub(super) fn measure(&self, limit: usize, until: Until) -> (usize, bool) {
        let rest = self.rest();
        let rest = &rest[..rest.len().min(limit)];
        let line = match until {
            Until::Limit | Until::AtHand => None,
            Until::LineEnd => rest.iter().position(|&byte| byte == b'\n').map(|end| end + 1),
        };
        let count = line.unwrap_or(rest.len());
        (count, line.is_some() || count == limit || until == Until::AtHand)
    }

    /// Reads the next `count` bytes. All of a window at once is the object that holds it: no copy.
    pub(super) fn take<'py>(&mut self, py: Python<'py>, count: usize) -> Bound<'py, PyBytes> {
        if self.position == 0 && count == self.buffer.as_ref().len() {
            return self.replace(Buffer::Plain(Vec::new())).into_python(py);
        }
        let taken = PyBytes::new(py, &self.rest()[..count]);
        self.advance(count);
        taken
    }

    /// Gives up what is left and the memory of it, if it is plain.
    pub(super) fn take_memory(&mut self) -> Vec<u8> {
        match self.replace(Buffer::Plain(Vec::new())) {
            Buffer::Plain(memory) => memory,
            Buffer::Bytes(_) => Vec::new(),
        }
    }

    fn replace(&mut self, buffer: Buffer) -> Buffer {
        self.position = 0;
        std::mem::replace(&mut self.buffer, buffer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(bytes: &[u8]) -> Window {
        Window::new(Buffer::Plain(bytes.to_vec()))
    }

    #[test]
    fn a_plain_read_wants_more_until_its_limit_is_reached() {
        assert_eq!(window(b"ab\ncd").measure(9, Until::Limit), (5, false));
        assert_eq!(window(b"ab\ncd").measure(5, Until::Limit), (5, true));
        assert_eq!(window(b"ab\ncd").measure(4, Until::Limit), (4, true));
    }

    #[test]
    fn a_line_ends_with_its_line_end_or_at_its_limit() {
        assert_eq!(window(b"ab\ncd").measure(9, Until::LineEnd), (3, true));
        assert_eq!(window(b"ab\ncd").measure(3, Until::LineEnd), (3, true));
        assert_eq!(window(b"ab\ncd").measure(2, Until::LineEnd), (2, true));
        assert_eq!(window(b"abcd").measure(9, Until::LineEnd), (4, false));
        assert_eq!(window(b"\n").measure(9, Until::LineEnd), (1, true));
    }

    #[test]
    fn a_short_read_takes_what_is_at_hand() {
        assert_eq!(window(b"abcd").measure(9, Until::AtHand), (4, true));
        assert_eq!(window(b"abcd").measure(2, Until::AtHand), (2, true));
    }

    #[test]
    fn what_was_read_is_gone() {
        let mut window = window(b"ab\ncd");
        window.advance(3);
        assert_eq!(window.rest(), b"cd");
        assert_eq!(window.measure(9, Until::LineEnd), (2, false));
        window.advance(2);
        assert!(window.is_empty());
    }
}
