//! The wheel's module `indrik._indrik`: the same door, opened from Python.

use std::ffi::OsString;

use pyo3::prelude::*;

use crate::cli::{self, Door};
use crate::py::{loader, package};

/// Runs the program with these words, the program's name first; returns its exit code. Blocks until the server stops,
/// and returns in each worker too.
#[pyfunction]
fn main(py: Python<'_>, argv: Vec<OsString>) -> i32 {
    py.detach(|| cli::run(argv, Door::Wheel))
}

/// Serves the application of `app`, an object of the stand-in's `BaseApplication`, with the settings that it has set;
/// returns as [`main`] does. `argv`: the words of the program, its name first.
#[pyfunction]
fn embed(py: Python<'_>, app: Py<PyAny>, argv: Vec<OsString>) -> i32 {
    loader::embed(app);
    py.detach(|| cli::run_embedded(argv, Door::Wheel))
}

#[pymodule(gil_used = false)]
fn _indrik(module: &Bound<'_, PyModule>) -> PyResult<()> {
    package::fill(module)?;
    module.add_function(wrap_pyfunction!(main, module)?)?;
    module.add_function(wrap_pyfunction!(embed, module)?)
}
