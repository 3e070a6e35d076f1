//! One open log target: whole lines in, as few `write(2)` as keep them whole.
//!
//! Knows files and streams, not what a line means. The error log appends entry by entry and waits a moment for a full
//! pipe; the access log hands over batches and keeps what a full pipe did not take.
#![allow(clippy::disallowed_methods)] // A full pipe is given a moment; there is no loop here to come back to.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;
use std::thread;
use std::time::Duration;

use super::destination::Destination;

/// The most bytes per write to a pipe. `PIPE_BUF` on Linux: up to here a write is not mixed with those of other
/// processes (pipe(7)), and all workers share one pipe. For a stream socket, as journald gives, it is a courtesy.
pub(super) const PIPE_WRITE: usize = 4096;

/// How often, and after which pause, the error log tries again when a non-blocking pipe is full. 20 ms in sum: enough
/// for a reader that lives, short enough for a worker whose reader does not.
const PATIENCE: u32 = 20;
pub(super) const PAUSE: Duration = Duration::from_millis(1);

/// An open target.
pub(super) struct Sink {
    destination: Destination,
    file: File,
    write_most: usize,
    /// A failure cut the last line short, and its end is still owed.
    torn: bool,
}

impl Sink {
    /// Opens `destination`: a file to append, created with mode 0644, or a close-on-exec duplicate of a stream.
    ///
    /// The duplicate is what lets the streams themselves be captured later without the log running into the capture.
    ///
    /// Errors: what open(2) or dup(2) says; the path is not repeated in it.
    pub fn open(destination: &Destination) -> io::Result<Sink> {
        let file = match destination {
            Destination::Stderr => File::from(io::stderr().as_fd().try_clone_to_owned()?),
            Destination::Stdout => File::from(io::stdout().as_fd().try_clone_to_owned()?),
            Destination::File(path) => open_file(path)?,
        };
        Sink::over(destination.clone(), file)
    }

    /// Opens a file anew, after a rotation has moved it; streams stay as they are. On an error the old file stays.
    pub fn reopen(&mut self) -> io::Result<()> {
        if let Some(path) = self.destination.path() {
            *self = Sink::over(self.destination.clone(), open_file(path)?)?;
        }
        Ok(())
    }

    /// What was opened.
    pub fn destination(&self) -> &Destination {
        &self.destination
    }

    /// Appends one entry, in one write where the target takes it. What it does not take is dropped.
    pub fn append(&mut self, entry: &[u8]) {
        let closed;
        let entry = if self.torn {
            closed = [b"\n", entry].concat();
            &closed
        } else {
            entry
        };
        let mut sent = 0;
        for _ in 0..PATIENCE {
            let progress = write_lines(&mut self.file, &entry[sent..], usize::MAX);
            sent += progress.written;
            match progress.outcome {
                Outcome::Done | Outcome::Failed(_) => break,
                Outcome::Full => thread::sleep(PAUSE),
            }
        }
        self.torn = match entry[..sent].last() {
            _ if sent == entry.len() => false,
            Some(byte) => *byte != b'\n',
            None => self.torn,
        };
    }

    /// Writes a batch of lines, once, without waiting for a full pipe; the caller keeps or drops the rest.
    pub fn write(&mut self, lines: &[u8]) -> Progress {
        write_lines(&mut self.file, lines, self.write_most)
    }

    fn over(destination: Destination, file: File) -> io::Result<Sink> {
        let kind = file.metadata()?.file_type();
        let write_most = if kind.is_fifo() || kind.is_socket() { PIPE_WRITE } else { usize::MAX };
        Ok(Sink { destination, file, write_most, torn: false })
    }
}

/// What became of a batch.
#[derive(Debug)]
pub(super) struct Progress {
    /// Bytes the target took, from the front.
    pub written: usize,
    /// Why no more.
    pub outcome: Outcome,
}

/// Why a batch ended where it did.
#[derive(Debug)]
pub(super) enum Outcome {
    /// All was taken.
    Done,
    /// A non-blocking target is full; a later try may succeed.
    Full,
    /// The target is broken or has no space left.
    Failed(io::Error),
}

fn open_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o644).open(path)
}

