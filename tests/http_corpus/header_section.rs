//! Fields: their form, their limits, and those that say whom a request is for and what it expects.

use std::sync::Arc;

use indrik::http::{Connection, Event, Limits, Policy, Version};

use super::reader::{Peer, bytes};
use super::{check, check_fields, check_within, sees};

#[test]
fn a_field_line_without_a_colon_is_refused() {
    check_fields("A", "refuse 400: Invalid HTTP Header: 'A'");
    check_fields("A b", "refuse 400: Invalid HTTP Header: 'A b'");
}

#[test]
fn a_field_name_that_is_no_token_is_refused() {
    for (name, text) in [
        ("", ""),
        ("A ", "A "),
        ("A\t", r"A\t"),
        ("A b", "A b"),
        ("A\u{e9}", r"A\xe9"),
        ("A\0", r"A\x00"),
        ("A\r", r"A\r"),
        ("(A)", "(A)"),
    ] {
        check_fields(&format!("{name}: b"), &format!("refuse 400: Invalid HTTP header name: '{text}'"));
    }
}

#[test]
fn a_folded_line_is_refused() {
    check_fields("A: b| c", "refuse 400: Obsolete line folding is unacceptable: ' c'");
    check_fields("A: b|\tc: d", r"refuse 400: Obsolete line folding is unacceptable: '\tc: d'");
    check_fields("A:| b", "refuse 400: Obsolete line folding is unacceptable: ' b'");
    check("GET / HTTP/1.1| Host: a||", "refuse 400: Obsolete line folding is unacceptable: ' Host: a'");
}

#[test]
fn control_bytes_in_a_value_are_refused() {
    for byte in (0..=0x1fu8).chain([0x7f]) {
        let byte = char::from(byte);
        if !"\t\n".contains(byte) {
            check_fields(&format!("A: b{byte}c"), "refuse 400: Invalid value of HTTP Header: 'A'");
        }
    }
    check_fields("A: b\r", "refuse 400: Invalid value of HTTP Header: 'A'");
    check_fields("A:\r b", "refuse 400: Invalid value of HTTP Header: 'A'");
}

#[test]
fn tabs_and_obs_text_in_a_value_are_accepted() {
    for value in ["b\tc", "\u{80}\u{ff}", "\t b \t", "", " \t "] {
        check_fields(&format!("A:{value}"), "GET / HTTP/1.1");
    }
}

#[test]
fn too_many_fields_are_refused_with_431() {
    let fields = |count: usize| vec!["A: b"; count - 1].join("|");
    check_fields(&fields(100), "GET / HTTP/1.1");
    check_fields(&fields(101), "refuse 431: Too many header fields (> 100)");
    check_within(Limits::new(0, 0, 0), &format!("GET / HTTP/1.1|Host: a|{}||", fields(300)), "GET / HTTP/1.1");
    let few = Limits::new(0, 2, 0);
    check_within(few, "GET / HTTP/1.1|Host: a|A: b||", "GET / HTTP/1.1");
    let want = "refuse 431: Too many header fields (> 2)";
    check_within(few, "GET / HTTP/1.1|Host: a|A_b: c|D: e||", want);
}

#[test]
fn a_long_field_is_refused_with_431() {
    let field = |len: usize| format!("A: {}", "b".repeat(len - 5));
    check_fields(&field(8190), "GET / HTTP/1.1");
    let want = "refuse 431: Header field is too large (> 8190 bytes)";
    check_fields(&field(8191), want);
    check(&format!("GET / HTTP/1.1|{}|Host: a||", field(8191)), want);
    check(&format!("GET / HTTP/1.1|{}", "a".repeat(8191)), want);
    check(&format!("GET / HTTP/1.1|{}", "a".repeat(8190)), "waits");
}

#[test]
fn a_long_section_is_refused_with_431() {
    let limits = Limits::new(0, 0, 0);
    let field = format!("A: {}|", "b".repeat(8185));
    let rest_len = (1 << 20) - 128 * 8190 - "Host: a||".len() - 2;
    let wire =
        |rest_len: usize| format!("GET / HTTP/1.1|Host: a|{}A: {}||", field.repeat(128), "b".repeat(rest_len - 3));
    check_within(limits, &wire(rest_len - 2), "GET / HTTP/1.1");
    check_within(limits, &wire(rest_len - 1), "refuse 431: Header section is too large (> 1048576 bytes)");
}

#[test]
fn a_long_section_of_few_fields_is_refused_with_431() {
    let limits = Limits::new(0, 0, 1 << 20);
    let wire = |len: usize| format!("GET / HTTP/1.1|Host: a|A: {}||", "b".repeat(len - 16));
    check_within(limits, &wire(1 << 20), "GET / HTTP/1.1");
    check_within(limits, &wire((1 << 20) + 1), "refuse 431: Header section is too large (> 1048576 bytes)");
}

#[test]
fn a_slow_large_head_costs_no_more_than_its_bytes() {
    let field = format!("A: {}|", "b".repeat(8000));
    check(&format!("GET / HTTP/1.1|Host: a|{}|", field.repeat(99)), "GET / HTTP/1.1");
}

