//! The file for what a slow client does not take: a ring, so that a long answer needs no more disk than its unsent part.
//!
//! ```text
//! 0         start            start + len      capacity
//! |  free   |  not yet sent  |      free      |          what does not fit behind goes on at 0
//! ```
//!
//! Nothing here goes out by sendfile(2). The socket would borrow pages of the file until the client has acknowledged them,
//! and the ring overwrites its pages as soon as the kernel has taken them: a slow client would get later bytes in place of
//! earlier ones.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::space;
use crate::sys;

/// Bytes in a file without a name: first in, first out.
#[derive(Debug)]
pub(super) struct Spool {
    file: File,
    /// How large the file may get, in bytes.
    capacity: u64,
    /// Where the first unsent byte is.
    start: u64,
    len: u64,
}

impl Spool {
    /// An empty one in `dir`, for up to `capacity` bytes. Errors: as [`sys::unlinked_file`].
    pub(super) fn create(dir: &Path, capacity: u64) -> io::Result<Self> {
        Ok(Self { file: sys::unlinked_file(dir)?, capacity, start: 0, len: 0 })
    }

    /// Bytes in it.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Is there room for `more` bytes?
    pub(super) fn has_room(&self, more: u64) -> bool {
        more <= self.capacity - self.len
    }

    /// Adds all bytes of `slices`, for which there must be room, or none. Errors: as write(2); nothing is added.
    pub(super) fn append<'a>(&mut self, slices: impl Iterator<Item = &'a [u8]>) -> io::Result<()> {
        let mut len = self.len;
        for slice in slices {
            let at = (self.start + len) % self.capacity;
            let before_end = usize::try_from(self.capacity - at).unwrap_or(usize::MAX).min(slice.len());
            let (first, second) = slice.split_at(before_end);
            self.file.write_all_at(first, at)?;
            self.file.write_all_at(second, 0)?;
            len += slice.len() as u64;
        }
        // Only now: what has gone to free space before an error does not count.
        self.len = len;
        Ok(())
    }

    /// Reads the first bytes into `scratch`, which holds them and nothing else afterwards: at most `most`, and no more
    /// than one piece of them. They stay until [`Spool::skip`]. Errors: as read(2).
    pub(super) fn read(&self, most: u64, scratch: &mut Vec<u8>) -> io::Result<()> {
        let most = most.min(self.len).min(self.capacity - self.start);
        self.file.read_exact_at(space(scratch, most), self.start)
    }

    /// Puts another file in the place of its own, which it gives back.
    #[cfg(test)]
    pub(super) fn replace_file(&mut self, file: File) -> File {
        std::mem::replace(&mut self.file, file)
    }

    /// Removes the first `count` bytes.
    pub(super) fn skip(&mut self, count: u64) {
        self.len -= count;
        self.start = (self.start + count) % self.capacity;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn temporary() -> std::path::PathBuf {
        std::env::temp_dir()
    }

    fn read(spool: &mut Spool, most: u64) -> Vec<u8> {
        let mut scratch = vec![0xff; 7];
        spool.read(most, &mut scratch).unwrap();
        spool.skip(scratch.len() as u64);
        scratch
    }

    #[test]
    fn the_file_is_never_larger_than_its_capacity() {
        let mut spool = Spool::create(&temporary(), 1000).unwrap();
        let mut next: u8 = 0;
        let mut due: u8 = 0;
        for round in 0..500 {
            while spool.has_room(70) {
                let bytes: Vec<u8> = (0..70).map(|more| next.wrapping_add(more)).collect();
                next = next.wrapping_add(70);
                spool.append([&bytes[..1], &bytes[1..]].into_iter()).unwrap();
            }
            for byte in read(&mut spool, 100 + round % 400) {
                assert_eq!(byte, due, "round {round}");
                due = due.wrapping_add(1);
            }
        }
        assert_eq!(spool.file.metadata().unwrap().len(), 1000);
    }

    #[test]
    fn it_may_be_filled_to_the_last_byte() {
        let mut spool = Spool::create(&temporary(), 8).unwrap();
        spool.append([&b"abcde"[..]].into_iter()).unwrap();
        assert_eq!(read(&mut spool, 4), b"abcd");
        assert!(spool.has_room(7) && !spool.has_room(8));
        spool.append([&b"fghijkl"[..]].into_iter()).unwrap();
        assert!(!spool.has_room(1));
        // Up to the end of the file, then from its beginning.
        assert_eq!(read(&mut spool, 100), b"efgh");
        assert_eq!(read(&mut spool, 100), b"ijkl");
        assert_eq!(spool.len(), 0);
    }

    /// The largest size that the file system allows: writing beyond it fails without a full disk.
    fn largest_size(file: &File) -> u64 {
        let (mut possible, mut impossible) = (0, i64::MAX as u64);
        if file.set_len(impossible).is_ok() {
            possible = impossible;
        }
        while impossible - possible > 1 {
            let middle = possible + (impossible - possible) / 2;
            if file.set_len(middle).is_ok() { possible = middle } else { impossible = middle }
        }
        file.set_len(0).unwrap();
        possible
    }

    #[test]
    fn an_error_in_the_middle_adds_nothing() {
        let mut spool = Spool::create(&temporary(), i64::MAX as u64 * 2).unwrap();
        spool.start = largest_size(&spool.file) - 100;
        spool.append([&b"before"[..]].into_iter()).unwrap();
        assert!(spool.append([&[1; 50][..], &[2; 50]].into_iter()).is_err());
        assert_eq!(spool.len(), 6);
        assert_eq!(read(&mut spool, 100), b"before");
    }
}
