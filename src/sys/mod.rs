//! The floor: processes, signals, descriptors, shared memory. The rooms above see safe functions and `OwnedFd`.
//!
//! Knows nothing of masters, workers or HTTP. `unsafe` is allowed here, one operation per block, each with its reason.
#![allow(unsafe_code)]

mod clock;
mod epoll;
mod memory;
mod poll;
mod process;
mod signals;
mod socket;
mod title;

pub use clock::Monotonic;
pub use epoll::{add_exclusive, remove};
pub use memory::SharedWords;
pub use poll::{Interest, wait_for, wait_for_any};
pub use process::{Death, exit_now, fork, kill, notify_of_parents_death, random_up_to, reap};
pub use signals::{SignalPipe, block_all, default_all, unblock_all};
pub use socket::{
    discard_bytes, discard_pending, make_blocking, packet_pair, pipe, receive_packet, send_packet, shutdown_write,
    with_open_umask, write_byte,
};
pub use title::set_title;
