//! The character classes and small productions of RFC 9110 that every other file leans on.

/// `tchar`: what names, methods and chunk extension names are made of.
const TOKEN: u8 = 1;
/// Field values: HTAB, SP, VCHAR, obs-text.
const VALUE: u8 = 2;
/// What a registered name of RFC 3986 may hold besides percent-encoding.
const REG_NAME: u8 = 4;
/// Quoted strings, without the quote and the backslash.
const QUOTED: u8 = 8;

static CLASS: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let b = byte as u8;
        let mut class = 0;
        if b.is_ascii_alphanumeric() || is_one_of(b, b"!#$%&'*+-.^_`|~") {
            class |= TOKEN;
        }
        if b == b'\t' || (b >= b' ' && b != 0x7f) {
            class |= VALUE;
            if b != b'"' && b != b'\\' {
                class |= QUOTED;
            }
        }
        if b.is_ascii_alphanumeric() || is_one_of(b, b"-._~!$&'()*+,;=") {
            class |= REG_NAME;
        }
        table[byte] = class;
        byte += 1;
    }
    table
}

const fn is_one_of(byte: u8, set: &[u8]) -> bool {
    let mut i = 0;
    while i < set.len() {
        if set[i] == byte {
            return true;
        }
        i += 1;
    }
    false
}

fn is(byte: u8, class: u8) -> bool {
    CLASS[usize::from(byte)] & class != 0
}

/// `token = 1*tchar`. Source: RFC 9110 §5.6.2.
pub(super) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|&b| is(b, TOKEN))
}

/// Field values, blanks at the ends included. Source: RFC 9110 §5.5.
pub(super) fn is_value(bytes: &[u8]) -> bool {
    // Without an early way out the compiler makes this sixteen bytes at a time; values are nearly always valid.
    !bytes.iter().fold(false, |bad, &b| bad | (((b < b' ') & (b != b'\t')) | (b == 0x7f)))
}

/// The characters of a request target: visible ASCII. Source: RFC 9112 §3.2, RFC 3986 §2.
pub(super) fn is_visible(bytes: &[u8]) -> bool {
    bytes.iter().fold(true, |good, &b| good & (b.wrapping_sub(0x21) < 0x5e))
}

/// A character of `reg-name`, `%` apart. Source: RFC 3986 §3.2.2.
pub(super) fn is_reg_name(byte: u8) -> bool {
    is(byte, REG_NAME)
}

/// A character that may stand in a quoted string as it is. Source: RFC 9110 §5.6.4.
pub(super) fn is_quoted_text(byte: u8) -> bool {
    is(byte, QUOTED)
}

/// A character that may follow a backslash in a quoted string. Source: RFC 9110 §5.6.4.
pub(super) fn is_quotable(byte: u8) -> bool {
    is(byte, VALUE)
}

/// The length of the token that `bytes` begins with, 0 for none.
pub(super) fn token_len(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|&&b| is(b, TOKEN)).count()
}

/// Whether there is a `_` in `name`, a token. Every name of every head comes by here, so that it looks at eight bytes at
/// a time; some may be seen twice, which is cheaper than a loop over the rest.
#[inline]
pub(super) fn has_underscore(name: &[u8]) -> bool {
    if let (Some(first), Some(last)) = (name.first_chunk::<8>(), name.last_chunk::<8>()) {
        let between = if name.len() > 16 { name.as_chunks::<8>().0 } else { &[] };
        return between.iter().fold(underscores(*first) | underscores(*last), |all, eight| all | underscores(*eight))
            != 0;
    }
    if let (Some([a, b, c, d]), Some([e, f, g, h])) = (name.first_chunk::<4>(), name.last_chunk::<4>()) {
        return underscores([*a, *b, *c, *d, *e, *f, *g, *h]) != 0;
    }
    name.contains(&b'_')
}

/// Not 0 if there is a `_` among eight bytes of ASCII: only that byte becomes 0, and only 0 borrows from its top bit.
#[inline]
fn underscores(eight: [u8; 8]) -> u64 {
    const ONES: u64 = u64::MAX / 255;
    (u64::from_ne_bytes(eight) ^ (ONES * b'_' as u64)).wrapping_sub(ONES) & (ONES << 7)
}

/// SP or HTAB.
pub(super) fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

/// `bytes` without the blanks (SP, HTAB) that it begins with.
pub(super) fn trim_start(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = bytes {
        bytes = rest;
    }
    bytes
}

/// `bytes` without the blanks (SP, HTAB) that it ends with.
pub(super) fn trim_end(mut bytes: &[u8]) -> &[u8] {
    while let [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

/// `bytes` without blanks (SP, HTAB) at both ends.
pub(super) fn trim(bytes: &[u8]) -> &[u8] {
    trim_end(trim_start(bytes))
}

/// `1*DIGIT` that fits; `None` for signs, blanks, other digits and anything above `u64::MAX`.
pub(super) fn digits(bytes: &[u8]) -> Option<u64> {
    if bytes.is_empty() {
        return None;
    }
    bytes.iter().try_fold(0u64, |sum, &b| {
        let digit = b.is_ascii_digit().then(|| u64::from(b - b'0'))?;
        sum.checked_mul(10)?.checked_add(digit)
    })
}

/// The members of a comma-separated list, trimmed; empty ones are kept. Source: RFC 9110 §5.6.1.
pub(super) fn members(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&b| b == b',').map(trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_hold_no_separators() {
        assert!(is_token(b"X-Forwarded_For!#$%&'*+.^`|~09"));
        for separator in b"()<>@,;:\\\"/[]?={} \t\x7f\x00\x80\xff" {
            assert!(!is_token(&[b'a', *separator]), "{separator:#x}");
        }
        assert!(!is_token(b""));
    }

    #[test]
    fn an_underscore_is_found_wherever_it_stands() {
        for len in 0..40 {
            for byte in (0..=0x7fu8).filter(|&byte| byte != b'_') {
                assert!(!has_underscore(&vec![byte; len]), "{byte:#x}");
            }
            for at in 0..len {
                let mut name = vec![b'^'; len];
                name[at] = b'_';
                assert!(has_underscore(&name), "{at} of {len}");
            }
        }
    }

    #[test]
    fn values_hold_no_controls_but_tab() {
        for byte in 0..=255u8 {
            let good = byte == 9 || (byte >= 32 && byte != 127);
            assert_eq!(is_value(&[b'a', byte]), good, "{byte:#x}");
        }
    }

    #[test]
    fn targets_are_visible_ascii() {
        for byte in 0..=255u8 {
            assert_eq!(is_visible(&[b'/', byte]), (0x21..=0x7e).contains(&byte), "{byte:#x}");
        }
    }

    #[test]
    fn numbers_are_digits_that_fit() {
        assert_eq!(digits(b"18446744073709551615"), Some(u64::MAX));
        assert_eq!(digits(b"007"), Some(7));
        for bad in ["", "18446744073709551616", "+1", "-1", "0x1", "1_0", " 1", "1, 1", "\u{b2}"] {
            assert_eq!(digits(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn blanks_are_trimmed_at_the_ends_only() {
        assert_eq!(trim(b" \t a b\t "), b"a b");
        assert_eq!(trim(b" \t "), b"");
        assert_eq!(members(b"a, ,b ").collect::<Vec<_>>(), [&b"a"[..], b"", b"b"]);
    }
}
