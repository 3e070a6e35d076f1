//! `wsgi.errors`: text that goes to the error log, line by line. Source: PEP 3333, input and error streams.

use std::cell::RefCell;

use pyo3::prelude::*;
use pyo3::types::PyString;

/// An unfinished line beyond this many bytes is logged as it is.
const MOST_PARTIAL: usize = 64 * 1024;

thread_local! {
    /// The beginning of a line whose end has not come. Per thread, so that two requests do not share a line.
    static PARTIAL: RefCell<String> = const { RefCell::new(String::new()) };
}

/// The stream; it has no state of its own, so one serves all.
#[pyclass(frozen, module = "indrik")]
#[derive(Debug, Default)]
pub(super) struct ErrorStream;

/// Logs what this thread's request has left unfinished.
pub(super) fn finish_line() {
    PARTIAL.with_borrow_mut(|partial| {
        if !partial.is_empty() {
            log::error!("{partial}");
            partial.clear();
        }
    });
}

#[pymethods]
impl ErrorStream {
    /// Adds `text` (str); complete lines are logged. Returns how many characters were taken.
    #[pyo3(signature = (text, /))]
    fn write(&self, text: &Bound<'_, PyString>) -> usize {
        // Lone surrogates cannot be written; they are replaced, since an error message must not raise.
        let lossy = text.to_string_lossy();
        PARTIAL.with_borrow_mut(|partial| {
            partial.push_str(&lossy);
            if let Some(end) = partial.rfind('\n') {
                for line in partial[..end].lines() {
                    log::error!("{line}");
                }
                partial.drain(..=end);
            }
            if partial.len() > MOST_PARTIAL {
                log::error!("{partial}");
                partial.clear();
            }
        });
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
        finish_line();
    }
}
