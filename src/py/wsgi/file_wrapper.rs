//! `wsgi.file_wrapper`: a file as an iterable of blocks. Source: PEP 3333, optional platform-specific file handling.
//!
//! Most files are never read here: [`super::file_span`] finds what the server can send by itself.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use pyo3::exceptions::{PyIndexError, PyStopIteration};
use pyo3::intern;
use pyo3::prelude::*;

use super::file_span::FileSpan;

/// Bytes per block where none are named. Source: Gunicorn.
const BLOCK_SIZE: usize = 8192;

/// Wraps `filelike`, an object with `read(size)`, and closes it when the answer is out.
#[pyclass(frozen, subclass, module = "indrik")]
#[derive(Debug)]
pub(super) struct FileWrapper {
    #[pyo3(get)]
    filelike: Py<PyAny>,
    #[pyo3(get)]
    blksize: usize,
    /// Has somebody taken a block? Then the rest is theirs to read.
    is_read: AtomicBool,
}

impl FileWrapper {
    /// What the server can send by itself; `None`: iterate.
    pub(super) fn span(&self, py: Python<'_>) -> Option<FileSpan> {
        if self.is_read.load(Relaxed) { None } else { FileSpan::rest_of(self.filelike.bind(py)) }
    }

    fn next_block<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.is_read.store(true, Relaxed);
        let block = self.filelike.bind(py).call_method1(intern!(py, "read"), (self.blksize,))?;
        Ok(block.is_truthy()?.then_some(block))
    }
}

#[pymethods]
impl FileWrapper {
    #[new]
    #[pyo3(signature = (filelike, blksize=BLOCK_SIZE))]
    fn new(filelike: Py<PyAny>, blksize: usize) -> Self {
        Self { filelike, blksize, is_read: AtomicBool::new(false) }
    }

    fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.next_block(py)?.ok_or_else(|| PyStopIteration::new_err(()))
    }

    /// The next block, whatever `key` is. Source: Gunicorn, after PEP 3333's own example.
    fn __getitem__<'py>(&self, py: Python<'py>, key: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let _ = key;
        self.next_block(py)?.ok_or_else(|| PyIndexError::new_err(()))
    }

    /// The file's own `close`; AttributeError if it has none.
    #[getter]
    fn close<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.filelike.bind(py).getattr(intern!(py, "close"))
    }
}
