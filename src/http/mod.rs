//! HTTP/1.1, server side, as a pure core: bytes in, events out; an answer in, bytes out.
//!
//! No socket, no clock, no log, nothing of ours: the worker owns those and drives a [`Connection`]. Strict on purpose:
//! what two parsers could read in two ways is refused ([`Error`]), because a proxy in front may have chosen the other.

mod chunked;
mod connection;
mod error;
mod fields;
mod forwarded;
mod framing;
mod grammar;
mod head;
mod head_reader;
mod host;
mod input;
mod limits;
mod page;
mod percent;
mod policy;
mod request_line;
mod response;
mod section;

pub use connection::{Connection, Event};
pub use error::{Error, Excerpt};
pub use fields::{FieldError, Fields, find_field};
pub use forwarded::{ClientHeader, client_address};
pub use head::{Field, FirstLine, Head, Version};
pub use limits::Limits;
pub use page::{error_page, reason};
pub use percent::percent_decode;
pub use policy::{HeaderMap, Policy};
pub use response::{Frame, Outgoing, Persistence, Response, SERVER, SendError, StatusError, name_server, status};
