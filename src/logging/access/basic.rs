//! The user name of `Authorization: Basic`, for `%(u)s`. Nobody has checked it: it is what the client claims.

/// The longest user name that is shown, in bytes; the rest is cut off. A bound for a buffer on the stack.
pub(super) const USER_LEN: usize = 512;

/// Decodes the part before the colon into `room`; `None` for another scheme, an empty name or what is no base64.
///
/// Source: RFC 7617 §2, RFC 4648 §4. Missing padding is accepted.
pub(super) fn user<'a>(authorization: &[u8], room: &'a mut [u8; USER_LEN]) -> Option<&'a [u8]> {
    let space = authorization.iter().position(|byte| *byte == b' ')?;
    let (scheme, credentials) = authorization.split_at(space);
    if !scheme.eq_ignore_ascii_case(b"basic") {
        return None;
    }
    let mut len = 0;
    let mut bits = 0u32;
    let mut bit_count = 0;
    for byte in credentials.trim_ascii() {
        if *byte == b'=' {
            break;
        }
        bits = bits << 6 | u32::from(sextet(*byte)?);
        bit_count += 6;
        if bit_count < 8 {
            continue;
        }
        bit_count -= 8;
        let decoded = (bits >> bit_count) as u8;
        if decoded == b':' || len == room.len() {
            break;
        }
        room[len] = decoded;
        len += 1;
    }
    (len > 0).then_some(&room[..len])
}

fn sextet(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(authorization: &str, want: Option<&[u8]>) {
        let mut room = [0; USER_LEN];
        assert_eq!(user(authorization.as_bytes(), &mut room), want);
    }

    #[test]
    fn the_user_is_what_stands_before_the_colon() {
        check("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", Some(b"Aladdin"));
        check("bAsIc   QWxhZGRpbjpvcGVuIHNlc2FtZQ==  ", Some(b"Aladdin"));
        check("Basic QWxhZGRpbg==", Some(b"Aladdin"));
        check("Basic QWxhZGRpbg", Some(b"Aladdin"));
        check("Basic +/8=", Some(b"\xfb\xff"));
        check("Basic YQpiOng=", Some(b"a\nb"));
    }

    #[test]
    fn anything_else_names_nobody() {
        check("", None);
        check("Basic", None);
        check("Basic ", None);
        check("Basic Ong=", None);
        check("Basic Q*==", None);
        check("Basic QQ\r\nQQ", None);
        check("Bearer QWxhZGRpbjpvcGVu", None);
        check("BasicQWxhZGRpbjpvcGVu x", None);
    }

    #[test]
    fn a_long_name_is_cut() {
        let long = format!("Basic {}", "YWFh".repeat(USER_LEN));
        check(&long, Some(&[b'a'; USER_LEN]));
    }
}
