//! The wheel's module `indrik._indrik`: the same door, opened from Python.

use std::ffi::OsString;

use pyo3::prelude::*;

use crate::cli::{self, Door};
use crate::py::package;

/// Runs the program with these words, the program's name first; returns its exit code. Blocks until the server stops,
/// and returns in each worker too.
#[pyfunction]
fn main(py: Python<'_>, argv: Vec<OsString>) -> i32 {
    py.detach(|| cli::run(argv, Door::Wheel))
}

#[pymodule(gil_used = false)]
fn _indrik(module: &Bound<'_, PyModule>) -> PyResult<()> {
    package::fill(module)?;
    module.add_function(wrap_pyfunction!(main, module)?)
}
