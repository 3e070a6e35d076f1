//! The socket pair between the master and a mold: orders with what the new worker needs go one way, what has become of them
//! the other.
//!
//! End of file tells a mold that nobody wants workers of it any more.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::channel::{Received, WorkerEnd};
use crate::sys;

/// Bytes that the attributes of a worker object may take. Hooks put numbers and names there.
pub const MOST_ATTRIBUTES: usize = 64 * 1024;

const HEADER: usize = 4;

/// What a mold tells the master.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FromMold {
    /// The application is imported.
    Loaded,
    /// It could not be; the mold has logged why, and ends.
    NotLoaded,
    /// A worker exists.
    Spawned {
        /// Its number, as ordered.
        worker_id: u16,
        /// Its process.
        pid: i32,
    },
    /// A worker could not be forked.
    NotSpawned {
        /// Its number, as ordered.
        worker_id: u16,
        /// The system's error number.
        errno: i32,
    },
}

/// A worker that the master wants.
#[derive(Debug)]
pub struct Wish {
    /// Its number.
    pub worker_id: u16,
    /// The seat it fills.
    pub seat: u16,
    /// What hooks have made of its object, in a form of their own; at most [`MOST_ATTRIBUTES`].
    pub attributes: Vec<u8>,
    /// Its end of its ipc socket.
    pub ipc: WorkerEnd,
}

/// The master's end. Non-blocking, close-on-exec.
#[derive(Debug)]
pub struct MoldsMaster(OwnedFd);

/// The mold's end. Close-on-exec.
#[derive(Debug)]
pub struct MoldEnd(OwnedFd);

/// Makes a pair. Errors: no descriptors left.
pub fn mold_pair() -> io::Result<(MoldsMaster, MoldEnd)> {
    let (master, mold) = sys::packet_pair()?;
    Ok((MoldsMaster(master), MoldEnd(mold)))
}

impl MoldsMaster {
    /// Orders a worker. Errors: the mold has gone, or does not come to its orders; `attributes` are too long.
    pub fn order(&self, wish: &Wish) -> io::Result<()> {
        if wish.attributes.len() > MOST_ATTRIBUTES {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let mut bytes = Vec::with_capacity(HEADER + wish.attributes.len());
        bytes.extend(wish.worker_id.to_ne_bytes());
        bytes.extend(wish.seat.to_ne_bytes());
        bytes.extend(&wish.attributes);
        sys::send_with_descriptors(self.0.as_fd(), &bytes, &[wish.ipc.as_fd()])
    }

    /// Takes the next message.
    pub fn next(&self) -> Received<FromMold> {
        let mut bytes = [0; 8];
        loop {
            match sys::receive_with_descriptors(self.0.as_fd(), &mut bytes) {
                Ok((0, _)) => return Received::Closed,
                Ok((len, _)) => {
                    if let Some(message) = decode(&bytes[..len]) {
                        return Received::Message(message);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Received::Nothing,
                Err(_) => return Received::Closed,
            }
        }
    }
}

impl MoldEnd {
    /// Tells the master. Errors: it has gone.
    pub fn tell(&self, message: FromMold) -> io::Result<()> {
        sys::send_with_descriptors(self.0.as_fd(), &encode(message), &[])
    }

    /// Waits for the next order; `None`: there will be none.
    pub fn wait(&self) -> Option<Wish> {
        let mut bytes = vec![0; HEADER + MOST_ATTRIBUTES];
        loop {
            match sys::receive_with_descriptors(self.0.as_fd(), &mut bytes) {
                Ok((0, _)) => return None,
                Ok((len, descriptors)) => {
                    let Some(ipc) = descriptors.into_iter().next().filter(|_| len >= HEADER) else { continue };
                    let number = |at: usize| u16::from_ne_bytes([bytes[at], bytes[at + 1]]);
                    return Some(Wish {
                        worker_id: number(0),
                        seat: number(2),
                        attributes: bytes[HEADER..len].to_vec(),
                        ipc: WorkerEnd::from(ipc),
                    });
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let _ = sys::wait_for(self.0.as_fd(), sys::Interest::Readable, None);
                }
                Err(_) => return None,
            }
        }
    }
}

impl AsFd for MoldsMaster {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsFd for MoldEnd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn encode(message: FromMold) -> Vec<u8> {
    let with =
        |kind: u8, worker_id: u16, number: i32| [&[kind][..], &worker_id.to_ne_bytes(), &number.to_ne_bytes()].concat();
    match message {
        FromMold::Loaded => vec![b'L'],
        FromMold::NotLoaded => vec![b'F'],
        FromMold::Spawned { worker_id, pid } => with(b'S', worker_id, pid),
        FromMold::NotSpawned { worker_id, errno } => with(b'N', worker_id, errno),
    }
}

fn decode(bytes: &[u8]) -> Option<FromMold> {
    match *bytes {
        [b'L'] => Some(FromMold::Loaded),
        [b'F'] => Some(FromMold::NotLoaded),
        [kind, a, b, c, d, e, f] => {
            let (worker_id, number) = (u16::from_ne_bytes([a, b]), i32::from_ne_bytes([c, d, e, f]));
            match kind {
                b'S' => Some(FromMold::Spawned { worker_id, pid: number }),
                b'N' => Some(FromMold::NotSpawned { worker_id, errno: number }),
                _ => None,
            }
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipc::{FromWorker, pair};

    #[test]
    fn an_order_brings_all_that_a_worker_needs() {
        let (master, mold) = mold_pair().unwrap();
        let (ours, theirs) = pair().unwrap();
        master.order(&Wish { worker_id: 7, seat: 3, attributes: b"pickled".to_vec(), ipc: theirs }).unwrap();
        let wish = mold.wait().unwrap();
        assert_eq!((wish.worker_id, wish.seat, &wish.attributes[..]), (7, 3, &b"pickled"[..]));
        wish.ipc.tell(FromWorker::Booted).unwrap();
        assert_eq!(ours.next(), Received::Message(FromWorker::Booted));
        drop(master);
        assert!(mold.wait().is_none(), "end of file");
    }

    #[test]
    fn what_a_mold_says_arrives_as_it_was_said() {
        let (master, mold) = mold_pair().unwrap();
        let said = [
            FromMold::Loaded,
            FromMold::NotLoaded,
            FromMold::Spawned { worker_id: 1023, pid: i32::MAX },
            FromMold::NotSpawned { worker_id: 0, errno: 11 },
        ];
        for message in said {
            mold.tell(message).unwrap();
            assert_eq!(master.next(), Received::Message(message));
        }
        assert_eq!(master.next(), Received::Nothing);
        drop(mold);
        assert_eq!(master.next(), Received::Closed);
    }
}
