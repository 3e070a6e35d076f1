//! Listening sockets: made by the master, inherited by the workers.
//!
//! A unix socket's file is removed by the process that made it, when it closes the listener, and by no other.

use std::fmt;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use mio::net::{TcpListener, UnixListener};
use socket2::{Domain, SockAddr, Socket, Type};

use super::address::Address;
use super::stream::Stream;
use crate::sys;

/// A socket that accepts connections. Non-blocking, close-on-exec.
#[derive(Debug)]
pub struct Listener {
    socket: Kind,
    address: Address,
    /// Removes the file when it is dropped.
    _file: Option<SocketFile>,
}

#[derive(Debug)]
enum Kind {
    Tcp(TcpListener, SocketAddr),
    Unix(UnixListener),
}

/// A unix socket's file and the process that must remove it.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    inode: u64,
    owner: u32,
}

/// Why an address could not be bound.
#[derive(Debug)]
pub enum BindError {
    /// Somebody else listens there. Worth another try: the old server may be about to leave.
    InUse(io::Error),
    /// The machine does not have that address (now).
    NoSuchAddress(io::Error),
    /// Anything else: another try would fail the same way.
    Other(io::Error),
}

impl Listener {
    /// Binds and listens. `backlog`: connections, listen(2).
    ///
    /// A stale unix socket file is replaced; one that somebody listens on is [`BindError::InUse`], and a file that is no
    /// socket is left alone. Unix sockets are open to every user (mode 0777), as Gunicorn's default umask makes them.
    pub fn bind(address: &Address, backlog: i32) -> Result<Self, BindError> {
        let (socket, file) = match address {
            Address::Tcp { host, port } => (bind_tcp(host, *port, backlog)?, None),
            Address::Unix(path) => bind_unix(path, backlog)?,
        };
        Ok(Self { socket, address: address.clone(), _file: file })
    }

    /// Takes one connection; `Ok(None)` when none waits.
    ///
    /// Errors: no descriptors left (EMFILE, ENFILE), no memory. A client that has gone already counts as none.
    pub fn accept(&self) -> io::Result<Option<Stream>> {
        let accepted = match &self.socket {
            Kind::Tcp(socket, _) => socket.accept().map(|(stream, peer)| Stream::Tcp(stream, peer)),
            Kind::Unix(socket) => socket.accept().map(|(stream, _)| Stream::Unix(stream)),
        };
        match accepted {
            Ok(stream) => Ok(Some(stream)),
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::ConnectionAborted | io::ErrorKind::Interrupted => Ok(None),
                _ => Err(error),
            },
        }
    }

    /// What was asked for.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// `SERVER_NAME` and `SERVER_PORT` of this listener; `None` for a unix socket. Source: PEP 3333, environ variables.
    pub fn server_name(&self) -> Option<(String, u16)> {
        match &self.socket {
            Kind::Tcp(_, local) => Some((local.ip().to_string(), local.port())),
            Kind::Unix(_) => None,
        }
    }
}

/// As the log shows it: `http://127.0.0.1:8000`, `http://[::1]:8000`, `unix:/run/x.sock`.
impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.socket {
            Kind::Tcp(_, local) => write!(f, "http://{local}"),
            Kind::Unix(_) => write!(f, "unix:{}", self.address),
        }
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.socket {
            Kind::Tcp(socket, _) => socket.as_fd(),
            Kind::Unix(socket) => socket.as_fd(),
        }
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let ours = self.owner == std::process::id() && inode(&self.path) == Some(self.inode);
        if ours {
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl BindError {
    fn of(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::AddrInUse => Self::InUse(error),
            io::ErrorKind::AddrNotAvailable => Self::NoSuchAddress(error),
            _ => Self::Other(error),
        }
    }

    /// The system's error.
    pub fn error(&self) -> &io::Error {
        match self {
            Self::InUse(error) | Self::NoSuchAddress(error) | Self::Other(error) => error,
        }
    }
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.error().raw_os_error() {
            Some(number) => {
                let text = self.error().to_string();
                let text = text.split(" (os error").next().unwrap_or_default();
                write!(f, "[Errno {number}] {text}")
            }
            None => write!(f, "{}", self.error()),
        }
    }
}

impl std::error::Error for BindError {}

