//! Exchanges from both sides: how answers look on the wire, who closes when, what happens out of turn.

use super::super::{Fields, Persistence, Response};
use super::*;

const DATE: &[u8] = b"Sun, 06 Nov 1994 08:49:37 GMT";
const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

fn connection(wire: &str) -> Connection {
    let mut connection = Connection::new(Arc::default());
    connection.receive(wire.as_bytes());
    connection
}

/// Sends an answer with these fields and pieces; what it looks like, `Server` and `Date` left out, CRLF as `|`.
fn answer(
    connection: &mut Connection,
    status: &str,
    fields: &[(&str, &str)],
    length: Option<u64>,
    pieces: &[&str],
) -> Result<String, SendError> {
    let mut serialised = Fields::new();
    for (name, value) in fields {
        serialised.push(name.as_bytes(), value.as_bytes()).unwrap();
    }
    let response = Response {
        status: status.as_bytes(),
        fields: &serialised,
        length,
        date: DATE,
        persistence: Persistence::Allow,
    };
    let mut out = Vec::new();
    connection.send(Outgoing::Head(&response), &mut out)?;
    for piece in pieces {
        connection.send(Outgoing::Body(piece.as_bytes()), &mut out)?;
    }
    connection.send(Outgoing::End, &mut out)?;
    let text = String::from_utf8(out).unwrap();
    let common = "Server: indrik\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n";
    Ok(text.replace(common, "").replace("\r\n", "|"))
}

/// Reads one request without a body, answers it, and compares.
#[track_caller]
fn check(wire: &str, status: &str, fields: &[(&str, &str)], length: Option<u64>, pieces: &[&str], want: &str) {
    let mut connection = connection(wire);
    assert_eq!(connection.next_event(), Ok(Event::Head));
    assert_eq!(answer(&mut connection, status, fields, length, pieces).as_deref(), Ok(want));
    assert_eq!(connection.keeps_alive(), want.contains("Connection: keep-alive"));
}

#[test]
fn the_first_fields_are_the_servers() {
    let mut connection = connection(GET);
    connection.next_event().unwrap();
    let fields = Fields::new();
    let response =
        Response { status: b"200 OK", fields: &fields, length: Some(0), date: DATE, persistence: Persistence::Allow };
    let mut out = Vec::new();
    connection.send(Outgoing::Head(&response), &mut out).unwrap();
    let want = "HTTP/1.1 200 OK\r\nServer: indrik\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
                Connection: keep-alive\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(String::from_utf8(out).unwrap(), want);
}