/// Writes `lines` in pieces of at most `most` bytes that end at a line end; a longer line is a piece of its own.
fn write_lines(target: &mut impl Write, lines: &[u8], most: usize) -> Progress {
    let mut written = 0;
    let mut end = 0;
    let outcome = loop {
        if written == end {
            if end == lines.len() {
                break Outcome::Done;
            }
            end += piece_len(&lines[end..], most);
        }
        match target.write(&lines[written..end]) {
            Ok(0) => break Outcome::Failed(ErrorKind::WriteZero.into()),
            Ok(count) => written += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => break Outcome::Full,
            Err(error) => break Outcome::Failed(error),
        }
    };
    Progress { written, outcome }
}

fn piece_len(lines: &[u8], most: usize) -> usize {
    if lines.len() <= most {
        return lines.len();
    }
    let last_end = lines[..most].iter().rposition(|byte| *byte == b'\n');
    let line_end = last_end.or_else(|| lines.iter().position(|byte| *byte == b'\n'));
    line_end.map_or(lines.len(), |at| at + 1)
}

#[cfg(test)]
pub(super) mod tests {
    use std::fs;
    use std::io::Read;
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixDatagram;
    use std::path::PathBuf;

    use super::*;

    /// A folder of one test, removed with it.
    pub(in crate::logging) struct Folder(pub PathBuf);

    impl Folder {
        pub fn new(name: &str) -> Folder {
            let path = std::env::temp_dir().join(format!("logging-{}-{name}", std::process::id()));
            let _ = fs::remove_dir_all(&path);
            fs::create_dir_all(&path).expect("the temporary folder is writable");
            Folder(path)
        }

