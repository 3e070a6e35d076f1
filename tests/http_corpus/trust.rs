//! What is believed of a proxy that is trusted to forward for others, and of nobody else.

use indrik::http::{HeaderMap, Policy};

use super::{Peer, check_chunked, check_fields_with, sees};

const CONFLICT: &str = "refuse 400: Contradictory scheme headers";

/// What `fields` say of the scheme.
#[track_caller]
fn check_scheme(peer: Peer, fields: &str, want: Option<bool>) {
    check_fields_with(Policy::default(), peer, fields, "GET / HTTP/1.1");
    assert_eq!(sees(Policy::default(), peer, fields).is_secure, want, "{fields}");
}

#[test]
fn a_forwarder_tells_the_scheme() {
    for field in ["X-Forwarded-Proto: https", "x-forwarded-protocol: ssl", "X-FORWARDED-SSL: on"] {
        check_scheme(Peer::Forwarder, field, Some(true));
        check_scheme(Peer::Stranger, field, None);
    }
    for field in
        ["X-Forwarded-Proto: http", "X-Forwarded-Proto: HTTPS", "X-Forwarded-Ssl:", "X-Forwarded-Protocol: https"]
    {
        check_scheme(Peer::Forwarder, field, Some(false));
        check_scheme(Peer::Stranger, field, None);
    }
    for field in ["A: b", "X-Forwarded-Host: https", "X-Forwarded-Protos: https", "X_Forwarded_Proto: https"] {
        check_scheme(Peer::Forwarder, field, None);
    }
}

#[test]
fn scheme_headers_that_agree_are_one_word() {
    check_scheme(Peer::Forwarder, "X-Forwarded-Proto: https|X-Forwarded-Ssl: on", Some(true));
    check_scheme(Peer::Forwarder, "X-Forwarded-Proto: http|X-Forwarded-Ssl: off", Some(false));
    check_scheme(Peer::Forwarder, "X-Forwarded-Proto: https|x-forwarded-proto: https", Some(true));
}

#[test]
fn scheme_headers_that_disagree_are_refused_from_a_forwarder() {
    for fields in [
        "X-Forwarded-Proto: https|X-Forwarded-Ssl: off",
        "X-Forwarded-Proto: http|A: b|X-Forwarded-Protocol: ssl",
        "X-Forwarded-Proto: https|x-forwarded-proto: http",
        "X-Forwarded-Proto: https|X-Forwarded-Proto:",
    ] {
        check_fields_with(Policy::default(), Peer::Forwarder, fields, CONFLICT);
        check_scheme(Peer::Stranger, fields, None);
    }
}

#[test]
fn scheme_headers_are_those_that_were_set() {
    let policy = |pairs: &[(&str, &str)]| Policy {
        secure_scheme_headers: pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        ..Policy::default()
    };
    let fields = "Front-End-Https: On|X-Forwarded-Proto: http";
    assert_eq!(sees(policy(&[]), Peer::Forwarder, fields).is_secure, None);
    assert_eq!(sees(policy(&[("FRONT-END-HTTPS", "On")]), Peer::Forwarder, fields).is_secure, Some(true));
    assert_eq!(sees(policy(&[("FRONT-END-HTTPS", "on")]), Peer::Forwarder, fields).is_secure, Some(false));
}

#[test]
fn a_dropped_field_tells_no_scheme() {
    let policy = |header_map| Policy {
        secure_scheme_headers: vec![("X_SSL".to_owned(), "on".to_owned())],
        header_map,
        ..Policy::default()
    };
    assert_eq!(sees(policy(HeaderMap::Drop), Peer::Forwarder, "X_Ssl: on").is_secure, None);
    assert_eq!(sees(policy(HeaderMap::Dangerous), Peer::Forwarder, "X_Ssl: on").is_secure, Some(true));
}

#[test]
fn a_trailer_tells_no_scheme() {
    check_chunked("0|X-Forwarded-Proto: https||", "");
}

#[test]
fn a_forwarder_may_send_the_underscores_it_was_given() {
    let fields = "Script_Name: /s|PATH_INFO: /p|REMOTE_USER: u";
    let seen = sees(Policy::default(), Peer::Forwarder, fields);
    assert_eq!(seen.fields, ["Host: a", "Script_Name: /s", "PATH_INFO: /p"]);
    assert_eq!(seen.dropped, "REMOTE_USER");
    let seen = sees(Policy::default(), Peer::Stranger, fields);
    assert_eq!((seen.fields.len(), &*seen.dropped), (1, "Script_Name PATH_INFO REMOTE_USER"));

    let all = Policy { forwarder_headers: vec!["*".to_owned()], ..Policy::default() };
    assert_eq!(sees(all.clone(), Peer::Forwarder, fields).fields.len(), 4);
    assert_eq!(sees(all, Peer::Stranger, fields).fields.len(), 1);
    let none = Policy { forwarder_headers: Vec::new(), ..Policy::default() };
    assert_eq!(sees(none, Peer::Forwarder, fields).fields.len(), 1);
}

#[test]
fn other_underscores_of_a_forwarder_are_refused_where_all_are() {
    let policy = Policy { header_map: HeaderMap::Refuse, ..Policy::default() };
    check_fields_with(policy.clone(), Peer::Forwarder, "SCRIPT_NAME: /s", "GET / HTTP/1.1");
    let want = "refuse 400: Invalid HTTP header name: 'REMOTE_USER'";
    check_fields_with(policy, Peer::Forwarder, "SCRIPT_NAME: /s|REMOTE_USER: u", want);
}
