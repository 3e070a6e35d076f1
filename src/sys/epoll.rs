//! `EPOLLEXCLUSIVE` registrations, which mio does not offer.
//!
//! The descriptor of a mio poller is an ordinary epoll; what is added here comes out of mio with the token it went in with.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Adds `listener` to `epoll`, readable, level-triggered, waking only one of the processes that wait for it.
///
/// Exclusive registrations cannot be modified: remove and add. Errors: as epoll_ctl(2).
pub fn add_exclusive(epoll: &impl AsRawFd, listener: BorrowedFd<'_>, token: usize) -> io::Result<()> {
    let mut event = libc::epoll_event { events: (libc::EPOLLIN | libc::EPOLLEXCLUSIVE) as u32, u64: token as u64 };
    // SAFETY: both descriptors are borrowed for the call, and `event` outlives it.
    let result = unsafe { libc::epoll_ctl(epoll.as_raw_fd(), libc::EPOLL_CTL_ADD, listener.as_raw_fd(), &mut event) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Takes `listener` out of `epoll`. Errors: as epoll_ctl(2); `ENOENT` when it was not in.
pub fn remove(epoll: &impl AsRawFd, listener: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: both descriptors are borrowed for the call; DEL ignores the event.
    let result =
        unsafe { libc::epoll_ctl(epoll.as_raw_fd(), libc::EPOLL_CTL_DEL, listener.as_raw_fd(), std::ptr::null_mut()) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
