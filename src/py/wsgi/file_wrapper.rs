//! `wsgi.file_wrapper`: a file as an iterable of blocks. Source: PEP 3333, optional platform-specific file handling.

use pyo3::exceptions::PyStopIteration;
use pyo3::prelude::*;

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
}

#[pymethods]
impl FileWrapper {
    #[new]
    #[pyo3(signature = (filelike, blksize=BLOCK_SIZE))]
    fn new(filelike: Py<PyAny>, blksize: usize) -> Self {
        Self { filelike, blksize }
    }

    fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let block = self.filelike.bind(py).call_method1("read", (self.blksize,))?;
        if block.is_truthy()? { Ok(block) } else { Err(PyStopIteration::new_err(())) }
    }

    fn close(&self, py: Python<'_>) -> PyResult<()> {
        match self.filelike.bind(py).getattr_opt("close")? {
            Some(close) => close.call0().map(drop),
            None => Ok(()),
        }
    }
}
