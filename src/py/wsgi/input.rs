//! `wsgi.input`: the request's body as a file. Source: PEP 3333, input and error streams; CPython's `io` for the rest.
//!
//! The face only: [`super::body`] knows where bytes come from. By default the body is complete before the application
//! runs, so that no read waits for the network; a client that sent `Expect: 100-continue` is asked at the first read, and
//! without request buffering every read may wait for it.

use std::cell::Cell;
use std::sync::{Arc, Mutex, PoisonError, TryLockError};

use pyo3::exceptions::{PyRuntimeError, PyTypeError};
use pyo3::prelude::*;
use pyo3::sync::MutexExt;
use pyo3::types::{PyBytes, PyInt, PyList, PyMemoryView, PySlice};

use super::body::{Body, WINDOW};
use super::bytes::Buffer;
use super::start_response::State;
use super::window::Until;
use crate::app;

/// The stream. Reads of several threads come one after the other, each whole.
#[pyclass(frozen, module = "indrik")]
#[derive(Debug)]
pub(super) struct Input {
    /// Held while its holder waits detached; so nobody may wait for it attached.
    body: Mutex<Body>,
}

thread_local! {
    /// Is this thread reading? Then a signal handler that reads too must not wait for it.
    static IS_READING: Cell<bool> = const { Cell::new(false) };
}

impl Input {
    /// The stream of a request without a body.
    pub(super) fn empty() -> Self {
        Self { body: Mutex::new(Body::empty()) }
    }

    /// The stream of `body`; `None` where the empty one serves.
    pub(super) fn of<'py>(
        py: Python<'py>,
        body: app::Body<Buffer>,
        state: &Arc<State>,
    ) -> PyResult<Option<Bound<'py, Self>>> {
        if matches!(body, app::Body::Empty) {
            return Ok(None);
        }
        Bound::new(py, Self { body: Mutex::new(Body::new(body, state)) }).map(Some)
    }

    /// Lets `work` read, and nobody else meanwhile. Errors: RuntimeError if this thread is in the middle of a read.
    fn reading<R>(&self, py: Python<'_>, work: impl FnOnce(&mut Body) -> PyResult<R>) -> PyResult<R> {
        let mut body = match self.body.try_lock() {
            Ok(body) => body,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) if IS_READING.get() => {
                return Err(PyRuntimeError::new_err("a read of wsgi.input within another one"));
            }
            Err(TryLockError::WouldBlock) => self.body.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner),
        };
        let was_reading = IS_READING.replace(true);
        let result = work(&mut body);
        IS_READING.set(was_reading);
        result
    }

    fn take<'py>(
        &self,
        py: Python<'py>,
        size: Option<&Bound<'py, PyAny>>,
        until: Until,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let limit = limit(size)?;
        self.reading(py, |body| body.read(py, limit, until))
    }
}

#[pymethods]
impl Input {
    /// `size` bytes, fewer only at the end; all that is left for None or a negative `size`.
    #[pyo3(signature = (size=None, /))]
    fn read<'py>(&self, py: Python<'py>, size: Option<&Bound<'py, PyAny>>) -> PyResult<Bound<'py, PyBytes>> {
        self.take(py, size, Until::Limit)
    }

    /// What is at hand without another wait, at most `size` bytes and at least one; empty at the end.
    #[pyo3(signature = (size=None, /))]
    fn read1<'py>(&self, py: Python<'py>, size: Option<&Bound<'py, PyAny>>) -> PyResult<Bound<'py, PyBytes>> {
        self.take(py, size, Until::AtHand)
    }

    /// The next line with its end, at most `size` bytes of it; empty at the end.
    #[pyo3(signature = (size=None, /))]
    fn readline<'py>(&self, py: Python<'py>, size: Option<&Bound<'py, PyAny>>) -> PyResult<Bound<'py, PyBytes>> {
        self.take(py, size, Until::LineEnd)
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
        self.reading(py, |body| {
            while total < wanted {
                let line = body.read(py, usize::MAX, Until::LineEnd)?;
                if line.as_bytes().is_empty() {
                    break;
                }
                total += line.as_bytes().len();
                lines.append(line)?;
            }
            Ok(())
        })?;
        Ok(lines)
    }

    /// Fills a writable buffer; returns how many bytes, fewer than it holds only at the end.
    #[pyo3(signature = (buffer, /))]
    fn readinto(&self, py: Python<'_>, buffer: &Bound<'_, PyAny>) -> PyResult<usize> {
        let view = PyMemoryView::from(buffer)?.call_method1("cast", ("B",))?;
        let room = view.len()?;
        if view.getattr("readonly")?.is_truthy()? {
            return Err(PyTypeError::new_err("readinto() needs a buffer that can be written"));
        }
        self.reading(py, |body| {
            let mut filled = 0;
            while filled < room {
                let bytes = body.read(py, WINDOW.min(room - filled), Until::Limit)?;
                let count = bytes.as_bytes().len();
                if count == 0 {
                    break;
                }
                view.set_item(PySlice::new(py, filled as isize, (filled + count) as isize, 1), bytes)?;
                filled += count;
            }
            Ok(filled)
        })
    }

    fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let line = self.take(py, None, Until::LineEnd)?;
        Ok((!line.as_bytes().is_empty()).then_some(line))
    }

    /// True.
    fn readable(&self) -> bool {
        true
    }

    /// False: `close` does nothing.
    #[getter]
    fn closed(&self) -> bool {
        false
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
