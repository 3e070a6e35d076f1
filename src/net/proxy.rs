//! The PROXY header: who the client is, said by a load balancer in front of the first bytes of a connection.
//!
//! Both versions: one line of text, or a binary header. Pure: bytes in, a reading out. Does not know who may send one;
//! whoever reads the first bytes of a connection asks here until the reading is anything but [`Reading::NeedBytes`].
//! Stands alone, so that a fuzz target can include it.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::{self, FromStr};

/// What a header of version 1 begins with.
const TEXT_START: &[u8] = b"PROXY ";

/// Longest line of version 1 with its CRLF. Source: PROXY protocol section 2.1.
const MOST_TEXT: usize = 107;

/// What a header of version 2 begins with. Source: PROXY protocol section 2.2.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";

/// The signature, two bytes of kinds and two of length.
const FIXED: usize = 16;

/// Longest header of version 2, all told. The format allows 65551 bytes, and any peer that may send a header could make
/// us keep them. Addresses take 232 at most; the rest is for extensions, such as a client's certificate. NGINX has the
/// same bound.
const MOST_BINARY: usize = 4096;

/// The versions that are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Versions {
    /// The line of text.
    pub v1: bool,
    /// The binary header.
    pub v2: bool,
}

/// What the first bytes of a connection say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reading {
    /// They may become a header. Never more than 4095 bytes.
    NeedBytes,
    /// They are none: no header of a version that is looked for begins so.
    Absent,
    /// They begin with a header.
    Header {
        /// Bytes that it takes; what is behind them belongs to the first request.
        len: usize,
        /// What it says.
        header: ProxyHeader,
    },
    /// They begin as a header does and cannot become one.
    Malformed(Malformed),
}

/// What a header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyHeader {
    /// `TCP4`, `TCP6`, `UNKNOWN`, or of version 2 also `LOCAL` (the proxy speaks for itself), `UNIX` and `UNSPEC`.
    pub protocol: &'static str,
    /// Source and destination of the client's connection. `None`: the peer of the socket counts as the client.
    pub addresses: Option<(SocketAddr, SocketAddr)>,
}

/// Why bytes that begin as a header does are none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// Version 1: no line of up to 107 bytes that ends with CRLF.
    Line,
    /// Version 1: not `TCP4`, `TCP6` or `UNKNOWN`, or not five parts with one space between them.
    Parts,
    /// Version 1: an address that is none, or not of the protocol's family.
    Address,
    /// Version 1: a port that is no number from 0 to 65535 in its shortest form.
    Port,
    /// Version 2: another version, or neither LOCAL nor PROXY.
    Command,
    /// Version 2: an unknown family, or no stream.
    Family,
    /// Version 2: too short for its addresses, or longer than 4096 bytes.
    Length,
}

impl fmt::Display for Malformed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Line => "no line of up to 107 bytes that ends with CRLF",
            Self::Parts => "not TCP4, TCP6 or UNKNOWN with its parts",
            Self::Address => "invalid address",
            Self::Port => "invalid port",
            Self::Command => "unknown version or command",
            Self::Family => "unsupported address family or transport",
            Self::Length => "invalid length",
        })
    }
}

impl std::error::Error for Malformed {}

/// Reads the header in front of a connection's bytes, if there is one.
///
/// `bytes`: all that have arrived, from the first one on. Every reading but [`Reading::NeedBytes`] is final: more bytes
/// do not change it. [`Reading::Absent`] comes with the first byte that no header has in that place, so that no request
/// waits for bytes that a client need not send.
///
/// Source: PROXY protocol, HAProxy's document, sections 2.1 and 2.2.
pub fn read_proxy_header(bytes: &[u8], versions: Versions) -> Reading {
    let text = if versions.v1 { start(bytes, TEXT_START) } else { Start::Other };
    let binary = if versions.v2 { start(bytes, &SIGNATURE) } else { Start::Other };
    match (text, binary) {
        (Start::Whole, _) => read_text(bytes).unwrap_or_else(Reading::Malformed),
        (_, Start::Whole) => read_binary(bytes).unwrap_or_else(Reading::Malformed),
        (Start::Part, _) | (_, Start::Part) => Reading::NeedBytes,
        (Start::Other, Start::Other) => Reading::Absent,
    }
}

/// How bytes stand to the beginning of a header.
enum Start {
    Whole,
    Part,
    Other,
}

fn start(bytes: &[u8], want: &[u8]) -> Start {
    if bytes.starts_with(want) {
        Start::Whole
    } else if want.starts_with(bytes) {
        Start::Part
    } else {
        Start::Other
    }
}

/// Version 1. `bytes` begin with [`TEXT_START`].
fn read_text(bytes: &[u8]) -> Result<Reading, Malformed> {
    // The CR of the longest line is the last byte but one.
    let window = &bytes[..bytes.len().min(MOST_TEXT - 1)];
    let Some(end) = window.iter().position(|byte| matches!(byte, b'\r' | b'\n')) else {
        return if window.len() == MOST_TEXT - 1 { Err(Malformed::Line) } else { Ok(Reading::NeedBytes) };
    };
    match (bytes[end], bytes.get(end + 1)) {
        (b'\r', None) => Ok(Reading::NeedBytes),
        (b'\r', Some(b'\n')) => Ok(Reading::Header { len: end + 2, header: line(&bytes[TEXT_START.len()..end])? }),
        _ => Err(Malformed::Line),
    }
}