#[test]
fn a_body_is_chunked_or_counted_or_ends_with_the_connection() {
    let chunked = "HTTP/1.1 200 OK|Connection: keep-alive|Transfer-Encoding: chunked||3|abc|10|0123456789abcdef|0||";
    check(GET, "200 OK", &[], None, &["abc", "", "0123456789abcdef"], chunked);
    let counted = "HTTP/1.1 200 |Connection: keep-alive|Content-Length: 3||abc";
    check(GET, "200", &[], Some(3), &["abc"], counted);
    let counted = "HTTP/1.1 200 OK|Connection: keep-alive|content-length: 3||abc";
    check(GET, "200 OK", &[("content-length", "3")], Some(9), &["ab", "cd"], counted);
    let until_close = "HTTP/1.0 200 OK|Connection: close||abc";
    check("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "200 OK", &[], None, &["abc"], until_close);
    let counted = "HTTP/1.0 200 OK|Connection: keep-alive|Content-Length: 3||abc";
    check("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "200 OK", &[], Some(3), &["abc"], counted);
}

#[test]
fn answers_without_a_body_have_none() {
    let head = GET.replace("GET", "HEAD");
    let length = [("Content-Length", "5")];
    let kept = |status: &str, fields: &str| format!("HTTP/1.1 {status}|Connection: keep-alive|{fields}|");
    check(&head, "200 OK", &[], None, &["hello"], &kept("200 OK", ""));
    check(&head, "200 OK", &[], Some(0), &[""], &kept("200 OK", ""));
    check(&head, "200 OK", &[], Some(5), &["hello"], &kept("200 OK", "Content-Length: 5|"));
    check(&head, "200 OK", &length, None, &[], &kept("200 OK", "Content-Length: 5|"));
    check(GET, "304 Not Modified", &length, None, &["hello"], &kept("304 Not Modified", "Content-Length: 5|"));
    check(GET, "304 Not Modified", &[], Some(5), &["hello"], &kept("304 Not Modified", ""));
    check(GET, "204 No Content", &length, Some(5), &["hello"], &kept("204 No Content", ""));
    let fields = [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Content-Length", "5")];
    check(GET, "101 Sw", &fields, None, &[], "HTTP/1.1 101 Sw|Connection: upgrade|Upgrade: websocket||");
    let mut connection = connection(&head);
    connection.next_event().unwrap();
    assert!(!connection.is_bodyless());
    let mut out = Vec::new();
    let fields = Fields::new();
    let response =
        Response { status: b"200 OK", fields: &fields, length: None, date: DATE, persistence: Persistence::Allow };
    connection.send(Outgoing::Head(&response), &mut out).unwrap();
    assert!(connection.is_bodyless());
    assert_eq!(connection.frame(5, &mut out), Frame { take: 0, suffix: b"", excess: false });
}

#[test]
fn anyone_can_close() {
    let close = "HTTP/1.1 200 OK|Connection: close|Content-Length: 0||";
    check(GET, "200 OK", &[("Connection", "close")], Some(0), &[], close);
    check("GET / HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\n\r\n", "200 OK", &[], Some(0), &[], close);
    check("GET / HTTP/1.0\r\n\r\n", "200 OK", &[], Some(0), &[], &close.replace("1.1", "1.0"));
    let tunnel = "HTTP/1.1 200 OK|Connection: close||";
    check("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", "200 OK", &[("Content-Length", "0")], None, &[], tunnel);
}

#[test]
fn pieces_can_be_framed_without_a_copy() {
    let mut connection = connection(GET);
    connection.next_event().unwrap();
    let mut fields = Fields::new();
    fields.push(b"Content-Length", b"5").unwrap();
    let response =
        Response { status: b"200 OK", fields: &fields, length: None, date: DATE, persistence: Persistence::Allow };
    let mut out = Vec::new();
    assert_eq!(connection.frame(3, &mut out).take, 0);
    connection.send(Outgoing::Head(&response), &mut out).unwrap();
    assert_eq!(connection.frame(3, &mut out), Frame { take: 3, suffix: b"", excess: false });
    assert_eq!(connection.frame(3, &mut out), Frame { take: 2, suffix: b"", excess: true });
    assert_eq!(connection.send(Outgoing::End, &mut out), Ok(()));
}

#[test]
fn a_short_body_ends_the_connection() {
    let mut connection = connection(GET);
    connection.next_event().unwrap();
    let short = answer(&mut connection, "200 OK", &[("Content-Length", "5")], None, &["abc"]);
    assert_eq!(short, Err(SendError::ShortBody { missing: 2 }));
    assert!(!connection.keeps_alive());
    connection.next_event().unwrap();
    connection.next_cycle();
    assert_eq!(connection.next_event(), Ok(Event::Closed));
}

#[test]
fn answers_out_of_turn_are_refused() {
    let mut connection = connection("");
    let mut out = Vec::new();
    assert_eq!(connection.send(Outgoing::Continue, &mut out), Err(SendError::OutOfTurn));
    connection.receive(GET.as_bytes());
    connection.next_event().unwrap();
    assert_eq!(connection.send(Outgoing::Body(b"a"), &mut out), Err(SendError::OutOfTurn));
    assert_eq!(connection.send(Outgoing::End, &mut out), Err(SendError::OutOfTurn));
    assert_eq!(connection.send(Outgoing::Continue, &mut out), Ok(()));
    assert_eq!(out, b"HTTP/1.1 100 Continue\r\n\r\n");
    answer(&mut connection, "200 OK", &[], None, &[]).unwrap();
    assert_eq!(answer(&mut connection, "200 OK", &[], None, &[]), Err(SendError::OutOfTurn));
    assert_eq!(connection.send(Outgoing::Continue, &mut out), Err(SendError::OutOfTurn));
    assert_eq!(connection.send(Outgoing::Body(b"a"), &mut out), Err(SendError::OutOfTurn));
}

#[test]
fn a_body_can_be_received_elsewhere() {
    let mut connection = connection("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc");
    assert_eq!(connection.next_event(), Ok(Event::Head));
    assert_eq!(connection.direct_remaining(), 0);
    assert_eq!(connection.next_event(), Ok(Event::Body));
    assert_eq!(connection.body_chunk(), b"abc");
    assert_eq!(connection.direct_remaining(), 7);
    connection.received_directly(6);
    assert_eq!(connection.next_event(), Ok(Event::NeedBytes));
    connection.receive(b"jGET");
    assert_eq!(connection.direct_remaining(), 0);
    assert_eq!(connection.next_event(), Ok(Event::Body));
    assert_eq!(connection.body_chunk(), b"j");
    assert_eq!(connection.next_event(), Ok(Event::End));
    assert_eq!(connection.direct_remaining(), 0);
    assert!(connection.has_input());
}

#[test]
fn a_long_body_does_not_grow_the_buffer_and_the_head_stays() {
    let mut connection = connection("PUT /up HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    assert_eq!(connection.next_event(), Ok(Event::Head));
    let chunk = format!("3e8\r\n{}\r\n", "x".repeat(1000));
    let mut body_len = 0;
    for _ in 0..200 {
        connection.receive(chunk.as_bytes());
        while connection.next_event().unwrap() == Event::Body {
            body_len += connection.body_chunk().len();
        }
        assert_eq!(connection.head().first_line().to_string(), "PUT /up HTTP/1.1");
        assert_eq!(connection.head().field("host"), Some(&b"a"[..]));
    }
    assert_eq!(body_len, 200_000);
    connection.receive(b"0\r\n\r\n");
    assert_eq!(connection.next_event(), Ok(Event::End));
    answer(&mut connection, "200 OK", &[], None, &[]).unwrap();
    connection.next_cycle();
    assert_eq!(connection.take_buffer().map(|buffer| buffer.len()), Some(16 << 10));
}

#[test]
fn an_exchange_that_is_not_over_is_not_followed_by_another() {
    let mut connection = connection("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 28\r\n\r\n");
    connection.next_event().unwrap();
    answer(&mut connection, "200 OK", &[], None, &[]).unwrap();
    assert!(connection.keeps_alive());
    connection.next_cycle();
    connection.receive(GET.as_bytes());
    assert_eq!(connection.next_event(), Ok(Event::Closed));
}

#[test]
fn a_peer_that_leaves_is_closed_or_truncated() {
    let mut idle = connection("\r\n");
    idle.end_of_input();
    assert_eq!(idle.next_event(), Ok(Event::Closed));
    let mut cut = connection("GET");
    assert_eq!(cut.next_event(), Ok(Event::NeedBytes));
    cut.end_of_input();
    assert_eq!(cut.next_event(), Err(Error::Truncated));
    assert_eq!(cut.next_event(), Err(Error::Truncated));
    let mut whole = connection(GET);
    whole.end_of_input();
    assert_eq!(whole.next_event(), Ok(Event::Head));
    assert_eq!(whole.next_event(), Ok(Event::End));
    answer(&mut whole, "200 OK", &[], None, &[]).unwrap();
    whole.next_cycle();
    assert_eq!(whole.next_event(), Ok(Event::Closed));
}

#[test]
fn what_was_understood_of_a_bad_head_can_be_told() {
    let mut bad = connection("POST /p?q HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n");
    assert!(bad.next_event().is_err());
    assert_eq!(bad.head().first_line().to_string(), "POST /p?q HTTP/1.1");
    assert_eq!(bad.head().field("HOST"), Some(&b"a"[..]));
    let mut other = connection("nonsense\r\n\r\n");
    assert!(other.next_event().is_err());
    assert_eq!(other.head().method(), "");
    let mut cut = connection("GET / HTTP/1.1\r\nHost: a\r\nA: b\n\r\n");
    assert_eq!(cut.next_event(), Err(Error::BareLineFeed));
    assert_eq!(cut.head().fields().len(), 1);
}

#[test]
fn what_stands_before_the_first_request_can_be_looked_at_and_skipped() {
    let mut connection = connection("PROXY UNKNOWN");
    assert_eq!(connection.unread(), b"PROXY UNKNOWN");
    assert_eq!(connection.next_event(), Ok(Event::NeedBytes));
    connection.skip(99);
    assert_eq!(connection.unread(), b"");
    connection.receive(format!("\x01\x02{GET}{GET}").as_bytes());
    connection.skip(2);
    assert_eq!(connection.next_event(), Ok(Event::Head));
    assert_eq!(connection.unread(), GET.as_bytes());
    connection.skip(4);
    assert_eq!(connection.unread(), GET.as_bytes());
    assert_eq!(connection.head().first_line().to_string(), "GET / HTTP/1.1");
}

#[test]
fn a_forwarder_is_believed_from_the_next_head_on() {
    let fields = "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-Proto: https\r\nScript_Name: /s\r\nA_b: c\r\n\r\n";
    let mut connection = connection(&fields.repeat(3));
    let mut seen = Vec::new();
    for _ in 0..3 {
        assert_eq!(connection.next_event(), Ok(Event::Head));
        let head = connection.head();
        let names: Vec<_> = head.dropped().collect();
        seen.push((head.is_secure(), head.field("SCRIPT_NAME").is_some(), names.join(" ")));
        assert_eq!(connection.next_event(), Ok(Event::End));
        answer(&mut connection, "200 OK", &[], None, &[]).unwrap();
        connection.trust_forwarder();
        connection.next_cycle();
    }
    let trusted = (Some(true), true, "A_b".to_owned());
    assert_eq!(seen, [(None, false, "Script_Name A_b".to_owned()), trusted.clone(), trusted]);
}
