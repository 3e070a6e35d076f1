//! The floor: processes, signals, descriptors, shared memory. The rooms above see safe functions and `OwnedFd`.
//!
//! Knows nothing of masters, workers or HTTP. `unsafe` is allowed here, one operation per block, each with its reason.
#![allow(unsafe_code)]

mod cgroup;
mod clock;
mod daemon;
mod epoll;
mod inherited;
mod limits;
mod memory;
mod notify;
mod poll;
mod private;
mod process;
mod processors;
mod rights;
mod send_file;
mod signals;
mod socket;
mod spool;
mod thread;
mod timer;
mod title;
mod users;

pub use cgroup::{memory_kills, resident_memory};
pub use clock::{Epoch, Monotonic};
pub use daemon::{Output, lead_session, leave_streams};
pub use epoll::{add_exclusive, remove};
pub use inherited::{bequeath, take_inherited};
pub use limits::{descriptor_limit, raise_descriptor_limit};
pub use memory::SharedWords;
pub use notify::Notifier;
pub use poll::{Interest, has_hung_up, wait_for, wait_for_any};
pub use private::{Private, keep_private, surrender_private};
pub use process::{
    Death, adopt_orphans, await_parent, end_with_parent, execute, exists, exit_now, fork, fork_detached, kill, parent,
    reap, started_at,
};
pub use processors::processors;
pub use rights::{
    STACKS_FILE, memory_file, memory_file_of, print_into, receive_with_descriptors, send_with_descriptors,
};
pub use send_file::send_file;
pub use signals::{
    SIGABRT, SIGINT, SIGKILL, SIGQUIT, SIGTERM, SIGUSR1, SignalPipe, block_all, crash_by_default, default_all,
    ignore_operator, interrupt_signal, stacks_signal, unblock_all,
};
pub use socket::{
    Discarded, cut, discard_bytes, discard_pending, is_shortage, make_blocking, packet_pair, pipe, receive_packet,
    say_last, send_packet, shutdown_write, unsent, with_umask, write_byte,
};
pub use spool::{is_tmpfs, unlinked_file};
pub use thread::{
    ThreadClock, hold_signals, release_signals, signal_thread, thread_clock, thread_id, with_signals_blocked,
};
pub use timer::Alarm;
pub use title::set_title;
pub use users::{Identity, IdentityError, assume, group_number, is_root, user_number};