/// The line behind `PROXY `, without its end.
fn line(line: &[u8]) -> Result<ProxyHeader, Malformed> {
    let mut parts = line.split(|byte| *byte == b' ');
    match parts.next() {
        // What else stands in the line is to be ignored.
        Some(b"UNKNOWN") => Ok(ProxyHeader { protocol: "UNKNOWN", addresses: None }),
        Some(b"TCP4") => Ok(ProxyHeader { protocol: "TCP4", addresses: Some(addresses::<Ipv4Addr>(parts)?) }),
        Some(b"TCP6") => Ok(ProxyHeader { protocol: "TCP6", addresses: Some(addresses::<Ipv6Addr>(parts)?) }),
        _ => Err(Malformed::Parts),
    }
}

/// Source address, destination address, source port, destination port, and nothing else.
fn addresses<'a, Ip>(mut parts: impl Iterator<Item = &'a [u8]>) -> Result<(SocketAddr, SocketAddr), Malformed>
where
    Ip: FromStr + Into<IpAddr>,
{
    let mut part = || parts.next().ok_or(Malformed::Parts);
    let [source, destination, source_port, destination_port] = [part()?, part()?, part()?, part()?];
    if parts.next().is_some() {
        return Err(Malformed::Parts);
    }
    let source = SocketAddr::new(address::<Ip>(source)?, port(source_port)?);
    let destination = SocketAddr::new(address::<Ip>(destination)?, port(destination_port)?);
    Ok((source, destination))
}

fn address<Ip: FromStr + Into<IpAddr>>(part: &[u8]) -> Result<IpAddr, Malformed> {
    let text = str::from_utf8(part).map_err(|_| Malformed::Address)?;
    text.parse::<Ip>().map(Into::into).map_err(|_| Malformed::Address)
}

fn port(part: &[u8]) -> Result<u16, Malformed> {
    // `parse` would take a sign and leading zeros.
    let is_number = part.iter().all(u8::is_ascii_digit) && (part == b"0" || !part.starts_with(b"0"));
    let text = str::from_utf8(part).ok().filter(|_| is_number).ok_or(Malformed::Port)?;
    text.parse().map_err(|_| Malformed::Port)
}

/// What stands in the address part of version 2.
#[derive(Clone, Copy)]
enum Family {
    /// The proxy's own connection, such as a health check: the family is to be ignored.
    Local,
    /// Nothing that is known.
    Unspecified,
    Ipv4,
    Ipv6,
    /// Two paths.
    Unix,
}

impl Family {
    /// Bytes of both addresses and ports.
    fn len(self) -> usize {
        match self {
            Self::Local | Self::Unspecified => 0,
            Self::Ipv4 => 12,
            Self::Ipv6 => 36,
            Self::Unix => 216,
        }
    }
}

/// Version 2. `bytes` begin with [`SIGNATURE`]. Each byte is judged as soon as it is there.
///
/// Written out, since the crates that read it take what we refuse (datagrams), refuse what is to be ignored (the family
/// of a LOCAL header), and set no bound; all that they would spare us is this function.
fn read_binary(bytes: &[u8]) -> Result<Reading, Malformed> {
    let Some(command) = bytes.get(12) else { return Ok(Reading::NeedBytes) };
    if !matches!(command, 0x20 | 0x21) {
        return Err(Malformed::Command);
    }
    let Some(kind) = bytes.get(13) else { return Ok(Reading::NeedBytes) };
    let family = match (command, kind) {
        (0x20, _) => Family::Local,
        (_, 0x00 | 0x01) => Family::Unspecified,
        (_, 0x11) => Family::Ipv4,
        (_, 0x21) => Family::Ipv6,
        (_, 0x31) => Family::Unix,
        _ => return Err(Malformed::Family),
    };
    let Some(&[high, low]) = bytes.get(14..FIXED) else { return Ok(Reading::NeedBytes) };
    let len = FIXED + usize::from(u16::from_be_bytes([high, low]));
    if len < FIXED + family.len() || len > MOST_BINARY {
        return Err(Malformed::Length);
    }
    // Behind the addresses stand extensions, which nobody here asks for.
    let Some(rest) = bytes.get(FIXED..len) else { return Ok(Reading::NeedBytes) };
    let header = match family {
        Family::Local => ProxyHeader { protocol: "LOCAL", addresses: None },
        Family::Unspecified => ProxyHeader { protocol: "UNSPEC", addresses: None },
        Family::Unix => ProxyHeader { protocol: "UNIX", addresses: None },
        Family::Ipv4 => ProxyHeader { protocol: "TCP4", addresses: Some(packed::<4>(rest)) },
        Family::Ipv6 => ProxyHeader { protocol: "TCP6", addresses: Some(packed::<16>(rest)) },
    };
    Ok(Reading::Header { len, header })
}

/// Two addresses of `LEN` bytes each and two ports, in network order. `bytes` hold them; their length is checked.
fn packed<const LEN: usize>(bytes: &[u8]) -> (SocketAddr, SocketAddr)
where
    IpAddr: From<[u8; LEN]>,
{
    let ip = |at: usize| {
        let mut octets = [0; LEN];
        octets.copy_from_slice(&bytes[at..at + LEN]);
        IpAddr::from(octets)
    };
    let port = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
    (SocketAddr::new(ip(0), port(2 * LEN)), SocketAddr::new(ip(LEN), port(2 * LEN + 2)))
}

#[cfg(test)]
#[path = "proxy_tests.rs"]
mod tests;
