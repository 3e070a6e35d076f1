//! Any bytes give a head or a refusal, however they are cut; and a head that was accepted means the same when it is
//! written down as it was understood and read again without any switch, so that nothing can hide in how it was spelled.

#![no_main]

use std::net::IpAddr;
use std::sync::Arc;

use indrik::answer::Reply;
use indrik::http::{ClientHeader, Connection, Event, Head, HeaderMap, Limits, Policy, client_address};
use indrik::options::Options;
use indrik::reader::Peer;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((options, stream)) = Options::take(input) else { return };
    indrik::read(&options, stream, &Reply::default());
    check_handed_on(&options, stream);

    let sent = connection(&options.policy, options.peer, stream);
    let Some(sent) = sent else { return };
    let head = sent.head();
    check_characters(head);
    check_names(head, &options);
    check_client(head);

    let plain = Policy {
        // Whatever passed may be long and of any case.
        limits: Limits::new(0, 0, 1 << 20),
        unconventional_method: true,
        header_map: options.policy.header_map,
        forwarder_headers: options.policy.forwarder_headers.clone(),
        ..Policy::default()
    };
    let again = connection(&plain, options.peer, &written(head)).expect("what was understood can be written down");
    assert_eq!(meaning(again.head()), meaning(head));
    assert_eq!(again.head().dropped().len(), 0);
});

/// A connection that has read a head from the start of `stream`.
fn connection(policy: &Policy, peer: Peer, stream: &[u8]) -> Option<Connection> {
    let mut connection = Connection::new(Arc::new(policy.clone()));
    if peer == Peer::Forwarder {
        connection.trust_forwarder();
    }
    connection.receive(stream);
    (connection.next_event() == Ok(Event::Head)).then_some(connection)
}

/// What has come of a head can go to another connection, which then understands the same.
fn check_handed_on(options: &Options, stream: &[u8]) {
    let Some(piece) = options.cut(stream).into_iter().next() else { return };
    // An empty line before the head is done with when it was read.
    if piece.starts_with(b"\r") || piece.starts_with(b"\n") {
        return;
    }
    let policy = Arc::new(options.policy.clone());
    let (mut first, mut second) = (Connection::new(Arc::clone(&policy)), Connection::new(policy));
    first.receive(piece);
    if first.next_event() != Ok(Event::NeedBytes) {
        return;
    }
    second.receive(first.unread());
    first.receive(&stream[piece.len()..]);
    second.receive(&stream[piece.len()..]);
    assert_eq!(second.next_event(), first.next_event());
    assert_eq!(meaning(second.head()), meaning(first.head()));
}

fn check_characters(head: Head<'_>) {
    assert!(head.target().bytes().all(|byte| byte.is_ascii_graphic()) && !head.target().is_empty());
    assert!(!head.method().is_empty());
    assert!(head.target().contains(head.path()) || head.path() == "/");
    for field in head.fields() {
        assert!(!field.name.is_empty() && field.name.bytes().all(|byte| byte.is_ascii_graphic()));
        assert!(!field.value.iter().any(|&byte| (byte < b' ' && byte != b'\t') || byte == 0x7f));
        assert!(![field.value.first(), field.value.last()].iter().any(|end| matches!(end, Some(b' ' | b'\t'))));
    }
}

/// A stranger's underscores pass only where all do.
fn check_names(head: Head<'_>, options: &Options) {
    let passes = options.policy.header_map == HeaderMap::Dangerous || options.peer == Peer::Forwarder;
    assert!(passes || head.raw_fields().all(|(name, _)| !name.contains(&b'_')));
    assert!(head.dropped().all(|name| name.contains('_')));
}

/// Whom the walk finds is an address that it asked about last.
fn check_client(head: Head<'_>) {
    for header in [ClientHeader::XForwardedFor, ClientHeader::Forwarded] {
        let asked = std::cell::Cell::new(None);
        let is_trusted = |address: IpAddr| {
            asked.set(Some(address));
            matches!(address, IpAddr::V4(address) if address.octets()[0] == 10)
        };
        let client = client_address(head, header, &is_trusted).map(|(address, _)| address);
        assert_eq!(client, asked.get());
        assert!(client.is_none_or(|address| address == address.to_canonical()));
    }
}

/// The head as it was understood, in bytes.
fn written(head: Head<'_>) -> Vec<u8> {
    let mut bytes = format!("{}\r\n", head.first_line()).into_bytes();
    for (name, value) in head.raw_fields() {
        bytes.extend([name, b": ", value, b"\r\n"].concat());
    }
    bytes.extend(b"\r\n");
    bytes
}

fn meaning(head: Head<'_>) -> String {
    format!(
        "{} path {} query {} host {:?} length {:?} chunked {} expects {} secure {:?} fields {:?}",
        head.first_line(),
        head.path(),
        head.query(),
        head.host(),
        head.content_length(),
        head.is_chunked(),
        head.expects_continue(),
        head.is_secure(),
        head.fields().collect::<Vec<_>>(),
    )
}
