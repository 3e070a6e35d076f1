//! A connection on its way to another worker: what it needs to go on there, as bytes and descriptors.
//!
//! What was read of it travels as it was on the wire, so that the other worker reads it as if it had come to it: a body
//! that lay in memory follows its head again (a chunked one as a single chunk), one on disk travels as its file.

use std::fs::File;
use std::io::{self, Read as _, Seek};
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use super::body::Incoming;
use super::connection::{Connection, Phase};
use crate::app::{App, Origin, Proxied, Server};
use crate::ipc::{Inboxes, Packet};
use crate::sys;

/// First byte of a packet: a connection, or a call of an idle worker for work.
const CONNECTION: u8 = b'C';
const CALL: u8 = b'W';

/// What was read travels in the packet up to so many bytes, beyond that in a file in memory.
const MOST_INLINE: usize = 64 * 1024;

/// What a PROXY header may have said; a packet tells the place in this list.
const PROTOCOLS: [&str; 6] = ["TCP4", "TCP6", "UNIX", "UNKNOWN", "LOCAL", "UNSPEC"];

/// What a packet turned out to be.
#[derive(Debug)]
pub(super) enum Parcel {
    /// A connection.
    Connection(Box<Passed>),
    /// The worker with this id has nothing to do.
    Call(u16),
}

/// A connection that another worker has given away.
#[derive(Debug)]
pub(super) struct Passed {
    pub(super) socket: OwnedFd,
    pub(super) origin: Origin,
    pub(super) awaits_proxy: bool,
    /// Requests that were answered before.
    pub(super) requests: u64,
    /// Since when its request waits, in nanoseconds of the monotonic clock; 0: it has none.
    pub(super) ready_since: u64,
    /// What was read of it and is not answered.
    pub(super) bytes: Vec<u8>,
    /// How many of these are the head of a request whose body is in `body`.
    pub(super) head_len: usize,
    /// A body that is complete and on disk, and its length.
    pub(super) body: Option<(File, u64)>,
}

/// An idle worker calls for work.
pub(super) fn call(own_id: u16) -> Vec<u8> {
    let mut packet = vec![CALL];
    packet.extend_from_slice(&own_id.to_le_bytes());
    packet
}

/// Sends `connection` to the worker `to`; the caller gives its own copy up if that succeeds. `ready_since`: see
/// [`Passed::ready_since`].
///
/// Errors: it is in a phase in which it cannot travel (`Unsupported`); as sendmsg(2).
pub(super) fn send<A: App>(connection: &Connection<A>, ready_since: u64, inboxes: &Inboxes, to: u16) -> io::Result<()> {
    let Read { bytes: read, head_len, file } = what_was_read(connection).ok_or(io::ErrorKind::Unsupported)?;
    let body_len = file.map_or(0, |(_, len)| len);
    let answered = connection.requests - u64::from(connection.phase == Phase::AwaitApp);
    let is_inline = read.len() <= MOST_INLINE;
    let mut packet = vec![CONNECTION];
    packet.push(u8::from(is_inline) | u8::from(file.is_some()) << 1 | u8::from(connection.awaits_proxy) << 2);
    packet.extend_from_slice(&answered.to_le_bytes());
    packet.extend_from_slice(&ready_since.to_le_bytes());
    packet.extend_from_slice(&(head_len as u64).to_le_bytes());
    packet.extend_from_slice(&body_len.to_le_bytes());
    put_origin(&mut packet, &connection.origin);
    let memory;
    let mut descriptors: Vec<BorrowedFd<'_>> = vec![connection.stream.as_fd()];
    if is_inline {
        packet.extend_from_slice(&read);
    } else {
        memory = sys::memory_file("indrik-request", &read)?;
        descriptors.push(memory.as_fd());
    }
    descriptors.extend(file.map(|(file, _)| file.as_fd()));
    inboxes.send(to, &packet, &descriptors)
}

