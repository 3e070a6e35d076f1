//! The Python process's surroundings: `os.environ`, `sys.path`, the working directory.

use std::ffi::OsString;
use std::io;
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

/// Changes into `directory` and makes modules there importable. Source: Gunicorn setting `chdir`.
pub fn enter(directory: &Path) -> io::Result<()> {
    std::env::set_current_dir(directory)?;
    let directory = std::env::current_dir()?;
    insert_path(&directory).map_err(io::Error::other)
}

/// Puts `directory` in front of `sys.path`, unless it is in there. Source: Gunicorn setting `pythonpath`.
pub fn insert_path(directory: &Path) -> Result<(), String> {
    let insert = |py: Python<'_>| -> PyResult<()> {
        let path = py.import("sys")?.getattr("path")?;
        if !path.contains(directory.as_os_str())? {
            path.call_method1("insert", (0, directory.as_os_str()))?;
        }
        Ok(())
    };
    Python::attach(insert).map_err(|error| error.to_string())
}

/// Writes what `sys.stdout` and `sys.stderr` hold back. Nobody is there to be told of a failure.
pub fn flush_output() {
    Python::attach(|py| {
        for name in ["stdout", "stderr"] {
            let _ = py.import("sys").and_then(|sys| sys.getattr(name)).and_then(|stream| stream.call_method0("flush"));
        }
    });
}

fn environ(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    py.import("os")?.getattr("environ")
}
