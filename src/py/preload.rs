//! What makes memory common to the processes that are forked from this one.

use pyo3::prelude::*;

/// Collects garbage, and keeps what is left out of later collections: these would write to every object and so copy every
/// page. Source: Python's documentation of `gc.freeze`. Errors: the interpreter's.
pub fn freeze() -> Result<(), String> {
    let freeze = |py: Python<'_>| -> PyResult<()> {
        let gc = py.import("gc")?;
        gc.call_method0("collect")?;
        gc.call_method0("freeze")?;
        Ok(())
    };
    Python::attach(freeze).map_err(|error| error.to_string())
}
