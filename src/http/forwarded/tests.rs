//! Chains of proxies, honest and not. Trusted are 10.0.0.0/8 and fd00::/8.

use std::cell::Cell;
use std::sync::Arc;

use super::super::{Connection, Event, Policy};
use super::*;

fn is_trusted(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.octets()[0] == 10,
        IpAddr::V6(address) => address.octets()[0] == 0xfd,
    }
}

/// A connection with a request that has these fields.
fn request(fields: &[&str]) -> Connection {
    let policy = Policy { limits: super::super::Limits::new(0, 0, 1 << 20), ..Policy::default() };
    let mut connection = Connection::new(Arc::new(policy));
    let lines: String = fields.iter().map(|field| format!("{field}\r\n")).collect();
    connection.receive(format!("GET / HTTP/1.1\r\nHost: a\r\n{lines}\r\n").as_bytes());
    assert_eq!(connection.next_event(), Ok(Event::Head));
    connection
}

/// `address port` of the client, `-` for what is not known.
#[track_caller]
fn check(header: ClientHeader, fields: &[&str], want: &str) {
    let connection = request(fields);
    let got = match client_address(connection.head(), header, &is_trusted) {
        Some((address, Some(port))) => format!("{address} {port}"),
        Some((address, None)) => format!("{address} -"),
        None => "-".to_owned(),
    };
    assert_eq!(got, want, "{fields:?}");
}

#[track_caller]
fn check_list(value: &str, want: &str) {
    check(ClientHeader::XForwardedFor, &[&format!("X-Forwarded-For: {value}")], want);
}

#[track_caller]
fn check_forwarded(value: &str, want: &str) {
    check(ClientHeader::Forwarded, &[&format!("Forwarded: {value}")], want);
}

#[test]
fn the_right_most_address_that_is_not_trusted_is_the_client() {
    check_list("192.0.2.1", "192.0.2.1 -");
    check_list("192.0.2.9, 192.0.2.1", "192.0.2.1 -");
    check_list("192.0.2.9, 192.0.2.1,10.0.0.1 ,\t10.0.0.2", "192.0.2.1 -");
    check_list("10.0.0.1, 10.0.0.2", "10.0.0.1 -");
}

#[test]
fn several_fields_are_one_list() {
    let fields = ["X-Forwarded-For: 192.0.2.9", "x-forwarded-for: 192.0.2.1", "A: b", "X-FORWARDED-FOR: 10.0.0.1"];
    check(ClientHeader::XForwardedFor, &fields, "192.0.2.1 -");
    let fields = ["Forwarded: for=192.0.2.9", "FORWARDED: for=192.0.2.1", "Forwarded: for=10.0.0.1"];
    check(ClientHeader::Forwarded, &fields, "192.0.2.1 -");
}

#[test]
fn only_the_named_field_is_looked_at() {
    check(ClientHeader::Forwarded, &["X-Forwarded-For: 192.0.2.1"], "-");
    check(ClientHeader::XForwardedFor, &["Forwarded: for=192.0.2.1", "X_Forwarded_For: 192.0.2.1"], "-");
    check(ClientHeader::XForwardedFor, &[], "-");
}

#[test]
fn nodes_have_all_forms_of_addresses() {
    check_list("192.0.2.1:567", "192.0.2.1 567");
    check_list("2001:db8::1", "2001:db8::1 -");
    check_list("[2001:db8::1]", "2001:db8::1 -");
    check_list("[2001:db8::1]:567", "2001:db8::1 567");
    check_list("192.0.2.1:_a.B-c", "192.0.2.1 -");
    check_list("192.0.2.1:65535", "192.0.2.1 65535");
    check_list("192.0.2.1, fd00::1", "192.0.2.1 -");
    check_list("::ffff:192.0.2.1", "192.0.2.1 -");
    check_list("192.0.2.1, ::ffff:10.0.0.1", "192.0.2.1 -");
    check_list("[::ffff:c000:201]:80", "192.0.2.1 80");
}

#[test]
fn what_is_no_address_ends_the_walk() {
    for junk in [
        "",
        "unknown",
        "_hidden",
        "a.example",
        "192.0.2",
        "192.0.2.1:",
        "192.0.2.1:65536",
        "192.0.2.1:+1",
        "192.0.2.1:000001",
        "192.0.2.1:_",
        "192.0.2.1:_a b",
        "192.0.2.01",
        "1.2.3.4.5",
        "[192.0.2.1]",
        "[2001:db8::1",
        "2001:db8::1]",
        "[2001:db8::1]567",
        "[2001:db8::1]:",
        "fe80::1%eth0",
        "192.0.2.1 192.0.2.2",
        "\"192.0.2.1\"",
        "for=192.0.2.1",
        "0x7f.1",
        "1",
        "::1::",
        ":1",
        "unix:",
        "192.0.2.1\t:80",
    ] {
        check_list(junk, "-");
        check_list(&format!("192.0.2.9, {junk}"), "-");
        check_list(&format!("192.0.2.9, {junk}, 10.0.0.1, 10.0.0.2"), "10.0.0.1 -");
    }
    check_list(&format!("192.0.2.9, {}", "1".repeat(1000)), "-");
}

