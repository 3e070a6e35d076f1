//! PROXY headers, byte by byte: what is a header, what is none, and how early that is known.

use proptest::prelude::*;

use super::*;

const BOTH: Versions = Versions { v1: true, v2: true };
const V1: Versions = Versions { v1: true, v2: false };
const V2: Versions = Versions { v1: false, v2: true };

/// A header of version 2: command, family and transport, the rest.
fn binary(command: u8, kind: u8, rest: &[u8]) -> Vec<u8> {
    let len = u16::try_from(rest.len()).unwrap().to_be_bytes();
    [&SIGNATURE[..], &[command, kind], &len, rest].concat()
}

const IPV4: [u8; 12] = [192, 0, 2, 1, 198, 51, 100, 7, 0xdc, 0x04, 0x01, 0xbb];

fn shown(reading: &Reading) -> String {
    match reading {
        Reading::NeedBytes => "need bytes".to_owned(),
        Reading::Absent => "absent".to_owned(),
        Reading::Malformed(why) => format!("malformed: {why}"),
        Reading::Header { len, header } => match header.addresses {
            Some((source, destination)) => format!("{len} {} {source} {destination}", header.protocol),
            None => format!("{len} {}", header.protocol),
        },
    }
}

/// The reading of the whole, after every part of it was either undecided or read the same.
#[track_caller]
fn read(bytes: &[u8], versions: Versions) -> Reading {
    let whole = read_proxy_header(bytes, versions);
    for end in 0..bytes.len() {
        let part = read_proxy_header(&bytes[..end], versions);
        assert!(part == Reading::NeedBytes || part == whole, "{end} of {bytes:?}: {part:?}, then {whole:?}");
    }
    whole
}

#[track_caller]
fn check(bytes: impl AsRef<[u8]>, want: &str) {
    assert_eq!(shown(&read(bytes.as_ref(), BOTH)), want, "{:?}", String::from_utf8_lossy(bytes.as_ref()));
}

#[test]
fn a_line_names_the_client_and_ends_where_the_request_begins() {
    let request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    check("PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\n", "45 TCP4 192.0.2.1:56324 198.51.100.7:443");
    check(format!("PROXY TCP4 192.0.2.1 198.51.100.7 0 65535\r\n{request}"), "43 TCP4 192.0.2.1:0 198.51.100.7:65535");
    check("PROXY TCP6 2001:db8::1 ::1 4711 80\r\n", "36 TCP6 [2001:db8::1]:4711 [::1]:80");
    check("PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n", "37 TCP6 [::ffff:192.0.2.1]:1 [::1]:2");
}

#[test]
fn an_unknown_client_keeps_the_peer_of_the_socket() {
    check("PROXY UNKNOWN\r\n", "15 UNKNOWN");
    check("PROXY UNKNOWN \r\n", "16 UNKNOWN");
    check("PROXY UNKNOWN ffff::1 junk  65536\x07\r\nGET", "36 UNKNOWN");
    check("PROXY UNKNOWNS\r\n", "malformed: not TCP4, TCP6 or UNKNOWN with its parts");
    check("PROXY unknown\r\n", "malformed: not TCP4, TCP6 or UNKNOWN with its parts");
}

#[test]
fn the_longest_line_has_107_bytes() {
    let line = |len: usize| format!("PROXY UNKNOWN {}\r\n", "x".repeat(len - 16));
    check(line(107), "107 UNKNOWN");
    check(line(108), "malformed: no line of up to 107 bytes that ends with CRLF");
    let endless = "PROXY TCP4 ".to_owned() + &"1".repeat(100);
    assert_eq!(read_proxy_header(&endless.as_bytes()[..105], BOTH), Reading::NeedBytes);
    assert_eq!(read_proxy_header(&endless.as_bytes()[..106], BOTH), Reading::Malformed(Malformed::Line));
}

#[test]
fn a_line_ends_with_crlf_and_nothing_else() {
    for end in ["\n", "\r", "\r\r\n", "\rX\r\n", "\n\r\n"] {
        let bytes = format!("PROXY TCP4 192.0.2.1 198.51.100.7 1 2{end}GET / HTTP/1.1\r\n");
        check(bytes, "malformed: no line of up to 107 bytes that ends with CRLF");
    }
    check("PROXY TCP4 192.0.2.1 198.51.100.7 1 2\r", "need bytes");
}

#[test]
fn five_parts_have_one_space_between_them() {
    for line in [
        "",
        " ",
        "TCP4",
        "TCP4 192.0.2.1 198.51.100.7 1",
        "TCP4 192.0.2.1 198.51.100.7 1 2 3",
        "TCP4 192.0.2.1 198.51.100.7 1 2 ",
        " TCP4 192.0.2.1 198.51.100.7 1 2",
        "tcp4 192.0.2.1 198.51.100.7 1 2",
        "TCP 192.0.2.1 198.51.100.7 1 2",
        "UDP4 192.0.2.1 198.51.100.7 1 2",
        "TCP4  192.0.2.1 198.51.100.7 1 2",
        "TCP4\t192.0.2.1 198.51.100.7 1 2",
    ] {
        check(format!("PROXY {line}\r\n"), "malformed: not TCP4, TCP6 or UNKNOWN with its parts");
    }
}

