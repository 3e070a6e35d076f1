//! Which peers a setting means: addresses, networks, everybody, and whoever connects through a unix socket.
//!
//! Parses what `forwarded_allow_ips`, `proxy_allow_ips` and `trusted_proxies` hold, and answers who is among them. Looks
//! up no names. Made by `resolve`; asked by the workers for each connection.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::{IpNet, Ipv4Net};

use super::value::Value;

/// The peers that a setting means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peers {
    networks: Vec<IpNet>,
    /// `*`: every address.
    every_ip: bool,
    unix: bool,
}

/// Which words may stand among the networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Words {
    /// `*`. Peers on unix sockets are always meant, as in Gunicorn.
    Everybody,
    /// `unix`. Without it peers on unix sockets are not meant.
    Unix,
}

impl Peers {
    /// Is this address meant? An IPv4 address in IPv6's clothes (`::ffff:192.0.2.1`, as a socket for both families shows
    /// it) counts as the IPv4 address.
    pub fn admits_ip(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.every_ip || self.networks.iter().any(|network| network.contains(&address))
    }

    /// Are peers on unix sockets meant?
    pub fn admits_unix(&self) -> bool {
        self.unix
    }

    /// Is nobody meant?
    pub fn is_empty(&self) -> bool {
        self.networks.is_empty() && !self.every_ip && !self.unix
    }

    /// Reads the entries of a setting.
    ///
    /// Errors: what to do about the first entry that is none, where its mistake is a known one.
    ///
    /// Source: Gunicorn's `forwarded_allow_ips`, which reads networks as Python's `ipaddress.ip_network` does: strictly.
    pub(super) fn parse<'a>(entries: impl Iterator<Item = &'a str>, words: Words) -> Result<Self, Option<String>> {
        let mut peers = Self { networks: Vec::new(), every_ip: false, unix: words == Words::Everybody };
        for entry in entries {
            match (entry, words) {
                ("*", Words::Everybody) => peers.every_ip = true,
                ("*", Words::Unix) => {
                    return Err(Some("name the proxies: under '*' any client could choose its address".to_owned()));
                }
                ("unix", Words::Unix) => peers.unix = true,
                ("unix", Words::Everybody) => {
                    return Err(Some("leave 'unix' out: peers on unix sockets are always among them".to_owned()));
                }
                _ => peers.networks.push(network(entry)?),
            }
        }
        Ok(peers)
    }
}

/// One address or network, `ADDRESS`, `ADDRESS/LENGTH` or `ADDRESS/NETMASK`.
fn network(entry: &str) -> Result<IpNet, Option<String>> {
    let (address, length) = match entry.split_once('/') {
        Some((address, length)) => (address, Some(length)),
        None => (entry, None),
    };
    let shown = || Value::Str(entry.to_owned()).shown();
    let address: IpAddr = address.parse().map_err(|_| mistake(entry).map(|text| format!("{} {text}", shown())))?;
    let Some(length) = length else {
        return Ok(canonical(IpNet::from(address)));
    };
    let network = with_length(address, length).ok_or_else(|| {
        let most = if address.is_ipv4() { 32 } else { 128 };
        Some(format!("what stands behind the '/' of {} is a length from 0 to {most}", shown()))
    })?;
    if network.addr() != network.network() {
        let meant = network.trunc();
        return Err(Some(format!(
            "{} is one address of a network: write {meant} for the network, {address} for the address",
            shown()
        )));
    }
    Ok(canonical(network))
}

/// `length`: digits, or for IPv4 also a netmask or its inverse, as Python reads them.
fn with_length(address: IpAddr, length: &str) -> Option<IpNet> {
    let is_number = !length.is_empty() && length.bytes().all(|digit| digit.is_ascii_digit());
    match (address, is_number) {
        (_, true) => IpNet::new(address, length.parse().ok()?).ok(),
        (IpAddr::V4(address), false) => {
            let mask: Ipv4Addr = length.parse().ok()?;
            let network = Ipv4Net::with_netmask(address, mask).or_else(|_| Ipv4Net::with_netmask(address, !mask));
            network.ok().map(IpNet::V4)
        }
        (IpAddr::V6(_), false) => None,
    }
}

/// A network of IPv4 addresses in IPv6's clothes as the network of the addresses themselves, since that is how
/// [`Peers::admits_ip`] asks.
fn canonical(network: IpNet) -> IpNet {
    let length = network.prefix_len().checked_sub(96).filter(|_| matches!(network, IpNet::V6(_)));
    match (network.addr().to_canonical(), length) {
        (IpAddr::V4(address), Some(length)) => Ipv4Net::new(address, length).map_or(network, IpNet::V4),
        _ => network,
    }
}

