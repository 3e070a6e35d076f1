//! The stand-in for the package `gunicorn`: its sources, and what they ask of the native side.
//!
//! The sources lie in `python/indrik/compat/`; a program that is not installed carries them inside.

use std::ffi::CString;

use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyModule};

use super::settings_file::{self, Objects};
use super::signals;
use crate::config::{self, Kind, SETTINGS, Source};

/// `indrik.compat`, which installs the rest.
const COMPAT: &str = include_str!("../../python/indrik/compat/__init__.py");

macro_rules! sources {
    ($($path:literal),* $(,)?) => {
        /// Path below `python/indrik/compat/gunicorn/`, and text.
        const SOURCES: &[(&str, &str)] =
            &[$(($path, include_str!(concat!("../../python/indrik/compat/gunicorn/", $path)))),*];
    };
}

sources![
    "__init__.py",
    "_life.py",
    "app/__init__.py",
    "app/base.py",
    "app/pasterapp.py",
    "app/wsgiapp.py",
    "arbiter.py",
    "config.py",
    "debug.py",
    "errors.py",
    "glogging.py",
    "http/__init__.py",
    "http/body.py",
    "http/errors.py",
    "http/message.py",
    "http/wsgi.py",
    "instrument/__init__.py",
    "instrument/statsd.py",
    "pidfile.py",
    "reloader.py",
    "sock.py",
    "systemd.py",
    "util.py",
    "workers/__init__.py",
    "workers/base.py",
    "workers/base_async.py",
    "workers/geventlet.py",
    "workers/ggevent.py",
    "workers/gthread.py",
    "workers/gtornado.py",
    "workers/sync.py",
    "workers/workertmp.py",
];

/// Makes `import gunicorn` give the stand-in. Called once, detached, before any code of the user runs.
pub fn install() -> Result<(), String> {
    Python::attach(|py| -> PyResult<()> {
        let modules = py.import("sys")?.getattr("modules")?;
        let is_inside = py.import("indrik")?.getattr("__path__")?.len()? == 0;
        if !is_inside {
            py.import("indrik.compat")?.call_method0("install")?;
            return Ok(());
        }
        let compat = PyModule::new(py, "indrik.compat")?;
        compat.setattr("__file__", "<indrik>/compat/__init__.py")?;
        compat.setattr("__path__", Vec::<String>::new())?;
        modules.set_item("indrik.compat", &compat)?;
        py.run(&CString::new(COMPAT)?, Some(&compat.dict()), None)?;
        let sources = PyDict::new(py);
        for (path, text) in SOURCES {
            sources.set_item(path, text)?;
        }
        compat.call_method1("install", (sources,)).map(drop)
    })
    .map_err(|error| format!("cannot set up the stand-in for gunicorn: {error}"))
}

/// What the stand-in calls, as functions of `indrik._indrik`.
pub(super) fn fill(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(settings, module)?)?;
    module.add_function(wrap_pyfunction!(accept, module)?)?;
    module.add_function(wrap_pyfunction!(retire, module)?)?;
    module.add_function(wrap_pyfunction!(run_settings_file, module)?)
}

type Row<'py> = (&'static str, &'static str, Vec<String>, Bound<'py, PyAny>);

/// The table of settings: name, section, options and default of each.
#[pyfunction]
fn settings(py: Python<'_>) -> PyResult<Vec<Row<'_>>> {
    let row = |setting: &config::Setting| {
        let short = setting.short.map(|short| format!("-{short}"));
        let long = setting.long.iter().chain(setting.aliases).map(|long| format!("--{long}"));
        let default = match setting.kind {
            Kind::Hook { .. } => config::Value::None,
            _ => setting.default_value(),
        };
        let default = settings_file::python_value(py, &default)?;
        Ok((setting.name, setting.section, short.into_iter().chain(long).collect(), default))
    };
    SETTINGS.iter().map(row).collect()
}

/// The value in the shape that the setting `name` gives it. Raises ValueError with what would be allowed.
#[pyfunction]
fn accept<'py>(py: Python<'py>, name: &str, value: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let objects = Objects::new(py);
    let given = objects.note(py, name, &value);
    let source = Source::SettingsFile { path: "cfg.set".to_owned(), line: None };
    let accepted = config::accept(name, &given, source).map_err(|error| PyValueError::new_err(error.to_string()))?;
    match objects.object(py, name) {
        Some(object) => Ok(object),
        None => settings_file::python_value(py, &accepted),
    }
}

/// The worker leaves when its requests are answered, and is replaced.
#[pyfunction]
fn retire() {
    signals::drain();
}

/// Executes a settings file and gives its names. Raises RuntimeError.
#[pyfunction(name = "run_settings_file")]
fn run_settings_file<'py>(py: Python<'py>, location: &str) -> PyResult<Bound<'py, PyDict>> {
    settings_file::names(py, location).map_err(|error| PyRuntimeError::new_err(format!("\nError: {error}")))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use super::*;

    fn below(folder: &Path, prefix: &str, found: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder).expect("a folder") {
            let entry = entry.expect("an entry");
            let name = entry.file_name().into_string().expect("a name");
            if entry.path().is_dir() && name != "__pycache__" {
                below(&entry.path(), &format!("{prefix}{name}/"), found);
            } else if name.ends_with(".py") {
                found.insert(format!("{prefix}{name}"));
            }
        }
    }

    #[test]
    fn the_program_carries_every_file_of_the_stand_in() {
        let mut found = BTreeSet::new();
        below(&Path::new(env!("CARGO_MANIFEST_DIR")).join("python/indrik/compat/gunicorn"), "", &mut found);
        assert_eq!(found, SOURCES.iter().map(|(path, _)| (*path).to_owned()).collect());
    }
}
