//! What workers send each other: packets with descriptors, one inbox per worker id.
//!
//! The master makes the inboxes before it forks and keeps both ends of all of them, so that a packet outlives the worker
//! that it was meant for: the master passes it on to another one.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use crate::sys;

/// Bytes that one packet may have. The kernel refuses one that is larger than the socket's buffer (212,992 bytes by
/// default); what is longer travels as a file in memory.
pub const MOST_BYTES: usize = 96 * 1024;

/// Inboxes are made for so many ids at a time: a worker knows those that there were when it was forked, and shall know the
/// siblings that come after it.
const BLOCK: u16 = 8;

/// One packet.
#[derive(Debug)]
pub struct Packet {
    /// What the sender has put in.
    pub bytes: Vec<u8>,
    /// What the sender has sent along; copies.
    pub descriptors: Vec<OwnedFd>,
}

/// The inboxes that this process knows of, by worker id. A clone is the same inboxes.
#[derive(Clone, Debug, Default)]
pub struct Inboxes {
    by_id: BTreeMap<u16, Arc<Inbox>>,
}

#[derive(Debug)]
struct Inbox {
    /// Packets go in here,
    entrance: OwnedFd,
    /// and come out here.
    exit: OwnedFd,
}

impl Inboxes {
    /// Makes the inbox of `worker_id`, unless there is one already, and those of its block. Errors: no descriptors left for
    /// the one that is asked for.
    pub fn open(&mut self, worker_id: u16) -> io::Result<()> {
        self.open_one(worker_id)?;
        let first = worker_id - worker_id % BLOCK;
        for id in first..first + BLOCK {
            // They may be had later.
            let _ = self.open_one(id);
        }
        Ok(())
    }

    fn open_one(&mut self, worker_id: u16) -> io::Result<()> {
        if let Entry::Vacant(place) = self.by_id.entry(worker_id) {
            let (entrance, exit) = sys::packet_pair()?;
            place.insert(Arc::new(Inbox { entrance, exit }));
        }
        Ok(())
    }

    /// Who has one.
    pub fn ids(&self) -> impl Iterator<Item = u16> + '_ {
        self.by_id.keys().copied()
    }

    /// All descriptors of all inboxes.
    pub fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.by_id.values().flat_map(|inbox| [inbox.entrance.as_fd(), inbox.exit.as_fd()])
    }

    /// Becomes readable when a packet for `worker_id` waits.
    pub fn exit(&self, worker_id: u16) -> Option<BorrowedFd<'_>> {
        self.by_id.get(&worker_id).map(|inbox| inbox.exit.as_fd())
    }

    /// Sends a packet to `worker_id`, with copies of `descriptors`. Does not wait.
    ///
    /// Errors: there is no such inbox; as sendmsg(2), mostly because it is full.
    pub fn send(&self, worker_id: u16, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        let inbox = self.by_id.get(&worker_id).ok_or(io::ErrorKind::NotFound)?;
        sys::send_with_descriptors(inbox.entrance.as_fd(), bytes, descriptors)
    }

    /// Takes the next packet for `worker_id`; `None` when none waits. One that came in part is thrown away.
    ///
    /// Errors: there is no room for its descriptors (EMFILE). It waits for another time.
    pub fn receive(&self, worker_id: u16) -> io::Result<Option<Packet>> {
        let Some(inbox) = self.by_id.get(&worker_id) else { return Ok(None) };
        let mut bytes = vec![0; MOST_BYTES];
        loop {
            match sys::receive_with_descriptors(inbox.exit.as_fd(), &mut bytes) {
                Ok((len, descriptors)) => {
                    bytes.truncate(len);
                    return Ok(Some(Packet { bytes, descriptors }));
                }
                Err(error) if error.kind() == io::ErrorKind::InvalidData => {}
                Err(error) if sys::is_shortage(&error) => return Err(error),
                Err(_) => return Ok(None),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_wait_for_whoever_has_the_id() {
        let mut inboxes = Inboxes::default();
        for id in [3, 0, 3] {
            inboxes.open(id).unwrap();
        }
        assert_eq!(inboxes.ids().collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5, 6, 7]);
        inboxes.send(3, b"hello", &[]).unwrap();
        assert!(inboxes.receive(0).unwrap().is_none());
        assert_eq!(inboxes.clone().receive(3).unwrap().map(|packet| packet.bytes), Some(b"hello".to_vec()));
        assert!(inboxes.receive(3).unwrap().is_none());
        assert!(inboxes.send(8, b"hello", &[]).is_err());
    }

    #[test]
    fn an_inbox_that_is_full_says_so_and_loses_nothing() {
        let mut inboxes = Inboxes::default();
        inboxes.open(0).unwrap();
        let mut sent = 0;
        while inboxes.send(0, &[7; 60_000], &[]).is_ok() {
            sent += 1;
        }
        assert!(sent > 0);
        let received =
            std::iter::from_fn(|| inboxes.receive(0).unwrap()).filter(|packet| packet.bytes.len() == 60_000).count();
        assert_eq!(received, sent);
    }
}
