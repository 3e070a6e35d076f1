//! What each switch lets in when it is on, and what stays outside all the same. What it keeps out when it is off stands
//! in the other files.

use indrik::http::{HeaderMap, Limits, Policy};

use super::{Peer, check_chunked_with, check_fields_with, check_with, sees};

fn folding() -> Policy {
    Policy { obsolete_folding: true, ..Policy::default() }
}

fn spaces() -> Policy {
    Policy { header_spaces: true, ..Policy::default() }
}

fn any_method() -> Policy {
    Policy { unconventional_method: true, ..Policy::default() }
}

fn any_version() -> Policy {
    Policy { unconventional_version: true, ..Policy::default() }
}

fn casefolding() -> Policy {
    Policy { casefold_method: true, ..any_method() }
}

fn mapping(header_map: HeaderMap) -> Policy {
    Policy { header_map, ..Policy::default() }
}

/// Checks `line` with a Host behind it.
#[track_caller]
fn check_line(policy: Policy, line: &str, want: &str) {
    check_with(policy, Peer::Stranger, &format!("{line}|Host: a||"), want);
}

/// Checks a field as it is seen, which must be the only one behind Host.
#[track_caller]
fn check_field(policy: Policy, sent: &str, want: &str) {
    check_fields_with(policy.clone(), Peer::Stranger, sent, "GET / HTTP/1.1");
    assert_eq!(sees(policy, Peer::Stranger, sent).fields, ["Host: a", want]);
}

#[test]
fn folded_lines_are_joined_with_one_space() {
    for sent in ["A: b| c", "A: b|\tc", "A:b \t| \t c\t", "A:| b| c", "A: | b|\tc", "A: b| | c", "A: b| c| "] {
        check_field(folding(), sent, "A: b c");
    }
    check_field(folding(), "A: b|\t c|  d: e, f |\tg", "A: b c d: e, f g");
    check_field(folding(), "A:| ", "A: ");
    check_field(folding(), "A: b| ", "A: b");
    check_field(folding(), "A: \u{e9}| \u{ff}", r"A: \xe9 \xff");
}

#[test]
fn what_is_folded_means_what_it_means_joined() {
    let wire = "POST / HTTP/1.1|Host:| a|Transfer-Encoding:|\tidentity| ,|\tchunked||1|b|0||";
    check_with(folding(), Peer::Stranger, wire, "POST / HTTP/1.1 with 'b'");
    let wire = "POST / HTTP/1.1|Host: a|Content-Length:|\t1||b";
    check_with(folding(), Peer::Stranger, wire, "POST / HTTP/1.1 with 'b'");
    let check = |fields: &str, want: &str| check_fields_with(folding(), Peer::Stranger, fields, want);
    check("Connection: a| , close", "GET / HTTP/1.1, closes");
    check("Content-Length: 1| 2", "refuse 400: Invalid Content-Length: '1 2'");
    check("Content-Length: 1| Content-Length: 1", "refuse 400: Invalid Content-Length: '1 Content-Length: 1'");
    check("A: b| Transfer-Encoding: chunked", "GET / HTTP/1.1");
    check("Transfer-Encoding: chunked| x", "refuse 501: Unsupported transfer coding: 'chunked x'");
    let want = "refuse 400: Invalid Host: 'c d'";
    check_with(folding(), Peer::Stranger, "GET / HTTP/1.1|A: b|Host: c| d||", want);
}

#[test]
fn a_folded_line_in_front_of_all_fields_is_refused_even_if_permitted() {
    let want = "refuse 400: Obsolete line folding is unacceptable: ' Host: a'";
    check_with(folding(), Peer::Stranger, "GET / HTTP/1.1| Host: a||", want);
    check_with(folding(), Peer::Stranger, "GET / HTTP/1.1||| ", "refuse 400: Missing HTTP Header: 'Host'");
}

#[test]
fn folded_lines_are_values_without_controls() {
    let want = "refuse 400: Invalid value in a folded line of an HTTP Header";
    for line in [" c\0", "\tc\rd", " \u{7f}", "\t\u{b}", " \r"] {
        check_fields_with(folding(), Peer::Stranger, &format!("A: b|{line}"), want);
    }
    let want = "refuse 400: Invalid line ending: LF without CR";
    check_fields_with(folding(), Peer::Stranger, "A: b\n c", want);
    check_fields_with(folding(), Peer::Stranger, "A: b| c\n d", want);
}

