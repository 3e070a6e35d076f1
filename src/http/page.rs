//! The answer that needs no application: an error page, complete with head, after which the connection closes.

use super::response::{push_number, server};

/// Appends a whole error response to `out`: status line, `Server`, `Date`, `Connection: close`, and Gunicorn's HTML.
///
/// `reason`: see [`reason`]. `message`: the sentence for the reader, escaped here; empty for faults of ours. `date`:
/// IMF-fixdate. `method_is_head`: the page is announced with its length and left out.
///
/// Returns the bytes of its body.
pub fn error_page(
    code: u16,
    reason: &str,
    message: &str,
    date: &[u8],
    method_is_head: bool,
    out: &mut Vec<u8>,
) -> usize {
    let mut message_html = Vec::with_capacity(message.len());
    escape(message, &mut message_html);
    let body: [&[u8]; 7] = [
        b"<html>\n  <head>\n    <title>",
        reason.as_bytes(),
        b"</title>\n  </head>\n  <body>\n    <h1><p>",
        reason.as_bytes(),
        b"</p></h1>\n    ",
        &message_html,
        b"\n  </body>\n</html>\n",
    ];
    let body_len: usize = body.iter().map(|piece| piece.len()).sum();

    out.extend_from_slice(b"HTTP/1.1 ");
    push_number(u64::from(code), out);
    out.push(b' ');
    out.extend_from_slice(reason.as_bytes());
    out.extend_from_slice(b"\r\nServer: ");
    out.extend_from_slice(server().as_bytes());
    out.extend_from_slice(b"\r\nDate: ");
    out.extend_from_slice(date);
    if code == 503 {
        // The server is at its limits for a moment, not for a time that it could tell.
        out.extend_from_slice(b"\r\nRetry-After: 1");
    }
    out.extend_from_slice(b"\r\nConnection: close\r\nContent-Type: text/html\r\nContent-Length: ");
    push_number(body_len as u64, out);
    out.extend_from_slice(b"\r\n\r\n");
    if method_is_head {
        return 0;
    }
    body.iter().for_each(|piece| out.extend_from_slice(piece));
    body_len
}

/// The reason phrase of a status that the server itself may send; `""` for any other.
///
/// Source: RFC 9110 §15, RFC 6585 (429, 431), RFC 4918 (507).
pub fn reason(code: u16) -> &'static str {
    match code {
        400 => "Bad Request",
        403 => "Forbidden",
        408 => "Request Timeout",
        413 => "Content Too Large",
        414 => "URI Too Long",
        417 => "Expectation Failed",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        507 => "Insufficient Storage",
        _ => "",
    }
}

fn escape(text: &str, out: &mut Vec<u8>) {
    for byte in text.bytes() {
        match byte {
            b'&' => out.extend_from_slice(b"&amp;"),
            b'<' => out.extend_from_slice(b"&lt;"),
            b'>' => out.extend_from_slice(b"&gt;"),
            b'"' => out.extend_from_slice(b"&quot;"),
            b'\'' => out.extend_from_slice(b"&#x27;"),
            other => out.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATE: &[u8] = b"Sun, 06 Nov 1994 08:49:37 GMT";

    #[test]
    fn a_page_escapes_what_the_peer_sent() {
        let mut out = Vec::new();
        error_page(400, reason(400), "bad <'\"&>", DATE, false, &mut out);
        let page = String::from_utf8(out).unwrap();
        let (head, body) = page.split_once("\r\n\r\n").unwrap();
        let length = body.len();
        let want = format!(
            "HTTP/1.1 400 Bad Request\r\nServer: indrik\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
             Connection: close\r\nContent-Type: text/html\r\nContent-Length: {length}"
        );
        assert_eq!(head, want);
        let want = "<html>\n  <head>\n    <title>Bad Request</title>\n  </head>\n  <body>\n    \
                    <h1><p>Bad Request</p></h1>\n    bad &lt;&#x27;&quot;&amp;&gt;\n  </body>\n</html>\n";
        assert_eq!(body, want);
    }

    #[test]
    fn head_gets_the_length_without_the_page() {
        let (mut page, mut head) = (Vec::new(), Vec::new());
        error_page(500, reason(500), "", DATE, false, &mut page);
        error_page(500, reason(500), "", DATE, true, &mut head);
        assert!(head.ends_with(b"\r\n\r\n"));
        assert!(page.starts_with(&head));
        assert!(page.len() > head.len());
    }
}
