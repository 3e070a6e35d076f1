//! The access log of one worker: lines are gathered and leave together, whole, many per `write(2)`.
//!
//! The worker flushes after each batch of events and before a call that may not return, and finishes before it exits.
//! A target that takes nothing costs lines, never a request: they are dropped, counted and reported once.
#![allow(clippy::disallowed_methods)] // A full pipe is given a moment; there is no loop here to come back to.

use std::io;
use std::thread;
use std::time::SystemTime;

use super::entry::Entry;
use super::format::Format;
use crate::logging::clock::Clock;
use crate::logging::destination::Destination;
use crate::logging::sink::{Outcome, PAUSE, Sink};

/// Lines leave by themselves when so many bytes are waiting.
const FLUSH_LEN: usize = 64 * 1024;

/// More than this is not kept for a non-blocking pipe whose reader is behind: some ten thousand lines.
const KEEP_LEN: usize = 1024 * 1024;

/// How many pauses of a millisecond [`AccessLog::finish`] waits for such a reader: one second.
const FINISH_PAUSES: u32 = 1000;

/// An open access log.
pub struct AccessLog {
    sink: Sink,
    format: Format,
    /// Requests whose path begins like one of these have no line.
    skipped: Vec<String>,
    clock: Clock,
    lines: Vec<u8>,
    /// The target has taken the beginning of a line, the rest of which stands first in `lines`, or was dropped and
    /// is a mere line end there.
    is_torn: bool,
    is_failing: bool,
    lost_count: u64,
    reported_count: u64,
}

impl AccessLog {
    /// Opens `destination`: a file to append, created with mode 0644, or a standard stream.
    ///
    /// Errors: what open(2) says, without the path.
    ///
    /// Source: the settings `accesslog` and `access_log_format`.
    pub fn open(destination: &Destination, format: Format) -> io::Result<AccessLog> {
        Ok(AccessLog::over(Sink::open(destination)?, format))
    }

    /// The format that lines are written in.
    pub fn format(&self) -> &Format {
        &self.format
    }

    /// Leaves out requests whose path begins like one of `prefixes`. Source: the setting `access_log_skip`.
    pub fn skipping(self, prefixes: Vec<String>) -> AccessLog {
        AccessLog { skipped: prefixes, ..self }
    }

    /// Adds the line of `entry`, dated `now`. It is written at the next flush.
    pub fn record(&mut self, entry: &dyn Entry, now: SystemTime) {
        if !self.skipped.is_empty() && self.skips(&entry.path()) {
            return;
        }
        self.format.write(entry, self.clock.at(now), &mut self.lines);
        if self.lines.len() >= FLUSH_LEN {
            self.flush();
        }
    }

    /// Writes all lines that are waiting. A non-blocking pipe that is full keeps them waiting.
    pub fn flush(&mut self) {
        if self.lines.is_empty() {
            return;
        }
        let progress = self.sink.write(&self.lines);
        if let Some(byte) = self.lines[..progress.written].last() {
            self.is_torn = *byte != b'\n';
        }
        match progress.outcome {
            Outcome::Done => {
                self.lines.clear();
                self.report_recovery();
            }
            Outcome::Full => {
                self.lines.drain(..progress.written);
                if self.lines.len() > KEEP_LEN {
                    self.drop_lines(0, &io::ErrorKind::WouldBlock.into());
                }
            }
            Outcome::Failed(error) => self.drop_lines(progress.written, &error),
        }
    }

    /// Flushes for the last time: waits up to a second for a reader that is behind.
    pub fn finish(&mut self) {
        for _ in 0..FINISH_PAUSES {
            self.flush();
            if self.lines.is_empty() || self.is_failing {
                return;
            }
            thread::sleep(PAUSE);
        }
    }

    /// Flushes, then opens the file anew, after a rotation has moved it. Standard streams stay.
    ///
    /// Errors: the file cannot be opened; the old one stays in use.
    pub fn reopen(&mut self) -> io::Result<()> {
        self.flush();
        if self.sink.destination().path().is_none() {
            return Ok(());
        }
        self.sink.reopen()?;
        if self.is_torn {
            // The new file has not seen the beginning of that line.
            let end = self.lines.iter().position(|byte| *byte == b'\n');
            self.lines.drain(..end.map_or(0, |at| at + 1));
            self.is_torn = false;
        }
        Ok(())
    }

    /// How many lines were dropped since the log was opened.
    pub fn lost_count(&self) -> u64 {
        self.lost_count
    }

    fn skips(&self, path: &[u8]) -> bool {
        self.skipped.iter().any(|prefix| path.starts_with(prefix.as_bytes()))
    }

