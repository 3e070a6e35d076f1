//! Exit codes of the program: a public interface, since init systems and deploy scripts read them.
//!
//! The numbers are Gunicorn's. Uses nothing of ours; every room that ends the process names a constant from here.

/// A stop that was asked for.
pub const OK: i32 = 0;
/// Wrong settings, an address that cannot be bound, a pid file that is held.
pub const CONFIG: i32 = 1;
/// A wrong command line.
pub const USAGE: i32 = 2;
/// The first worker could not boot: an exception while importing, a hook that failed, a death before it was ready.
pub const BOOT: i32 = 3;
/// The application was not found in its module, or is not callable.
pub const APP_LOAD: i32 = 4;
/// A worker that the master, or its own deputy, gave up on (SIGABRT).
pub const ABORTED: i32 = 1;
/// A loop of ours failed, in the master or in a worker: a bug, or a system without resources.
pub const UNHANDLED: i32 = 255;
