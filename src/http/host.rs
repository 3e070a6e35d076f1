//! Authorities, `host [":" port]`, as Host and the request target name them. Judged, never resolved.

use std::net::Ipv6Addr;
use std::str;

use super::grammar::{digits, is_reg_name};

/// Whether `authority` is a host of RFC 3986 with an optional port (which may be empty). An empty host is valid
/// here: RFC 9112 §3.2 has clients send an empty Host when the target names no authority.
///
/// Source: RFC 9110 §7.2, RFC 3986 §3.2.2 and §3.2.3. `_` and percent-encoding are in its grammar, user names are not.
pub(super) fn is_valid(authority: &[u8]) -> bool {
    split(authority).is_some_and(|(host, port)| is_host(host) && is_port(port))
}

/// Whether `authority` is valid, has a host, and has a port if `port_needed`.
pub(super) fn is_named(authority: &[u8], port_needed: bool) -> bool {
    split(authority).is_some_and(|(host, port)| {
        !host.is_empty() && is_host(host) && is_port(port) && (!port_needed || !port.is_empty())
    })
}

/// Whether two valid authorities are one: names without regard to case, an absent or empty port as `default_port`.
pub(super) fn is_same(one: &[u8], other: &[u8], default_port: Option<u64>) -> bool {
    let port = |port: &[u8]| {
        if port.is_empty() { default_port } else { digits(port) }
    };
    match (split(one), split(other)) {
        (Some((host, one)), Some((name, other))) => host.eq_ignore_ascii_case(name) && port(one) == port(other),
        (_, None) | (None, _) => false,
    }
}

/// Host and port, the port without its colon and empty if there is none.
fn split(authority: &[u8]) -> Option<(&[u8], &[u8])> {
    let host_len = match authority {
        [b'[', ..] => authority.iter().position(|&b| b == b']')? + 1,
        _ => authority.iter().position(|&b| b == b':').unwrap_or(authority.len()),
    };
    match authority.split_at(host_len) {
        (host, []) => Some((host, b"")),
        (host, [b':', port @ ..]) => Some((host, port)),
        (_, _) => None,
    }
}

fn is_host(host: &[u8]) -> bool {
    match host {
        [b'[', b'v' | b'V', future @ .., b']'] => is_ip_future(future),
        [b'[', literal @ .., b']'] => str::from_utf8(literal).is_ok_and(|text| text.parse::<Ipv6Addr>().is_ok()),
        name => is_name(name),
    }
}

/// `reg-name`, which covers IPv4 addresses too.
fn is_name(name: &[u8]) -> bool {
    let plain_len = name.iter().take_while(|&&b| is_reg_name(b)).count();
    let mut name = &name[plain_len..];
    loop {
        name = match name {
            [] => return true,
            [b'%', high, low, rest @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => rest,
            [byte, rest @ ..] if is_reg_name(*byte) => rest,
            [_, ..] => return false,
        }
    }
}

/// What follows the `v` of `IPvFuture`.
fn is_ip_future(text: &[u8]) -> bool {
    let Some(dot) = text.iter().position(|&b| b == b'.') else {
        return false;
    };
    let (version, address) = (&text[..dot], &text[dot + 1..]);
    !version.is_empty()
        && version.iter().all(u8::is_ascii_hexdigit)
        && !address.is_empty()
        && address.iter().all(|&b| is_reg_name(b) || b == b':')
}

fn is_port(port: &[u8]) -> bool {
    port.is_empty() || digits(port).is_some_and(|number| number <= u64::from(u16::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_addresses_and_ports_are_valid() {
        for good in [
            "",
            "a",
            "example.com",
            "web_1:8000",
            "a%20b",
            "127.0.0.1:80",
            "[::1]",
            "[::1]:8000",
            "[2001:db8::1]:",
            "[v1.a:b]",
            "a:",
            ":80",
            "a:65535",
            "xn--bcher-kva.example",
        ] {
            assert!(is_valid(good.as_bytes()), "{good}");
        }
    }

    #[test]
    fn junk_is_invalid() {
        for bad in [
            "a b",
            "<x>",
            "a/b",
            "user@a",
            "a:b",
            "a:80:80",
            "a:65536",
            "a:+1",
            "::1",
            "[::1",
            "[::1]a",
            "[]",
            "[g::]",
            "[::1%25eth0]",
            "[v.a]",
            "[v1]",
            "[v1.]",
            "a%2",
            "a%zz",
            "a\\b",
            "a?b",
            "a#b",
            "a\"b",
            "b\u{fc}cher",
        ] {
            assert!(!is_valid(bad.as_bytes()), "{bad}");
        }
    }

    #[test]
    fn some_targets_need_a_name_and_a_port() {
        assert!(is_named(b"a:443", true));
        assert!(!is_named(b"a", true));
        assert!(!is_named(b"a:", true));
        assert!(!is_named(b":443", true));
        assert!(is_named(b"a", false));
        assert!(!is_named(b"", false));
    }

    #[test]
    fn case_and_the_default_port_make_no_difference() {
        assert!(is_same(b"Example.com:80", b"example.COM", Some(80)));
        assert!(is_same(b"a:", b"a:443", Some(443)));
        assert!(!is_same(b"a:80", b"a", None));
        assert!(!is_same(b"a:80", b"a:81", Some(80)));
        assert!(!is_same(b"a", b"b", Some(80)));
        assert!(!is_same(b"a", b"", Some(80)));
    }
}
