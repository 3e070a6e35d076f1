//! Packets that bring descriptors along (SCM_RIGHTS), and memory that travels as a descriptor.

use std::fs::{self, File};
use std::io::{self, IoSlice, IoSliceMut, Write};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::cmsg_space;
use nix::errno::Errno;
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, recvmsg, sendmsg};

/// How many descriptors one packet may bring.
const MOST_DESCRIPTORS: usize = 4;

/// Sends one packet: `bytes` and copies of `descriptors`, at most four. Does not wait.
///
/// Errors: as sendmsg(2): the queue is full (`WouldBlock`), the packet is larger than the socket's buffer, too many
/// descriptors are on their way already.
pub fn send_with_descriptors(socket: BorrowedFd<'_>, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
    let numbers: Vec<RawFd> = descriptors.iter().map(AsRawFd::as_raw_fd).collect();
    let rights = [ControlMessage::ScmRights(&numbers)];
    let attached: &[ControlMessage<'_>] = if numbers.is_empty() { &[] } else { &rights };
    let flags = MsgFlags::MSG_NOSIGNAL | MsgFlags::MSG_DONTWAIT;
    loop {
        match sendmsg::<()>(socket.as_raw_fd(), &[IoSlice::new(bytes)], attached, flags, None) {
            Ok(_) => return Ok(()),
            Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Takes one packet: how many bytes of it are in `space`, and its descriptors, close-on-exec. Does not wait.
///
/// Errors: as recvmsg(2): `WouldBlock` when none waits; `InvalidData` for one that is larger than `space`.
pub fn receive_with_descriptors(socket: BorrowedFd<'_>, space: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>)> {
    let mut ancillary = cmsg_space!([RawFd; MOST_DESCRIPTORS]);
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_CMSG_CLOEXEC;
    let mut slices = [IoSliceMut::new(space)];
    let message = loop {
        match recvmsg::<()>(socket.as_raw_fd(), &mut slices, Some(&mut ancillary), flags) {
            Err(Errno::EINTR) => {}
            other => break other?,
        }
    };
    let mut descriptors = Vec::new();
    for control in message.cmsgs()? {
        if let ControlMessageOwned::ScmRights(numbers) = control {
            for number in numbers {
                // SAFETY: the kernel has just made this descriptor for us, and nobody else knows it.
                descriptors.push(unsafe { OwnedFd::from_raw_fd(number) });
            }
        }
    }
    if message.flags.intersects(MsgFlags::MSG_TRUNC | MsgFlags::MSG_CTRUNC) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a packet was cut short"));
    }
    Ok((message.bytes, descriptors))
}

/// A file in memory, close-on-exec, that holds `bytes`; `name` shows in /proc.
///
/// Errors: no memory or descriptors left.
pub fn memory_file(name: &str, bytes: &[u8]) -> io::Result<File> {
    let mut file = File::from(memfd_create(name, MFdFlags::MFD_CLOEXEC)?);
    file.write_all(bytes)?;
    Ok(file)
}

/// Sends what this process prints, on standard output and standard error, into `file`.
pub fn print_into(file: &File) {
    // Neither can fail: the file is open, and so is what it replaces or it becomes so.
    let _ = nix::unistd::dup2_stdout(file);
    let _ = nix::unistd::dup2_stderr(file);
}

/// The name of the file in memory into which a worker writes the stacks of its threads.
pub const STACKS_FILE: &str = "indrik-stacks";

/// What is in the file in memory that process `pid` has made under `name`. `None`: it has none, or we may not look.
pub fn memory_file_of(pid: i32, name: &str) -> Option<String> {
    let link = format!("/memfd:{name} (deleted)");
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).ok()?;
    let mut paths = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    let path = paths.find(|path| fs::read_link(path).is_ok_and(|target| target.as_os_str() == link.as_str()))?;
    fs::read(path).ok().map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Seek};
    use std::os::fd::AsFd;

    use super::*;
    use crate::sys::packet_pair;

    #[test]
    fn a_packet_brings_its_bytes_and_descriptors() {
        let (ours, theirs) = packet_pair().unwrap();
        let file = memory_file("test", b"in memory").unwrap();
        send_with_descriptors(ours.as_fd(), b"first", &[file.as_fd(), file.as_fd()]).unwrap();
        send_with_descriptors(ours.as_fd(), b"second", &[]).unwrap();
        drop(file);
        let mut space = [0; 16];
        let (len, descriptors) = receive_with_descriptors(theirs.as_fd(), &mut space).unwrap();
        assert_eq!((&space[..len], descriptors.len()), (&b"first"[..], 2));
        let mut copy = File::from(descriptors.into_iter().next().unwrap());
        let mut text = String::new();
        copy.rewind().unwrap();
        copy.read_to_string(&mut text).unwrap();
        assert_eq!(text, "in memory");
        let (len, descriptors) = receive_with_descriptors(theirs.as_fd(), &mut space).unwrap();
        assert_eq!((&space[..len], descriptors.len()), (&b"second"[..], 0));
        let error = receive_with_descriptors(theirs.as_fd(), &mut space).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn a_file_in_memory_can_be_found_by_its_name() {
        let _file = memory_file("found-by-name", b"text").unwrap();
        let pid = std::process::id() as i32;
        assert_eq!(memory_file_of(pid, "found-by-name").as_deref(), Some("text"));
        assert_eq!(memory_file_of(pid, "found-by"), None);
    }

    #[test]
    fn a_packet_that_does_not_fit_is_an_error_and_leaks_nothing() {
        let (ours, theirs) = packet_pair().unwrap();
        send_with_descriptors(ours.as_fd(), b"too long", &[ours.as_fd()]).unwrap();
        let error = receive_with_descriptors(theirs.as_fd(), &mut [0; 3]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }
}
