//! Small things about descriptors that neither std nor mio offers.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::socket::{AddressFamily, MsgFlags, Shutdown, SockFlag, SockType, recv, send, shutdown, socketpair};
use nix::sys::stat::{Mode, umask};
use nix::unistd::{pipe2, read, write};

/// A pipe, close-on-exec, both ends non-blocking: (reader, writer).
pub fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?)
}

/// Writes one byte into a pipe, to wake whoever waits for it. A full pipe does so already.
pub fn write_byte(pipe: BorrowedFd<'_>) {
    let _ = write(pipe, &[1]);
}

/// Empties a non-blocking pipe.
pub fn discard_bytes(pipe: BorrowedFd<'_>) {
    let mut scratch = [0; 256];
    while read(pipe, &mut scratch).is_ok_and(|count| count == scratch.len()) {}
}

/// Two connected sockets that keep messages apart (SOCK_SEQPACKET), non-blocking, close-on-exec.
pub fn packet_pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    Ok(socketpair(AddressFamily::Unix, SockType::SeqPacket, None, flags)?)
}

/// Sends one packet of one byte. Errors: the other side has gone, or its queue is full.
pub fn send_packet(socket: BorrowedFd<'_>, byte: u8) -> io::Result<()> {
    loop {
        match send(socket.as_raw_fd(), &[byte], MsgFlags::MSG_NOSIGNAL) {
            Ok(_) => return Ok(()),
            Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Takes one packet of one byte; `Ok(None)` when the other side has gone. Errors: `WouldBlock` when none waits.
pub fn receive_packet(socket: BorrowedFd<'_>) -> io::Result<Option<u8>> {
    let mut packet = [0; 1];
    loop {
        match recv(socket.as_raw_fd(), &mut packet, MsgFlags::empty()) {
            Ok(0) => return Ok(None),
            Ok(_) => return Ok(Some(packet[0])),
            Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Runs `make` with this file mode mask: what it creates lacks these permissions.
pub fn with_umask<R>(mask: u32, make: impl FnOnce() -> R) -> R {
    let before = umask(Mode::from_bits_truncate(mask));
    let made = make();
    umask(before);
    made
}

/// Makes reads and writes wait. The flag belongs to the open socket, so every descriptor of it is affected.
pub fn make_blocking(socket: BorrowedFd<'_>) -> io::Result<()> {
    let flags = OFlag::from_bits_retain(fcntl(socket, FcntlArg::F_GETFL)?);
    fcntl(socket, FcntlArg::F_SETFL(flags.difference(OFlag::O_NONBLOCK)))?;
    Ok(())
}

/// Says that nothing more will be sent. Errors: as shutdown(2); the peer may have gone.
pub fn shutdown_write(socket: BorrowedFd<'_>) -> io::Result<()> {
    Ok(shutdown(socket.as_raw_fd(), Shutdown::Write)?)
}

/// Writes what the kernel takes of `bytes` to a socket that another thread of ours has open and does not write to at
/// present, and says that nothing more will come. Nobody is there to be told of a failure.
pub fn say_last(socket: RawFd, bytes: &[u8]) {
    let _ = send(socket, bytes, MsgFlags::MSG_NOSIGNAL | MsgFlags::MSG_DONTWAIT);
    cut(socket, std::net::Shutdown::Write);
}

/// Ends one or both sides of a socket that another thread of ours has open.
pub fn cut(socket: RawFd, how: std::net::Shutdown) {
    let how = match how {
        std::net::Shutdown::Read => Shutdown::Read,
        std::net::Shutdown::Write => Shutdown::Write,
        std::net::Shutdown::Both => Shutdown::Both,
    };
    let _ = shutdown(socket, how);
}

/// Bytes written to `socket` that its peer has not acknowledged (TCP) or read (unix); 0 if the kernel does not tell.
pub fn unsent(socket: BorrowedFd<'_>) -> usize {
    let mut count: libc::c_int = 0;
    // SAFETY: the descriptor is open, and the kernel writes one int to where the pointer says.
    let done = unsafe { libc::ioctl(socket.as_raw_fd(), libc::TIOCOUTQ, &raw mut count) };
    if done == 0 { usize::try_from(count).unwrap_or(0) } else { 0 }
}

/// Does this error of accept(2) say that descriptors or memory have run out?
pub fn is_shortage(error: &io::Error) -> bool {
    let shortages = [libc::EMFILE, libc::ENFILE, libc::ENOBUFS, libc::ENOMEM];
    error.raw_os_error().is_some_and(|number| shortages.contains(&number))
}

/// What [`discard_pending`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Discarded {
    /// All that was there; the peer may send more.
    All,
    /// As much as was asked for; there may be more.
    More,
    /// The peer has ended its side, or the socket has failed.
    Ended,
}

/// Reads and throws away what waits in `socket`, up to about `limit` bytes.
pub fn discard_pending(socket: BorrowedFd<'_>, limit: usize) -> Discarded {
    let mut scratch = [0; 16 * 1024];
    let mut discarded = 0;
    while discarded < limit {
        match recv(socket.as_raw_fd(), &mut scratch, MsgFlags::MSG_DONTWAIT) {
            Ok(0) => return Discarded::Ended,
            Ok(count) => discarded += count,
            Err(Errno::EINTR) => {}
            Err(Errno::EAGAIN) => return Discarded::All,
            Err(_) => return Discarded::Ended,
        }
    }
    Discarded::More
}
