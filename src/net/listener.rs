//! Listening sockets: made or inherited by the master, inherited by the workers.

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use mio::net::{TcpListener, UnixListener};
use socket2::{Domain, Socket, Type};

use super::address::Address;
use super::socket_file::{self, Access, SocketFile};
use super::stream::Stream;
use crate::sys;

/// A socket that accepts connections. Non-blocking, close-on-exec.
#[derive(Debug)]
pub struct Listener {
    socket: Kind,
    address: Address,
    /// Removes the file when it is dropped.
    file: Option<SocketFile>,
    /// Of an inherited unix socket: what it is bound to.
    path: Option<PathBuf>,
}

/// How listeners are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Manner {
    /// Connections that may wait; listen(2).
    pub backlog: i32,
    /// Others may listen at the same address and port, if they say so, too; SO_REUSEPORT.
    pub reuses_port: bool,
    /// Who may connect to a unix socket.
    pub access: Access,
}

impl Manner {
    /// As Gunicorn's defaults make it, but for the backlog.
    pub fn plain(backlog: i32) -> Self {
        Self { backlog, reuses_port: false, access: Access::EVERYBODY }
    }
}

#[derive(Debug)]
enum Kind {
    Tcp(TcpListener, SocketAddr),
    Unix(UnixListener),
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
    /// Makes a listener; one that names a descriptor is taken from what this process has inherited.
    ///
    /// A stale unix socket file is replaced; one that somebody listens on is [`BindError::InUse`], and a file that is no
    /// socket is left alone.
    pub fn bind(address: &Address, manner: Manner) -> Result<Self, BindError> {
        let listener = |socket, file| Self { socket, address: address.clone(), file, path: None };
        Ok(match address {
            Address::Tcp { host, port } => listener(bind_tcp(host, *port, manner)?, None),
            Address::Unix(path) => {
                let (socket, file) = socket_file::bind(path, manner.access)?;
                socket.listen(manner.backlog).map_err(BindError::of)?;
                listener(Kind::Unix(UnixListener::from_std(socket.into())), file)
            }
            Address::Descriptor(number) => {
                let descriptor = sys::take_inherited(*number).map_err(BindError::Other)?;
                let (socket, path) = adopt(descriptor, manner.backlog)?;
                Self { socket, address: address.clone(), file: None, path }
            }
        })
    }

    /// A listener at `address` whose socket another master has made and handed on. Its file, if it has one, is this
    /// process's to remove, too, unless [`Listener::leave_file`] says otherwise.
    pub fn succeed(address: Address, number: i32, manner: Manner) -> Result<Self, BindError> {
        let Self { socket, path, .. } = Self::bind(&Address::Descriptor(number), manner)?;
        let is_own = matches!(&address, Address::Unix(path) if !Address::is_abstract(path));
        let file = path.as_deref().filter(|_| is_own).and_then(SocketFile::own);
        Ok(Self { socket, address, file, path })
    }

