//! What the access log sees of an exchange that has ended.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::time::Duration;

use super::connection::Connection;
use crate::app::App;
use crate::http;
use crate::logging::access::Entry;

/// An address as text, written anew only when it is another one: behind a proxy, or under one client's load, it rarely is.
#[derive(Debug, Default)]
pub(super) struct Remote {
    address: Option<IpAddr>,
    text: String,
}

impl Remote {
    /// `address` as text; empty for a unix socket.
    pub(super) fn of(&mut self, address: Option<IpAddr>) -> &str {
        if self.address != address {
            self.address = address;
            self.text.clear();
            if let Some(address) = address {
                // Writing to a String cannot fail.
                let _ = write!(self.text, "{address}");
            }
        }
        &self.text
    }
}

/// An exchange, as the access log's atoms name its parts.
pub(super) struct Ended<'a, A: App> {
    connection: &'a Connection<A>,
    head: http::Head<'a>,
    remote: &'a str,
    variables: &'a [String],
    /// Body bytes that the kernel took.
    body_len: u64,
}

impl<'a, A: App> Ended<'a, A> {
    /// `remote`: the peer's address as text, empty for a unix socket; `variables`: names in the order of the record.
    pub(super) fn new(connection: &'a Connection<A>, remote: &'a str, variables: &'a [String]) -> Self {
        let unsent = connection.output.pending();
        let body_len = connection.exchange.body_len.saturating_sub(unsent);
        Self { connection, head: connection.http.head(), remote, variables, body_len }
    }
}

impl<A: App> Entry for Ended<'_, A> {
    fn remote_addr(&self) -> &[u8] {
        self.remote.as_bytes()
    }

    fn method(&self) -> &[u8] {
        self.head.raw_method()
    }

    fn target(&self) -> &[u8] {
        self.head.raw_target()
    }

    fn path(&self) -> Cow<'_, [u8]> {
        http::percent_decode(self.head.raw_path())
    }

    fn query(&self) -> &[u8] {
        self.head.raw_query()
    }

    fn protocol(&self) -> &[u8] {
        self.head.protocol().as_bytes()
    }

    fn status(&self) -> Option<u16> {
        self.connection.exchange.status
    }

    fn body_len(&self) -> u64 {
        self.body_len
    }

    fn duration(&self) -> Duration {
        self.connection.exchange.duration
    }

    fn queue_time(&self) -> Option<Duration> {
        Some(self.connection.exchange.queued)
    }

    fn request_field(&self, name: &str) -> Option<&[u8]> {
        self.head.field(name)
    }

    fn request_fields(&self) -> Vec<(&[u8], &[u8])> {
        self.head.raw_fields().collect()
    }

    fn response_field(&self, name: &str) -> Option<&[u8]> {
        http::find_field(&self.connection.exchange.fields, name)
    }

    fn variable(&self, name: &str) -> Option<&[u8]> {
        let index = self.variables.iter().position(|wanted| wanted.eq_ignore_ascii_case(name))?;
        self.connection.exchange.variables.get(index).map(Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_written_anew_when_it_is_another() {
        let mut remote = Remote::default();
        let addresses = ["", "127.0.0.1", "127.0.0.1", "::1", "", "127.0.0.1"];
        for text in addresses {
            assert_eq!(remote.of(text.parse().ok()), text);
        }
    }
}
