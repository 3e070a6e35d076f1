//! `wsgi.early_hints` and `indrik.client_disconnected`: functions of one request, for any thread of the application. What is
//! the request of the calling thread is known here too.

use std::cell::RefCell;
use std::sync::Arc;

use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use super::start_response::State;
use super::strings;
use crate::http::Fields;

thread_local! {
    /// What this thread answers with.
    static CURRENT: RefCell<Option<Arc<State>>> = const { RefCell::new(None) };
}

/// Says what this thread answers with from now on.
pub(super) fn follow(state: &Arc<State>) {
    CURRENT.with_borrow_mut(|current| *current = Some(state.clone()));
}

/// What this thread answers with.
pub(super) fn current() -> PyResult<Arc<State>> {
    let current = CURRENT.with_borrow(Clone::clone);
    current.ok_or_else(|| PyRuntimeError::new_err("no request is running in this thread"))
}

/// The objects for environ; used again like all of a responder, so they cost a request two entries.
#[derive(Debug)]
pub(super) struct Hints {
    early: Py<EarlyHints>,
    gone: Py<Disconnected>,
}

impl Hints {
    pub(super) fn new(py: Python<'_>, state: &Arc<State>) -> PyResult<Self> {
        let early = Py::new(py, EarlyHints { state: state.clone() })?;
        let gone = Py::new(py, Disconnected { state: state.clone() })?;
        Ok(Self { early, gone })
    }

    pub(super) fn add_to(&self, environ: &Bound<'_, PyDict>) -> PyResult<()> {
        let py = environ.py();
        environ.set_item(intern!(py, "wsgi.early_hints"), &self.early)?;
        environ.set_item(intern!(py, "indrik.client_disconnected"), &self.gone)
    }

    /// Has the application let go of them?
    pub(super) fn are_free(&self, py: Python<'_>) -> bool {
        [self.early.bind(py).as_any(), self.gone.bind(py).as_any()].map(strings::references) == [1, 1]
    }
}

/// Whether the client has ended its side or reset the connection.
#[pyclass(frozen, module = "indrik")]
#[derive(Debug)]
struct Disconnected {
    state: Arc<State>,
}

#[pymethods]
impl Disconnected {
    /// One that has only ended its side may still read. Raises RuntimeError once the request has ended.
    fn __call__(&self, py: Python<'_>) -> PyResult<bool> {
        self.state.link.with(py, |exchange| exchange.has_hung_up())
    }
}

/// Sends `103 Early Hints`. Source: RFC 8297, Gunicorn.
#[pyclass(frozen, module = "indrik")]
#[derive(Debug)]
struct EarlyHints {
    state: Arc<State>,
}

#[pymethods]
impl EarlyHints {
    /// `headers`: a list of (name, value) tuples of str. Nothing happens for HTTP/1.0 or once the answer has begun. Raises
    /// ValueError for a name or value that HTTP does not allow, RuntimeError once the request has ended.
    #[pyo3(signature = (headers, /))]
    fn __call__(&self, headers: &Bound<'_, PyAny>) -> PyResult<()> {
        let mut fields = Fields::new();
        for item in headers.try_iter()? {
            let (name, value) = item?.extract::<(Bound<'_, PyString>, Bound<'_, PyString>)>()?;
            let wide = || PyValueError::new_err("hints have characters beyond Latin-1");
            let name = strings::latin1(&name).ok_or_else(wide)?;
            let pushed = fields.push(name, strings::latin1(&value).ok_or_else(wide)?);
            pushed.map_err(|error| PyValueError::new_err(error.to_string()))?;
        }
        // A client that has gone is noticed by the answer itself.
        self.state.link.with(headers.py(), |exchange| exchange.hint(&fields).unwrap_or(()))
    }
}
