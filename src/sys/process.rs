//! Children: how they end, and how they are told.

use std::ffi::{CString, OsString};
use std::fs;
use std::io;
use std::os::fd::{BorrowedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::thread;
use std::time::{Duration, SystemTime};

use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::signal::{self, Signal};
use nix::sys::wait::waitpid;
use nix::unistd::{Pid, SysconfVar, execvpe, getppid, sysconf};

use super::inherited::bequeath;

/// How a child ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Death {
    /// It exited with this code.
    Code(i32),
    /// This signal killed it.
    Signal(i32),
}

/// Forks: 0 in the child, the child's pid in the parent. Errors: as fork(2).
///
/// # Safety
///
/// The child has only this thread, and every lock as it stood: it must not need one that another thread may hold.
pub unsafe fn fork() -> io::Result<i32> {
    // SAFETY: the caller vouches for the locks.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        pid => Ok(pid),
    }
}

/// Takes one dead child from the kernel, if there is one: its pid and how it ended.
///
/// Source: waitid(2), by `si_code` and `si_status`.
pub fn reap() -> Option<(i32, Death)> {
    loop {
        // SAFETY: plain data, which waitid(2) fills.
        let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
        // SAFETY: `info` is ours and writable.
        let result = unsafe { libc::waitid(libc::P_ALL, 0, &mut info, libc::WEXITED | libc::WNOHANG) };
        if result != 0 {
            match Errno::last() {
                Errno::EINTR => continue,
                _ => return None,
            }
        }
        // SAFETY: filled for a child, else still zero.
        let pid = unsafe { info.si_pid() };
        // SAFETY: as above.
        let status = unsafe { info.si_status() };
        return match (pid, info.si_code) {
            (0, _) => None,
            (pid, libc::CLD_EXITED) => Some((pid, Death::Code(status))),
            // A number, not nix's enum: that has no real-time signals, and the kernel has given the child away already.
            (pid, _) => Some((pid, Death::Signal(status))),
        };
    }
}

/// Forks twice: 0 in the new process, which the nearest ancestor that has called [`adopt_orphans`] gets for its child. In
/// between is a process that calls `announce` with the pid of the new one, or why there is none, and ends; returns its pid,
/// after it was reaped. Errors: as fork(2), for the first.
///
/// # Safety
///
/// As [`fork`], for both processes; `announce` may not lock.
pub unsafe fn fork_detached(announce: &dyn Fn(io::Result<i32>)) -> io::Result<i32> {
    // SAFETY: the caller vouches for the locks.
    match unsafe { fork() }? {
        0 => {
            // SAFETY: as above.
            match unsafe { fork() } {
                Ok(0) => Ok(0),
                other => {
                    announce(other);
                    exit_now(0)
                }
            }
        }
        between => {
            while waitpid(Pid::from_raw(between), None) == Err(Errno::EINTR) {}
            Ok(between)
        }
    }
}

/// Processes whose parents die become children of this one, if it is the nearest of its kind. Source: prctl(2),
/// PR_SET_CHILD_SUBREAPER.
pub fn adopt_orphans() {
    // Linux has it since 3.4; there is nothing else that could fail.
    let _ = prctl::set_child_subreaper(true);
}

/// Sends `signal` to `pid`. Errors: as kill(2).
pub fn kill(pid: i32, signal: i32) -> io::Result<()> {
    let signal = Signal::try_from(signal)?;
    Ok(signal::kill(Pid::from_raw(pid), signal)?)
}

/// Asks the kernel for SIGTERM when the parent dies: the backstop of the end of file on the ipc socket. To be asked again after
/// the user has changed, which makes the kernel forget. `false`: it has died already.
pub fn end_with_parent(parent: i32) -> bool {
    // Only an invalid signal number can fail here.
    let _ = prctl::set_pdeathsig(Signal::SIGTERM);
    getppid().as_raw() == parent
}

/// The parent at this moment.
pub fn parent() -> i32 {
    getppid().as_raw()
}

/// Waits until `pid` is the parent, which it will be as soon as the process in between has ended (see [`fork_detached`]).
/// `false`: somebody else is.
pub fn await_parent(pid: i32) -> bool {
    let first = parent();
    for _ in 0..1_000 {
        if parent() == pid {
            return true;
        }
        if parent() != first {
            break;
        }
        #[allow(clippy::disallowed_methods, reason = "the kernel gives a new parent no fact to wait for")]
        thread::sleep(Duration::from_millis(1));
    }
    parent() == pid
}

/// Becomes another program: `argv`, its first word looked for on PATH, with these variables and, besides the standard
/// ones, these descriptors. Returns only if it cannot.
///
/// Errors: as execve(2); a NUL in a word.
pub fn execute(argv: &[OsString], variables: &[(OsString, OsString)], descriptors: &[RawFd]) -> io::Result<()> {
    let text = |bytes: Vec<u8>| CString::new(bytes).map_err(io::Error::other);
    let argv: Vec<CString> = argv.iter().map(|word| text(word.as_bytes().to_vec())).collect::<Result<_, _>>()?;
    let variable = |(name, value): &(OsString, OsString)| text([name.as_bytes(), b"=", value.as_bytes()].concat());
    let variables: Vec<CString> = variables.iter().map(variable).collect::<Result<_, _>>()?;
    for &number in descriptors {
        // SAFETY: the caller has it open; the borrow ends with this statement.
        bequeath(unsafe { BorrowedFd::borrow_raw(number) })?;
    }
    let program = argv.first().ok_or(io::ErrorKind::InvalidInput)?;
    execvpe(program, &argv, &variables)?;
    Ok(())
}

/// Is there a process of that number, whoever it belongs to?
pub fn exists(pid: u32) -> bool {
    let Ok(pid) = i32::try_from(pid) else { return false };
    // Zero would be the own group of processes.
    pid > 0 && matches!(signal::kill(Pid::from_raw(pid), None), Ok(()) | Err(Errno::EPERM))
}

/// When a process was started, by the clock as it is now. `None`: there is none, or it may not be looked at.
///
/// Source: proc_pid_stat(5), field 22; proc_stat(5), `btime`.
pub fn started_at(pid: u32) -> Option<SystemTime> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let ticks: u64 = stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(22 - 3)?.parse().ok()?;
    let boot = fs::read_to_string("/proc/stat").ok()?;
    let boot: u64 = boot.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()?;
    let per_second = u64::try_from(sysconf(SysconfVar::CLK_TCK).ok().flatten()?).ok()?;
    Some(SystemTime::UNIX_EPOCH + Duration::from_secs(boot) + Duration::from_millis(ticks * 1000 / per_second))
}

/// Ends the process without running anything more.
pub fn exit_now(code: i32) -> ! {
    // SAFETY: _exit(2) touches no memory of ours.
    unsafe { libc::_exit(code) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods)]
    use super::*;

    #[test]
    fn processes_are_there_or_not() {
        assert!(exists(std::process::id()) && exists(1));
        assert!(!exists(0) && !exists(i32::MAX as u32) && !exists(u32::MAX));
    }

    #[test]
    fn this_process_was_started_a_while_ago_and_a_child_later() {
        let own = started_at(std::process::id()).unwrap();
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let childs = started_at(child.id()).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(own <= childs);
        // The time of the boot is rounded to a second.
        assert!(childs <= SystemTime::now() + Duration::from_secs(2));
        assert_eq!(started_at(i32::MAX as u32), None);
    }
}
