//! Descriptors that were open when the program began: sockets of a service manager, or of a master that this one replaces.

use std::io;
use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::fcntl::{FcntlArg, FdFlag, fcntl};

/// Takes an inherited descriptor; it is close-on-exec from now on.
///
/// Errors: `EBADF` if it is not open; `InvalidInput` if it was not inherited.
pub fn take_inherited(number: RawFd) -> io::Result<OwnedFd> {
    if number < 0 {
        return Err(io::Error::from_raw_os_error(libc::EBADF));
    }
    // SAFETY: borrowed for this call only; the kernel answers EBADF for a number that is not open.
    let descriptor = unsafe { BorrowedFd::borrow_raw(number) };
    let flags = FdFlag::from_bits_retain(fcntl(descriptor, FcntlArg::F_GETFD)?);
    if flags.contains(FdFlag::FD_CLOEXEC) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("descriptor {number} was not inherited")));
    }
    fcntl(descriptor, FcntlArg::F_SETFD(flags | FdFlag::FD_CLOEXEC))?;
    // SAFETY: it is open and was not close-on-exec, while every descriptor that this process has opened is: it came through
    // exec, so nobody here owns it; whoever asks a second time meets the flag set above.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Lets a descriptor go through exec.
///
/// Errors: as fcntl(2).
pub fn bequeath(descriptor: BorrowedFd<'_>) -> io::Result<()> {
    let flags = FdFlag::from_bits_retain(fcntl(descriptor, FcntlArg::F_GETFD)?);
    fcntl(descriptor, FcntlArg::F_SETFD(flags.difference(FdFlag::FD_CLOEXEC)))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::fd::{AsFd, IntoRawFd};

    use super::*;

    #[test]
    fn only_what_came_through_exec_is_taken_and_only_once() {
        let file = File::open("/dev/null").unwrap();
        let number = file.into_raw_fd();
        assert_eq!(take_inherited(number).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        // SAFETY: opened above, and given up there.
        let file = unsafe { File::from_raw_fd(number) };
        bequeath(file.as_fd()).unwrap();
        let number = file.into_raw_fd();
        let taken = take_inherited(number).unwrap();
        assert_eq!(take_inherited(number).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        drop(taken);
        assert_eq!(take_inherited(-1).unwrap_err().raw_os_error(), Some(libc::EBADF));
    }
}