        pub fn read(&self, name: &str) -> String {
            fs::read_to_string(self.0.join(name)).unwrap_or_default()
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    /// A sink whose every write arrives as one datagram.
    pub(in crate::logging) fn datagrams() -> (Sink, UnixDatagram) {
        let (ours, theirs) = UnixDatagram::pair().expect("a socket pair");
        theirs.set_nonblocking(true).expect("a socket");
        let sink = Sink::over(Destination::Stdout, File::from(OwnedFd::from(ours)));
        (sink.expect("a socket has metadata"), theirs)
    }

    /// A sink over a pipe, and the end that reads it.
    pub(in crate::logging) fn pipe() -> (Sink, io::PipeReader) {
        let (reader, writer) = io::pipe().expect("a pipe");
        let sink = Sink::over(Destination::Stdout, File::from(OwnedFd::from(writer)));
        (sink.expect("a pipe has metadata"), reader)
    }

    impl Sink {
        /// Only for a sink over a socket.
        pub fn set_nonblocking(&self) {
            let twin = self.file.try_clone().expect("an open file");
            let socket = UnixDatagram::from(OwnedFd::from(twin));
            socket.set_nonblocking(true).expect("a socket");
        }
    }

    pub(in crate::logging) fn received(socket: &UnixDatagram) -> Vec<Vec<u8>> {
        let mut packets = Vec::new();
        let mut packet = vec![0; 1 << 20];
        while let Ok(len) = socket.recv(&mut packet) {
            packets.push(packet[..len].to_vec());
        }
        packets
    }

    /// Does what a script says, one step per write: take `n` bytes, or fail.
    struct Scripted {
        steps: Vec<Result<usize, ErrorKind>>,
        taken: Vec<u8>,
    }

    impl Write for Scripted {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let step = if self.steps.is_empty() { Ok(usize::MAX) } else { self.steps.remove(0) };
            let count = step?.min(bytes.len());
            self.taken.extend_from_slice(&bytes[..count]);
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Writes two lines to a target that behaves as `steps`; `taken` must have arrived and `outcome` be the end.
    #[track_caller]
    fn check(steps: &[Result<usize, ErrorKind>], taken: &str, outcome: &str) {
        let mut target = Scripted { steps: steps.to_vec(), taken: Vec::new() };
        let progress = write_lines(&mut target, b"one\ntwo\n", 5);
        assert_eq!(String::from_utf8_lossy(&target.taken), taken);
        assert_eq!(progress.written, taken.len());
        let got = match progress.outcome {
            Outcome::Done => "done".to_owned(),
            Outcome::Full => "full".to_owned(),
            Outcome::Failed(error) => error.kind().to_string(),
        };
        assert_eq!(got, outcome);
    }

    #[test]
    fn every_answer_of_write_is_handled() {
        check(&[], "one\ntwo\n", "done");
        check(&[Ok(1), Ok(1), Ok(1)], "one\ntwo\n", "done");
        check(&[Err(ErrorKind::Interrupted), Ok(2)], "one\ntwo\n", "done");
        check(&[Ok(2), Err(ErrorKind::WouldBlock)], "on", "full");
        check(&[Err(ErrorKind::StorageFull)], "", "no storage space");
        check(&[Ok(4), Err(ErrorKind::BrokenPipe)], "one\n", "broken pipe");
        check(&[Ok(0)], "", "write zero");
    }

    #[test]
    fn a_piece_ends_at_a_line_end() {
        for (lines, most, want) in [
            ("one\ntwo\n", 8, 8),
            ("one\ntwo\n", 7, 4),
            ("one\ntwo\n", 4, 4),
            ("one\ntwo\n", 3, 4),
            ("a long one\nb\n", 4, 11),
            ("no end", 4, 6),
        ] {
            assert_eq!(piece_len(lines.as_bytes(), most), want, "{lines:?} {most}");
        }
    }

    #[test]
    fn an_entry_is_one_write_however_long() {
        let (mut sink, socket) = datagrams();
        sink.append(&[b'x'; 10_000]);
        sink.append(b"Traceback:\n  a\n  b\n");
        let lens: Vec<usize> = received(&socket).iter().map(Vec::len).collect();
        assert_eq!(lens, [10_000, 19]);
    }

    #[test]
    fn a_line_cut_by_a_failure_is_closed_before_the_next() {
        let (mut sink, mut reader) = pipe();
        sink.torn = true;
        sink.append(b"next\n");
        sink.append(b"last\n");
        drop(sink);
        let mut text = String::new();
        reader.read_to_string(&mut text).expect("a pipe");
        assert_eq!(text, "\nnext\nlast\n");
    }

    #[test]
    fn a_reader_that_left_and_a_full_disk_do_no_harm() {
        let (mut sink, reader) = pipe();
        drop(reader);
        sink.append(b"unheard\n");
        let progress = sink.write(b"unheard\n");
        assert!(matches!(progress.outcome, Outcome::Failed(_)));
        let mut full = Sink::open(&Destination::File("/dev/full".into())).expect("a device");
        full.append(b"lost\n");
        let progress = full.write(b"lost\n");
        let Outcome::Failed(error) = progress.outcome else { panic!("the device is full") };
        assert_eq!(error.kind(), ErrorKind::StorageFull);
    }

    #[test]
    fn a_full_pipe_that_does_not_block_is_waited_for_only_briefly() {
        let (mut sink, socket) = datagrams();
        sink.set_nonblocking();
        while let Outcome::Done = sink.write(&[b'x'; PIPE_WRITE]).outcome {}
        assert!(matches!(sink.write(b"y\n").outcome, Outcome::Full));
        sink.append(b"dropped\n");
        let arrived = received(&socket);
        assert!(arrived.iter().all(|packet| packet[0] == b'x'));
        sink.append(b"heard again\n");
        assert_eq!(received(&socket), [b"heard again\n"]);
    }

    #[test]
    fn a_file_is_appended_to_and_opened_anew() {
        let folder = Folder::new("sink");
        let path = folder.0.join("log");
        fs::write(&path, "before\n").expect("a file");
        let mut sink = Sink::open(&Destination::File(path.clone())).expect("a file");
        sink.append(b"first\n");
        fs::rename(&path, folder.0.join("old")).expect("a file");
        sink.append(b"still the old\n");
        sink.reopen().expect("a file");
        sink.append(b"second\n");
        fs::remove_file(&path).expect("a file");
        fs::create_dir(&path).expect("a folder");
        assert!(sink.reopen().is_err());
        sink.append(b"no panic\n");
        assert_eq!(folder.read("old"), "before\nfirst\nstill the old\n");
    }
}
