//! Properties of any bytes: how they are cut changes nothing, whatever the switches; what is sent can be read back.

use std::sync::Arc;

use indrik::http::{Connection, Event, HeaderMap, Limits, Policy};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::answer::{Length, Reply, unchunk};
use super::reader::{Peer, Reader, Seen, bytes};

/// Pieces that requests are made of, sound and not.
#[rustfmt::skip]
const SCRAPS: [&str; 78] = [
    "GET / HTTP/1.1|Host: a||", "POST /b?c HTTP/1.1|Host: a|Content-Length: 3||abc", "|", "\n", "\r", " ", ":", "\0",
    "a", "POST / HTTP/1.1|Host: a|Transfer-Encoding: chunked||2|ab|0||", "GET http://a/ HTTP/1.2|Host: a|",
    "HEAD / HTTP/1.0|", "GET /abcdefghijklmnopqrstuvwxyz HTTP/1.1|", "GET /abcdefghijklmnopqrstuvwxyz/ HTTP/1.1|",
    "GET", " / ", "HTTP/1.1", "GET / HTTP/1.1|", "Host: a|", "Host: a||", "host:b|", "A:|", "A: \t|", "A:b |",
    "A_b: \u{e9}|", " fold|", "A : b|", "Connection: close|", "Connection: keep-alive|", "Content-Length: 5|",
    "Content-Length: 0|", "Content-Length: 99|", "Transfer-Encoding: chunked|", "Transfer-Encoding: gzip, chunked|",
    "Expect: 100-continue|", "Expect: x|", "||", "0|", "0||", "5|hello|", "3;a=b|abc|",
    "1;aaaaaaaaaaaaaaaaaaaaaaaaaa|x|", "A|0123456789|", "ffffffffffffffff|", "X-Sum: 1|", "TE: a|", "\u{16}\u{3}",
    "PRI * HTTP/2.0||SM||", "CONNECT a:1 HTTP/1.1|Host: a:1||", "OPTIONS * HTTP/1.1|", "\u{ff}", "A:b\n", "A:b\rc|",
    "Aaaaaaaaaaaaaa: aaaaaaaaaaaaa|", "Aaaaaaaaaaaaaa: aaaaaaaaaaaaaa|", "Aaaaaaaaaaaaaa: aaaaaaaaaaaaaaa|",
    "aaaaaaaaaaaaaaaaaaaaaaaa", "hello", "Content-Type: a|", "A: b|A: b|",
    "head / HTTP/1.1|", "connect a:1 HTTP/1.1|", "g#T / HTTP/2.0|", "M / HTTP/0.9|", "\t|", " 5|", "\t, chunked \t|",
    "Content-Length:|", "Transfer-Encoding :|", "Host :a|", "Content_Length: 5|", "script_name: /a|", "PATH_INFO:|",
    "X-Forwarded-Proto: https|", "X-Forwarded-Ssl: off|", "x-forwarded-protocol: ssl|", "X_Forwarded_Proto: https|",
    " X-Forwarded-Proto: https|",
];

/// Requests that some policy accepts.
const WHOLE: [&str; 8] = [
    "GET /a?b HTTP/1.1|Host: a|Accept: */*|X-Forwarded-Proto: https||",
    "POST / HTTP/1.1|Host: a|Content-Length: 5|Content-Type: a/b||hello",
    "PUT / HTTP/1.1|Host: a|Transfer-Encoding: chunked||5;a=\"b\"|hello|1|x|0|X-Sum: 1||",
    "head / HTTP/1.1|Host: a|A: b| c|\td|Connection: keep-alive||",
    "POST http://a/b HTTP/1.1|Host : a|Transfer-Encoding:| chunked||2|ab|0|A: b| c||",
    "M#x / HTTP/2.0|Host: a|SCRIPT_NAME: /s|A_b: c|X-Forwarded-Ssl: on||",
    "HEAD / HTTP/1.0|Connection: keep-alive|A_b: c||",
    "GET / HTTP/0.9|Connection: keep-alive|Expect: 100-continue||",
];

fn any_limits() -> impl Strategy<Value = Limits> {
    prop_oneof![
        2 => Just(Limits::default()),
        1 => Just(Limits::new(40, 4, 31)),
        1 => (1usize..60, 1usize..6, 8usize..40).prop_map(|(line, fields, size)| Limits::new(line, fields, size)),
    ]
}

/// Any switches, with the default now and then.
fn any_policy() -> impl Strategy<Value = Policy> {
    let switches = prop_oneof![1 => Just([false; 5]), 1 => Just([true; 5]), 3 => any::<[bool; 5]>()];
    let header_map = select(vec![HeaderMap::Drop, HeaderMap::Refuse, HeaderMap::Dangerous]);
    let forwarder_headers = select(vec![vec!["SCRIPT_NAME", "PATH_INFO"], vec!["*"], vec![]]);
    (any_limits(), switches, header_map, forwarder_headers).prop_map(|(limits, switches, header_map, names)| Policy {
        limits,
        obsolete_folding: switches[0],
        header_spaces: switches[1],
        unconventional_method: switches[2],
        unconventional_version: switches[3],
        casefold_method: switches[4],
        header_map,
        forwarder_headers: names.into_iter().map(str::to_owned).collect(),
        ..Policy::default()
    })
}

