//! The server becomes a daemon: settings `daemon` and `enable_stdio_inheritance`.
//!
//! Happens when the settings have been read and nothing was opened yet. Whoever started the program gets exit code 0 as soon
//! as that is done; what goes wrong later stands in the error log.

use super::{check_logs, tell_stderr};
use crate::config::Config;
use crate::exit;
use crate::py::environment;
use crate::py::fork::{self, Fork};
use crate::sys::{self, Output};

/// Goes on in a process of its own, unless it is one that a daemon has made by USR2.
///
/// Errors: the log files cannot be opened, which nobody would be told later; the system refuses.
pub(super) fn detach(config: &Config) -> Result<(), String> {
    if environment::variable("GUNICORN_FD").is_some() {
        return Ok(());
    }
    check_logs(config)?;
    if environment::variable("NOTIFY_SOCKET").is_some() {
        tell_stderr(
            "Warning: a service manager waits for this process, which leaves it to a daemon: take out --daemon",
        );
    }
    environment::flush_output();
    let failed = |error| format!("cannot become a daemon: {error}");
    go_on_in_child().map_err(failed)?;
    sys::lead_session().map_err(failed)?;
    // Who does not lead the session cannot get a terminal by opening one.
    go_on_in_child().map_err(failed)?;
    sys::leave_streams(if config.enable_stdio_inheritance { Output::Kept } else { Output::Dropped }).map_err(failed)
}

/// Forks; the parent ends here.
fn go_on_in_child() -> std::io::Result<()> {
    sys::block_all();
    let forked = fork::fork();
    if let Ok(Fork::Parent { .. }) = forked {
        sys::exit_now(exit::OK);
    }
    sys::unblock_all();
    forked.map(drop)
}
