//! Unix sockets and their files: probed before one is replaced, and removed by the process that made it and by no other.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, lchown};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use socket2::{Domain, SockAddr, Socket, Type};

use super::address::Address;
use super::listener::BindError;
use crate::sys;

/// Who may connect to a unix socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// Permission bits, up to `0o777`. Writing is connecting.
    pub mode: u32,
    /// The file's owner, if not who makes it.
    pub user: Option<u32>,
    /// The file's group, if not that of who makes it.
    pub group: Option<u32>,
}

impl Access {
    /// Everybody, as Gunicorn's default umask makes it.
    pub const EVERYBODY: Self = Self { mode: 0o777, user: None, group: None };
}

/// A unix socket's file and the process that must remove it.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    /// Device and inode: another server's file may stand in its place one day.
    identity: (u64, u64),
    owner: u32,
    /// Somebody else serves there, too.
    stays: AtomicBool,
}

impl SocketFile {
    /// The file that stands at `path` is this process's to remove; `None` if there is none.
    pub(super) fn own(path: &Path) -> Option<Self> {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let identity = identity(&path)?;
        Some(Self { path, identity, owner: std::process::id(), stays: AtomicBool::new(false) })
    }

    /// The file stays when this goes, or not.
    pub(super) fn stay(&self, stays: bool) {
        self.stays.store(stays, Relaxed);
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let is_ours = self.owner == std::process::id() && identity(&self.path) == Some(self.identity);
        if is_ours && !self.stays.load(Relaxed) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Makes a socket at `path`, not yet listening, for those whom `access` names. A stale file is replaced.
///
/// Errors: [`BindError::InUse`] if somebody listens there; [`BindError::Other`] if a file that is no socket stands there, if the
/// system does not tell, or if the file cannot be given to its owner.
pub(super) fn bind(path: &Path, access: Access) -> Result<(Socket, Option<SocketFile>), BindError> {
    let with_file = !Address::is_abstract(path);
    if with_file {
        make_room(path)?;
    }
    let socket = Socket::new(Domain::UNIX, Type::STREAM.nonblocking(), None).map_err(BindError::of)?;
    // The mask and not a chmod afterwards: the file never has other permissions.
    let make = || SockAddr::unix(path).and_then(|address| socket.bind(&address));
    sys::with_umask(0o777 & !access.mode, make).map_err(BindError::of)?;
    let file = with_file.then(|| SocketFile::own(path)).flatten();
    if with_file && (access.user.is_some() || access.group.is_some()) {
        lchown(path, access.user, access.group).map_err(|error| {
            let text = format!("cannot give {} to its user and group: {error}", path.display());
            BindError::Other(io::Error::new(error.kind(), text))
        })?;
    }
    Ok((socket, file))
}

/// Removes a file that nobody listens at.
fn make_room(path: &Path) -> Result<(), BindError> {
    let Ok(found) = fs::symlink_metadata(path) else { return Ok(()) };
    if !found.file_type().is_socket() {
        let text = format!("{} exists and is not a socket", path.display());
        return Err(BindError::Other(io::Error::new(io::ErrorKind::AlreadyExists, text)));
    }
    // Gunicorn takes the path from a server that is alive. Asking costs one connect.
    match probe(path) {
        Probe::Stale => fs::remove_file(path).map_err(BindError::Other),
        Probe::Alive => Err(BindError::InUse(io::ErrorKind::AddrInUse.into())),
        Probe::Unclear(error) => Err(BindError::Other(error)),
    }
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

fn identity(path: &Path) -> Option<(u64, u64)> {
    fs::symlink_metadata(path).ok().map(|found| (found.dev(), found.ino()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    struct Place(PathBuf);

    impl Place {
        fn new(name: &str) -> Self {
            Self(std::env::temp_dir().join(format!("indrik-{name}-{}.sock", std::process::id())))
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            let _ = fs::remove_file(&self.0);
        }
    }

    fn listening(path: &Path, access: Access) -> Result<(Socket, Option<SocketFile>), BindError> {
        let (socket, file) = bind(path, access)?;
        socket.listen(8).unwrap();
        Ok((socket, file))
    }

    #[test]
    fn a_live_socket_is_not_taken_over_and_a_stale_one_is() {
        let place = Place::new("probe");
        let first = listening(&place.0, Access::EVERYBODY).unwrap();
        assert!(matches!(bind(&place.0, Access::EVERYBODY), Err(BindError::InUse(_))));
        drop(first);
        assert!(!place.0.exists(), "its maker removes the file");
        drop(std::os::unix::net::UnixListener::bind(&place.0).unwrap());
        assert!(place.0.exists(), "a stale file");
        drop(listening(&place.0, Access::EVERYBODY).unwrap());
        assert!(!place.0.exists());
    }

    #[test]
    fn a_file_that_is_no_socket_is_left_alone() {
        let place = Place::new("file");
        fs::write(&place.0, "precious").unwrap();
        assert!(matches!(bind(&place.0, Access::EVERYBODY), Err(BindError::Other(_))));
        assert_eq!(fs::read_to_string(&place.0).unwrap(), "precious");
    }

    #[test]
    fn another_servers_file_in_the_same_place_stays() {
        let place = Place::new("other");
        let ours = listening(&place.0, Access::EVERYBODY).unwrap();
        fs::remove_file(&place.0).unwrap();
        let theirs = std::os::unix::net::UnixListener::bind(&place.0).unwrap();
        drop(ours);
        assert!(place.0.exists());
        drop(theirs);
    }

    #[test]
    fn a_file_that_somebody_serves_at_stays() {
        let place = Place::new("kept");
        let (_socket, file) = listening(&place.0, Access::EVERYBODY).unwrap();
        file.as_ref().unwrap().stay(true);
        drop(file);
        assert!(place.0.exists());
        drop(SocketFile::own(&place.0));
        assert!(!place.0.exists(), "whoever has taken it over removes it");
    }

    #[test]
    fn the_file_has_the_permissions_that_were_asked_for() {
        for mode in [0o777, 0o660, 0o600] {
            let place = Place::new(&format!("mode-{mode:o}"));
            let _socket = listening(&place.0, Access { mode, ..Access::EVERYBODY }).unwrap();
            assert_eq!(fs::metadata(&place.0).unwrap().permissions().mode() & 0o777, mode);
        }
    }
}
