//! The socket on which a service manager hears of a service. Datagrams only; what they say is the caller's.
//!
//! Source: sd_notify(3). The crate of that name opens a socket for each message, and may wait for the manager.

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// The way to the service manager.
#[derive(Debug)]
pub struct Notifier {
    socket: UnixDatagram,
    manager: SocketAddr,
}

impl Notifier {
    /// `address`: what `NOTIFY_SOCKET` holds, a path or, behind `@`, an abstract name.
    ///
    /// Errors: it is neither; no descriptors left.
    pub fn new(address: &OsStr) -> io::Result<Self> {
        let manager = match address.as_bytes() {
            [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
            [b'/', ..] => SocketAddr::from_pathname(address)?,
            _ => return Err(io::Error::new(io::ErrorKind::InvalidInput, "neither a path nor an abstract name")),
        };
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        Ok(Self { socket, manager })
    }

    /// Sends one message, without waiting. Errors: nobody is there, or too much waits there.
    pub fn send(&self, message: &str) -> io::Result<()> {
        self.socket.send_to_addr(message.as_bytes(), &self.manager).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hears(manager: &UnixDatagram, address: &str) {
        Notifier::new(OsStr::new(address)).unwrap().send("READY=1").unwrap();
        let mut message = [0; 64];
        let length = manager.recv(&mut message).unwrap();
        assert_eq!(&message[..length], b"READY=1");
    }

    #[test]
    fn a_manager_is_reached_by_path_and_by_abstract_name() {
        let path = std::env::temp_dir().join(format!("indrik-notify-{}", std::process::id()));
        hears(&UnixDatagram::bind(&path).unwrap(), path.to_str().unwrap());
        std::fs::remove_file(&path).unwrap();
        let name = format!("indrik-notify-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        hears(&UnixDatagram::bind_addr(&address).unwrap(), &format!("@{name}"));
    }

    #[test]
    fn an_address_of_another_kind_is_refused() {
        assert!(Notifier::new(OsStr::new("vsock:2:1234")).is_err());
        assert!(Notifier::new(OsStr::new("")).is_err());
        let gone = Notifier::new(OsStr::new("/no/such/socket")).unwrap();
        assert!(gone.send("READY=1").is_err());
    }
}