#[test]
fn a_repeated_host_or_content_type_is_refused() {
    check_fields("Host: a", "refuse 400: Repeated HTTP Header: 'Host'");
    check_fields("hOST: b", "refuse 400: Repeated HTTP Header: 'Host'");
    check_fields("Content-Type: a/b|content-type: a/b", "refuse 400: Repeated HTTP Header: 'Content-Type'");
}

#[test]
fn a_missing_host_is_refused_from_1_1_on() {
    check("GET / HTTP/1.1||", "refuse 400: Missing HTTP Header: 'Host'");
    check("GET http://a/ HTTP/1.1||", "refuse 400: Missing HTTP Header: 'Host'");
    check("GET / HTTP/1.0||", "GET / HTTP/1.0, closes");
}

#[test]
fn an_invalid_host_is_refused() {
    for host in ["a b", "<x>", "a/b", "u@a", "a:b", "a:1:2", "a:65536", "::1", "[::1", "a, b", "a%2"] {
        check(&format!("GET / HTTP/1.1|Host: {host}||"), &format!("refuse 400: Invalid Host: '{host}'"));
        check(&format!("GET / HTTP/1.0|Host: {host}||"), &format!("refuse 400: Invalid Host: '{host}'"));
    }
    for host in ["", "a", "web_1:8000", "a%20b", "1.2.3.4", "[::1]:80"] {
        check(&format!("GET / HTTP/1.1|Host: {host}||"), "GET / HTTP/1.1");
    }
}

#[test]
fn a_host_that_contradicts_the_target_is_refused() {
    check("GET http://b/ HTTP/1.1|Host: a||", "refuse 400: Host differs from the request target: 'a'");
    check("GET http://a:81/ HTTP/1.1|Host: a||", "refuse 400: Host differs from the request target: 'a'");
    check("GET http://a/ HTTP/1.1|Host:||", "refuse 400: Host differs from the request target: ''");
    check("GET http://a:80/ HTTP/1.1|Host: A||", "GET http://a:80/ HTTP/1.1");
}

#[test]
fn only_100_continue_can_be_expected() {
    check("POST / HTTP/1.1|Host: a|Expect: 100-Continue|Content-Length: 1||b", "POST / HTTP/1.1 with 'b'");
    check("POST / HTTP/1.0|Expect: 100-continue|Content-Length: 1||b", "POST / HTTP/1.0 with 'b', closes");
    for value in ["", "100-continue, x", "x"] {
        let want = format!("refuse 417: Unable to comply with expectation: '{value}'");
        check_fields(&format!("Expect: {value}"), &want);
    }
}

#[test]
fn a_continue_is_owed_only_to_a_1_1_client_with_a_body() {
    let expects = |wire: &str| {
        let mut connection = Connection::new(Arc::default());
        connection.receive(&bytes(wire));
        assert_eq!(connection.next_event(), Ok(Event::Head));
        connection.head().expects_continue()
    };
    assert!(expects("POST / HTTP/1.1|Host: a|expect: 100-CONTINUE|Content-Length: 1||"));
    assert!(expects("POST / HTTP/1.1|Host: a|Expect: 100-continue|Transfer-Encoding: chunked||"));
    assert!(!expects("POST / HTTP/1.1|Host: a|Expect: 100-continue|Content-Length: 0||"));
    assert!(!expects("POST / HTTP/1.0|Host: a|Expect: 100-continue|Content-Length: 1||"));
    assert!(!expects("POST / HTTP/1.1|Host: a|Content-Length: 1||"));
}

#[test]
fn a_head_shows_its_parts_as_sent() {
    let mut connection = Connection::new(Arc::default());
    connection.receive(&bytes("GET http://A:80/p%20q?r=s#t HTTP/1.2|hOsT: a|X~Y: 1|x-y:\u{e9} ||"));
    assert_eq!(connection.next_event(), Ok(Event::Head));
    let head = connection.head();
    assert_eq!((head.method(), head.target()), ("GET", "http://A:80/p%20q?r=s#t"));
    assert_eq!((head.path(), head.query()), ("/p%20q", "r=s"));
    assert_eq!((head.version(), head.protocol()), (Version::Http11, "HTTP/1.1"));
    assert_eq!((head.host(), head.field("Host")), (Some(&b"A:80"[..]), Some(&b"a"[..])));
    let fields: Vec<_> = head.fields().map(|field| (field.name, field.value)).collect();
    assert_eq!(fields, [("hOsT", &b"a"[..]), ("X~Y", b"1"), ("x-y", b"\xe9")]);
    assert_eq!(head.fields().len(), 3);
}

#[test]
fn order_case_and_duplicates_of_fields_are_kept() {
    let seen = sees(Policy::default(), Peer::Stranger, "b: 1|A: 2|B: 1|a: 3|Cookie: x|cookie: y");
    assert_eq!(seen.fields, ["Host: a", "b: 1", "A: 2", "B: 1", "a: 3", "Cookie: x", "cookie: y"]);
}

#[test]
fn an_upgrade_is_a_field_like_any_other() {
    check_fields("Connection: Upgrade, HTTP2-Settings|Upgrade: h2c|HTTP2-Settings: AAMAAABk", "GET / HTTP/1.1");
    check_fields("Connection: upgrade, close|Upgrade: websocket", "GET / HTTP/1.1, closes");
}