#[test]
fn the_lines_of_a_field_have_one_limit_together() {
    let policy = Policy { limits: Limits::new(0, 2, 20), ..folding() };
    check_fields_with(policy.clone(), Peer::Stranger, "A: bcdef| 2345678", "GET / HTTP/1.1");
    check_fields_with(policy.clone(), Peer::Stranger, "A: b| c| d| e", "GET / HTTP/1.1");
    let want = "refuse 431: Header field is too large (> 20 bytes)";
    check_fields_with(policy.clone(), Peer::Stranger, "A: bcdef| 23456789", want);
    check_fields_with(policy.clone(), Peer::Stranger, "A: b| c| d| e| f", want);
    let want = "refuse 431: Too many header fields (> 2)";
    check_fields_with(policy, Peer::Stranger, "A: b| c|D: e", want);
    let policy = Policy { limits: Limits::new(0, 0, 1 << 20), ..folding() };
    let line = format!("| {}", "b".repeat(8000));
    check_fields_with(policy.clone(), Peer::Stranger, &format!("A: b{}", line.repeat(100)), "GET / HTTP/1.1");
    let want = "refuse 431: Header section is too large (> 1048576 bytes)";
    check_fields_with(policy, Peer::Stranger, &format!("A: b{}", line.repeat(132)), want);
}

#[test]
fn trailers_may_be_folded_where_fields_may() {
    check_chunked_with(folding(), "1|a|0|A: b| c|\td||", " with 'a'");
    check_chunked_with(folding(), "0| A: b||", ", refuse 400: Obsolete line folding is unacceptable: ' A: b'");
    let want = ", refuse 400: Invalid value in a folded line of an HTTP Header";
    check_chunked_with(folding(), "0|A: b| c\0||", want);
}

#[test]
fn blanks_before_the_colon_are_taken_off() {
    for sent in ["A : b", "A\t: b", "A \t :b"] {
        check_field(spaces(), sent, "A: b");
    }
    let check = |fields: &str, want: &str| check_fields_with(spaces(), Peer::Stranger, fields, want);
    check("Content-Length : x", "refuse 400: Invalid Content-Length: 'x'");
    check("Content-Length: 1|Content-Length\t: 1", "refuse 400: Repeated HTTP Header: 'Content-Length'");
    check(
        "Transfer-Encoding : chunked|Content-Length: 1",
        "refuse 400: Content-Length and Transfer-Encoding in one request",
    );
    check("Host : b", "refuse 400: Repeated HTTP Header: 'Host'");
    check_chunked_with(spaces(), "0|TE : a||", ", refuse 400: Forbidden trailer: 'TE'");
}

#[test]
fn other_blanks_in_names_are_refused_even_if_those_are_not() {
    let check = |fields: &str, want: &str| check_fields_with(spaces(), Peer::Stranger, fields, want);
    check("A b : c", "refuse 400: Invalid HTTP header name: 'A b'");
    check(": c", "refuse 400: Invalid HTTP header name: ''");
    check(" : c", "refuse 400: Obsolete line folding is unacceptable: ' : c'");
    check(" A: c", "refuse 400: Obsolete line folding is unacceptable: ' A: c'");
    check("A\u{b}: c", r"refuse 400: Invalid HTTP header name: 'A\x0b'");
    check("A\r: c", r"refuse 400: Invalid HTTP header name: 'A\r'");
}

#[test]
fn any_token_can_be_a_method() {
    for method in ["get", "GeT", "G#T", "GE", "g", "ABCDEFGHIJKLMNOPQRSTU", "a_b~!"] {
        check_line(any_method(), &format!("{method} / HTTP/1.1"), &format!("{method} / HTTP/1.1"));
    }
    for (method, text) in [("G(T", "G(T"), ("", ""), ("G\u{e9}T", r"G\xe9T"), ("G\0", r"G\x00")] {
        check_line(
            any_method(),
            &format!("{method} / HTTP/1.1"),
            &format!("refuse 400: Invalid HTTP method: '{text}'"),
        );
    }
}

#[test]
fn a_method_in_lower_case_is_another_method() {
    check_line(any_method(), "connect a:1 HTTP/1.1", "refuse 400: Invalid HTTP request target: 'a:1'");
    check_line(any_method(), "options * HTTP/1.1", "refuse 400: Invalid HTTP request target: '*'");
    let wire = "head / HTTP/1.1|Host: a||";
    check_with(any_method(), Peer::Stranger, wire, "head / HTTP/1.1");
}

#[test]
fn methods_are_put_in_upper_case_before_they_mean_anything() {
    check_line(casefolding(), "get / HTTP/1.1", "GET / HTTP/1.1");
    check_line(casefolding(), "heAd / HTTP/1.1", "HEAD / HTTP/1.1");
    check_line(casefolding(), "a#_z / HTTP/1.1", "A#_Z / HTTP/1.1");
    check_line(casefolding(), "options * HTTP/1.1", "OPTIONS * HTTP/1.1");
    check_with(casefolding(), Peer::Stranger, "connect a:1 HTTP/1.1|Host: a:1||", "CONNECT a:1 HTTP/1.1, closes");
    check_with(casefolding(), Peer::Stranger, "|get / HTTP/1.1|Host: a||", "GET / HTTP/1.1");
}

#[test]
fn a_method_in_lower_case_must_be_permitted_to_be_put_in_upper_case() {
    let policy = Policy { casefold_method: true, ..Policy::default() };
    check_line(policy.clone(), "get / HTTP/1.1", "refuse 400: Invalid HTTP method: 'get'");
    check_line(policy, "GET / HTTP/1.1", "GET / HTTP/1.1");
    check_line(casefolding(), "g(t / HTTP/1.1", "refuse 400: Invalid HTTP method: 'g(t'");
    check_line(casefolding(), "pri * HTTP/2.0", "refuse 400: HTTP/2 preface on an HTTP/1.1 port");
}

