//! A chunked body on its way in: sizes, extensions and trailers are judged and forgotten, data is handed out in place.

use super::error::{Error, Excerpt};
use super::grammar::{is_blank, is_quotable, is_quoted_text, token_len, trim_start};
use super::policy::{HeaderMap, Policy};
use super::section::{LineScan, Section, Step, without_crlf};

/// Hexadecimal digits of a chunk size: as many as a `u64` has.
const MOST_DIGITS: usize = 16;
/// Bytes of extensions that a body may have beyond 16 per chunk and two per byte of data (Go's figures). Senders that
/// sign their chunks stay far below; one-byte chunks with an essay behind each do not (RFC 9112 §7.1.1).
const EXTENSION_SLACK: u64 = 16 << 10;

/// Fields that must not come late, for they would change framing, routing or authority after the fact.
/// Source: RFC 9110 §6.5.1; the list is Gunicorn's.
const FORBIDDEN_TRAILERS: [&[u8]; 6] =
    [b"host", b"content-length", b"transfer-encoding", b"trailer", b"authorization", b"te"];

/// A chunked body in progress.
#[derive(Debug, Default)]
pub(super) struct Chunked {
    stage: Stage,
    scan: LineScan,
    /// Bytes of extensions in excess of what the data so far excuses.
    extension_excess: u64,
}

#[derive(Debug, Default)]
enum Stage {
    #[default]
    Size,
    /// So many bytes of the chunk are to come.
    Data(u64),
    DataEnd,
    Trailers(Section),
}

/// How far the input was read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Advance {
    /// Bytes of framing at the start of the input, done with.
    pub(super) skipped: usize,
    pub(super) found: Found,
}

/// What stands behind the framing that was skipped.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    NeedBytes,
    /// So many bytes of data; the next call gets the input behind them.
    Data(usize),
    End,
}

impl Chunked {
    /// Reads framing until there is data, the end, or no more input. `input` begins where the last call stopped.
    ///
    /// Errors: [`Error::ChunkSize`], [`Error::ChunkLineTooLong`], [`Error::ChunkExtension`],
    /// [`Error::ChunkExtensionsTooLong`], [`Error::ChunkEnd`], [`Error::Trailer`], [`Error::BareLineFeed`], and
    /// those of field lines for trailers. Source: RFC 9112 §7.1.
    pub(super) fn advance(&mut self, input: &[u8], policy: &Policy) -> Result<Advance, Error> {
        let mut skipped = 0;
        loop {
            let rest = &input[skipped..];
            let found = match &mut self.stage {
                Stage::Size => match self.size_line(rest, policy.limits.field_size)? {
                    Some(len) => {
                        skipped += len;
                        continue;
                    }
                    None => Found::NeedBytes,
                },
                Stage::Data(0) => {
                    self.stage = Stage::DataEnd;
                    continue;
                }
                Stage::Data(_) if rest.is_empty() => Found::NeedBytes,
                Stage::Data(remaining) => {
                    let len = usize::try_from(*remaining).map_or(rest.len(), |most| most.min(rest.len()));
                    *remaining -= len as u64;
                    Found::Data(len)
                }
                Stage::DataEnd => match rest {
                    [] | [b'\r'] => Found::NeedBytes,
                    [b'\r', b'\n', ..] => {
                        self.stage = Stage::Size;
                        skipped += 2;
                        continue;
                    }
                    [_, ..] => return Err(Error::ChunkEnd),
                },
                Stage::Trailers(section) => match section.read(rest, policy)? {
                    Step::NeedBytes => Found::NeedBytes,
                    Step::Field { len, name_len, value: _ } => {
                        check_trailer(&rest[..name_len], policy)?;
                        skipped += len;
                        continue;
                    }
                    Step::Fold { len, text: _ } => {
                        skipped += len;
                        continue;
                    }
                    Step::End { len } => {
                        skipped += len;
                        Found::End
                    }
                },
            };
            return Ok(Advance { skipped, found });
        }
    }

    /// Takes in the line that a chunk begins with and returns its length; `None` if it has not ended.
    fn size_line(&mut self, rest: &[u8], limit: usize) -> Result<Option<usize>, Error> {
        let found = self.scan.find(rest);
        if found.unwrap_or(rest.len()) > limit {
            return Err(Error::ChunkLineTooLong { limit });
        }
        let Some(len) = found else { return Ok(None) };
        let line = without_crlf(&rest[..len])?;
        let (size, extensions) = size(line)?;
        if !are_extensions(extensions) {
            return Err(Error::ChunkExtension(Excerpt::of(line)));
        }
        let excuse = size.saturating_mul(2).saturating_add(16);
        self.extension_excess = (self.extension_excess + extensions.len() as u64).saturating_sub(excuse);
        if self.extension_excess > EXTENSION_SLACK {
            return Err(Error::ChunkExtensionsTooLong);
        }
        self.stage = match size {
            0 => Stage::Trailers(Section::default()),
            size => Stage::Data(size),
        };
        Ok(Some(len))
    }
}

/// The size that a chunk-size line begins with, and what follows it: nothing, or something that may be extensions.
fn size(line: &[u8]) -> Result<(u64, &[u8]), Error> {
    let digit_count = line.iter().take_while(|b| b.is_ascii_hexdigit()).count();
    let (digits, rest) = line.split_at(digit_count);
    let is_size = (1..=MOST_DIGITS).contains(&digit_count)
        && rest.first().is_none_or(|&b| b == b';' || is_blank(b))
        // A blank without an extension behind it has been read as part of the size elsewhere.
        && (rest.is_empty() || trim_start(rest).starts_with(b";"));
    if !is_size {
        return Err(Error::ChunkSize(Excerpt::of(line)));
    }
    let digit = |b: u8| u64::from((b as char).to_digit(16).unwrap_or(0));
    Ok((digits.iter().fold(0, |size, &b| size << 4 | digit(b)), rest))
}

