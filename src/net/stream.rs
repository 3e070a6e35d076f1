//! One accepted connection's socket, and who is at the other end.

use std::io::{self, IoSlice, Read, Write};
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use mio::event::Source;
use mio::{Interest, Registry, Token};

use crate::sys;

/// A non-blocking stream socket.
#[derive(Debug)]
pub enum Stream {
    /// TCP, with the peer's address.
    Tcp(mio::net::TcpStream, SocketAddr),
    /// A unix socket: the peer has no address.
    Unix(mio::net::UnixStream),
}

/// Who is at the other end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Peer {
    /// An address and a port.
    Tcp(SocketAddr),
    /// Somebody on this machine.
    Unix,
}

impl Stream {
    /// A non-blocking socket that came from another process; `peer`: its address, none for a unix socket.
    pub fn from_descriptor(socket: OwnedFd, peer: Option<SocketAddr>) -> Self {
        match peer {
            Some(peer) => Self::Tcp(mio::net::TcpStream::from_std(socket.into()), peer),
            None => Self::Unix(mio::net::UnixStream::from_std(socket.into())),
        }
    }

    /// Who is at the other end.
    pub fn peer(&self) -> Peer {
        match self {
            Self::Tcp(_, peer) => Peer::Tcp(*peer),
            Self::Unix(_) => Peer::Unix,
        }
    }

    /// Reads what has arrived; `Ok(None)` when nothing has, `Ok(Some(0))` when the peer has ended its side.
    pub fn read(&mut self, space: &mut [u8]) -> io::Result<Option<usize>> {
        loop {
            let result = match self {
                Self::Tcp(stream, _) => stream.read(space),
                Self::Unix(stream) => stream.read(space),
            };
            match result {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => return ready(other),
            }
        }
    }

    /// Writes what the kernel takes; `Ok(None)` when it takes nothing.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<Option<usize>> {
        loop {
            let result = match self {
                Self::Tcp(stream, _) => stream.write(bytes),
                Self::Unix(stream) => stream.write(bytes),
            };
            match result {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => return ready(other),
            }
        }
    }

    /// As [`Stream::write`], from several places at once.
    pub fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<Option<usize>> {
        loop {
            let result = match self {
                Self::Tcp(stream, _) => stream.write_vectored(slices),
                Self::Unix(stream) => stream.write_vectored(slices),
            };
            match result {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => return ready(other),
            }
        }
    }

    /// Sends up to `len` bytes of `file` from `offset`, as [`sys::send_file`]; `Ok(None)` when the socket takes nothing,
    /// `Ok(Some(0))` at the end of the file.
    pub fn send_file(&mut self, file: BorrowedFd<'_>, offset: u64, len: usize) -> io::Result<Option<usize>> {
        loop {
            match sys::send_file(self.as_fd(), file, offset, len) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => return ready(other),
            }
        }
    }

    /// Says that nothing more will be sent; what was sent still arrives.
    pub fn finish(&self) {
        let _ = sys::shutdown_write(self.as_fd());
    }
}

#[cfg(test)]
impl Stream {
    /// A unix stream and its (blocking) peer. The kernel holds some `buffer` bytes between them; it has a lower limit.
    pub(crate) fn pair(buffer: usize) -> io::Result<(Self, std::os::unix::net::UnixStream)> {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
        socket2::SockRef::from(&ours).set_send_buffer_size(buffer)?;
        ours.set_nonblocking(true)?;
        Ok((Self::Unix(mio::net::UnixStream::from_std(ours)), theirs))
    }

    /// As [`Stream::pair`], by TCP and with the buffers that the system gives.
    pub(crate) fn tcp_pair() -> io::Result<(Self, std::net::TcpStream)> {
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        let theirs = std::net::TcpStream::connect(listener.local_addr()?)?;
        let (ours, address) = listener.accept()?;
        ours.set_nonblocking(true)?;
        Ok((Self::Tcp(mio::net::TcpStream::from_std(ours), address), theirs))
    }
}

fn ready(result: io::Result<usize>) -> io::Result<Option<usize>> {
    match result {
        Ok(count) => Ok(Some(count)),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(stream, _) => stream.as_fd(),
            Self::Unix(stream) => stream.as_fd(),
        }
    }
}

impl Source for Stream {
    fn register(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        match self {
            Self::Tcp(stream, _) => stream.register(registry, token, interests),
            Self::Unix(stream) => stream.register(registry, token, interests),
        }
    }

    fn reregister(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        match self {
            Self::Tcp(stream, _) => stream.reregister(registry, token, interests),
            Self::Unix(stream) => stream.reregister(registry, token, interests),
        }
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        match self {
            Self::Tcp(stream, _) => stream.deregister(registry),
            Self::Unix(stream) => stream.deregister(registry),
        }
    }
}
