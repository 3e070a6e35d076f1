//! `wsgi.input`: the request's body as a file. Source: PEP 3333, input and error streams; CPython's `io` for the rest.
//!
//! The body is complete before the application runs, so no read waits for the network; the one exception is a client
//! that sent `Expect: 100-continue`, which is asked for its body at the first read.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pyo3::exceptions::{PyOSError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyInt, PyList, PyMemoryView, PySlice};

use super::bytes::Buffer;
use super::start_response::State;
use crate::app::{Body, Refusal};

/// The stream.
#[pyclass(frozen, module = "indrik")]
#[derive(Debug)]
pub(super) struct Input {
    reading: Mutex<Reading>,
}

#[derive(Debug)]
struct Reading {
    source: Source,
    position: usize,
}

#[derive(Debug)]
enum Source {
    Empty,
    Complete(Py<PyBytes>),
    /// Still with the client.
    Announced(Arc<State>),
    /// It did not come; the text says why.
    Failed(String),
}

impl Input {
    /// The stream of a request without a body.
    pub(super) fn empty() -> Self {
        Self::from_source(Source::Empty)
    }

    /// The stream of `body`; `None` where the empty one serves.
    pub(super) fn of<'py>(
        py: Python<'py>,
        body: Body<Buffer>,
        state: &Arc<State>,
    ) -> PyResult<Option<Bound<'py, Self>>> {
        let source = match body {
            Body::Empty => return Ok(None),
            Body::Complete(buffer) => Source::Complete(buffer.into_python(py).unbind()),
            Body::Announced => Source::Announced(state.clone()),
        };
        Bound::new(py, Self::from_source(source)).map(Some)
    }

    fn from_source(source: Source) -> Self {
        Self { reading: Mutex::new(Reading { source, position: 0 }) }
    }

    fn reading(&self) -> MutexGuard<'_, Reading> {
        self.reading.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes sure that the body is here. Errors: OSError if it does not come.
    fn fetch(&self, py: Python<'_>) -> PyResult<()> {
        let state = match &self.reading().source {
            Source::Empty | Source::Complete(_) => return Ok(()),
            Source::Announced(state) => state.clone(),
            Source::Failed(text) => return Err(PyOSError::new_err(text.clone())),
        };
        let received = loop {
            match state.link.with_detached(py, |exchange| exchange.receive_body())? {
                Ok(Some(buffer)) => break Ok(buffer),
                // Signals are heard meanwhile; an order to leave at once ends the wait.
                Ok(None) => py.check_signals()?,
                Err(refusal) => break Err(refusal),
            }
        };
        let (source, failed) = match received {
            Ok(buffer) => (Source::Complete(buffer.into_python(py).unbind()), None),
            Err(refusal) => {
                state.link.refuse(match refusal {
                    Refusal::TooLarge(_) => 413,
                    Refusal::Broken(_) => 400,
                });
                let text = refusal.to_string();
                (Source::Failed(text.clone()), Some(PyOSError::new_err(text)))
            }
        };
        self.reading().source = source;
        failed.map_or(Ok(()), Err)
    }

    /// Takes bytes from the position on: `choose` is given the rest and says how many.
    fn take<'py>(&self, py: Python<'py>, choose: impl FnOnce(&[u8]) -> usize) -> PyResult<Bound<'py, PyBytes>> {
        self.fetch(py)?;
        let mut reading = self.reading();
        let Source::Complete(body) = &reading.source else { return Ok(PyBytes::new(py, b"")) };
        let body = body.bind(py);
        let rest = &body.as_bytes()[reading.position..];
        let count = choose(rest);
        // All of it is the object itself: no copy.
        let taken = if count == body.as_bytes().len() { body.clone() } else { PyBytes::new(py, &rest[..count]) };
        reading.position += count;
        Ok(taken)
    }
}

#[pymethods]
impl Input {
    /// At most `size` bytes; all that is left for None or a negative `size`.
    #[pyo3(signature = (size=None, /))]
    fn read<'py>(&self, py: Python<'py>, size: Option<&Bound<'py, PyAny>>) -> PyResult<Bound<'py, PyBytes>> {
        let limit = limit(size)?;
        self.take(py, |rest| rest.len().min(limit))
    }

    /// As `read`: the body is in memory, so no read is short.
    #[pyo3(signature = (size=None, /))]
    fn read1<'py>(&self, py: Python<'py>, size: Option<&Bound<'py, PyAny>>) -> PyResult<Bound<'py, PyBytes>> {
        self.read(py, size)
    }

    /// The next line with its end, at most `size` bytes of it; empty at the end.
    #[pyo3(signature = (size=None, /))]
    fn readline<'py>(&self, py: Python<'py>, size: Option<&Bound<'py, PyAny>>) -> PyResult<Bound<'py, PyBytes>> {
        let limit = limit(size)?;
        self.take(py, |rest| line_len(&rest[..rest.len().min(limit)]))
    }

    /// The lines that are left; with `hint`, whole lines until their bytes reach it.
    #[pyo3(signature = (hint=None, /))]
    fn readlines<'py>(&self, py: Python<'py>, hint: Option<&Bound<'py, PyAny>>) -> PyResult<Bound<'py, PyList>> {
        let wanted = match limit(hint)? {
            0 => usize::MAX,
            bytes => bytes,
        };
        let lines = PyList::empty(py);
        let mut total = 0;
        while total < wanted {
            let line = self.take(py, line_len)?;
            if line.as_bytes().is_empty() {
                break;
            }
            total += line.as_bytes().len();
            lines.append(line)?;
        }
        Ok(lines)
    }

    /// Reads into a writable buffer; returns how many bytes.
    #[pyo3(signature = (buffer, /))]
    fn readinto(&self, py: Python<'_>, buffer: &Bound<'_, PyAny>) -> PyResult<usize> {
        let view = PyMemoryView::from(buffer)?.call_method1("cast", ("B",))?;
        let room = view.len()?;
        let bytes = self.take(py, |rest| rest.len().min(room))?;
        let count = bytes.as_bytes().len();
        view.set_item(PySlice::new(py, 0, count as isize, 1), bytes)?;
        Ok(count)
    }

    fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let line = self.take(py, line_len)?;
        Ok((!line.as_bytes().is_empty()).then_some(line))
    }

    /// True.
    fn readable(&self) -> bool {
        true
    }

    /// False: there is no way back.
    fn seekable(&self) -> bool {
        false
    }

    /// False.
    fn writable(&self) -> bool {
        false
    }

    /// Does nothing: the server sees to what was not read.
    fn close(&self) {}
}

/// Bytes up to and including the first line end.
fn line_len(bytes: &[u8]) -> usize {
    bytes.iter().position(|&byte| byte == b'\n').map_or(bytes.len(), |end| end + 1)
}

/// A size argument as a limit in bytes. Errors: TypeError for anything but None and integers.
fn limit(size: Option<&Bound<'_, PyAny>>) -> PyResult<usize> {
    match size {
        None => Ok(usize::MAX),
        Some(size) if size.is_none() => Ok(usize::MAX),
        Some(size) => {
            let number = size.call_method0("__index__").ok().filter(|number| number.is_instance_of::<PyInt>());
            let number = number.ok_or_else(|| PyTypeError::new_err("size must be an integral type"))?;
            Ok(number.extract::<isize>().map_or(usize::MAX, |size| usize::try_from(size).unwrap_or(usize::MAX)))
        }
    }
}
