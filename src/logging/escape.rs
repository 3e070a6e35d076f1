//! Bytes of a peer made harmless for a log: no byte sequence can end a line, start a terminal's escape or close a quote.
//!
//! What remains is valid UTF-8. Letters of any script stay as they are; what is not valid UTF-8 is shown byte by byte.

use std::fmt;

/// Bytes of a peer inside an error-log message, escaped as the access log does: `log::warn!("... {}", Escaped(target))`.
#[derive(Clone, Copy, Debug)]
pub struct Escaped<'a>(pub &'a [u8]);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = Vec::with_capacity(self.0.len() + 8);
        line(self.0, &mut text);
        f.write_str(&String::from_utf8_lossy(&text))
    }
}

/// Appends `text` for an access line: `"` and `\` behind a backslash, all else that must not show as `\xHH` per byte.
///
/// Reversible: every `\` of the result starts one of the three forms.
pub(super) fn line(text: &[u8], out: &mut Vec<u8>) {
    escape(text, out, Style::Line);
}

/// Appends `text` as the inside of a JSON string. Bytes that are not UTF-8 are read as Latin-1, as WSGI shows them.
///
/// Source: RFC 8259 §7.
pub(super) fn json(text: &[u8], out: &mut Vec<u8>) {
    escape(text, out, Style::Json);
}

#[derive(Clone, Copy)]
enum Style {
    Line,
    Json,
}

impl Style {
    fn character(self, character: char, out: &mut Vec<u8>) {
        match self {
            Style::Line => {
                let mut encoded = [0; 4];
                for byte in character.encode_utf8(&mut encoded).bytes() {
                    out.extend_from_slice(&[b'\\', b'x', hex(byte >> 4), hex(byte)]);
                }
            }
            Style::Json => {
                // All characters that come here are of the Basic Multilingual Plane: four digits hold them.
                let [high, low] = (u32::from(character) as u16).to_be_bytes();
                let digits = [hex(high >> 4), hex(high), hex(low >> 4), hex(low)];
                out.extend_from_slice(b"\\u");
                out.extend_from_slice(&digits);
            }
        }
    }

    fn stray_byte(self, byte: u8, out: &mut Vec<u8>) {
        match self {
            Style::Line => out.extend_from_slice(&[b'\\', b'x', hex(byte >> 4), hex(byte)]),
            Style::Json => self.character(char::from(byte), out),
        }
    }
}

fn escape(mut text: &[u8], out: &mut Vec<u8>, style: Style) {
    loop {
        let (run, rest) = text.split_at(plain_len(text));
        out.extend_from_slice(run);
        let Some(byte) = rest.first().copied() else {
            return;
        };
        text = if byte.is_ascii() {
            match byte {
                b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
                control => style.character(char::from(control), out),
            }
            &rest[1..]
        } else {
            let len = rest.iter().position(u8::is_ascii).unwrap_or(rest.len());
            beyond_ascii(&rest[..len], out, style);
            &rest[len..]
        };
    }
}

/// How many bytes at the start need no escape. Eight at a time: this is most of what a line costs.
fn plain_len(text: &[u8]) -> usize {
    let (words, rest) = text.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        if !word.iter().fold(true, |all, byte| all & is_plain(*byte)) {
            let odd = word.iter().position(|byte| !is_plain(*byte));
            return index * 8 + odd.unwrap_or(0);
        }
    }
    let odd = rest.iter().position(|byte| !is_plain(*byte));
    text.len() - rest.len() + odd.unwrap_or(rest.len())
}

fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\'
}

fn beyond_ascii(text: &[u8], out: &mut Vec<u8>, style: Style) {
    for chunk in text.utf8_chunks() {
        for character in chunk.valid().chars() {
            // C1 controls, among them NEL and CSI; the two separators at which many programs break lines; and what turns
            // the direction of all that follows.
            let is_harmful = matches!(character, '\u{80}'..='\u{9f}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2066}'..='\u{2069}');
            if is_harmful {
                style.character(character, out);
            } else {
                let mut encoded = [0; 4];
                out.extend_from_slice(character.encode_utf8(&mut encoded).as_bytes());
            }
        }
        for byte in chunk.invalid() {
            style.stray_byte(*byte, out);
        }
    }
}

fn hex(nibble: u8) -> u8 {
    b"0123456789abcdef"[usize::from(nibble & 0x0f)]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `text` must appear as `in_line` in an access line and as `in_json` inside a JSON string.
    #[track_caller]
    fn check(text: &[u8], in_line: &str, in_json: &str) {
        let (mut as_line, mut as_json) = (Vec::new(), Vec::new());
        line(text, &mut as_line);
        json(text, &mut as_json);
        assert_eq!(String::from_utf8_lossy(&as_line), in_line);
        assert_eq!(String::from_utf8_lossy(&as_json), in_json);
        assert_eq!(Escaped(text).to_string(), in_line);
    }

    #[test]
    fn what_could_forge_a_line_is_escaped() {
        check(b"", "", "");
        check(b"plain ~!'%", "plain ~!'%", "plain ~!'%");
        check(br#"a"b\c"#, r#"a\"b\\c"#, r#"a\"b\\c"#);
        check(b"a\r\nb\tc", r"a\x0d\x0ab\x09c", r"a\u000d\u000ab\u0009c");
        check(b"\x00\x1b[31m\x7f", r"\x00\x1b[31m\x7f", r"\u0000\u001b[31m\u007f");
        check("é – 漢 🦣".as_bytes(), "é – 漢 🦣", "é – 漢 🦣");
        check("\u{85}".as_bytes(), r"\xc2\x85", r"\u0085");
        check("a\u{2028}b".as_bytes(), r"a\xe2\x80\xa8b", r"a\u2028b");
        check("a\u{202e}b\u{2066}".as_bytes(), r"a\xe2\x80\xaeb\xe2\x81\xa6", r"a\u202eb\u2066");
        check(b"\x9b2J\xe9", r"\x9b2J\xe9", r"\u009b2J\u00e9");
        check(b"\xe6\xbc \xf0\x9f\xa6", r"\xe6\xbc \xf0\x9f\xa6", r"\u00e6\u00bc \u00f0\u009f\u00a6");
    }

    fn reverse(line: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut rest = line.iter().copied();
        while let Some(byte) = rest.next() {
            if byte != b'\\' {
                bytes.push(byte);
                continue;
            }
            match rest.next() {
                Some(b'x') => {
                    let digits: String = rest.by_ref().take(2).map(char::from).collect();
                    bytes.push(u8::from_str_radix(&digits, 16).expect("two digits"));
                }
                other => bytes.push(other.expect("a backslash is never the last byte")),
            }
        }
        bytes
    }

    proptest! {
        #[test]
        fn any_bytes_stay_in_their_line_and_can_be_read_back(text: Vec<u8>) {
            let mut out = Vec::new();
            line(&text, &mut out);
            let shown = std::str::from_utf8(&out).expect("valid UTF-8");
            let breaks = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
            prop_assert!(!shown.contains(breaks));
            prop_assert_eq!(reverse(&out), text);
        }

        #[test]
        fn any_text_stays_in_its_line_and_can_be_read_back(text: String) {
            let mut out = Vec::new();
            line(text.as_bytes(), &mut out);
            prop_assert!(!out.iter().any(u8::is_ascii_control));
            prop_assert_eq!(reverse(&out), text.as_bytes());
        }
    }
}
