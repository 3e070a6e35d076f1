//! Waiting for one or two descriptors, for threads that have no reactor at hand.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interest {
    /// Bytes, or end of file.
    Readable,
    /// Room in the socket's buffer.
    Writable,
}

/// Waits until `fd` is ready or has failed (`true`), or `timeout` is over (`false`; `None` waits for ever).
///
/// A signal that arrives ends the wait with `ErrorKind::Interrupted`: the caller decides what that means.
pub fn wait_for(fd: BorrowedFd<'_>, interest: Interest, timeout: Option<Duration>) -> io::Result<bool> {
    let flags = match interest {
        Interest::Readable => PollFlags::POLLIN,
        Interest::Writable => PollFlags::POLLOUT,
    };
    poll_all(&mut [PollFd::new(fd, flags)], timeout)
}

/// Waits until one of `fds` is readable, as [`wait_for`].
pub fn wait_for_any(fds: &[BorrowedFd<'_>], timeout: Option<Duration>) -> io::Result<bool> {
    let mut polled: Vec<PollFd<'_>> = fds.iter().map(|fd| PollFd::new(*fd, PollFlags::POLLIN)).collect();
    poll_all(&mut polled, timeout)
}

/// Has the peer of `socket` ended its side, gone, or has the connection failed? Does not wait.
///
/// A peer that has only ended its side may still read: a hint, no proof. `false` when the kernel cannot say.
pub fn has_hung_up(socket: BorrowedFd<'_>) -> bool {
    // nix has no name for it. The other two are always reported.
    let flags = PollFlags::from_bits_retain(libc::POLLRDHUP) | PollFlags::POLLHUP | PollFlags::POLLERR;
    poll_all(&mut [PollFd::new(socket, flags)], Some(Duration::ZERO)).unwrap_or(false)
}

fn poll_all(fds: &mut [PollFd<'_>], timeout: Option<Duration>) -> io::Result<bool> {
    let timeout = match timeout {
        None => PollTimeout::NONE,
        // Rounded up: a wait that ends early would spin until the deadline.
        Some(time) => PollTimeout::try_from(time.as_micros().div_ceil(1000)).unwrap_or(PollTimeout::MAX),
    };
    match poll(fds, timeout) {
        Ok(ready) => Ok(ready > 0),
        Err(Errno::EINTR) => Err(io::ErrorKind::Interrupted.into()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::Shutdown;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn a_peer_that_ends_its_side_has_hung_up_and_one_that_sends_has_not() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        assert!(!has_hung_up(ours.as_fd()));
        theirs.write_all(b"hello").unwrap();
        assert!(!has_hung_up(ours.as_fd()));
        theirs.shutdown(Shutdown::Write).unwrap();
        assert!(has_hung_up(ours.as_fd()), "bytes that wait do not hide it");
        drop(theirs);
        assert!(has_hung_up(ours.as_fd()));
    }

    #[test]
    fn our_own_end_of_writing_is_no_hang_up() {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        ours.shutdown(Shutdown::Write).unwrap();
        assert!(!has_hung_up(ours.as_fd()));
    }
}
