//! What the operator reads: the error log and the access log.
//!
//! Both are written by native code in Gunicorn's formats, whole lines at a time, to a standard stream or to a file that
//! can be opened anew after a log rotation. This room knows nothing of requests or processes: the worker describes an
//! exchange through [`access::Entry`], the master and the workers say everything else through the `log` façade.
//! Nothing here panics, starts a thread or waits for long; what cannot be written is dropped and counted.

pub mod access;
mod clock;
mod destination;
mod error;
mod escape;
mod sink;

pub use self::destination::{Destination, Stream};
pub use self::error::{Relay, level, relay, reopen, start, write_raw};
pub use self::escape::Escaped;
pub use crate::critical;
