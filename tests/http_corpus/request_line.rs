//! Request lines, and what other protocols send in their place.

use indrik::http::Limits;

use super::{check, check_within};

#[test]
fn a_request_line_has_three_words() {
    for line in ["GET", "GET /", "GET\t/\tHTTP/1.1", "/ HTTP/1.1"] {
        let text = line.replace('\t', "\\t");
        check(&format!("{line}|Host: a||"), &format!("refuse 400: Invalid HTTP request line: '{text}'"));
    }
    check("GET  / HTTP/1.1|Host: a||", "refuse 400: Invalid HTTP request target: ''");
    check("GET /  HTTP/1.1|Host: a||", "refuse 400: Invalid HTTP Version: ' HTTP/1.1'");
    check("GET / HTTP/1.1 |Host: a||", "refuse 400: Invalid HTTP Version: 'HTTP/1.1 '");
    check("GET /a b HTTP/1.1|Host: a||", "refuse 400: Invalid HTTP Version: 'b HTTP/1.1'");
    check(" GET / HTTP/1.1|Host: a||", "refuse 400: Invalid HTTP method: ''");
}

#[test]
fn a_method_that_is_no_token_is_refused() {
    for (method, text) in [("G(T", "G(T"), ("G\tT", r"G\tT"), ("G\u{e9}T", r"G\xe9T"), ("G\0T", r"G\x00T")] {
        check(&format!("{method} / HTTP/1.1|Host: a||"), &format!("refuse 400: Invalid HTTP method: '{text}'"));
    }
}

#[test]
fn an_unconventional_method_is_refused() {
    for method in ["get", "GeT", "G#T", "GE", "ABCDEFGHIJKLMNOPQRSTU"] {
        check(&format!("{method} / HTTP/1.1|Host: a||"), &format!("refuse 400: Invalid HTTP method: '{method}'"));
    }
    check("ABCDEFGHIJKLMNOPQRST / HTTP/1.1|Host: a||", "ABCDEFGHIJKLMNOPQRST / HTTP/1.1");
    check("M-SEARCH / HTTP/1.1|Host: a||", "M-SEARCH / HTTP/1.1");
}

#[test]
fn a_target_that_is_not_visible_ascii_is_refused() {
    for (target, text) in [
        ("/\u{1}", r"/\x01"),
        ("/\t", r"/\t"),
        ("/\r", r"/\r"),
        ("/\u{7f}", r"/\x7f"),
        ("/\u{e9}", r"/\xe9"),
        ("/\u{c3}\u{a9}", r"/\xc3\xa9"),
    ] {
        let want = format!("refuse 400: Invalid HTTP request target: '{text}'");
        check(&format!("GET {target} HTTP/1.1|Host: a||"), &want);
    }
}

#[test]
fn a_target_of_a_form_that_does_not_fit_is_refused() {
    for target in ["*", "a", "a/b", "a:80", "?a", "://a/", "http:/a", "http://[a/", "http://u@a/", "a?http://b/"] {
        let want = format!("refuse 400: Invalid HTTP request target: '{target}'");
        check(&format!("GET {target} HTTP/1.1|Host: a||"), &want);
    }
    check("CONNECT a HTTP/1.1|Host: a||", "refuse 400: Invalid HTTP request target: 'a'");
    check("OPTIONS * HTTP/1.1|Host: a||", "OPTIONS * HTTP/1.1");
    check("GET //a/b HTTP/1.1|Host: a||", "GET //a/b HTTP/1.1");
    check("GET http://a/b HTTP/1.1|Host: a||", "GET http://a/b HTTP/1.1");
}

#[test]
fn a_version_other_than_one_point_something_is_refused() {
    for version in ["http/1.1", "HTTP/1.10", "HTTP/1", "HTTP/0.9", "HTTP/2.0", "HTTP/1.a", "HTCPCP/1.0", ""] {
        let want = format!("refuse 400: Invalid HTTP Version: '{version}'");
        check(&format!("GET / {version}|Host: a||"), &want);
    }
}

#[test]
fn later_minor_versions_are_answered_as_1_1() {
    for minor in 2..=9 {
        check(&format!("GET / HTTP/1.{minor}|Host: a||"), "GET / HTTP/1.1");
        check(&format!("GET / HTTP/1.{minor}||"), "refuse 400: Missing HTTP Header: 'Host'");
    }
}

#[test]
fn a_long_request_line_is_refused_with_414() {
    let line = |len: usize| format!("GET /{} HTTP/1.1", "a".repeat(len - 14));
    check(&format!("{}|Host: a||", line(4094)), &line(4094));
    let want = "refuse 414: Request Line is too large (> 4094 bytes)";
    check(&format!("{}|Host: a||", line(4095)), want);
    check(&line(4097), want);
    check(&line(4096), "waits");
    check(&"a".repeat(4097), want);
    check(&format!("{}\n", "a".repeat(4096)), want);
    check(&format!("{}\n", "a".repeat(4095)), "refuse 400: Invalid line ending: LF without CR");
    check_within(Limits::new(0, 0, 0), &format!("{}|Host: a||", line(65_536)), &line(65_536));
    let want = "refuse 414: Request Line is too large (> 65536 bytes)";
    check_within(Limits::new(0, 0, 0), &format!("{}|Host: a||", line(65_537)), want);
}

#[test]
fn one_empty_line_before_a_request_is_ignored_and_two_are_refused() {
    check("|GET / HTTP/1.1|Host: a||", "GET / HTTP/1.1");
    check("GET / HTTP/1.1|Host: a|||GET / HTTP/1.1|Host: a||", "GET / HTTP/1.1; GET / HTTP/1.1");
    check("||GET / HTTP/1.1|Host: a||", "refuse 400: Invalid HTTP request line: ''");
    check("|", "");
    check("|$", "");
}

#[test]
fn a_bare_line_feed_is_refused_wherever_it_ends_a_line() {
    let want = "refuse 400: Invalid line ending: LF without CR";
    check("\n", want);
    check("\nGET / HTTP/1.1|Host: a||", want);
    check("|\nGET / HTTP/1.1|Host: a||", want);
    check("GET / HTTP/1.1\nHost: a||", want);
    check("GET / HT\nTP/1.1|Host: a||", want);
    check("GET / HTTP/1.1|Host: a\nA: b||", want);
    check("GET / HTTP/1.1|Host: a|\n", want);
    check("GET / HTTP/1.1|Host: a\n\n", want);
    check("GET / HTTP/1.1|Host: a\n|", want);
    check("GET / HTTP/1.0\n|", want);
    check("GET / HTTP/1.0|\n", want);
    check("GET / HTTP/1.1|Host: a|A: b\nc: d||", want);
    check("GET / HTTP/1.1|Host: a|A: \nc: d||", want);
}

#[test]
fn other_protocols_are_recognised_by_name() {
    let hello = "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}\u{fc}\u{3}\u{3}";
    check(hello, "refuse 400: TLS ClientHello on a plain HTTP port");
    check("PRI * HTTP/2.0||SM||", "refuse 400: HTTP/2 preface on an HTTP/1.1 port");
    check("PRI * HTTP/1.1|Host: a||", "refuse 400: Invalid HTTP request target: '*'");
    check("\u{16}", "waits");
    check("\u{16}\u{4}||", r"refuse 400: Invalid HTTP request line: '\x16\x04'");
    check("PROXY TCP4 1.2.3.4 5.6.7.8 1 2|", "refuse 400: Invalid HTTP request target: 'TCP4'");
}
