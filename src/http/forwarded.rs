//! Who the client was, as proxies in front have noted it in a field. Each of them adds what it saw at the right end, so
//! the walk goes from right to left and only as far as the proxies are trusted: what stands further left is hearsay.
//! Knows the forms of the two fields; whom to trust is the caller's to say.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str;

use super::grammar::{is_quotable, is_quoted_text, token_len, trim};
use super::head::Head;

/// Entries that are looked at. No chain of proxies is longer; a longer list is made up to cost time.
const MOST_HOPS: usize = 64;
/// More than the longest node has: an IPv6 address with an embedded IPv4 one in brackets, and a port.
const NODE_LEN: usize = 64;

/// The field in which a client's address is looked for (`client_ip_header`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientHeader {
    /// Addresses, separated by commas.
    XForwardedFor,
    /// RFC 7239.
    Forwarded,
}

/// An address, and a port if one is named.
type Node = (IpAddr, Option<u16>);

/// The client's address and, if it is named, port: the right-most in all fields of that name that is not trusted; if all
/// are, the left-most.
///
/// An entry that is no address (`unknown`, `_hidden`, empty, malformed) ends the walk, and the last address before it
/// counts. `None`: no such field, or the right-most entry is no address. IPv6 addresses that stand for IPv4 ones are
/// given as these, to `is_trusted` too. Looks at 64 entries at most.
///
/// Source: RFC 7239 §4, §6 and §7.4; blanks around `;` are taken for granted, since proxies in use send them.
pub fn client_address(head: Head<'_>, header: ClientHeader, is_trusted: &dyn Fn(IpAddr) -> bool) -> Option<Node> {
    let name: &[u8] = match header {
        ClientHeader::XForwardedFor => b"x-forwarded-for",
        ClientHeader::Forwarded => b"forwarded",
    };
    let fields = head.raw_fields().rev().filter(|(sent, _)| sent.eq_ignore_ascii_case(name));
    let nodes = fields.flat_map(|(_, value)| Entries { rest: Some(value), header }).map(|entry| match header {
        ClientHeader::XForwardedFor => node(entry),
        ClientHeader::Forwarded => node_of_element(entry),
    });
    let mut client = None;
    for node in nodes.take(MOST_HOPS) {
        let Some(node) = node else {
            break;
        };
        client = Some(node);
        if !is_trusted(node.0) {
            break;
        }
    }
    client
}

/// The entries of one value, trimmed, from right to left.
///
/// Commas in quoted strings do not count. Reading backwards keeps a client from reaching into what a proxy wrote behind
/// it: a quote that it opens and never closes spoils its own entry and no other.
struct Entries<'a> {
    rest: Option<&'a [u8]>,
    header: ClientHeader,
}

impl<'a> Iterator for Entries<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest.take()?;
        let comma = match self.header {
            ClientHeader::XForwardedFor => rest.iter().rposition(|&b| b == b','),
            ClientHeader::Forwarded => last_comma(rest),
        };
        Some(trim(match comma {
            Some(comma) => {
                self.rest = Some(&rest[..comma]);
                &rest[comma + 1..]
            }
            None => rest,
        }))
    }
}

/// Where the last comma outside of quoted strings stands.
fn last_comma(value: &[u8]) -> Option<usize> {
    let mut is_quoted = false;
    let mut end = value.len();
    loop {
        end = value[..end].iter().rposition(|&b| b == b',' || b == b'"')?;
        match (value[end], is_quoted) {
            (b',', false) => return Some(end),
            (b'"', false) => is_quoted = true,
            (b'"', true) => {
                // Behind an odd number of backslashes it is part of the string, not its beginning.
                let backslashes = value[..end].iter().rev().take_while(|&&b| b == b'\\').count();
                is_quoted = backslashes % 2 == 1;
                end -= backslashes;
            }
            (_, _) => {}
        }
    }
}

