//! The package `indrik` for the binary, which must not depend on what is installed in the virtual environment.

use std::ffi::CString;

use pyo3::prelude::*;
use pyo3::types::PyModule;

use super::signals::RequestTimeout;
use super::standin;
use super::wsgi::ClientDisconnected;

/// The package's own source, the same that the wheel installs.
const INIT: &str = include_str!("../../python/indrik/__init__.py");

/// What the extension module offers besides its door. Called for the wheel's module and for the binary's.
pub fn fill(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add("ClientDisconnected", module.py().get_type::<ClientDisconnected>())?;
    module.add("RequestTimeout", module.py().get_type::<RequestTimeout>())?;
    standin::fill(module)
}

/// Makes `import indrik` give this program's own package. Called once, detached, before any code of the user runs.
pub fn install() -> Result<(), String> {
    let install = |py: Python<'_>| -> PyResult<()> {
        let modules = py.import("sys")?.getattr("modules")?;
        let native = PyModule::new(py, "indrik._indrik")?;
        fill(&native)?;
        modules.set_item("indrik._indrik", &native)?;
        let source = CString::new(INIT)?;
        let package = PyModule::new(py, "indrik")?;
        package.setattr("__path__", Vec::<String>::new())?;
        package.setattr("_indrik", &native)?;
        modules.set_item("indrik", &package)?;
        py.run(&source, Some(&package.dict()), None)
    };
    Python::attach(install).map_err(|error| format!("cannot set up the package indrik: {error}"))
}
