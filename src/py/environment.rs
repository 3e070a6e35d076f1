//! The Python process's surroundings: `os.environ`, `sys.path`, the working directory.

use std::ffi::OsString;
use std::path::Path;

use pyo3::prelude::*;

/// Sets a variable where Python and its subprocesses see it. Errors: a NUL or `=` in the name.
pub fn set_variable(name: &str, value: &str) -> Result<(), String> {
    Python::attach(|py| environ(py)?.set_item(name, value)).map_err(|error| error.to_string())
}

/// Removes a variable; it need not exist.
pub fn remove_variable(name: &str) {
    Python::attach(|py| {
        let _ = environ(py).and_then(|environ| environ.call_method1("pop", (name, py.None())));
    });
}

/// A variable as Python sees it now.
pub fn variable(name: &str) -> Option<String> {
    Python::attach(|py| environ(py)?.call_method1("get", (name,))?.extract()).ok().flatten()
}

/// The words that have started this Python, the interpreter by the path that it knows itself by. Errors: the interpreter's.
pub fn command() -> Result<Vec<OsString>, String> {
    Python::attach(|py| -> PyResult<Vec<OsString>> {
        let sys = py.import("sys")?;
        let mut words: Vec<OsString> = sys.getattr("orig_argv")?.extract()?;
        if let Some(program) = words.first_mut() {
            *program = sys.getattr("executable")?.extract()?;
        }
        Ok(words)
    })
    .map_err(|error| error.to_string())
}

/// Puts `directory` in front of `sys.path`, unless it is in there. Says whether it was not. Source: Gunicorn settings
/// `chdir`, `pythonpath`.
pub fn insert_path(directory: &Path) -> Result<bool, String> {
    let insert = |py: Python<'_>| -> PyResult<bool> {
        let path = py.import("sys")?.getattr("path")?;
        let is_new = !path.contains(directory.as_os_str())?;
        if is_new {
            path.call_method1("insert", (0, directory.as_os_str()))?;
        }
        Ok(is_new)
    };
    Python::attach(insert).map_err(|error| error.to_string())
}

/// Takes `directory` out of `sys.path` again; the application may have done so.
pub fn remove_path(directory: &Path) {
    let remove =
        |py: Python<'_>| py.import("sys")?.getattr("path")?.call_method1("remove", (directory.as_os_str(),)).map(drop);
    let _ = Python::attach(remove);
}

/// Writes what `sys.stdout` and `sys.stderr` hold back. Nobody is there to be told of a failure.
pub fn flush_output() {
    let _ = Python::attach(flush);
}

/// The same. Errors: what a stream raises.
pub(super) fn flush(py: Python<'_>) -> PyResult<()> {
    let sys = py.import("sys")?;
    for stream in ["stdout", "stderr"].map(|name| sys.getattr(name)) {
        let stream = stream?;
        if !stream.is_none() {
            stream.call_method0("flush")?;
        }
    }
    Ok(())
}

fn environ(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    py.import("os")?.getattr("environ")
}