/// What an entry seems to be that is no address; to stand behind the entry.
fn mistake(entry: &str) -> Option<&'static str> {
    let is_all = |allowed: fn(char) -> bool| !entry.is_empty() && entry.chars().all(allowed);
    if entry.eq_ignore_ascii_case("localhost") {
        Some("is a name: write 127.0.0.1,::1")
    } else if entry.starts_with('[') {
        Some("is an address in brackets: write the address alone, without a port")
    } else if is_all(|letter| letter.is_ascii_digit() || matches!(letter, '.' | ':')) && entry.contains('.') {
        entry.contains(':').then_some("has a port: write the address alone")
    } else if is_all(|letter| letter.is_ascii_digit() || matches!(letter, '.' | '*' | '/')) {
        entry.contains('*').then_some("has a '*' inside: write the network with its length, such as 192.168.0.0/16")
    } else if is_all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-' | '_')) {
        Some("is a name, and names are not looked up: write its address or its network")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str, words: Words) -> Result<Peers, Option<String>> {
        Peers::parse(text.split(',').filter(|entry| !entry.is_empty()), words)
    }

    #[track_caller]
    fn check(text: &str, admitted: &[&str], others: &[&str]) {
        let peers = parse(text, Words::Everybody).unwrap();
        for (addresses, want) in [(admitted, true), (others, false)] {
            for address in addresses {
                assert_eq!(peers.admits_ip(address.parse().unwrap()), want, "{text}: {address}");
            }
        }
    }

    #[track_caller]
    fn refused(text: &str, words: Words) -> String {
        parse(text, words).expect_err(text).unwrap_or_default()
    }

    #[test]
    fn addresses_and_networks_are_those_they_name() {
        check("127.0.0.1,::1", &["127.0.0.1", "::1"], &["127.0.0.2", "::2", "::"]);
        check("10.0.0.0/8", &["10.0.0.0", "10.255.255.255"], &["11.0.0.0", "9.255.255.255"]);
        check("192.168.4.0/22", &["192.168.7.255"], &["192.168.8.0", "192.168.3.255"]);
        check("2001:db8::/32", &["2001:db8:ffff::1"], &["2001:db9::", "32.1.13.184"]);
        check("10.0.0.0/255.0.0.0,172.16.0.0/0.15.255.255", &["10.9.9.9", "172.31.0.1"], &["172.32.0.1"]);
        check("0.0.0.0/0", &["1.2.3.4"], &["2001:db8::1"]);
        check("::/0", &["2001:db8::1"], &["1.2.3.4"]);
        check("10.0.0.1/32,10.0.0.0/08", &["10.0.0.1"], &[]);
        check("*", &["1.2.3.4", "2001:db8::1"], &[]);
        check("", &[], &["127.0.0.1", "::1"]);
    }

    #[test]
    fn an_ipv4_address_is_the_same_in_ipv6s_clothes() {
        check("192.0.2.0/24", &["::ffff:192.0.2.7"], &["::ffff:192.0.3.7", "::192.0.2.7"]);
        check("::ffff:192.0.2.7", &["192.0.2.7", "::ffff:192.0.2.7"], &["192.0.2.8"]);
        check("::ffff:10.0.0.0/104", &["10.1.2.3"], &["11.0.0.0"]);
        check("::ffff:0.0.0.0/96", &["10.1.2.3"], &["2001:db8::1"]);
    }

    #[test]
    fn unix_peers_are_always_or_never_meant_as_the_words_say() {
        assert!(parse("", Words::Everybody).unwrap().admits_unix());
        assert!(!parse("127.0.0.1", Words::Unix).unwrap().admits_unix());
        let unix = parse("unix", Words::Unix).unwrap();
        assert!(unix.admits_unix() && !unix.admits_ip([127, 0, 0, 1].into()));
    }

    #[test]
    fn nobody_is_nobody() {
        assert!(parse("", Words::Unix).unwrap().is_empty());
        for text in ["unix", "::1"] {
            assert!(!parse(text, Words::Unix).unwrap().is_empty());
        }
        assert!(!parse("*", Words::Everybody).unwrap().is_empty());
    }

    #[test]
    fn an_address_inside_a_network_names_both_ways_out() {
        assert_eq!(
            refused("127.0.0.1,10.1.2.3/8", Words::Everybody),
            "'10.1.2.3/8' is one address of a network: write 10.0.0.0/8 for the network, 10.1.2.3 for the address"
        );
        let text = refused("2001:db8::1/32", Words::Unix);
        assert!(text.contains("write 2001:db8::/32 for the network, 2001:db8::1 for the address"), "{text}");
        let text = refused("10.1.2.3/255.0.0.0", Words::Unix);
        assert!(text.contains("write 10.0.0.0/8 for the network"), "{text}");
    }

    #[test]
    fn known_mistakes_have_their_way_out() {
        for (text, want) in [
            ("localhost", "'localhost' is a name: write 127.0.0.1,::1"),
            ("nginx", "'nginx' is a name, and names are not looked up: write its address or its network"),
            ("lb-1.example.org", "is a name"),
            ("10.0.0.1:80", "has a port"),
            ("[::1]", "in brackets"),
            ("192.168.*", "with its length"),
            ("10.0.0.0/33", "is a length from 0 to 32"),
            ("::/129", "is a length from 0 to 128"),
            ("10.0.0.0/", "is a length"),
            ("10.0.0.0/+8", "is a length"),
            ("10.0.0.0/999999999999", "is a length"),
            ("10.0.0.0/255.0.255.0", "is a length"),
            ("::/255.0.0.0", "is a length"),
            ("unix", "leave 'unix' out"),
        ] {
            let found = refused(text, Words::Everybody);
            assert!(found.contains(want), "{text}: {found}");
        }
        assert!(refused("*", Words::Unix).contains("any client could choose"));
    }

    #[test]
    fn what_is_nothing_known_is_refused_all_the_same() {
        for text in ["'*'", "$PROXY", "10.0.0", "256.0.0.1", "010.0.0.1", "fe80::1%eth0", "10.0.0.0/8/8", " ", "**"] {
            refused(text, Words::Everybody);
        }
    }
}