fn any_peer() -> impl Strategy<Value = Peer> {
    select(vec![Peer::Stranger, Peer::Forwarder])
}

/// A stream of scraps, now and then with a byte changed.
fn scrap_stream() -> impl Strategy<Value = Vec<u8>> {
    let scraps = vec(select(SCRAPS.to_vec()), 0..14);
    let sound = prop::bool::ANY;
    let changes = vec((any::<Index>(), any::<u8>()), 0..2);
    (sound, scraps, changes).prop_map(|(sound, scraps, changes)| {
        let start = if sound { "POST / HTTP/1.1|Host: a|" } else { "" };
        let mut stream = bytes(&format!("{start}{}", scraps.concat()));
        for (at, byte) in changes {
            if !stream.is_empty() {
                let at = at.index(stream.len());
                stream[at] = byte;
            }
        }
        stream
    })
}

/// Whole requests behind one another, in which a few bytes are put in, taken out, or replaced.
fn mutated_stream() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![4 => select(b"\r\n :\t_,;\"\0/0aA#\x7f\xe9".to_vec()), 1 => any::<u8>()];
    let changes = vec((any::<Index>(), 0..3usize, 0..2usize, byte), 0..4);
    (vec(select(WHOLE.to_vec()), 1..4), changes).prop_map(|(requests, changes)| {
        let mut stream = bytes(&requests.concat());
        for (at, taken, put, byte) in changes {
            let start = at.index(stream.len() + 1);
            let end = (start + taken).min(stream.len());
            stream.splice(start..end, std::iter::repeat_n(byte, put));
        }
        stream
    })
}

fn any_stream() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![9 => scrap_stream(), 9 => mutated_stream(), 1 => vec(any::<u8>(), 0..200)]
}

/// `stream`, cut at these places.
fn pieces<'a>(stream: &'a [u8], cuts: &[Index]) -> Vec<&'a [u8]> {
    let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
    cuts.sort_unstable();
    let starts = std::iter::once(0).chain(cuts.iter().copied());
    let ends = cuts.iter().copied().chain([stream.len()]);
    starts.zip(ends).map(|(start, end)| &stream[start..end]).collect()
}

