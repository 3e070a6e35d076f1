//! `wsgi.errors`: text that goes to the error log, line by line. Source: PEP 3333, input and error streams.

use std::sync::{Mutex, MutexGuard, PoisonError};

use pyo3::prelude::*;
use pyo3::types::PyString;

/// The stream. One per worker; its lock makes lines of two threads follow each other.
#[pyclass(frozen, module = "indrik")]
#[derive(Debug, Default)]
pub(super) struct ErrorStream {
    /// The beginning of a line whose end has not come.
    partial: Mutex<String>,
}

impl ErrorStream {
    fn partial(&self) -> MutexGuard<'_, String> {
        self.partial.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl ErrorStream {
    /// Adds `text` (str); complete lines are logged. Returns how many characters were taken.
    #[pyo3(signature = (text, /))]
    fn write(&self, text: &Bound<'_, PyString>) -> usize {
        // Lone surrogates cannot be written; they are replaced, since an error message must not raise.
        let lossy = text.to_string_lossy();
        let mut partial = self.partial();
        partial.push_str(&lossy);
        if let Some(end) = partial.rfind('\n') {
            for line in partial[..end].lines() {
                log::error!("{line}");
            }
            partial.drain(..=end);
        }
        lossy.chars().count()
    }

    /// Adds each of `lines`.
    #[pyo3(signature = (lines, /))]
    fn writelines(&self, lines: &Bound<'_, PyAny>) -> PyResult<()> {
        for line in lines.try_iter()? {
            self.write(line?.cast::<PyString>()?);
        }
        Ok(())
    }

    /// Logs what is held back of an unfinished line.
    fn flush(&self) {
        let mut partial = self.partial();
        if !partial.is_empty() {
            log::error!("{partial}");
            partial.clear();
        }
    }
}
