//! Who the client is, where it is not the socket's peer: PROXY headers of load balancers, header fields of trusted proxies.

use std::net::IpAddr;

use super::connection::Refused;
use crate::app::{Client, Origin, Proxied};
use crate::config::{ClientIpHeader, Config, ProxyProtocol};
use crate::http::{self, ClientHeader, Head};
use crate::net::{Reading, Versions, read_proxy_header as read};

/// Looks for a PROXY header at the start of `bytes` and notes in `origin` what it says. `Some`: so many bytes are done
/// with, 0 if there is no such header; `None`: more must come.
///
/// Errors: the header is malformed, or the peer may not send one.
///
/// Source: Gunicorn settings `proxy_protocol` and `proxy_allow_ips`.
pub(super) fn read_proxy_header(bytes: &[u8], origin: &mut Origin, config: &Config) -> Result<Option<usize>, Refused> {
    let versions = match config.proxy_protocol {
        ProxyProtocol::Off => return Ok(Some(0)),
        ProxyProtocol::V1 => Versions { v1: true, v2: false },
        ProxyProtocol::V2 => Versions { v1: false, v2: true },
        ProxyProtocol::Auto => Versions { v1: true, v2: true },
    };
    match read(bytes, versions) {
        Reading::NeedBytes => Ok(None),
        Reading::Absent => Ok(Some(0)),
        Reading::Malformed(reason) => Err(Refused::ProxyHeader(reason.to_string())),
        Reading::Header { len, header } => {
            if origin.remote.is_some_and(|peer| !config.proxy_allow_ips.admits_ip(peer.ip())) {
                return Err(Refused::Forbidden);
            }
            origin.proxied = Some(Proxied { protocol: header.protocol, addresses: header.addresses });
            Ok(Some(len))
        }
    }
}

/// Is this peer believed when it says something about its client? Source: Gunicorn setting `forwarded_allow_ips`.
pub(super) fn is_trusted_forwarder(origin: &Origin, config: &Config) -> bool {
    origin.remote.is_none_or(|peer| config.forwarded_allow_ips.admits_ip(peer.ip()))
}

/// The client as the header of a trusted proxy names it. Source: settings `trusted_proxies` and `client_ip_header`.
pub(super) fn client(head: Head<'_>, origin: &Origin, config: &Config) -> Option<Client> {
    let proxies = &config.trusted_proxies;
    if proxies.is_empty() {
        return None;
    }
    let is_proxy = match origin.client() {
        Some(peer) => proxies.admits_ip(peer.ip()),
        None => proxies.admits_unix(),
    };
    if !is_proxy {
        return None;
    }
    let header = match config.client_ip_header {
        ClientIpHeader::XForwardedFor => ClientHeader::XForwardedFor,
        ClientIpHeader::Forwarded => ClientHeader::Forwarded,
    };
    let (address, port) = http::client_address(head, header, &|address: IpAddr| proxies.admits_ip(address))?;
    Some(Client { address, port })
}
