//! `wsgi.early_hints` and `indrik.client_disconnected`: functions that are the same for all requests, and find the exchange of
//! the thread that calls them.

use std::cell::RefCell;
use std::sync::Arc;

use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyCFunction, PyString};

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

/// The objects for environ, by their keys.
pub(super) fn functions(py: Python<'_>) -> PyResult<[(&'static str, Bound<'_, PyCFunction>); 2]> {
    Ok([
        ("wsgi.early_hints", wrap_pyfunction!(early_hints, py)?),
        ("indrik.client_disconnected", wrap_pyfunction!(client_disconnected, py)?),
    ])
}

/// Whether the client has ended its side or reset the connection. One that has only ended its side may still read.
#[pyfunction]
fn client_disconnected() -> PyResult<bool> {
    current()?.link.with(|exchange| exchange.has_hung_up())
}

/// Sends `103 Early Hints` with `headers`, a list of (name, value) tuples of str. Nothing happens for HTTP/1.0 or once
/// the answer has begun. Raises ValueError for a name or value that HTTP does not allow. Source: RFC 8297, Gunicorn.
#[pyfunction]
#[pyo3(signature = (headers, /))]
fn early_hints(headers: &Bound<'_, PyAny>) -> PyResult<()> {
    let state = current()?;
    let mut fields = Fields::new();
    for item in headers.try_iter()? {
        let (name, value) = item?.extract::<(Bound<'_, PyString>, Bound<'_, PyString>)>()?;
        let wide = || PyValueError::new_err("hints have characters beyond Latin-1");
        let pushed = fields.push(strings::latin1(&name).ok_or_else(wide)?, strings::latin1(&value).ok_or_else(wide)?);
        pushed.map_err(|error| PyValueError::new_err(error.to_string()))?;
    }
    // A client that has gone is noticed by the answer itself.
    state.link.with(|exchange| exchange.hint(&fields).unwrap_or(()))
}
