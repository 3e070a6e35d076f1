//! Addresses, listeners and streams: TCP over IPv4 and IPv6, and unix sockets.
//!
//! Knows nothing of HTTP. The master makes listeners, the workers accept from them.

mod address;
mod listener;
mod proxy;
mod socket_file;
mod stream;

pub use address::{Address, AddressError};
pub use listener::{BindError, Listener, Manner};
pub use proxy::{Malformed, ProxyHeader, Reading, Versions, read_proxy_header};
pub use socket_file::Access;
pub use stream::{Peer, Stream};
