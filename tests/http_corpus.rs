//! What the HTTP room accepts and refuses, case by case, and properties of it: no splitting of any bytes changes what is
//! understood, and what is sent can be read back.
//!
//! In a wire `|` is CRLF, a character up to U+00FF is the byte of that number, and `$` at the end is the peer's FIN.

use std::sync::Arc;

use indrik::http::{Limits, Policy};

use reader::{Peer, Reader, Seen, bytes};

#[path = "http_corpus/answer.rs"]
mod answer;
#[path = "http_corpus/body.rs"]
mod body;
#[path = "http_corpus/header_section.rs"]
mod header_section;
#[path = "http_corpus/history.rs"]
mod history;
#[path = "http_corpus/properties.rs"]
mod properties;
#[path = "http_corpus/reader.rs"]
mod reader;
#[path = "http_corpus/request_line.rs"]
mod request_line;
#[path = "http_corpus/switches.rs"]
mod switches;
#[path = "http_corpus/trust.rs"]
mod trust;

const SECOND: &str = "GET /second HTTP/1.1|Host: b||";

/// Feeds `wire` whole, byte by byte, and with a second request behind it; each must give `want`: the request line of
/// each request, its body, and how it ended: `closes`, `waits` for more bytes, or `refuse`.
#[track_caller]
fn check(wire: &str, want: &str) {
    check_with(Policy::default(), Peer::Stranger, wire, want);
}

#[track_caller]
fn check_within(limits: Limits, wire: &str, want: &str) {
    check_with(Policy { limits, ..Policy::default() }, Peer::Stranger, wire, want);
}

#[track_caller]
fn check_with(policy: Policy, peer: Peer, wire: &str, want: &str) {
    let policy = Arc::new(policy);
    let (wire, is_ended) = wire.strip_suffix('$').map_or((wire, false), |wire| (wire, true));
    let bytes = bytes(wire);
    let whole = Reader::new(&policy, peer).feed([&bytes[..]], is_ended);
    assert_eq!(brief(&whole), want, "whole: {wire:?}");
    let bytewise = Reader::new(&policy, peer).feed(bytes.chunks(1), is_ended);
    assert_eq!(bytewise, whole, "byte by byte: {wire:?}");
    if is_ended || want.ends_with("waits") {
        return;
    }
    let stream = [bytes, self::bytes(SECOND)].concat();
    let followed = Reader::new(&policy, peer).feed([&stream[..]], false);
    let goes_on = !want.contains("refuse") && !want.ends_with("closes");
    let want = match (goes_on, want) {
        (true, "") => "GET /second HTTP/1.1".to_owned(),
        (true, want) => format!("{want}; GET /second HTTP/1.1"),
        (false, want) => want.to_owned(),
    };
    assert_eq!(brief(&followed), want, "with a second request behind: {wire:?}");
}

/// Checks `GET / HTTP/1.1` with these fields behind a Host.
#[track_caller]
fn check_fields(fields: &str, want: &str) {
    check(&format!("GET / HTTP/1.1|Host: a|{fields}||"), want);
}

/// The same under another policy.
#[track_caller]
fn check_fields_with(policy: Policy, peer: Peer, fields: &str, want: &str) {
    check_with(policy, peer, &format!("GET / HTTP/1.1|Host: a|{fields}||"), want);
}

/// Checks a POST with this chunked body.
#[track_caller]
fn check_chunked(body: &str, want: &str) {
    check_chunked_with(Policy::default(), body, want);
}

/// The same under another policy.
#[track_caller]
fn check_chunked_with(policy: Policy, body: &str, want: &str) {
    let want = match want {
        "" => "POST / HTTP/1.1".to_owned(),
        want => format!("POST / HTTP/1.1{want}"),
    };
    check_with(policy, Peer::Stranger, &format!("POST / HTTP/1.1|Host: a|Transfer-Encoding: chunked||{body}"), &want);
}

/// What is seen of a GET with these fields behind a Host, if it comes whole or byte by byte.
#[track_caller]
fn sees(policy: Policy, peer: Peer, fields: &str) -> Seen {
    let policy = Arc::new(policy);
    let wire = bytes(&format!("GET / HTTP/1.1|Host: a|{fields}||"));
    let whole = Reader::new(&policy, peer).feed([&wire[..]], false);
    let bytewise = Reader::new(&policy, peer).feed(wire.chunks(1), false);
    assert_eq!(bytewise, whole, "{fields}");
    whole.into_iter().next().expect("there is a request")
}

fn brief(seen: &[Seen]) -> String {
    let requests: Vec<_> = seen.iter().map(Seen::brief).collect();
    requests.join("; ")
}

#[test]
fn ordinary_requests_are_accepted() {
    check("GET / HTTP/1.1|Host: a||", "GET / HTTP/1.1");
    check("GET /a?b=c#d HTTP/1.1|Host: a:80|Accept: */*||", "GET /a?b=c#d HTTP/1.1");
    check("GET / HTTP/1.0||", "GET / HTTP/1.0, closes");
    check("POST / HTTP/1.1|Host: a|Content-Length: 5||hello", "POST / HTTP/1.1 with 'hello'");
    check("", "");
    check("GET / HTTP/1.1|Host: a|", "waits");
}

#[test]
fn connection_is_a_list_of_options() {
    for value in ["close", "Close", "close, foo", "foo ,\tclose", "keep-alive, close"] {
        check_fields(&format!("Connection: {value}"), "GET / HTTP/1.1, closes");
    }
    check_fields("Connection: a|Connection: close", "GET / HTTP/1.1, closes");
    for value in ["keep-alive", "closed", "x-close", "\"close\"", ""] {
        check_fields(&format!("Connection: {value}"), "GET / HTTP/1.1");
    }
    check("GET / HTTP/1.0|Connection: foo, Keep-Alive||", "GET / HTTP/1.0");
    check("GET / HTTP/1.0|Connection: keep-alive, close||", "GET / HTTP/1.0, closes");
}

#[test]
fn connect_is_served_and_always_closes() {
    check("CONNECT a:443 HTTP/1.1|Host: a:443||", "CONNECT a:443 HTTP/1.1, closes");
}

#[test]
fn pipelined_requests_are_answered_in_turn() {
    let one = "POST /1 HTTP/1.1|Host: a|Content-Length: 3||abc";
    let two = "POST /2 HTTP/1.1|Host: a|Transfer-Encoding: chunked||3|def|0||";
    let want = "POST /1 HTTP/1.1 with 'abc'; POST /2 HTTP/1.1 with 'def'; POST /1 HTTP/1.1 with 'abc'";
    check(&format!("{one}{two}{one}"), want);
}