/// What was read of a connection and is not answered.
struct Read<'a> {
    bytes: Vec<u8>,
    /// How many of them are a head whose body travels as the file; else 0.
    head_len: usize,
    file: Option<(&'a File, u64)>,
}

/// The bytes of the request at hand and behind it. `None`: they are in no state to travel.
fn what_was_read<A: App>(connection: &Connection<A>) -> Option<Read<'_>> {
    let http = &connection.http;
    let unread = http.unread();
    match connection.phase {
        Phase::Silent | Phase::Idle => {
            return Some(Read { bytes: unread.to_vec(), head_len: 0, file: None });
        }
        Phase::AwaitApp => {}
        Phase::ReadHead | Phase::ReadBody | Phase::WriteBody | Phase::Linger => return None,
    }
    let mut bytes = http.head_bytes().to_vec();
    let head_len = bytes.len();
    let mut file = None;
    match &connection.body {
        Incoming::None | Incoming::Announced | Incoming::Streamed => {}
        Incoming::Sized { buffer, .. } => bytes.extend_from_slice(buffer.as_ref()),
        Incoming::Growing(body) => {
            if !body.is_empty() {
                bytes.extend_from_slice(format!("{:x}\r\n", body.len()).as_bytes());
                bytes.extend_from_slice(body);
                bytes.extend_from_slice(b"\r\n");
            }
            bytes.extend_from_slice(b"0\r\n\r\n");
        }
        Incoming::Spooled { file: body, len } => file = Some((body, *len)),
        Incoming::ToSpool => return None,
    }
    bytes.extend_from_slice(unread);
    Some(Read { bytes, head_len: if file.is_some() { head_len } else { 0 }, file })
}

/// What a packet is; `None` for one that makes no sense.
pub(super) fn open(packet: Packet) -> Option<Parcel> {
    let mut rest = packet.bytes.as_slice();
    match take::<1>(&mut rest)? {
        [CALL] => Some(Parcel::Call(u16::from_le_bytes(take(&mut rest)?))),
        [CONNECTION] => {
            let [flags] = take::<1>(&mut rest)?;
            let requests = u64::from_le_bytes(take(&mut rest)?);
            let ready_since = u64::from_le_bytes(take(&mut rest)?);
            let head_len = usize::try_from(u64::from_le_bytes(take(&mut rest)?)).ok()?;
            let body_len = u64::from_le_bytes(take(&mut rest)?);
            let origin = take_origin(&mut rest)?;
            let mut descriptors = packet.descriptors.into_iter();
            let socket = descriptors.next()?;
            let mut bytes = rest.to_vec();
            if flags & 1 == 0 {
                let mut memory = File::from(descriptors.next()?);
                memory.rewind().ok()?;
                memory.read_to_end(&mut bytes).ok()?;
            }
            let body = if flags & 2 != 0 { Some((File::from(descriptors.next()?), body_len)) } else { None };
            let awaits_proxy = flags & 4 != 0;
            Some(Parcel::Connection(Box::new(Passed {
                socket,
                origin,
                awaits_proxy,
                requests,
                ready_since,
                bytes,
                head_len,
                body,
            })))
        }
        _ => None,
    }
}

fn put_origin(packet: &mut Vec<u8>, origin: &Origin) {
    put_text(packet, &origin.remote.map(|address| address.to_string()).unwrap_or_default());
    match &*origin.server {
        Server::Tcp { name, port } => {
            packet.push(1);
            packet.extend_from_slice(&port.to_le_bytes());
            put_text(packet, name);
        }
        Server::Unix { path } => {
            packet.push(0);
            packet.extend_from_slice(&[0; 2]);
            put_text(packet, path);
        }
    }
    match &origin.proxied {
        None => packet.push(u8::MAX),
        Some(proxied) => {
            let index = PROTOCOLS.iter().position(|&protocol| protocol == proxied.protocol).unwrap_or(3);
            packet.push(index as u8);
            let text = |address: SocketAddr| address.to_string();
            put_text(packet, &proxied.addresses.map(|(source, _)| text(source)).unwrap_or_default());
            put_text(packet, &proxied.addresses.map(|(_, target)| text(target)).unwrap_or_default());
        }
    }
}

