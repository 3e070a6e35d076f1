//! Lines and field lines, one at a time, from bytes that arrive in any pieces. Head and trailers both read through
//! this file, so that they refuse the same things; it knows the form of a field and nothing of its meaning.

use std::ops::Range;

use super::error::{Error, Excerpt};
use super::grammar::{is_blank, is_token, is_value, trim, trim_end, trim_start};
use super::policy::Policy;

/// Looks for the end of one line and remembers how far it looked: a byte is looked at once, however slowly they come.
#[derive(Debug, Default)]
pub(super) struct LineScan {
    scanned: usize,
}

impl LineScan {
    /// The length of the line that `rest` begins with, LF included; `None` if it has not ended. The next call gets the
    /// same line with more bytes, or after `Some` the line behind it.
    pub(super) fn find(&mut self, rest: &[u8]) -> Option<usize> {
        match rest[self.scanned..].iter().position(|&b| b == b'\n') {
            Some(at) => Some(std::mem::take(&mut self.scanned) + at + 1),
            None => {
                self.scanned = rest.len();
                None
            }
        }
    }
}

/// A line without its CRLF. Errors: [`Error::BareLineFeed`].
pub(super) fn without_crlf(line: &[u8]) -> Result<&[u8], Error> {
    line.strip_suffix(b"\r\n").ok_or(Error::BareLineFeed)
}

/// What the next bytes of a section are.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    NeedBytes,
    /// A field line of `len` bytes; `value` is trimmed and lies within the line.
    Field {
        len: usize,
        name_len: usize,
        value: Range<usize>,
    },
    /// A line of `len` bytes that goes on with the field before it; `text` is trimmed and may be empty.
    Fold {
        len: usize,
        text: Range<usize>,
    },
    /// The empty line behind the last field, `len` bytes.
    End {
        len: usize,
    },
}

/// A header or trailer section in progress.
#[derive(Debug, Default)]
pub(super) struct Section {
    scan: LineScan,
    /// Bytes of the lines already read.
    read: usize,
    field_count: usize,
    /// Bytes of the last field so far, its folded lines included.
    field_len: usize,
}

impl Section {
    /// Reads the line that `rest` begins with; after [`Step::Field`] the next call gets the bytes behind that line.
    ///
    /// Errors, in the order in which a byte-by-byte reader would meet them: [`Error::FieldTooLong`] or
    /// [`Error::SectionTooLong`], [`Error::BareLineFeed`], [`Error::TooManyFields`], [`Error::Folding`],
    /// [`Error::FieldLine`], [`Error::FieldName`], [`Error::FieldValue`], [`Error::FoldedValue`].
    pub(super) fn read(&mut self, rest: &[u8], policy: &Policy) -> Result<Step, Error> {
        let limits = &policy.limits;
        // In front of the first field there is nothing to go on with: RFC 9112 §2.2 has such a line refused.
        let is_fold = policy.obsolete_folding && self.field_count > 0 && rest.first().is_some_and(|&b| is_blank(b));
        let before = if is_fold { self.field_len } else { 0 };
        let found = self.scan.find(rest);
        let reach = found.unwrap_or(rest.len());
        let room = limits.section().saturating_sub(self.read);
        let field_room = limits.field_size.saturating_sub(before);
        if reach > field_room.min(room) {
            return Err(if field_room <= room {
                Error::FieldTooLong { limit: limits.field_size }
            } else {
                Error::SectionTooLong { limit: limits.section() }
            });
        }
        let Some(len) = found else {
            return Ok(Step::NeedBytes);
        };
        let line = without_crlf(&rest[..len])?;
        self.read += len;
        if line.is_empty() {
            return Ok(Step::End { len });
        }
        self.field_len = before + len;
        if is_fold {
            return Ok(Step::Fold { len, text: fold(line)? });
        }
        self.field_count += 1;
        if self.field_count > limits.fields {
            return Err(Error::TooManyFields { limit: limits.fields });
        }
        let (name_len, value) = field(line, policy)?;
        Ok(Step::Field { len, name_len, value })
    }
}

/// Length of the name and place of the value in a field line. Source: RFC 9112 §5.
fn field(line: &[u8], policy: &Policy) -> Result<(usize, Range<usize>), Error> {
    if matches!(line, [b' ' | b'\t', ..]) {
        return Err(Error::Folding(Excerpt::of(line)));
    }
    let Some(colon) = line.iter().position(|&b| b == b':') else {
        return Err(Error::FieldLine(Excerpt::of(line)));
    };
    let name = match policy.header_spaces {
        true => trim_end(&line[..colon]),
        false => &line[..colon],
    };
    // RFC 9112 §5.1: a blank before the colon has led proxies to see another field, or none.
    if !is_token(name) {
        return Err(Error::FieldName(Excerpt::of(name)));
    }
    let raw = &line[colon + 1..];
    if !is_value(raw) {
        return Err(Error::FieldValue(Excerpt::of(name)));
    }
    let start = line.len() - trim_start(raw).len();
    Ok((name.len(), start..start + trim(raw).len()))
}

/// Place of the text in a folded line. Source: RFC 9112 §5.2.
fn fold(line: &[u8]) -> Result<Range<usize>, Error> {
    if !is_value(line) {
        return Err(Error::FoldedValue);
    }
    let start = line.len() - trim_start(line).len();
    Ok(start..start + trim(line).len())
}