/// What a stranger cannot do, whatever it sends.
fn check_seen(seen: &Seen, policy: &Policy, peer: Peer) {
    if seen.refusal.is_none() && peer == Peer::Stranger {
        assert_eq!(seen.is_secure, None);
    }
    if policy.header_map != HeaderMap::Dangerous && peer == Peer::Stranger {
        let name = |field: &String| field.split(':').next().unwrap_or_default().to_owned();
        assert!(seen.fields.iter().all(|field| !name(field).contains('_')), "{seen:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_splitting_of_any_bytes_gives_the_same_events(
        stream in any_stream(),
        cuts in vec(any::<Index>(), 0..6),
        policy in any_policy(),
        peer in any_peer(),
        is_ended in any::<bool>(),
    ) {
        let policy = Arc::new(policy);
        let whole = Reader::new(&policy, peer).feed([&stream[..]], is_ended);
        let bytewise = Reader::new(&policy, peer).feed(stream.chunks(1), is_ended);
        prop_assert_eq!(&bytewise, &whole);
        let split = Reader::new(&policy, peer).feed(pieces(&stream, &cuts), is_ended);
        prop_assert_eq!(&split, &whole);
        whole.iter().for_each(|seen| check_seen(seen, &policy, peer));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_switch_takes_nothing_away(
        stream in any_stream(),
        policy in any_policy(),
        peer in any_peer(),
    ) {
        // What the strictest policy accepts, any other one with the same limits and the same map accepts too.
        let strict = Policy {
            limits: policy.limits,
            header_map: policy.header_map,
            forwarder_headers: policy.forwarder_headers.clone(),
            ..Policy::default()
        };
        let strict = Reader::new(&Arc::new(strict), peer).feed([&stream[..]], false);
        let loose = Reader::new(&Arc::new(policy), peer).feed([&stream[..]], false);
        let accepted = strict.iter().take_while(|seen| seen.refusal.is_none() && seen.ending != "waits").count();
        prop_assert!(loose.len() >= accepted);
        prop_assert_eq!(&strict[..accepted], &loose[..accepted]);
    }

    #[test]
    fn what_is_sent_can_be_read_back(
        request in select(vec![
            "GET / HTTP/1.1|Host: a||", "HEAD / HTTP/1.1|Host: a||", "GET / HTTP/1.0||", "CONNECT a:1 HTTP/1.1|Host: a:1||",
            "GET / HTTP/1.0|Connection: keep-alive||", "GET / HTTP/1.1|Host: a|Connection: close||",
        ]),
        status in select(vec!["200 OK", "404", "204 No Content", "304 Not Modified", "500 \u{e9}"]),
        fields in vec(("X-[a-zA-Z]{1,8}", vec(select((b' '..=b'~').chain([b'\t', 0x80, 0xff]).collect::<Vec<_>>()), 0..12)), 0..5),
        pieces in vec(vec(any::<u8>(), 0..40), 0..5),
        length in select(vec![Length::Unknown, Length::Known, Length::Stated]),
    ) {
        let reply = Reply { status: status.as_bytes().to_vec(), fields, pieces, length };
        let mut connection = Connection::new(Arc::default());
        connection.receive(&bytes(request));
        prop_assert_eq!(connection.next_event(), Ok(Event::Head));
        let wire = reply.send(&mut connection);
        reply.check(&wire, &connection);
    }

    #[test]
    fn a_head_that_is_handed_on_in_part_reads_the_same(
        stream in any_stream(),
        cuts in vec(any::<Index>(), 2),
        policy in any_policy(),
    ) {
        // A worker that drains gives what it has of a head to another one. An empty line before it is not given on.
        let start = stream.iter().take_while(|byte| b"\r\n".contains(byte)).count();
        let stream = &stream[start..];
        let policy = Arc::new(policy);
        let outcome = |mut connection: Connection, rest: &[u8]| {
            connection.receive(rest);
            let event = connection.next_event();
            let head = connection.head();
            (event, head.first_line().to_string(), head.fields().map(|field| format!("{field:?}")).collect::<Vec<_>>())
        };
        let mut first = Connection::new(Arc::clone(&policy));
        for piece in &pieces(stream, &cuts)[..2] {
            first.receive(piece);
            if first.next_event() != Ok(Event::NeedBytes) {
                return Ok(());
            }
        }
        let rest = pieces(stream, &cuts)[2];
        let mut second = Connection::new(Arc::clone(&policy));
        second.receive(first.unread());
        prop_assert_eq!(outcome(second, rest), outcome(first, rest));
    }

    #[test]
    fn every_answer_of_a_connection_can_be_read_back(
        stream in mutated_stream(),
        policy in any_policy(),
        status in select(vec!["200 OK", "204", "304 Not Modified", "404 Not Found"]),
        pieces in vec(vec(any::<u8>(), 0..40), 0..3),
        length in select(vec![Length::Unknown, Length::Known, Length::Stated]),
    ) {
        // The reader checks what it sends.
        let reply = Reply { status: status.as_bytes().to_vec(), fields: Vec::new(), pieces, length };
        let seen = Reader::new(&Arc::new(policy), Peer::Forwarder).replying(reply).feed([&stream[..]], true);
        prop_assert!(seen.iter().all(|seen| seen.refusal.is_some() == seen.answer.is_empty()));
    }

    #[test]
    fn a_body_that_was_sent_in_chunks_can_be_received(
        sent in vec(vec(any::<u8>(), 0..300), 0..8),
        cuts in vec(any::<Index>(), 0..6),
    ) {
        let reply = Reply { pieces: sent.clone(), length: Length::Unknown, ..Reply::default() };
        let mut connection = Connection::new(Arc::default());
        connection.receive(&bytes("GET / HTTP/1.1|Host: a||"));
        prop_assert_eq!(connection.next_event(), Ok(Event::Head));
        let answer = reply.send(&mut connection);
        let head_len = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
        prop_assert_eq!(unchunk(&answer[head_len..]), sent.concat());

        let stream = [&bytes("POST / HTTP/1.1|Host: a|Transfer-Encoding: chunked||")[..], &answer[head_len..]].concat();
        let seen = Reader::new(&Arc::default(), Peer::Stranger).feed(pieces(&stream, &cuts), true);
        prop_assert_eq!(seen.len(), 1);
        prop_assert_eq!((&seen[0].body, seen[0].ending, &seen[0].refusal), (&sent.concat(), "", &None));
    }

    #[test]
    fn a_chunked_body_in_any_dress_is_its_data(
        chunks in vec((vec(any::<u8>(), 1..40), 0..8usize, select(vec!["", ";a", " ; b = c", ";d=\"e\\\"f\"", "\t;g"])), 0..6),
        last in select(vec!["0", "000", "0;end", "0 ;a=\"\""]),
        trailers in select(vec!["", "A: b|", "X-Sum: \u{e9}|A_b:|"]),
        cuts in vec(any::<Index>(), 0..6),
    ) {
        let mut stream = bytes("POST / HTTP/1.1|Host: a|Transfer-Encoding: chunked||");
        for (data, zeroes, extension) in &chunks {
            let size = format!("{}{:X}", "0".repeat(*zeroes), data.len());
            stream.extend(bytes(&format!("{size}{extension}|")));
            stream.extend(data);
            stream.extend(b"\r\n");
        }
        stream.extend(bytes(&format!("{last}|{trailers}|")));
        let data: Vec<u8> = chunks.iter().flat_map(|(data, _, _)| data.clone()).collect();
        let seen = Reader::new(&Arc::default(), Peer::Stranger).feed(pieces(&stream, &cuts), true);
        prop_assert_eq!(seen.len(), 1);
        prop_assert_eq!((&seen[0].body, seen[0].ending, &seen[0].refusal), (&data, "", &None));
    }
}