    fn over(sink: Sink, format: Format) -> AccessLog {
        AccessLog {
            sink,
            format,
            skipped: Vec::new(),
            clock: Clock::new(),
            lines: Vec::with_capacity(FLUSH_LEN + FLUSH_LEN / 4),
            is_torn: false,
            is_failing: false,
            lost_count: 0,
            reported_count: 0,
        }
    }

    fn drop_lines(&mut self, written: usize, error: &io::Error) {
        let unsent = &self.lines[written..];
        let line_ends = unsent.iter().filter(|byte| **byte == b'\n').count();
        // A line of which only the end is missing is not lost.
        let owed_end = usize::from(self.is_torn && unsent.starts_with(b"\n"));
        self.lost_count += (line_ends - owed_end) as u64;
        self.lines.clear();
        if self.is_torn {
            self.lines.push(b'\n');
        }
        if !self.is_failing {
            self.is_failing = true;
            let destination = self.sink.destination();
            log::error!("cannot write the access log {destination}: {error}; its lines are dropped");
        }
    }

    fn report_recovery(&mut self) {
        if !self.is_failing {
            return;
        }
        self.is_failing = false;
        let lost = self.lost_count - self.reported_count;
        self.reported_count = self.lost_count;
        let destination = self.sink.destination();
        log::warn!("the access log {destination} is written again; {lost} lines were lost");
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Read;
    use std::time::Duration;

    use super::super::entry::tests::Sample;
    use super::*;
    use crate::logging::sink::tests::{Folder, datagrams, pipe, received};
    use crate::logging::sink::{PIPE_WRITE, Progress};

    const NOW: SystemTime = SystemTime::UNIX_EPOCH;

    fn log_over(sink: Sink) -> AccessLog {
        AccessLog::over(sink, Format::parse("%(q)s").expect("a format"))
    }

    fn record(log: &mut AccessLog, query: &str) {
        let mut entry = Sample::new();
        entry.query = query.as_bytes().to_vec();
        log.record(&entry, NOW);
    }

    #[test]
    fn lines_wait_for_the_flush_and_leave_together() {
        let (sink, socket) = datagrams();
        let mut log = log_over(sink);
        record(&mut log, "one");
        record(&mut log, "two");
        assert!(received(&socket).is_empty());
        log.flush();
        log.flush();
        assert_eq!(received(&socket), [b"one\ntwo\n"]);
    }

    #[test]
    fn skipped_paths_have_no_line() {
        let (sink, socket) = datagrams();
        let mut log = log_over(sink).skipping(vec!["/healthz".to_owned(), "/st ".to_owned()]);
        for path in ["/healthz", "/healthz/deep", "/st atus", "/health", "/a/healthz", ""] {
            let mut entry = Sample::new();
            (entry.path, entry.query) = (path.as_bytes().to_vec(), path.as_bytes().to_vec());
            log.record(&entry, NOW);
        }
        log.flush();
        assert_eq!(received(&socket), [b"/health\n/a/healthz\n\n"]);
    }

    #[test]
    fn a_pipe_gets_whole_lines_of_at_most_4096_bytes_per_write() {
        let (sink, socket) = datagrams();
        let mut log = log_over(sink);
        for line in 0..100 {
            record(&mut log, &format!("{line}").repeat(60));
        }
        record(&mut log, &"long".repeat(2000));
        record(&mut log, "short");
        log.flush();
        let packets = received(&socket);
        assert!(packets.iter().all(|packet| packet.ends_with(b"\n")));
        let lens: Vec<usize> = packets.iter().map(Vec::len).collect();
        let long = lens.iter().filter(|len| **len > PIPE_WRITE);
        assert_eq!(long.copied().collect::<Vec<usize>>(), [8001]);
        assert!(lens[0] > PIPE_WRITE - 121, "many lines per write");
        assert_eq!(packets.last().map(Vec::as_slice), Some(&b"short\n"[..]));
    }

    #[test]
    fn a_file_gets_64_kib_without_being_asked() {
        let folder = Folder::new("access-64");
        let destination = Destination::File(folder.0.join("log"));
        let format = Format::parse("%(q)s").expect("a format");
        let mut log = AccessLog::open(&destination, format).expect("a file");
        for _ in 0..FLUSH_LEN / 64 - 1 {
            record(&mut log, &"x".repeat(63));
        }
        assert_eq!(folder.read("log").len(), 0);
        record(&mut log, &"x".repeat(63));
        assert_eq!(folder.read("log").len(), FLUSH_LEN);
        assert_eq!(log.lost_count(), 0);
    }

    #[test]
    fn a_rotated_file_keeps_its_lines_and_a_failed_reopen_the_old_file() {
        let folder = Folder::new("access-rotate");
        let path = folder.0.join("log");
        let format = Format::parse("%(q)s").expect("a format");
        let mut log = AccessLog::open(&Destination::File(path.clone()), format).expect("a file");
        record(&mut log, "one");
        fs::rename(&path, folder.0.join("log.1")).expect("a file");
        log.reopen().expect("a file");
        record(&mut log, "two");
        log.flush();
        assert_eq!(folder.read("log.1"), "one\n");
        assert_eq!(folder.read("log"), "two\n");
        fs::rename(&path, folder.0.join("log.2")).expect("a file");
        fs::create_dir(&path).expect("a folder");
        assert!(log.reopen().is_err());
        record(&mut log, "three");
        log.flush();
        assert_eq!(folder.read("log.2"), "two\nthree\n");
    }

    #[test]
    fn a_missing_folder_is_an_error() {
        let destination = Destination::File("/nonexistent/folder/log".into());
        let format = Format::parse("json").expect("a format");
        assert!(AccessLog::open(&destination, format).is_err());
    }

    #[test]
    fn a_full_disk_costs_lines_that_are_counted() {
        let destination = Destination::File("/dev/full".into());
        let format = Format::parse("%(h)s").expect("a format");
        let mut log = AccessLog::open(&destination, format).expect("a device");
        for _ in 0..3 {
            log.record(&Sample::new(), NOW);
        }
        log.flush();
        log.record(&Sample::new(), NOW);
        log.finish();
        assert_eq!(log.lost_count(), 4);
        assert!(log.lines.is_empty());
    }

    #[test]
    fn a_line_cut_by_a_failure_is_closed_and_lost_once() {
        let (sink, mut reader) = pipe();
        let mut log = log_over(sink);
        let error = io::Error::from(io::ErrorKind::StorageFull);
        log.lines = b"one\ntwo\nthree\n".to_vec();
        log.is_torn = true;
        log.drop_lines(6, &error);
        assert_eq!((log.lost_count(), log.lines.as_slice()), (2, &b"\n"[..]));
        log.drop_lines(0, &error);
        assert_eq!((log.lost_count(), log.lines.as_slice()), (2, &b"\n"[..]));
        record(&mut log, "four");
        log.flush();
        assert!(!log.is_torn && !log.is_failing);
        drop(log);
        let mut text = String::new();
        reader.read_to_string(&mut text).expect("a pipe");
        assert_eq!(text, "\nfour\n");
    }

    #[test]
    fn the_rest_of_a_torn_line_does_not_go_into_a_new_file() {
        let folder = Folder::new("access-torn");
        let format = Format::parse("%(q)s").expect("a format");
        let destination = Destination::File(folder.0.join("log"));
        let mut log = AccessLog::open(&destination, format).expect("a file");
        log.sink = Sink::open(&Destination::File("/dev/full".into())).expect("a device");
        log.lines = b"\n".to_vec();
        log.is_torn = true;
        log.flush();
        assert_eq!(log.lines, b"\n");
        log.reopen().expect("a device");
        assert!(log.lines.is_empty() && !log.is_torn);
    }

    #[test]
    fn a_reader_that_is_behind_keeps_lines_waiting_up_to_a_limit() {
        let (sink, socket) = datagrams();
        let mut log = log_over(sink);
        fill(&mut log.sink);
        record(&mut log, "waits");
        log.flush();
        assert_eq!((log.lines.as_slice(), log.lost_count()), (&b"waits\n"[..], 0));
        let reader = thread::spawn(move || {
            thread::sleep(Duration::from_millis(20));
            (received(&socket), socket)
        });
        log.finish();
        let (mut packets, socket) = reader.join().expect("no panic");
        packets.extend(received(&socket));
        assert_eq!(packets.last().map(Vec::as_slice), Some(&b"waits\n"[..]));

        fill(&mut log.sink);
        let line = "x".repeat(1023);
        while log.lost_count() == 0 {
            record(&mut log, &line);
            assert!(log.lines.len() <= KEEP_LEN + 1024);
        }
        assert_eq!(log.lost_count(), 1025);
        assert!(log.lines.is_empty());
    }

    /// Makes the target non-blocking and full.
    fn fill(sink: &mut Sink) {
        sink.set_nonblocking();
        loop {
            let Progress { outcome, .. } = sink.write(b"filler\n");
            match outcome {
                Outcome::Done => {}
                Outcome::Full => return,
                Outcome::Failed(error) => panic!("{error}"),
            }
        }
    }
}
