//! Any bytes, and any part of them first, give one verdict on a PROXY header.
#![no_main]

use libfuzzer_sys::fuzz_target;

// Not all that the file offers is asked for here.
#[allow(dead_code, unreachable_pub)]
#[path = "../../src/net/proxy.rs"]
mod proxy;

use proxy::{Reading, Versions, read_proxy_header};

/// The first byte chooses the versions; the others are what a peer sends.
fn check(versions: Versions, bytes: &[u8]) {
    let whole = read_proxy_header(bytes, versions);
    let mut decided = None;
    for end in 0..=bytes.len() {
        let part = read_proxy_header(&bytes[..end], versions);
        match (&decided, part) {
            (Some(verdict), part) => assert_eq!(*verdict, part, "more bytes change a verdict"),
            (None, Reading::NeedBytes) => assert!(end < 4096, "no header takes as many bytes"),
            (None, verdict) => decided = Some(verdict),
        }
    }
    assert_eq!(decided.unwrap_or(Reading::NeedBytes), whole);
    if let Reading::Header { len, header } = &whole {
        assert!(*len <= bytes.len());
        let with_addresses = matches!(header.protocol, "TCP4" | "TCP6");
        assert_eq!(header.addresses.is_some(), with_addresses);
    }
}

fuzz_target!(|input: &[u8]| {
    let Some((choice, bytes)) = input.split_first() else { return };
    check(Versions { v1: choice & 1 != 0, v2: choice & 2 != 0 }, bytes);
});