fn bind_tcp(host: &str, port: u16, backlog: i32) -> Result<Kind, BindError> {
    let mut refused = None;
    for address in Address::resolve(host, port).map_err(BindError::Other)? {
        match bind_one(address, backlog) {
            Ok(socket) => {
                let socket = TcpListener::from_std(socket.into());
                let local = socket.local_addr().map_err(BindError::of)?;
                return Ok(Kind::Tcp(socket, local));
            }
            Err(error) => refused = refused.or(Some(error)),
        }
    }
    Err(BindError::of(refused.unwrap_or_else(|| io::ErrorKind::NotFound.into())))
}

fn bind_one(address: SocketAddr, backlog: i32) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM.nonblocking(), None)?;
    socket.set_reuse_address(true)?;
    // Accepted sockets inherit it: one system call here instead of one per connection.
    socket.set_tcp_nodelay(true)?;
    if address.is_ipv6() && !address.ip().is_unspecified() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&address.into())?;
    socket.listen(backlog)?;
    Ok(socket)
}

fn bind_unix(path: &Path, backlog: i32) -> Result<(Kind, Option<SocketFile>), BindError> {
    let with_file = !Address::is_abstract(path);
    if with_file && let Ok(found) = fs::symlink_metadata(path) {
        if !found.file_type().is_socket() {
            let text = format!("{} exists and is not a socket", path.display());
            return Err(BindError::Other(io::Error::new(io::ErrorKind::AlreadyExists, text)));
        }
        // Gunicorn takes the path from a server that is alive. Asking costs one connect.
        match probe(path) {
            Probe::Stale => fs::remove_file(path).map_err(BindError::Other)?,
            Probe::Alive => return Err(BindError::InUse(io::ErrorKind::AddrInUse.into())),
            Probe::Unclear(error) => return Err(BindError::Other(error)),
        }
    }
    let socket = Socket::new(Domain::UNIX, Type::STREAM.nonblocking(), None).map_err(BindError::of)?;
    let bound = sys::with_open_umask(|| SockAddr::unix(path).and_then(|address| socket.bind(&address)));
    bound.and_then(|()| socket.listen(backlog)).map_err(BindError::of)?;
    let file = with_file
        .then(|| inode(path).map(|inode| SocketFile { path: absolute(path), inode, owner: std::process::id() }))
        .flatten();
    Ok((Kind::Unix(UnixListener::from_std(socket.into())), file))
}

/// What a connect to an existing socket file tells.
enum Probe {
    Alive,
    Stale,
    Unclear(io::Error),
}

fn probe(path: &Path) -> Probe {
    let connected = Socket::new(Domain::UNIX, Type::STREAM.nonblocking(), None)
        .and_then(|socket| socket.connect(&SockAddr::unix(path)?));
    match connected {
        Ok(()) => Probe::Alive,
        Err(error) => match error.kind() {
            // A full backlog: somebody is there, and busy.
            io::ErrorKind::WouldBlock => Probe::Alive,
            io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound => Probe::Stale,
            _ => Probe::Unclear(error),
        },
    }
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

fn inode(path: &Path) -> Option<u64> {
    fs::symlink_metadata(path).ok().map(|found| found.ino())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn socket_path(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("indrik-{name}-{}.sock", std::process::id()))
    }

    #[test]
    fn a_live_unix_socket_is_not_taken_over_and_a_stale_one_is() {
        let path = socket_path("probe");
        let address = Address::Unix(path.clone());
        let first = Listener::bind(&address, 8).unwrap();
        assert!(matches!(Listener::bind(&address, 8), Err(BindError::InUse(_))));
        drop(first);
        assert!(!path.exists(), "its maker removes the file");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists(), "a stale file");
        let second = Listener::bind(&address, 8).unwrap();
        drop(second);
        assert!(!path.exists());
    }

    #[test]
    fn a_file_that_is_no_socket_is_left_alone() {
        let path = socket_path("file");
        fs::write(&path, "precious").unwrap();
        assert!(matches!(Listener::bind(&Address::Unix(path.clone()), 8), Err(BindError::Other(_))));
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
        fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_port_that_is_held_is_in_use() {
        let address = Address::parse("127.0.0.1:0").unwrap();
        let first = Listener::bind(&address, 8).unwrap();
        let port = first.server_name().unwrap().1;
        let error = Listener::bind(&Address::Tcp { host: "127.0.0.1".into(), port }, 8).unwrap_err();
        assert!(matches!(error, BindError::InUse(_)));
        assert_eq!(error.to_string(), "[Errno 98] Address already in use");
        assert_eq!(first.to_string(), format!("http://127.0.0.1:{port}"));
        assert!(first.accept().unwrap().is_none());
    }
}
