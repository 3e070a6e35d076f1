//! Percent-encoding of request targets, undone.

use std::borrow::Cow;

/// The bytes that `bytes` stand for. A `%` without two hex digits behind it stands for itself.
///
/// Source: RFC 3986 §2.1; PEP 3333 wants `PATH_INFO` decoded.
pub fn percent_decode(bytes: &[u8]) -> Cow<'_, [u8]> {
    let Some(first) = bytes.iter().position(|&byte| byte == b'%') else { return Cow::Borrowed(bytes) };
    let mut decoded = bytes[..first].to_vec();
    let mut rest = &bytes[first..];
    while let Some((&byte, behind)) = rest.split_first() {
        let digits = if byte == b'%' { behind.first_chunk::<2>() } else { None };
        match digits.and_then(|[high, low]| Some(hex(*high)? << 4 | hex(*low)?)) {
            Some(byte) => {
                decoded.push(byte);
                rest = &behind[2..];
            }
            None => {
                decoded.push(byte);
                rest = behind;
            }
        }
    }
    Cow::Owned(decoded)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, want: &[u8]) {
        assert_eq!(&*percent_decode(text.as_bytes()), want, "{text}");
    }

    #[test]
    fn escapes_become_bytes() {
        check("/", b"/");
        check("/a%20b", b"/a b");
        check("/%2F%2f", b"///");
        check("/caf%C3%A9", "/café".as_bytes());
        check("/%00%0A", b"/\0\n");
        check("/a%25b", b"/a%b");
    }

    #[test]
    fn what_is_no_escape_stays() {
        check("/%", b"/%");
        check("/%4", b"/%4");
        check("/%zz", b"/%zz");
        check("/%%41", b"/%A");
    }
}
