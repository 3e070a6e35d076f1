//! Where a body ends, chunk by chunk and when the peer leaves.

use super::{check, check_chunked, check_fields};

#[test]
fn a_content_length_that_is_not_one_number_is_refused() {
    for value in ["1, 1", "+1", "-1", "0x1", "", "1 1", "1_0", "1.0", "18446744073709551616"] {
        let want = format!("refuse 400: Invalid Content-Length: '{value}'");
        check_fields(&format!("Content-Length: {value}"), &want);
    }
    check_fields("Content-Length: \u{b2}", r"refuse 400: Invalid Content-Length: '\xb2'");
    let twice = "refuse 400: Repeated HTTP Header: 'Content-Length'";
    check_fields("Content-Length: 1|Content-Length: 1", twice);
    check_fields("Content-Length: 1|content-length: 2", twice);
    check_fields("Content-Length: 18446744073709551615", "GET / HTTP/1.1, waits");
}

#[test]
fn both_framings_are_refused() {
    let want = "refuse 400: Content-Length and Transfer-Encoding in one request";
    check_fields("Content-Length: 5|Transfer-Encoding: chunked", want);
    check_fields("Transfer-Encoding: chunked|Content-Length: 0", want);
}

#[test]
fn a_transfer_encoding_in_1_0_is_refused() {
    check("POST / HTTP/1.0|Transfer-Encoding: chunked||0||", "refuse 400: Transfer-Encoding in HTTP/1.0");
}

#[test]
fn a_transfer_encoding_that_does_not_end_in_one_chunked_is_refused() {
    for value in ["gzip", "identity", "chunked, chunked", "chunked, gzip", "chunked, identity", "chunked,"] {
        let want = format!("refuse 400: Invalid Transfer-Encoding: '{value}'");
        check_fields(&format!("Transfer-Encoding: {value}"), &want);
    }
    let want = "refuse 400: Invalid Transfer-Encoding: 'chunked'";
    check_fields("Transfer-Encoding: chunked|Transfer-Encoding: chunked", want);
}

#[test]
fn a_coding_that_is_not_undone_is_refused_with_501() {
    for (value, coding) in [
        ("gzip, chunked", "gzip"),
        ("deflate, chunked", "deflate"),
        ("br, chunked", "br"),
        ("br", "br"),
        ("", ""),
        (", chunked", ""),
        ("\"chunked\"", "\\\"chunked\\\""),
        ("chunked;a=b", "chunked;a=b"),
    ] {
        let want = format!("refuse 501: Unsupported transfer coding: '{coding}'");
        check_fields(&format!("Transfer-Encoding: {value}"), &want);
    }
}

#[test]
fn identity_before_chunked_changes_nothing() {
    let wire = "POST / HTTP/1.1|Host: a|Transfer-Encoding: identity, Chunked||1|b|0||";
    check(wire, "POST / HTTP/1.1 with 'b'");
}

#[test]
fn without_framing_there_is_no_body() {
    check("POST / HTTP/1.1|Host: a||GET /b HTTP/1.1|Host: a||", "POST / HTTP/1.1; GET /b HTTP/1.1");
}

#[test]
fn a_framing_name_with_an_underscore_is_another_field() {
    check_fields("Content_Length: 5|Transfer_Encoding: chunked", "GET / HTTP/1.1");
}

#[test]
fn chunks_are_put_together() {
    check_chunked("5|hello|6| world|0||", " with 'hello world'");
    check_chunked("0||", "");
    check_chunked("0000000000000001|a|000||", " with 'a'");
    check_chunked("A|0123456789|0||", " with '0123456789'");
    check_chunked("3|a||0||", r" with 'a\r\n'");
}

#[test]
fn a_chunk_size_that_is_not_hexadecimal_is_refused() {
    for line in ["", "0x1", "+1", "-1", " 1", "1 ", "1\t", "1 1", "g", "1g", ";a=b", "00000000000000001", "\u{e9}"] {
        let text = line.chars().map(|c| c as u8).collect::<Vec<_>>().escape_ascii().to_string();
        check_chunked(&format!("{line}|a|0||"), &format!(", refuse 400: Invalid chunk size: '{text}'"));
    }
    check_chunked("fffffffffffffffff|a", ", refuse 400: Invalid chunk size: 'fffffffffffffffff'");
}

#[test]
fn a_chunk_size_of_sixteen_digits_is_a_number() {
    check_chunked("ffffffffffffffff|abc", " with 'abc', waits");
}

