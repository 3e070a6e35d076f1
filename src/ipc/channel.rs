//! The socket pair between the master and one worker: messages of one byte, kept apart by the kernel.
//!
//! End of file is a message too: to the master that the worker has gone, to the worker that it is an orphan.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::sys;

/// What a worker tells the master.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FromWorker {
    /// The application is imported and the worker accepts connections.
    Booted,
    /// The application was not found or is not callable.
    AppNotLoaded,
    /// Anything else went wrong before the worker was ready.
    BootFailed,
    /// The worker has served its share (`max_requests`) and serves on until it is told to drain.
    Retiring,
}

/// What the master tells a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ToWorker {
    /// Finish what you have, take no more: others go on serving.
    Drain,
    /// Drain, but first empty the accept queue: the server stops.
    Stop,
    /// Leave at once.
    Quit,
    /// Open the log files anew.
    Reopen,
}

/// What was found in the socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received<M> {
    /// One message.
    Message(M),
    /// None at the moment.
    Nothing,
    /// The other side has gone.
    Closed,
}

/// The master's end. Non-blocking, close-on-exec.
#[derive(Debug)]
pub struct MasterEnd(OwnedFd);

/// The worker's end. Non-blocking, close-on-exec.
#[derive(Debug)]
pub struct WorkerEnd(OwnedFd);

/// Makes a pair. Errors: no descriptors left.
pub fn pair() -> io::Result<(MasterEnd, WorkerEnd)> {
    let (master, worker) = sys::packet_pair()?;
    Ok((MasterEnd(master), WorkerEnd(worker)))
}

impl MasterEnd {
    /// Tells the worker. Errors: the worker has gone, or has not read its last hundreds of messages.
    pub fn tell(&self, message: ToWorker) -> io::Result<()> {
        let byte = match message {
            ToWorker::Drain => b'd',
            ToWorker::Stop => b's',
            ToWorker::Quit => b'q',
            ToWorker::Reopen => b'o',
        };
        sys::send_packet(self.0.as_fd(), byte)
    }

    /// Takes the next message.
    pub fn next(&self) -> Received<FromWorker> {
        take(self.0.as_fd(), |byte| match byte {
            b'B' => Some(FromWorker::Booted),
            b'A' => Some(FromWorker::AppNotLoaded),
            b'F' => Some(FromWorker::BootFailed),
            b'R' => Some(FromWorker::Retiring),
            _ => None,
        })
    }
}

impl WorkerEnd {
    /// Tells the master. Errors: the master has gone.
    pub fn tell(&self, message: FromWorker) -> io::Result<()> {
        let byte = match message {
            FromWorker::Booted => b'B',
            FromWorker::AppNotLoaded => b'A',
            FromWorker::BootFailed => b'F',
            FromWorker::Retiring => b'R',
        };
        sys::send_packet(self.0.as_fd(), byte)
    }

    /// Takes the next message.
    pub fn next(&self) -> Received<ToWorker> {
        take(self.0.as_fd(), |byte| match byte {
            b'd' => Some(ToWorker::Drain),
            b's' => Some(ToWorker::Stop),
            b'q' => Some(ToWorker::Quit),
            b'o' => Some(ToWorker::Reopen),
            _ => None,
        })
    }
}

impl AsFd for MasterEnd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsFd for WorkerEnd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl From<OwnedFd> for WorkerEnd {
    /// The socket came from a master.
    fn from(socket: OwnedFd) -> Self {
        Self(socket)
    }
}

fn take<M>(socket: BorrowedFd<'_>, decode: impl Fn(u8) -> Option<M>) -> Received<M> {
    loop {
        match sys::receive_packet(socket) {
            Ok(None) => return Received::Closed,
            Ok(Some(byte)) => {
                if let Some(message) = decode(byte) {
                    return Received::Message(message);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Received::Nothing,
            Err(_) => return Received::Closed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_arrive_in_order_and_apart() {
        let (master, worker) = pair().unwrap();
        for message in [ToWorker::Reopen, ToWorker::Drain, ToWorker::Stop, ToWorker::Quit] {
            master.tell(message).unwrap();
        }
        for message in [ToWorker::Reopen, ToWorker::Drain, ToWorker::Stop, ToWorker::Quit] {
            assert_eq!(worker.next(), Received::Message(message));
        }
        assert_eq!(worker.next(), Received::Nothing);
        for message in [FromWorker::AppNotLoaded, FromWorker::BootFailed, FromWorker::Booted, FromWorker::Retiring] {
            worker.tell(message).unwrap();
            assert_eq!(master.next(), Received::Message(message));
        }
    }

    #[test]
    fn each_side_notices_that_the_other_has_gone() {
        let (master, worker) = pair().unwrap();
        drop(master);
        assert_eq!(worker.next(), Received::Closed);
        assert!(worker.tell(FromWorker::Booted).is_err());
        let (master, worker) = pair().unwrap();
        worker.tell(FromWorker::Booted).unwrap();
        drop(worker);
        assert_eq!(master.next(), Received::Message(FromWorker::Booted));
        assert_eq!(master.next(), Received::Closed);
    }
}
