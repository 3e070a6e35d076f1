//! Where the bytes of a request's body come from: memory, a spool file, or a client that is still sending.
//!
//! [`super::input`] is its face towards Python. Every read is the same loop over a [`Window`] and its refill, so no way of
//! reading holds more than one window besides what it returns. Files and sockets are waited for detached.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use pyo3::exceptions::{PyMemoryError, PyOSError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::bytes::Buffer;
use super::start_response::State;
use super::window::{Until, Window};
use super::{detached, refused};
use crate::app::{self, Part, Refusal};

/// Bytes asked for at once, of a file or of the client. As large as a pipe of the kernel; beyond that a system call weighs
/// little against the copy.
pub(super) const WINDOW: usize = 64 * 1024;

/// A request's body, and how far it has been read.
#[derive(Debug)]
pub(super) struct Body {
    window: Window,
    source: Source,
}

/// What refills the window.
#[derive(Debug)]
enum Source {
    /// Nothing more comes.
    End,
    Spooled(Spool),
    /// The client is asked for all of it at the first read.
    Announced(Arc<State>),
    /// The client sends it while it is read.
    Streamed(Arc<State>),
    /// It does not come.
    Refused(Refusal),
}

/// A file that holds a body from its start on.
#[derive(Debug)]
struct Spool {
    file: File,
    position: u64,
    len: u64,
}

impl Body {
    /// The body that `body` stands for. `state`: the way to the exchange, kept only if there is more to come.
    pub(super) fn new(body: app::Body<Buffer>, state: &Arc<State>) -> Self {
        let source = match body {
            app::Body::Empty => Source::End,
            app::Body::Complete(buffer) => return Self { window: Window::new(buffer), source: Source::End },
            app::Body::Spooled { file, len } => Source::Spooled(Spool { file, position: 0, len }),
            app::Body::Announced => Source::Announced(state.clone()),
            app::Body::Streamed => Source::Streamed(state.clone()),
        };
        Self { window: Window::empty(), source }
    }

    pub(super) fn empty() -> Self {
        Self { window: Window::empty(), source: Source::End }
    }

    /// Reads at most `limit` bytes; fewer where `until` or the body ends. None are left: the empty bytes object.
    ///
    /// Errors: as [`refused::exception`], again at each call; OSError if the spool file cannot be read; what signal
    /// handlers raise, and then what had been gathered is read again by the next call.
    pub(super) fn read<'py>(&mut self, py: Python<'py>, limit: usize, until: Until) -> PyResult<Bound<'py, PyBytes>> {
        if let Source::Refused(refusal) = &self.source {
            return Err(refused::exception(py, refusal));
        }
        if limit == 0 {
            return Ok(PyBytes::new(py, b""));
        }
        if until == Until::Limit
            && let Some(bytes) = self.read_directly(py, limit)?
        {
            return Ok(bytes);
        }
        let mut gathered = Vec::new();
        loop {
            match self.fill(py) {
                Ok(true) => {}
                Ok(false) => return joined(py, &gathered),
                Err(error) => {
                    self.window = Window::new(Buffer::Plain(gathered));
                    return Err(error);
                }
            }
            let (count, is_enough) = self.window.measure(limit - gathered.len(), until);
            let is_last = is_enough || matches!(self.source, Source::End);
            if is_last && gathered.is_empty() {
                return Ok(self.window.take(py, count));
            }
            gathered.try_reserve(count).map_err(|_| PyMemoryError::new_err(()))?;
            gathered.extend_from_slice(&self.window.rest()[..count]);
            self.window.advance(count);
            if is_last {
                return joined(py, &gathered);
            }
        }
    }

    /// Reads a large piece of a spool file into its bytes object, without a detour over windows. `None`: it is not large,
    /// or there is no file.
    fn read_directly<'py>(&mut self, py: Python<'py>, limit: usize) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let Source::Spooled(spool) = &mut self.source else { return Ok(None) };
        let head = self.window.rest();
        let wanted = usize::try_from(spool.remaining()).unwrap_or(usize::MAX).min(limit.saturating_sub(head.len()));
        if wanted < WINDOW {
            return Ok(None);
        }
        let bytes = PyBytes::new_with(py, head.len() + wanted, |bytes| {
            let (start, rest) = bytes.split_at_mut(head.len());
            start.copy_from_slice(head);
            detached(py, || spool.read(rest)).map_err(unreadable)
        })?;
        self.window = Window::empty();
        Ok(Some(bytes))
    }

    /// Sees to it that there is something in the window; waits for it. `false`: the body is at its end.
    fn fill(&mut self, py: Python<'_>) -> PyResult<bool> {
        while self.window.is_empty() {
            match &mut self.source {
                Source::End => return Ok(false),
                Source::Refused(refusal) => return Err(refused::exception(py, refusal)),
                Source::Spooled(spool) if spool.remaining() == 0 => self.source = Source::End,
                Source::Spooled(spool) => {
                    let mut memory = self.window.take_memory();
                    let count = spool.remaining().min(WINDOW as u64) as usize;
                    memory.resize(count, 0);
                    detached(py, || spool.read(&mut memory)).map_err(unreadable)?;
                    self.window = Window::new(Buffer::Plain(memory));
                }
                Source::Announced(state) => {
                    let state = state.clone();
                    // An order to leave at once ends the wait.
                    py.check_signals()?;
                    match state.link.with_detached(py, |exchange| exchange.receive_body())? {
                        Ok(Some(body)) => *self = Self::new(body, &state),
                        Ok(None) => {}
                        Err(refusal) => self.source = Source::Refused(refusal),
                    }
                }
                Source::Streamed(state) => {
                    let state = state.clone();
                    py.check_signals()?;
                    match state.link.with_detached(py, |exchange| exchange.receive_part(WINDOW))? {
                        Ok(Part::Bytes(bytes)) => self.window = Window::new(Buffer::Plain(bytes)),
                        Ok(Part::Wait) => {}
                        Ok(Part::End) => self.source = Source::End,
                        Err(refusal) => self.source = Source::Refused(refusal),
                    }
                }
            }
        }
        Ok(true)
    }
}

impl Spool {
    fn remaining(&self) -> u64 {
        self.len - self.position
    }

    /// Fills `into`; the position moves only if all of it was there.
    fn read(&mut self, into: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(into, self.position)?;
        self.position += into.len() as u64;
        Ok(())
    }
}

/// A bytes object of these bytes. Errors: MemoryError.
fn joined<'py>(py: Python<'py>, bytes: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
    PyBytes::new_with(py, bytes.len(), |made| {
        made.copy_from_slice(bytes);
        Ok(())
    })
}

fn unreadable(error: io::Error) -> PyErr {
    let text = format!("the request body cannot be read back from its file: {error}");
    match error.raw_os_error() {
        Some(number) => PyOSError::new_err((number, text)),
        None => PyOSError::new_err(text),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_spool_is_read_from_its_own_position() {
        let path = std::env::temp_dir().join(format!("indrik-spool-{}", std::process::id()));
        let mut file = File::options().read(true).write(true).create_new(true).open(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        // What stands behind the body is none of it, and the file's position is where the writer left it.
        file.write_all(b"0123456789 beyond").unwrap();
        let mut spool = Spool { file, position: 0, len: 10 };
        let mut piece = [0; 4];
        spool.read(&mut piece).unwrap();
        assert_eq!((&piece, spool.remaining()), (b"0123", 6));
        spool.read(&mut piece).unwrap();
        assert_eq!((&piece, spool.remaining()), (b"4567", 2));
        assert_eq!(spool.read(&mut [0; 20]).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(spool.remaining(), 2);
    }
}
