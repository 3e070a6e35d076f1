//! A request's body that does not come, as exceptions of the application.

use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;

use crate::app::Refusal;

pyo3::create_exception!(
    indrik,
    ClientDisconnected,
    PyOSError,
    "The client did not send the whole body of its request: it has gone, was too slow, or broke the protocol."
);

/// What every read of that body raises: [`ClientDisconnected`] where the client is at fault, else OSError with the number
/// that a file would have given.
pub(super) fn exception(py: Python<'_>, refusal: &Refusal) -> PyErr {
    let text = refusal.to_string();
    match refusal {
        Refusal::TooLarge(_) => numbered(py, "EFBIG", text),
        Refusal::Storage(_) => numbered(py, "ENOSPC", text),
        Refusal::Malformed { .. } | Refusal::TooSlow | Refusal::Gone => ClientDisconnected::new_err(text),
    }
}

fn numbered(py: Python<'_>, name: &str, text: String) -> PyErr {
    match py.import("errno").and_then(|numbers| numbers.getattr(name)) {
        Ok(number) => PyOSError::new_err((number.unbind(), text)),
        Err(error) => error,
    }
}