#[test]
fn a_long_chunk_size_line_is_refused() {
    let want = ", refuse 400: Chunk size line is too large (> 8190 bytes)";
    check_chunked(&"0".repeat(8191), want);
    check_chunked(&format!("1;{}|a|0||", "a".repeat(8187)), want);
    check_chunked(&format!("1;{}|a|0||", "a".repeat(8186)), " with 'a'");
    check_chunked("1\na|0||", ", refuse 400: Invalid line ending: LF without CR");
}

#[test]
fn a_chunk_extension_outside_the_grammar_is_refused() {
    for line in
        ["1;", "1;=b", "1;a=", "1;a b", "1;a=\"b", "1;a=\"b\"c", "1;a;", "1;a ", "1;a=b\rc", "1;a\0", "1;a=\"\r\""]
    {
        let text = line.as_bytes().escape_ascii();
        check_chunked(&format!("{line}|a|0||"), &format!(", refuse 400: Invalid chunk extension: '{text}'"));
    }
    for line in ["1;a", "1 ; a = b", "1\t;a=\"b c\\\"\u{e9}\"", "1;a;b;c=d"] {
        check_chunked(&format!("{line}|a|0;end||"), " with 'a'");
    }
}

#[test]
fn endless_chunk_extensions_are_refused() {
    let body = format!("1;{}|a|", "a".repeat(1000)).repeat(20);
    let want = format!(" with '{}', refuse 400: Chunk extensions are too large for their data", "a".repeat(16));
    check_chunked(&body, &want);
}

#[test]
fn chunk_data_without_crlf_behind_it_is_refused() {
    let want = " with 'a', refuse 400: Invalid chunk terminator is not '\\r\\n'";
    check_chunked("1|ab|0||", want);
    check_chunked("1|a\n0||", want);
    check_chunked("1|a\rb0||", want);
    check_chunked("1|a0||", want);
}

#[test]
fn trailers_are_judged_as_fields_and_dropped() {
    check_chunked("1|a|0|X-Sum: b||", " with 'a'");
    check_chunked("0| A: b||", ", refuse 400: Obsolete line folding is unacceptable: ' A: b'");
    check_chunked("0|A||", ", refuse 400: Invalid HTTP Header: 'A'");
    check_chunked("0|A : b||", ", refuse 400: Invalid HTTP header name: 'A '");
    check_chunked("0|A: b\0||", ", refuse 400: Invalid value of HTTP Header: 'A'");
    check_chunked("0|A: b\n|", ", refuse 400: Invalid line ending: LF without CR");
    check_chunked("0|\n", ", refuse 400: Invalid line ending: LF without CR");
}

#[test]
fn trailers_that_would_change_the_request_are_refused() {
    for name in ["Host", "content-length", "Transfer-Encoding", "Trailer", "AUTHORIZATION", "TE"] {
        check_chunked(&format!("0|{name}: 1||"), &format!(", refuse 400: Forbidden trailer: '{name}'"));
    }
}

#[test]
fn trailers_have_the_limits_of_fields() {
    check_chunked(&format!("0|{}|", "A: b|".repeat(100)), "");
    check_chunked(&format!("0|{}|", "A: b|".repeat(101)), ", refuse 431: Too many header fields (> 100)");
    let want = ", refuse 431: Header field is too large (> 8190 bytes)";
    check_chunked(&format!("0|A: {}", "b".repeat(8188)), want);
}

#[test]
fn a_cut_request_is_refused() {
    let want = "refuse 400: Connection closed in the middle of a request";
    check("G$", want);
    check("GET / HTTP/1.1|Host: a|$", want);
    check("POST / HTTP/1.1|Host: a|Content-Length: 5||hell$", &format!("POST / HTTP/1.1 with 'hell', {want}"));
    for body in ["$", "5$", "5|$", "5|he$", "5|hello$", "5|hello\r$", "5|hello|$", "5|hello|0|$", "5|hello|0|A: b|\r$"]
    {
        let data = &"hello"[..body.find("he").map_or(0, |_| if body.contains("hello") { 5 } else { 2 })];
        let seen = if data.is_empty() { String::new() } else { format!(" with '{data}'") };
        check_chunked(body, &format!("{seen}, {want}"));
    }
    check("GET / HTTP/1.1|Host: a||$", "GET / HTTP/1.1");
    check("$", "");
}
