//! What Gunicorn once got wrong, release by release: each hole stays closed here. Proxies, settings and the application
//! boundary have their part of this list in other tests.

use std::sync::Arc;

use indrik::http::{Connection, Event, FieldError, Fields, Outgoing, Persistence, Policy, Response, SendError, status};

use super::reader::bytes;
use super::{Peer, check, check_chunked, check_fields, sees};

/// A connection that has read `GET / HTTP/1.1`.
fn connection() -> Connection {
    let mut connection = Connection::new(Arc::default());
    connection.receive(&bytes("GET / HTTP/1.1|Host: a||"));
    assert_eq!(connection.next_event(), Ok(Event::Head));
    connection
}

#[test]
fn in_19_5_an_answer_could_be_split_by_a_line_end_in_a_field() {
    for value in ["a\r\nB: c", "a\nB: c", "a\rB: c", "a\r\n\r\n<html>", "\r\n", "a\0"] {
        assert!(matches!(Fields::new().push(b"A", value.as_bytes()), Err(FieldError::Value(_))), "{value:?}");
        assert!(matches!(Fields::new().push(value.as_bytes(), b"a"), Err(FieldError::Name(_))), "{value:?}");
        assert!(status(format!("200 {value}").as_bytes()).is_err(), "{value:?}");
    }
}

#[test]
fn in_22_0_transfer_encoding_smuggled_requests() {
    let hidden = "|1|Z|Q||";
    for value in ["chunked,gzip", "gzip", "chunked, identity", "chunked,chunked", "chunked,,"] {
        let want = format!("refuse 400: Invalid Transfer-Encoding: '{value}'");
        check(&format!("POST / HTTP/1.1|Host: a|Transfer-Encoding: {value}|{hidden}"), &want);
    }
    for (value, coding) in
        [("xchunked", "xchunked"), ("chunke", "chunke"), ("chunked\u{a0}", r"chunked\xa0"), (",chunked", "")]
    {
        let want = format!("refuse 501: Unsupported transfer coding: '{coding}'");
        check(&format!("POST / HTTP/1.1|Host: a|Transfer-Encoding: {value}|{hidden}"), &want);
    }
    let both = "refuse 400: Content-Length and Transfer-Encoding in one request";
    check_fields("Transfer-Encoding: chunked|Content-Length: 6", both);
    check_fields("Content-Length: 6|Transfer-Encoding: identity", both);
    check_fields("Transfer-Encoding : chunked", "refuse 400: Invalid HTTP header name: 'Transfer-Encoding '");
    check("POST / HTTP/1.0|Transfer-Encoding: chunked||0||", "refuse 400: Transfer-Encoding in HTTP/1.0");
}

#[test]
fn in_22_0_methods_were_whatever_stood_first() {
    for method in ["GET\t", "G\u{e9}T", "g\u{df}t", "GET#", "get", "G@T"] {
        let text = method.chars().map(|c| c as u8).collect::<Vec<_>>().escape_ascii().to_string();
        check(&format!("{method} / HTTP/1.1|Host: a||"), &format!("refuse 400: Invalid HTTP method: '{text}'"));
    }
}

#[test]
fn in_22_0_versions_were_any_digits() {
    for version in ["HTTP/1.01", "HTTP/01.1", "HTTP/11.1", "HTTP/1.1x", "HTTP/0.9", "HTTP/2.0", "HTTP/-1.1", "HTTP/1,1"]
    {
        check(&format!("GET / {version}|Host: a||"), &format!("refuse 400: Invalid HTTP Version: '{version}'"));
    }
}

#[test]
fn in_22_0_names_could_be_empty_or_mapped_onto_others() {
    check_fields(": a", "refuse 400: Invalid HTTP header name: ''");
    let seen = sees(Policy::default(), Peer::Stranger, "X-Forwarded-For: 192.0.2.1|X_Forwarded_For: 127.0.0.1");
    assert_eq!(seen.fields, ["Host: a", "X-Forwarded-For: 192.0.2.1"]);
}

#[test]
fn in_22_0_trailers_set_the_scheme() {
    let mut connection = Connection::new(Arc::default());
    connection.trust_forwarder();
    connection.receive(&bytes("POST / HTTP/1.1|Host: a|Transfer-Encoding: chunked||1|b|0|X-Forwarded-Proto: https||"));
    while connection.next_event() != Ok(Event::End) {}
    assert_eq!(connection.head().is_secure(), None);
    assert_eq!(connection.head().field("X-Forwarded-Proto"), None);
    assert_eq!(connection.head().fields().len(), 2);
}

#[test]
fn in_23_0_targets_could_be_empty_and_values_hold_line_ends() {
    check("GET  HTTP/1.1|Host: a||", "refuse 400: Invalid HTTP request target: ''");
    check_fields("A: b\rC: d", "refuse 400: Invalid value of HTTP Header: 'A'");
    check_fields("A: b\nC: d", "refuse 400: Invalid line ending: LF without CR");
    check_fields("A: b\0", "refuse 400: Invalid value of HTTP Header: 'A'");
}

#[test]
fn in_23_0_compressed_bodies_were_handed_on_as_they_were() {
    for coding in ["gzip", "x-gzip", "deflate", "compress", "x-compress"] {
        let want = format!("refuse 501: Unsupported transfer coding: '{coding}'");
        check_fields(&format!("Transfer-Encoding: {coding}, chunked"), &want);
        check_fields(&format!("Transfer-Encoding: {coding}|Transfer-Encoding: chunked"), &want);
    }
}