#[test]
fn elements_of_forwarded_follow_the_grammar() {
    check_forwarded("for=192.0.2.1", "192.0.2.1 -");
    check_forwarded("For=\"[2001:db8::1]:4711\";proto=http", "2001:db8::1 4711");
    check_forwarded("by=10.0.0.9;FOR=\"192.0.2.1:80\";host=\"a,b;for=1\"", "192.0.2.1 80");
    check_forwarded("for=\"192.0.\\2.\\1\"", "192.0.2.1 -");
    check_forwarded(";for=192.0.2.1;;proto=https;", "192.0.2.1 -");
    check_forwarded("for=192.0.2.1; proto=https ;host=a", "192.0.2.1 -");
    check_forwarded("for=192.0.2.1;ext=\"a\\\"b\\\\\"", "192.0.2.1 -");
    check_forwarded("for=192.0.2.9, for=192.0.2.1;ext=\"x,\\\",y\", for=10.0.0.1", "192.0.2.1 -");
    check_forwarded("for=192.0.2.9 , for=192.0.2.1,for=\"10.0.0.1:_p\"", "192.0.2.1 -");
}

#[test]
fn malformed_elements_end_the_walk() {
    for junk in [
        "",
        ";",
        "for",
        "for=",
        "=192.0.2.1",
        "for =192.0.2.1",
        "for= 192.0.2.1",
        "for=[2001:db8::1]",
        "for=192.0.2.1:80",
        "for=\"192.0.2.1",
        "for=\"192.0.2.1\\\"",
        "for=\"192.0.2.1\"x",
        "for=192.0.2.1 x",
        "for=192.0.2.1;for=192.0.2.1",
        "for=192.0.2.1;proto",
        "for=192.0.2.1;proto=",
        "by=192.0.2.1",
        "for=unknown",
        "for=_hidden",
        "for=\"\"",
        "for=\"192.0.2.1 \"",
        "192.0.2.1",
        "for=192.0.2.1;a=b c",
        "for=192.0.2.1\\",
    ] {
        check_forwarded(junk, "-");
        check_forwarded(&format!("for=192.0.2.9, {junk}, for=10.0.0.1"), "10.0.0.1 -");
    }
    check_forwarded(&format!("for=\"{}\"", "1".repeat(1000)), "-");
}

#[test]
fn a_client_cannot_reach_into_what_a_proxy_wrote() {
    for poison in ["for=\"", "for=\"x", "\"", "for=\"\\", "for=\"a\\\\", "for=x;\"\\\"", "for=1.1.1.1, \"", "\"\"\""] {
        check_forwarded(&format!("{poison}, for=192.0.2.1"), "192.0.2.1 -");
        check_forwarded(&format!("{poison}, for=\"[2001:db8::1]:1\", for=\"10.0.0.1\""), "2001:db8::1 1");
    }
}

#[test]
fn a_long_list_costs_a_bounded_number_of_looks() {
    for (header, entry) in [(ClientHeader::XForwardedFor, "10.0.0.1,"), (ClientHeader::Forwarded, "for=10.0.0.1,")] {
        let name = if header == ClientHeader::Forwarded { "Forwarded" } else { "X-Forwarded-For" };
        let list = format!("{name}: {}{}", entry.repeat(50_000), entry.trim_end_matches(','));
        let connection = request(&[&list]);
        let looks = Cell::new(0);
        let client = client_address(connection.head(), header, &|address| {
            looks.set(looks.get() + 1);
            is_trusted(address)
        });
        assert_eq!(client.map(|(address, _)| address), Some(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1))));
        assert_eq!(looks.get(), MOST_HOPS);
    }
}

#[test]
fn a_list_of_quotes_and_backslashes_is_looked_at_once() {
    let field = format!("Forwarded: {}, for=192.0.2.1", "\\\\\"".repeat(300_000));
    check(ClientHeader::Forwarded, &[&field], "192.0.2.1 -");
    check(ClientHeader::Forwarded, &[&format!("Forwarded: {}", "\"\\".repeat(400_000))], "-");
}