    /// Says whether the file of a unix socket stays when this process closes it: somebody else serves there, too.
    pub fn leave_file(&self, stays: bool) {
        if let Some(file) = &self.file {
            file.stay(stays);
        }
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

    /// What a unix socket is bound to, as the log shows it; `None` for others.
    pub fn path(&self) -> Option<String> {
        match (&self.socket, &self.path, &self.address) {
            (Kind::Tcp(..), _, _) => None,
            (Kind::Unix(_), Some(path), _) => Some(Address::Unix(path.clone()).to_string()),
            (Kind::Unix(_), None, address) => Some(address.to_string()),
        }
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
            Kind::Unix(_) => write!(f, "unix:{}", self.path().unwrap_or_default()),
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

impl BindError {
    pub(super) fn of(error: io::Error) -> Self {
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

fn bind_tcp(host: &str, port: u16, manner: Manner) -> Result<Kind, BindError> {
    let mut refused = None;
    for address in Address::resolve(host, port).map_err(BindError::Other)? {
        match bind_one(address, manner) {
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

fn bind_one(address: SocketAddr, manner: Manner) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM.nonblocking(), None)?;
    socket.set_reuse_address(true)?;
    if manner.reuses_port {
        socket.set_reuse_port(true)?;
    }
    // Accepted sockets inherit it: one system call here instead of one per connection.
    socket.set_tcp_nodelay(true)?;
    if address.is_ipv6() && !address.ip().is_unspecified() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&address.into())?;
    socket.listen(manner.backlog)?;
    Ok(socket)
}

/// What was inherited: a listening socket, or a bound one that this makes listen.
fn adopt(descriptor: OwnedFd, backlog: i32) -> Result<(Kind, Option<PathBuf>), BindError> {
    let socket = Socket::from(descriptor);
    let refuse = |text: &str| BindError::Other(io::Error::new(io::ErrorKind::InvalidInput, text));
    if socket.r#type().map_err(BindError::Other)? != Type::STREAM {
        return Err(refuse("it is no stream socket"));
    }
    let local = socket.local_addr().map_err(BindError::Other)?;
    socket.set_nonblocking(true).map_err(BindError::Other)?;
    // One that listens keeps the backlog that its maker gave it.
    if !socket.is_listener().map_err(BindError::Other)? {
        socket.listen(backlog).map_err(BindError::of)?;
    }
    if let Some(address) = local.as_socket() {
        socket.set_tcp_nodelay(true).map_err(BindError::Other)?;
        return Ok((Kind::Tcp(TcpListener::from_std(socket.into()), address), None));
    }
    let path = match (local.as_pathname(), local.as_abstract_namespace()) {
        (Some(path), _) => path.to_owned(),
        (None, Some(name)) => PathBuf::from(OsString::from_vec([b"\0", name].concat())),
        (None, None) => return Err(refuse("it is no socket of the internet or unix families")),
    };
    Ok((Kind::Unix(UnixListener::from_std(socket.into())), Some(path)))
}

#[cfg(test)]
mod tests {
    use std::os::fd::IntoRawFd;

    use super::*;

    fn any_port() -> Listener {
        Listener::bind(&Address::parse("127.0.0.1:0").unwrap(), Manner::plain(8)).unwrap()
    }

    #[test]
    fn a_port_that_is_held_is_in_use() {
        let first = any_port();
        let port = first.server_name().unwrap().1;
        let address = Address::Tcp { host: "127.0.0.1".into(), port };
        let error = Listener::bind(&address, Manner::plain(8)).unwrap_err();
        assert!(matches!(error, BindError::InUse(_)));
        assert_eq!(error.to_string(), "[Errno 98] Address already in use");
        assert_eq!(first.to_string(), format!("http://127.0.0.1:{port}"));
        assert!(first.accept().unwrap().is_none());
    }

    #[test]
    fn a_port_is_shared_with_who_shares_it() {
        let manner = Manner { reuses_port: true, ..Manner::plain(8) };
        let first = Listener::bind(&Address::parse("127.0.0.1:0").unwrap(), manner).unwrap();
        let address = Address::Tcp { host: "127.0.0.1".into(), port: first.server_name().unwrap().1 };
        assert!(matches!(Listener::bind(&address, Manner::plain(8)), Err(BindError::InUse(_))));
        assert!(Listener::bind(&address, manner).is_ok());
    }

    #[test]
    fn an_inherited_socket_tells_where_it_listens() {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        sys::bequeath(socket.as_fd()).unwrap();
        let address = Address::Descriptor(socket.into_raw_fd());
        let listener = Listener::bind(&address, Manner::plain(8)).unwrap();
        assert_eq!(listener.to_string(), format!("http://127.0.0.1:{port}"));
        assert_eq!(listener.address(), &address);
        assert!(listener.accept().unwrap().is_none(), "it does not wait");
        assert!(Listener::bind(&address, Manner::plain(8)).is_err(), "it is taken once");
    }

    #[test]
    fn what_cannot_listen_is_refused() {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        sys::bequeath(socket.as_fd()).unwrap();
        let address = Address::Descriptor(socket.into_raw_fd());
        let error = Listener::bind(&address, Manner::plain(8)).unwrap_err();
        assert_eq!(error.to_string(), "it is no stream socket");
    }

    #[test]
    fn a_successor_keeps_the_address_and_removes_the_file() {
        let path = std::env::temp_dir().join(format!("indrik-heir-{}.sock", std::process::id()));
        let address = Address::Unix(path.clone());
        let first = Listener::bind(&address, Manner::plain(8)).unwrap();
        let copy = first.as_fd().try_clone_to_owned().unwrap();
        sys::bequeath(copy.as_fd()).unwrap();
        let second = Listener::succeed(address.clone(), copy.into_raw_fd(), Manner::plain(8)).unwrap();
        assert_eq!((second.address(), second.to_string()), (&address, format!("unix:{}", path.display())));
        first.leave_file(true);
        drop(first);
        assert!(path.exists());
        drop(second);
        assert!(!path.exists());
    }
}