#[test]
fn other_versions_are_answered_as_the_nearest_one() {
    for version in ["2.0", "2.9", "3.0", "9.9"] {
        check_line(any_version(), &format!("GET / HTTP/{version}"), "GET / HTTP/1.1");
        let wire = format!("GET / HTTP/{version}||");
        check_with(any_version(), Peer::Stranger, &wire, "refuse 400: Missing HTTP Header: 'Host'");
    }
    for version in ["0.0", "0.9"] {
        let wire = format!("GET / HTTP/{version}||");
        check_with(any_version(), Peer::Stranger, &wire, "GET / HTTP/1.0, closes");
        let wire = format!("POST / HTTP/{version}|Transfer-Encoding: chunked||0||");
        check_with(any_version(), Peer::Stranger, &wire, "refuse 400: Transfer-Encoding in HTTP/1.0");
    }
}

#[test]
fn a_version_must_still_look_like_one() {
    for version in
        ["http/1.1", "HTTP/1.10", "HTTP/10.1", "HTTP/2", "HTTP/2.", "HTTP/a.b", "HTTP/2.0 ", "HTCPCP/1.0", ""]
    {
        let want = format!("refuse 400: Invalid HTTP Version: '{version}'");
        check_line(any_version(), &format!("GET / {version}"), &want);
    }
    check_line(any_version(), "PRI * HTTP/2.0", "refuse 400: HTTP/2 preface on an HTTP/1.1 port");
    check_line(any_version(), "GET /", "refuse 400: Invalid HTTP request line: 'GET /'");
}

#[test]
fn a_name_with_an_underscore_is_dropped() {
    for name in ["A_b", "_", "a_", "X-Forwarded_For", "SCRIPT_NAME", "Content_Length", "abcdefghijklmnop_q"] {
        let seen = sees(Policy::default(), Peer::Stranger, &format!("C: d|{name}: x|E: f"));
        assert_eq!((&seen.fields[..], &*seen.dropped), (&["Host: a", "C: d", "E: f"].map(str::to_owned)[..], name));
    }
    let seen = sees(Policy::default(), Peer::Stranger, "A_b: 1|C: d|a_B: 2|A-b: 3");
    assert_eq!((&seen.fields[1..], &*seen.dropped), (&["C: d", "A-b: 3"].map(str::to_owned)[..], "A_b a_B"));
}

#[test]
fn a_dropped_field_counts_for_the_limits() {
    let policy = Policy { limits: Limits::new(0, 3, 20), ..Policy::default() };
    let want = "refuse 431: Too many header fields (> 3)";
    check_fields_with(policy.clone(), Peer::Stranger, "A_b: 1|A_b: 2", "GET / HTTP/1.1");
    check_fields_with(policy.clone(), Peer::Stranger, "A_b: 1|A_b: 2|C: 3", want);
    let want = "refuse 431: Header field is too large (> 20 bytes)";
    check_fields_with(policy, Peer::Stranger, "A_b: 67890123456789", want);
}

#[test]
fn a_name_with_an_underscore_can_be_refused() {
    for name in ["A_b", "_", "SCRIPT_NAME", "abcdefgh_ijkl"] {
        let want = format!("refuse 400: Invalid HTTP header name: '{name}'");
        check_fields_with(mapping(HeaderMap::Refuse), Peer::Stranger, &format!("C: d|{name}: x"), &want);
    }
    check_fields_with(mapping(HeaderMap::Refuse), Peer::Stranger, "A-b: _", "GET / HTTP/1.1");
    let want = ", refuse 400: Invalid HTTP header name: 'A_b'";
    check_chunked_with(mapping(HeaderMap::Refuse), "0|A_b: c||", want);
    check_chunked_with(mapping(HeaderMap::Drop), "0|A_b: c||", "");
}

#[test]
fn a_name_with_an_underscore_can_be_kept() {
    check_field(mapping(HeaderMap::Dangerous), "A_b: c", "A_b: c");
    assert_eq!(sees(mapping(HeaderMap::Dangerous), Peer::Stranger, "A_b: c").dropped, "");
}

#[test]
fn a_name_with_an_underscore_never_means_anything_to_the_server() {
    let fields =
        "Content_Length: 5|Transfer_Encoding: chunked|Content_Type: a|Content_Type: b|Expect_: x|Connection_: close";
    for policy in [
        mapping(HeaderMap::Drop),
        mapping(HeaderMap::Dangerous),
        Policy { forwarder_headers: vec!["*".to_owned()], ..Policy::default() },
    ] {
        for peer in [Peer::Stranger, Peer::Forwarder] {
            check_fields_with(policy.clone(), peer, fields, "GET / HTTP/1.1");
        }
    }
}