fn take_origin(rest: &mut &[u8]) -> Option<Origin> {
    let remote = take_address(rest)?;
    let [is_tcp] = take::<1>(rest)?;
    let port = u16::from_le_bytes(take(rest)?);
    let name = take_text(rest)?;
    let server = if is_tcp == 1 { Server::Tcp { name, port } } else { Server::Unix { path: name } };
    let proxied = match take::<1>(rest)? {
        [u8::MAX] => None,
        [index] => {
            let (source, target) = (take_address(rest)?, take_address(rest)?);
            Some(Proxied { protocol: PROTOCOLS.get(usize::from(index))?, addresses: source.zip(target) })
        }
    };
    Some(Origin { remote, server: Arc::new(server), proxied })
}

fn put_text(packet: &mut Vec<u8>, text: &str) {
    // Socket paths and addresses are far shorter.
    let bytes = &text.as_bytes()[..text.len().min(usize::from(u16::MAX))];
    packet.extend_from_slice(&(bytes.len() as u16).to_le_bytes());
    packet.extend_from_slice(bytes);
}

fn take_text(rest: &mut &[u8]) -> Option<String> {
    let len = usize::from(u16::from_le_bytes(take(rest)?));
    let (text, behind) = rest.split_at_checked(len)?;
    *rest = behind;
    String::from_utf8(text.to_vec()).ok()
}

/// An address, or none: the empty text.
fn take_address(rest: &mut &[u8]) -> Option<Option<SocketAddr>> {
    let text = take_text(rest)?;
    if text.is_empty() { Some(None) } else { text.parse().ok().map(Some) }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, behind) = rest.split_first_chunk::<N>()?;
    *rest = behind;
    Some(*taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origins() -> [Origin; 3] {
        let address = |text: &str| text.parse::<SocketAddr>().unwrap();
        [
            Origin {
                remote: Some(address("127.0.0.1:5000")),
                server: Arc::new(Server::Tcp { name: "0.0.0.0".into(), port: 80 }),
                proxied: None,
            },
            Origin {
                remote: None,
                server: Arc::new(Server::Unix { path: "/run/indrik.sock".into() }),
                proxied: Some(Proxied { protocol: "LOCAL", addresses: None }),
            },
            Origin {
                remote: Some(address("[2001:db8::1]:1")),
                server: Arc::new(Server::Tcp { name: "::".into(), port: 8000 }),
                proxied: Some(Proxied {
                    protocol: "TCP6",
                    addresses: Some((address("[2001:db8::2]:2"), address("[2001:db8::3]:3"))),
                }),
            },
        ]
    }

    #[test]
    fn where_a_connection_comes_from_survives_the_journey() {
        for origin in origins() {
            let mut packet = Vec::new();
            put_origin(&mut packet, &origin);
            packet.push(7);
            let mut rest = packet.as_slice();
            assert_eq!(take_origin(&mut rest), Some(origin));
            assert_eq!(rest, [7]);
        }
    }

    #[test]
    fn a_packet_that_makes_no_sense_is_none() {
        let of = |bytes: &[u8]| open(Packet { bytes: bytes.to_vec(), descriptors: Vec::new() });
        assert!(of(b"").is_none());
        assert!(of(b"X").is_none());
        assert!(of(b"W\x01").is_none());
        assert!(matches!(of(&call(515)), Some(Parcel::Call(515))));
        let mut packet = vec![CONNECTION, 1];
        packet.extend_from_slice(&[0; 32]);
        put_origin(&mut packet, &origins()[0]);
        assert!(of(&packet).is_none(), "its socket is missing");
        for len in 0..packet.len() {
            assert!(of(&packet[..len]).is_none());
        }
    }
}