#[test]
fn addresses_are_valid_and_of_their_family() {
    for (protocol, address) in [
        ("TCP4", "192.0.2.256"),
        ("TCP4", "192.0.2"),
        ("TCP4", "192.0.2.01"),
        ("TCP4", "::1"),
        ("TCP4", "localhost"),
        ("TCP4", "192.0.2.1/8"),
        ("TCP4", "192.0.2.1:80"),
        ("TCP4", "192.0.2.1\0"),
        ("TCP6", "192.0.2.1"),
        ("TCP6", "[::1]"),
        ("TCP6", "fe80::1%eth0"),
        ("TCP6", ":::1"),
        ("TCP6", "é"),
    ] {
        let good = if protocol == "TCP4" { "192.0.2.1" } else { "::1" };
        check(format!("PROXY {protocol} {address} {good} 1 2\r\n"), "malformed: invalid address");
        check(format!("PROXY {protocol} {good} {address} 1 2\r\n"), "malformed: invalid address");
    }
    check("PROXY TCP4 192.0.2.1  1 2\r\n", "malformed: invalid address");
    check([b"PROXY TCP4 192.0.2.1 \xff 1 2\r\n".as_slice()].concat(), "malformed: invalid address");
}

#[test]
fn ports_are_numbers_in_their_shortest_form() {
    for port in ["65536", "99999999999999999999", "01", "00", "+1", "-1", "0x1", "1a", "", "٣"] {
        check(format!("PROXY TCP4 192.0.2.1 192.0.2.2 {port} 2\r\n"), "malformed: invalid port");
        check(format!("PROXY TCP4 192.0.2.1 192.0.2.2 2 {port}\r\n"), "malformed: invalid port");
    }
}

#[test]
fn a_binary_header_names_the_client() {
    check(binary(0x21, 0x11, &IPV4), "28 TCP4 192.0.2.1:56324 198.51.100.7:443");
    let source = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).octets();
    let ipv6 = [&source[..], &Ipv6Addr::LOCALHOST.octets(), &[0, 80, 1, 187]].concat();
    check(binary(0x21, 0x21, &ipv6), "52 TCP6 [2001:db8::1]:80 [::1]:443");
    let mut with_request = binary(0x21, 0x11, &IPV4);
    with_request.extend_from_slice(b"GET / HTTP/1.1\r\n");
    check(with_request, "28 TCP4 192.0.2.1:56324 198.51.100.7:443");
}

#[test]
fn extensions_are_skipped_whatever_they_hold() {
    let extended = [&IPV4[..], &[0x04, 0, 2, 0, 0, 0xff, 0xff, 0xff]].concat();
    check(binary(0x21, 0x11, &extended), "36 TCP4 192.0.2.1:56324 198.51.100.7:443");
}

#[test]
fn a_binary_header_without_an_address_keeps_the_peer_of_the_socket() {
    check(binary(0x20, 0x00, &[]), "16 LOCAL");
    check(binary(0x20, 0x11, &IPV4), "28 LOCAL");
    // The family of a LOCAL header is to be ignored, and so is what would be its addresses.
    check(binary(0x20, 0xff, &[1, 2, 3]), "19 LOCAL");
    check(binary(0x21, 0x00, &[]), "16 UNSPEC");
    check(binary(0x21, 0x01, &[1, 2, 3]), "19 UNSPEC");
    check(binary(0x21, 0x31, &[0; 216]), "232 UNIX");
}

#[test]
fn a_binary_header_of_another_kind_is_malformed() {
    for command in [0x00, 0x10, 0x11, 0x22, 0x2f, 0x31, 0xff] {
        check(binary(command, 0x11, &IPV4), "malformed: unknown version or command");
    }
    for kind in [0x02, 0x10, 0x12, 0x13, 0x20, 0x22, 0x30, 0x32, 0x41, 0xff] {
        check(binary(0x21, kind, &[0; 216]), "malformed: unsupported address family or transport");
    }
}

#[test]
fn lengths_must_hold_the_addresses_and_stay_within_4096_bytes() {
    check(binary(0x21, 0x11, &IPV4[..11]), "malformed: invalid length");
    check(binary(0x21, 0x21, &[0; 35]), "malformed: invalid length");
    check(binary(0x21, 0x31, &[0; 215]), "malformed: invalid length");
    check(binary(0x21, 0x01, &vec![0; 4080]), "4096 UNSPEC");
    check(binary(0x21, 0x01, &vec![0; 4081]), "malformed: invalid length");
    check(binary(0x20, 0x00, &vec![0; 65_535]), "malformed: invalid length");
    // Said at once, not when that many bytes are there.
    assert_eq!(read_proxy_header(&binary(0x20, 0, &[0; 4081])[..16], BOTH), Reading::Malformed(Malformed::Length));
}

