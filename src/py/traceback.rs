//! Exceptions as text, the way Python prints them.

use pyo3::prelude::*;
use pyo3::types::PyString;

/// The traceback of `error`, without a line end at its end.
pub(super) fn text(py: Python<'_>, error: &PyErr) -> String {
    let formatted = py
        .import("traceback")
        .and_then(|module| {
            let parts = (error.get_type(py), error.value(py), error.traceback(py));
            module.call_method1("format_exception", parts)
        })
        .and_then(|lines| lines.try_iter()?.map(|line| lossy(&line?)).collect::<PyResult<String>>());
    match formatted {
        Ok(text) => text.trim_end().to_owned(),
        // The exception's own `__str__` may raise, and memory may be short.
        Err(_) => error.to_string(),
    }
}

/// Names of files may hold surrogates, which no Rust string takes.
fn lossy(line: &Bound<'_, PyAny>) -> PyResult<String> {
    Ok(line.cast::<PyString>()?.to_string_lossy().into_owned())
}