#[test]
fn in_25_0_a_client_of_1_0_was_told_to_continue() {
    let mut connection = Connection::new(Arc::default());
    connection.receive(&bytes("POST / HTTP/1.0|Expect: 100-continue|Content-Length: 1||"));
    assert_eq!(connection.next_event(), Ok(Event::Head));
    assert!(!connection.head().expects_continue());
}

#[test]
fn in_25_3_extensions_held_bare_line_ends_and_framings_were_stacked() {
    for extension in [";a\r", ";a=\r1", ";a=\"\r\"", ";\r"] {
        let text = extension.as_bytes().escape_ascii();
        check_chunked(&format!("1{extension}|a|0||"), &format!(", refuse 400: Invalid chunk extension: '1{text}'"));
    }
    check_fields("Content-Length: 1|Content-Length: 1", "refuse 400: Repeated HTTP Header: 'Content-Length'");
    let want = "refuse 400: Invalid Transfer-Encoding: 'chunked'";
    check_fields("Transfer-Encoding: chunked|Transfer-Encoding: chunked", want);
}

#[test]
fn in_26_0_targets_of_any_form_fit_any_method() {
    for target in ["a:80", "*", "a/b", "?a"] {
        let want = format!("refuse 400: Invalid HTTP request target: '{target}'");
        check(&format!("GET {target} HTTP/1.1|Host: a||"), &want);
    }
    for target in ["/", "*", "http://a:1/"] {
        let want = format!("refuse 400: Invalid HTTP request target: '{target}'");
        check(&format!("CONNECT {target} HTTP/1.1|Host: a||"), &want);
    }
}

#[test]
fn in_26_0_trailers_could_change_the_request() {
    for name in ["Host", "Content-Length", "Transfer-Encoding", "Trailer", "Authorization", "TE"] {
        check_chunked(&format!("0|{name}: 1||"), &format!(", refuse 400: Forbidden trailer: '{name}'"));
    }
}

#[test]
fn in_26_0_early_hints_went_out_unjudged() {
    let mut hints = Fields::new();
    assert!(hints.push(b"Link", b"</a>\r\n\r\nHTTP/1.1 200 OK").is_err());
    hints.push(b"Link", b"</a>; rel=preload").expect("the field is good");
    let mut out = Vec::new();
    assert_eq!(connection().send(Outgoing::EarlyHints(&hints), &mut out), Ok(()));
    assert_eq!(out, b"HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n");
}

#[test]
fn in_26_1_a_cut_last_chunk_ended_a_body() {
    for body in ["1|a|0$", "1|a|0|$", "1|a|0|\r$"] {
        check_chunked(body, " with 'a', refuse 400: Connection closed in the middle of a request");
    }
}

#[test]
fn in_26_1_host_and_content_type_could_be_repeated() {
    check_fields("Host: a", "refuse 400: Repeated HTTP Header: 'Host'");
    check_fields("Content-Type: a/b|Content-Type: a/b", "refuse 400: Repeated HTTP Header: 'Content-Type'");
}

#[test]
fn after_26_1_targets_held_bytes_that_are_not_visible() {
    for byte in (0..=0x20u8).chain(0x7f..=0xff).filter(|&byte| !b" \n".contains(&byte)) {
        let text = [byte].escape_ascii().to_string();
        let want = format!("refuse 400: Invalid HTTP request target: '/{text}'");
        check(&format!("GET /{} HTTP/1.1|Host: a||", char::from(byte)), &want);
    }
}

#[test]
fn after_26_1_any_number_of_empty_lines_stood_before_a_request() {
    check("|GET / HTTP/1.1|Host: a||", "GET / HTTP/1.1");
    check("||GET / HTTP/1.1|Host: a||", "refuse 400: Invalid HTTP request line: ''");
}

#[test]
fn after_26_1_a_bare_line_feed_was_waited_on() {
    let want = "refuse 400: Invalid line ending: LF without CR";
    for wire in ["GET / HTTP/1.1\n", "\n", "GET / HTTP/1.1|A: b\n", "GET / HTTP/1.1|Host: a|\n"] {
        check(wire, want);
    }
    check_chunked("1\n", ", refuse 400: Invalid line ending: LF without CR");
}

#[test]
fn after_26_1_lines_of_chunks_and_trailers_had_no_end() {
    check_chunked(&"f".repeat(8191), ", refuse 400: Chunk size line is too large (> 8190 bytes)");
    check_chunked(&format!("1;{}", "a".repeat(8189)), ", refuse 400: Chunk size line is too large (> 8190 bytes)");
    check_chunked(&format!("0|{}", "A: b|".repeat(101)), ", refuse 431: Too many header fields (> 100)");
}

#[test]
fn after_26_1_a_connection_went_on_behind_a_tunnel() {
    check("CONNECT a:1 HTTP/1.1|Host: a:1|Connection: keep-alive||", "CONNECT a:1 HTTP/1.1, closes");
}

#[test]
fn after_26_1_a_bad_answer_was_blamed_on_the_client() {
    let error = Fields::new().push(b"A b", b"c").unwrap_err();
    assert_eq!(error.to_string(), "Invalid response header name from the application: 'A b'");
    let error = status(b"200\r\n").unwrap_err();
    assert_eq!(error.to_string(), r"Invalid response status from the application: '200\r\n'");
    let mut connection = connection();
    let response = Response {
        status: b"200\r\n",
        fields: &Fields::new(),
        length: None,
        date: b"Sun, 06 Nov 1994 08:49:37 GMT",
        persistence: Persistence::Allow,
    };
    let mut out = Vec::new();
    assert!(matches!(connection.send(Outgoing::Head(&response), &mut out), Err(SendError::Status(_))));
    assert_eq!((out, connection.next_event()), (Vec::new(), Ok(Event::End)));
}