#[test]
fn a_request_is_known_for_one_as_early_as_possible() {
    for (bytes, undecided) in
        [("GET / ", 0), ("POST / ", 1), ("PUT / ", 1), ("PATCH / ", 1), ("PRI * ", 2), ("PROPFIND / ", 3)]
    {
        for end in 0..bytes.len() {
            let want = if end <= undecided { Reading::NeedBytes } else { Reading::Absent };
            assert_eq!(read_proxy_header(&bytes.as_bytes()[..end], BOTH), want, "{end} of {bytes}");
        }
    }
    for bytes in ["proxy TCP4", "PROXY\t", "PROXYS ", "\r\nGET / HTTP/1.1\r\n", "\x16\x03\x01", "\n", "\r\n\r\nGET"] {
        check(bytes, "absent");
    }
    check("", "need bytes");
    check("\r\n\r\n\0\r\nQUIT", "need bytes");
}

#[test]
fn a_header_of_a_version_that_is_off_is_no_header() {
    let line = b"PROXY UNKNOWN\r\n";
    let packet = binary(0x20, 0, &[]);
    let off = Versions { v1: false, v2: false };
    assert_eq!(shown(&read(line, V1)), "15 UNKNOWN");
    assert_eq!(shown(&read(&packet, V2)), "16 LOCAL");
    assert_eq!(read(line, V2), Reading::Absent);
    assert_eq!(read(&packet, V1), Reading::Absent);
    for bytes in [&line[..], &packet, b""] {
        assert_eq!(read_proxy_header(bytes, off), Reading::Absent);
    }
    assert_eq!(read_proxy_header(b"P", V2), Reading::Absent);
    assert_eq!(read_proxy_header(b"\r", V1), Reading::Absent);
}

/// Bytes that come far: headers with up to two bytes changed, and any bytes.
fn nearly_headers() -> impl Strategy<Value = Vec<u8>> {
    let line = "PROXY (TCP4|TCP6|UNKNOWN) ([0-9.]{1,15}|[0-9a-f:]{2,39}) [0-9a-f:.]{1,39} [0-9]{1,6} [0-9]{1,6}\r\n";
    let line = prop::string::string_regex(line).expect("a pattern").prop_map(String::into_bytes);
    let any_bytes = |most| prop::collection::vec(any::<u8>(), 0..most);
    let packet = (0x20..0x23_u8, any::<u8>(), any_bytes(260));
    let packet = packet.prop_map(|(command, kind, rest)| binary(command, kind & 0x33, &rest));
    let whole = prop_oneof![line, packet, any_bytes(40)];
    let changes = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3);
    (whole, changes).prop_map(|(mut bytes, changes)| {
        for (at, byte) in changes {
            let len = bytes.len().max(1);
            if let Some(place) = bytes.get_mut(at.index(len)) {
                *place = byte;
            }
        }
        bytes
    })
}

proptest! {
    #[test]
    fn any_splitting_gives_the_same(bytes in nearly_headers(), v1: bool, v2: bool) {
        if let Reading::Header { len, .. } = read(&bytes, Versions { v1, v2 }) {
            prop_assert!(len <= bytes.len());
            // The header needs all of its bytes and none behind them.
            prop_assert_eq!(read_proxy_header(&bytes[..len - 1], Versions { v1, v2 }), Reading::NeedBytes);
        }
    }

    #[test]
    fn what_is_written_is_read(source: (u32, u16), destination: (u32, u16), rest: Vec<u8>) {
        let socket = |(ip, port): (u32, u16)| SocketAddr::new(IpAddr::V4(ip.into()), port);
        let want = Some((socket(source), socket(destination)));
        let line = format!(
            "PROXY TCP4 {} {} {} {}\r\n",
            socket(source).ip(), socket(destination).ip(), source.1, destination.1,
        );
        let numbers = [&source.0.to_be_bytes()[..], &destination.0.to_be_bytes()];
        let ports = [source.1.to_be_bytes(), destination.1.to_be_bytes()].concat();
        let packet = binary(0x21, 0x11, &[numbers.concat(), ports].concat());
        for header in [line.into_bytes(), packet] {
            let bytes = [&header[..], &rest].concat();
            let Reading::Header { len, header: read } = read_proxy_header(&bytes, BOTH) else {
                return Err(TestCaseError::fail("no header"));
            };
            prop_assert_eq!(len, header.len());
            prop_assert_eq!(read.addresses, want);
        }
    }
}
