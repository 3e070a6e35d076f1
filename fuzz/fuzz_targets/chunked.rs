//! Any bytes behind the head of a chunked request give data or a refusal, however they are cut; and a body that was
//! accepted is the same to a decoder that judges nothing.

#![no_main]

use indrik::answer::Reply;
use indrik::http::Limits;
use indrik::options::Options;
use libfuzzer_sys::fuzz_target;

const HEAD: &[u8] = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";

fuzz_target!(|input: &[u8]| {
    let Some((mut options, body)) = Options::take(input) else { return };
    // The head needs its room.
    options.policy.limits = Limits { request_line: 100, ..options.policy.limits };
    let stream = [HEAD, body].concat();
    let seen = indrik::read(&options, &stream, &Reply::default());
    let Some(first) = seen.first() else { return };
    assert!(first.body.len() <= body.len());
    if !first.answer.is_empty() {
        assert_eq!(decoded(body), Some(first.body.clone()));
    }
});

/// The data of the chunked body that `wire` begins with.
fn decoded(mut wire: &[u8]) -> Option<Vec<u8>> {
    let mut data = Vec::new();
    loop {
        let httparse::Status::Complete((line_len, size)) = httparse::parse_chunk_size(wire).ok()? else {
            return None;
        };
        if size == 0 {
            return Some(data);
        }
        let (chunk, rest) = wire.get(line_len..)?.split_at_checked(usize::try_from(size).ok()?)?;
        data.extend_from_slice(chunk);
        wire = rest.strip_prefix(b"\r\n")?;
    }
}