/// `*( BWS ";" BWS token [ BWS "=" BWS ( token / quoted-string ) ] )`. Source: RFC 9112 §7.1.1.
fn are_extensions(mut rest: &[u8]) -> bool {
    while !rest.is_empty() {
        let Some(name) = trim_start(rest).strip_prefix(b";").map(trim_start) else {
            return false;
        };
        let name_len = token_len(name);
        if name_len == 0 {
            return false;
        }
        rest = &name[name_len..];
        if let Some(value) = trim_start(rest).strip_prefix(b"=").map(trim_start) {
            let value_len = match value {
                [b'"', ..] => quoted_len(value),
                _ => token_len(value),
            };
            if value_len == 0 {
                return false;
            }
            rest = &value[value_len..];
        }
    }
    true
}

/// The length of the quoted string that `bytes` begins with, 0 for none. Source: RFC 9110 §5.6.4.
fn quoted_len(bytes: &[u8]) -> usize {
    let mut at = 1;
    loop {
        match &bytes[at..] {
            [b'"', ..] => return at + 1,
            [b'\\', escaped, ..] if is_quotable(*escaped) => at += 2,
            [byte, ..] if is_quoted_text(*byte) => at += 1,
            [_, ..] | [] => return 0,
        }
    }
}

/// Errors: [`Error::Trailer`], [`Error::FieldUnderscore`].
fn check_trailer(name: &[u8], policy: &Policy) -> Result<(), Error> {
    if FORBIDDEN_TRAILERS.iter().any(|forbidden| name.eq_ignore_ascii_case(forbidden)) {
        return Err(Error::Trailer(Excerpt::of(name)));
    }
    // Trailers are dropped anyway, so that this matters to nobody but one who asked for a refusal.
    if policy.header_map == HeaderMap::Refuse && name.contains(&b'_') {
        return Err(Error::FieldUnderscore(Excerpt::of(name)));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The data of the body `wire`, which `|` cuts into what arrives at once, and the bytes left behind it.
    fn read(wire: &[&str]) -> Result<(String, usize), Error> {
        let mut chunked = Chunked::default();
        let mut data = Vec::new();
        let mut pending = Vec::new();
        for piece in wire {
            pending.extend_from_slice(piece.as_bytes());
            loop {
                let Advance { skipped, found } = chunked.advance(&pending, &Policy::default())?;
                pending.drain(..skipped);
                match found {
                    Found::NeedBytes => break,
                    Found::Data(len) => data.extend(pending.drain(..len)),
                    Found::End => return Ok((String::from_utf8(data).unwrap(), pending.len())),
                }
            }
        }
        panic!("not ended: {data:?}");
    }

    #[track_caller]
    fn check_extension(extension: &str, good: bool) {
        assert_eq!(are_extensions(extension.as_bytes()), good, "{extension:?}");
    }

    #[test]
    fn data_comes_out_and_the_rest_stays() {
        let body = "5\r\nhello\r\n006;a=\"b\\\"c\"\r\n world\r\n0\r\nX-Sum: 1\r\n\r\nGET";
        assert_eq!(read(&[body]), Ok(("hello world".into(), 3)));
        for cut in 0..body.len() - 3 {
            assert_eq!(read(&[&body[..cut], &body[cut..]]), Ok(("hello world".into(), 3)));
        }
    }

    #[test]
    fn sizes_are_sixteen_digits_at_most() {
        assert_eq!(size(b"ffffffffffffffff"), Ok((u64::MAX, &b""[..])));
        assert_eq!(size(b"0000000000000aBc;x"), Ok((0xabc, &b";x"[..])));
        for bad in ["", "0x1", "+1", "-1", " 1", "1 ", "1\t", "g", "1g", "1\r", "00000000000000001", "1_0", ";a"] {
            assert_eq!(size(bad.as_bytes()), Err(Error::ChunkSize(Excerpt::of(bad.as_bytes()))));
        }
    }

    #[test]
    fn extensions_follow_the_grammar() {
        for good in ["", ";a", ";a=b", " ; a = b ;c", ";a=\"\"", ";a=\"b;\\\"c\\\\\u{e9}\"\t;d", ";a;a;a"] {
            check_extension(good, true);
        }
        for bad in [";", ";=b", ";a=", ";a b", ";a=b c", ";a=\"b", ";a=\"b\\", ";a=\"b\"c", ";a;", ";a ", ";a=b\rc"] {
            check_extension(bad, false);
        }
    }

    #[test]
    fn an_essay_behind_each_byte_is_refused() {
        let chunk = format!("1;{}\r\nx\r\n", "a".repeat(1000));
        let modest = format!("{}0\r\n\r\n", chunk.repeat(16));
        assert_eq!(read(&[&modest]).map(|(data, _)| data.len()), Ok(16));
        assert_eq!(read(&[&chunk.repeat(17)]), Err(Error::ChunkExtensionsTooLong));
        let signed = format!("400;chunk-signature={}\r\n{}\r\n", "0".repeat(64), "x".repeat(1024)).repeat(1000);
        assert_eq!(read(&[&signed, "0\r\n\r\n"]).map(|(data, _)| data.len()), Ok(1_024_000));
    }

    #[test]
    fn trailers_that_change_the_request_are_refused() {
        for name in FORBIDDEN_TRAILERS {
            let name = String::from_utf8_lossy(name).to_uppercase();
            let want = Error::Trailer(Excerpt::of(name.as_bytes()));
            assert_eq!(read(&[&format!("0\r\n{name}: 1\r\n\r\n")]), Err(want));
        }
    }
}
