//! sendfile(2): from a file to a socket without a copy through our memory.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// The kernel sends no more than this per call.
const MOST_PER_CALL: usize = 0x7fff_f000;

/// Sends up to `len` bytes of `file` from `offset` to `socket`: how many went, 0 at the end of the file. The
/// descriptor's own position is neither used nor moved.
///
/// The socket borrows pages of the file until the peer has them: what is overwritten meanwhile may go out changed.
/// Errors: as sendfile(2), which does not say whether the file or the socket is to blame.
pub fn send_file(socket: BorrowedFd<'_>, file: BorrowedFd<'_>, offset: u64, len: usize) -> io::Result<usize> {
    let mut offset = libc::off_t::try_from(offset).map_err(|_| io::ErrorKind::InvalidInput)?;
    let len = len.min(MOST_PER_CALL);
    // SAFETY: both descriptors are borrowed for the call, and `offset` outlives it.
    let sent = unsafe { libc::sendfile(socket.as_raw_fd(), file.as_raw_fd(), &mut offset, len) };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Seek, SeekFrom, Write};
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    use super::*;
    use crate::sys;

    #[test]
    fn a_part_is_sent_and_the_position_stays() {
        let mut file = sys::unlinked_file(&std::env::temp_dir()).unwrap();
        file.write_all(b"0123456789").unwrap();
        file.seek(SeekFrom::Start(7)).unwrap();
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        assert_eq!(send_file(ours.as_fd(), file.as_fd(), 2, 5).unwrap(), 5);
        assert_eq!(send_file(ours.as_fd(), file.as_fd(), 8, 5).unwrap(), 2);
        assert_eq!(send_file(ours.as_fd(), file.as_fd(), 10, 5).unwrap(), 0);
        assert_eq!(send_file(ours.as_fd(), file.as_fd(), 1 << 40, 5).unwrap(), 0);
        assert!(send_file(ours.as_fd(), file.as_fd(), u64::MAX, 5).is_err());
        drop(ours);
        let mut got = Vec::new();
        theirs.read_to_end(&mut got).unwrap();
        assert_eq!(got, b"2345689");
        assert_eq!(file.stream_position().unwrap(), 7);
    }
}