/// The node that `for` names in a `forwarded-element`; `None` if it is malformed or names no address.
///
/// Source: RFC 7239 §4: each parameter comes once at most.
fn node_of_element(element: &[u8]) -> Option<Node> {
    let mut found = None;
    let mut rest = element;
    loop {
        rest = trim(rest);
        let name_len = token_len(rest);
        if name_len > 0 {
            let (name, value) = rest.split_at(name_len);
            let value = value.strip_prefix(b"=")?;
            let mut text = Text::default();
            let value_len = text.read(value)?;
            if name.eq_ignore_ascii_case(b"for") && found.replace(text).is_some() {
                return None;
            }
            rest = trim(&value[value_len..]);
        }
        match rest {
            [] => return node(found?.bytes()?),
            [b';', behind @ ..] => rest = behind,
            [_, ..] => return None,
        }
    }
}

/// A value with its quotes taken off, as far as it may be a node.
struct Text {
    bytes: [u8; NODE_LEN],
    len: usize,
}

impl Default for Text {
    fn default() -> Self {
        Text { bytes: [0; NODE_LEN], len: 0 }
    }
}

impl Text {
    /// Reads the token or quoted string that `value` begins with, and returns its length there. `None`: neither.
    fn read(&mut self, value: &[u8]) -> Option<usize> {
        let Some(quoted) = value.strip_prefix(b"\"") else {
            let len = token_len(value);
            value[..len].iter().for_each(|&b| self.push(b));
            return (len > 0).then_some(len);
        };
        let mut at = 0;
        loop {
            match &quoted[at..] {
                [b'"', ..] => return Some(at + 2),
                [b'\\', escaped, ..] if is_quotable(*escaped) => {
                    self.push(*escaped);
                    at += 2;
                }
                [byte, ..] if is_quoted_text(*byte) => {
                    self.push(*byte);
                    at += 1;
                }
                [_, ..] | [] => return None,
            }
        }
    }

    fn push(&mut self, byte: u8) {
        if let Some(place) = self.bytes.get_mut(self.len) {
            *place = byte;
        }
        self.len += 1;
    }

    /// `None` if it did not fit, and so is no node.
    fn bytes(&self) -> Option<&[u8]> {
        self.bytes.get(..self.len)
    }
}

/// `1.2.3.4`, `1.2.3.4:567`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:567`, or a hidden port (`:_a`) on one that may
/// have a port. Source: RFC 7239 §6.
fn node(text: &[u8]) -> Option<Node> {
    if text.len() > NODE_LEN {
        return None;
    }
    let text = str::from_utf8(text).ok()?;
    if let Some(bracketed) = text.strip_prefix('[') {
        let (address, behind) = bracketed.split_once(']')?;
        return Some((canonical(address)?, port(behind)?));
    }
    match text.find(':') {
        Some(colon) if !text[colon + 1..].contains(':') => {
            let address: Ipv4Addr = text[..colon].parse().ok()?;
            Some((IpAddr::V4(address), port(&text[colon..])?))
        }
        Some(_) => Some((canonical(text)?, None)),
        None => Some((IpAddr::V4(text.parse().ok()?), None)),
    }
}

fn canonical(text: &str) -> Option<IpAddr> {
    text.parse::<Ipv6Addr>().ok().map(|address| address.to_canonical())
}

/// What stands behind an address: `""`, `:` and 1 to 5 digits, or `:_` and a name, which hides the port.
fn port(text: &str) -> Option<Option<u16>> {
    if text.is_empty() {
        return Some(None);
    }
    let port = text.strip_prefix(':')?;
    if let Some(hidden) = port.strip_prefix('_') {
        let is_name = !hidden.is_empty() && hidden.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
        return is_name.then_some(None);
    }
    let is_number = (1..=5).contains(&port.len()) && port.bytes().all(|b| b.is_ascii_digit());
    is_number.then(|| port.parse().ok()).flatten().map(Some)
}

#[cfg(test)]
mod tests;