#[cfg(test)]
mod tests {
    use super::super::limits::Limits;
    use super::*;

    /// Room for so many fields of 20 bytes.
    fn policy(fields: usize) -> Policy {
        Policy { limits: Limits::new(0, fields, 20), ..Policy::default() }
    }

    #[track_caller]
    fn check(line: &str, want: Result<(&str, &str), Error>) {
        let line: Vec<u8> = line.chars().map(|c| c as u8).collect();
        let got = Section::default().read(&line, &policy(2)).map(|step| match step {
            Step::Field { len, name_len, value } => {
                assert_eq!(len, line.len());
                (line[..name_len].to_vec(), line[value].to_vec())
            }
            Step::NeedBytes | Step::Fold { .. } | Step::End { .. } => panic!("{step:?}"),
        });
        assert_eq!(got, want.map(|(name, value)| (name.into(), value.chars().map(|c| c as u8).collect())));
    }

    #[test]
    fn a_field_is_a_name_and_a_trimmed_value() {
        check("Host: a\r\n", Ok(("Host", "a")));
        check("A:\t b c \t\r\n", Ok(("A", "b c")));
        check("A:\r\n", Ok(("A", "")));
        check("A: \t \r\n", Ok(("A", "")));
        check("A_b::\r\n", Ok(("A_b", ":")));
        check("A: \u{e9}\t\u{ff}\r\n", Ok(("A", "\u{e9}\t\u{ff}")));
    }

    #[test]
    fn other_lines_are_refused() {
        check("A: b\n", Err(Error::BareLineFeed));
        check(" A: b\r\n", Err(Error::Folding(Excerpt::of(b" A: b"))));
        check("A b\r\n", Err(Error::FieldLine(Excerpt::of(b"A b"))));
        check(": b\r\n", Err(Error::FieldName(Excerpt::of(b""))));
        check("A : b\r\n", Err(Error::FieldName(Excerpt::of(b"A "))));
        check("A: b\rc\r\n", Err(Error::FieldValue(Excerpt::of(b"A"))));
        check("A: b\0\r\n", Err(Error::FieldValue(Excerpt::of(b"A"))));
        check("A: 0123456789abcdef\r\n", Err(Error::FieldTooLong { limit: 20 }));
    }

    #[test]
    fn sections_have_a_count_and_a_size() {
        let policy = policy(2);
        let mut section = Section::default();
        for _ in 0..2 {
            assert!(matches!(section.read(b"a:b\r\n", &policy), Ok(Step::Field { len: 5, .. })));
        }
        assert_eq!(section.read(b"a:b\r\n", &policy), Err(Error::TooManyFields { limit: 2 }));

        let mut section = Section { read: policy.limits.section() - 3, ..Section::default() };
        assert_eq!(section.read(b"a:b", &policy), Ok(Step::NeedBytes));
        assert_eq!(section.read(b"a:b\r", &policy), Err(Error::SectionTooLong { limit: 48 }));
    }

    #[test]
    fn folded_lines_belong_to_the_field_before_them() {
        let policy = Policy { obsolete_folding: true, ..policy(2) };
        let mut section = Section::default();
        assert_eq!(section.read(b" a:b\r\n", &policy), Err(Error::Folding(Excerpt::of(b" a:b"))));

        let mut section = Section::default();
        assert!(matches!(section.read(b"a:b\r\n", &policy), Ok(Step::Field { len: 5, .. })));
        assert_eq!(section.read(b" \tc: d \r\n", &policy), Ok(Step::Fold { len: 9, text: 2..6 }));
        assert_eq!(section.read(b"\t\r\n", &policy), Ok(Step::Fold { len: 3, text: 1..1 }));
        assert_eq!(section.read(b" c", &policy), Ok(Step::NeedBytes));
        assert_eq!(section.read(b" c\r\n", &policy), Err(Error::FieldTooLong { limit: 20 }));

        let mut section = Section::default();
        assert!(matches!(section.read(b"a:b\r\n", &policy), Ok(Step::Field { .. })));
        assert_eq!(section.read(b" c\0\r\n", &policy), Err(Error::FoldedValue));
    }

    #[test]
    fn blanks_before_the_colon_can_be_taken_off() {
        let policy = Policy { header_spaces: true, ..policy(2) };
        let step = Section::default().read(b"a \t: b\r\n", &policy);
        assert_eq!(step, Ok(Step::Field { len: 8, name_len: 1, value: 5..6 }));
        for (line, name) in [(&b" : b\r\n"[..], None), (b": b\r\n", Some("")), (b"a b: c\r\n", Some("a b"))] {
            let want = match name {
                Some(name) => Error::FieldName(Excerpt::of(name.as_bytes())),
                None => Error::Folding(Excerpt::of(b" : b")),
            };
            assert_eq!(Section::default().read(line, &policy), Err(want));
        }
    }

    #[test]
    fn a_line_is_searched_once() {
        let mut scan = LineScan::default();
        assert_eq!(scan.find(b"ab"), None);
        assert_eq!(scan.scanned, 2);
        assert_eq!(scan.find(b"abc\nd"), Some(4));
        assert_eq!(scan.find(b"d\n"), Some(2));
    }
}
