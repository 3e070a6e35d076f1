//! Packets that bring descriptors along (SCM_RIGHTS), and memory that travels as a descriptor.

use std::fs::{self, File};
use std::io::{self, IoSlice, Write};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::socket::{ControlMessage, MsgFlags, recv, sendmsg};

/// How many descriptors one packet may bring.
const MOST_DESCRIPTORS: usize = 4;

/// Room for these and the header before them, in words.
const CONTROL_WORDS: usize = 2 + MOST_DESCRIPTORS * size_of::<RawFd>() / size_of::<u64>();

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
/// Errors: as recvmsg(2): `WouldBlock` when none waits; `InvalidData` for one that is larger than `space`, which is gone; EMFILE
/// where there is no room for its descriptors: it stays and can be taken later.
pub fn receive_with_descriptors(socket: BorrowedFd<'_>, space: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>)> {
    // A look first: a packet that is taken while descriptors are short loses those that find no room.
    let looked = look_at_packet(socket, space);
    let stays = looked.as_ref().is_err_and(|error| error.kind() != io::ErrorKind::InvalidData);
    if !stays {
        // Without room for descriptors the kernel drops these copies. The rest of the bytes goes too.
        while recv(socket.as_raw_fd(), &mut [0], MsgFlags::MSG_DONTWAIT) == Err(Errno::EINTR) {}
    }
    looked
}

/// As [`receive_with_descriptors`], but the packet stays.
fn look_at_packet(socket: BorrowedFd<'_>, space: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>)> {
    // In whole words, which is what the headers in it must be aligned to.
    let mut control = [0_u64; CONTROL_WORDS];
    let mut slice = libc::iovec { iov_base: space.as_mut_ptr().cast(), iov_len: space.len() };
    // SAFETY: a header is plain data; zeroed, it names no memory.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    (message.msg_iov, message.msg_iovlen) = (&raw mut slice, 1);
    (message.msg_control, message.msg_controllen) = (control.as_mut_ptr().cast(), size_of_val(&control));
    let flags = libc::MSG_DONTWAIT | libc::MSG_CMSG_CLOEXEC | libc::MSG_PEEK;
    let len = loop {
        // SAFETY: the header names `space` and `control`, which outlive the call, by their own lengths.
        let result = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut message, flags) };
        match Errno::result(result) {
            Err(Errno::EINTR) => {}
            other => break usize::try_from(other?).unwrap_or_default(),
        }
    };
    let descriptors = take_descriptors(&message);
    let is_cut = message.msg_flags & libc::MSG_CTRUNC != 0;
    if is_cut && descriptors.len() < MOST_DESCRIPTORS {
        return Err(Errno::EMFILE.into());
    }
    if is_cut || message.msg_flags & libc::MSG_TRUNC != 0 {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a packet was cut short"));
    }
    Ok((len, descriptors))
}

/// The descriptors that have come with a message, also of one for which there was not room enough: nix tells nothing of these,
/// and they would leak.
fn take_descriptors(message: &libc::msghdr) -> Vec<OwnedFd> {
    let mut descriptors = Vec::new();
    // SAFETY: the kernel has filled the header, whose control memory is alive.
    let mut next = unsafe { libc::CMSG_FIRSTHDR(message) };
    // SAFETY: null, or a control header within the control memory, aligned as that is.
    while let Some(control) = unsafe { next.as_ref() } {
        if (control.cmsg_level, control.cmsg_type) == (libc::SOL_SOCKET, libc::SCM_RIGHTS) {
            // SAFETY: as above; the data begin behind the header.
            let data = unsafe { libc::CMSG_DATA(next) };
            let len = control.cmsg_len.saturating_sub(data.addr() - next.addr());
            // SAFETY: the kernel has written so many bytes there, and has said so in the header.
            let bytes = unsafe { std::slice::from_raw_parts(data, len) };
            for number in bytes.chunks_exact(size_of::<RawFd>()) {
                let number = RawFd::from_ne_bytes(number.try_into().expect("a chunk is as long as a number"));
                // SAFETY: the kernel has just made this descriptor for us, and nobody else knows it.
                descriptors.push(unsafe { OwnedFd::from_raw_fd(number) });
            }
        }
        // SAFETY: `next` is a header of this message.
        next = unsafe { libc::CMSG_NXTHDR(message, next) };
    }
    descriptors
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
