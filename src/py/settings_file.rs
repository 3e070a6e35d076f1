//! Settings files: Python modules that are executed, and whose names are settings.
//!
//! Source: Gunicorn setting `config`. Runs in the master, once at start and once per reload.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use pyo3::exceptions::PySystemExit;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyCFunction, PyDict, PyFloat, PyFunction, PyInt, PyList, PyModule, PyString, PyTuple};

use super::traceback;
use crate::config::Value;

/// The module name that a settings file runs under. Source: Gunicorn.
const MODULE_NAME: &str = "__config__";

/// One module-level name of a settings file.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The name.
    pub name: String,
    /// What it is bound to.
    pub value: Value,
    /// The last line that assigns it at module level, from 1; `None` if no such line is seen (`globals().update`).
    pub line: Option<u32>,
}

/// Why a settings file gives no settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SettingsFileError {
    /// There is no such file.
    Missing(String),
    /// It cannot be read: file and reason.
    Unreadable(String, String),
    /// It raised: file and traceback.
    Raised(String, String),
}

impl std::fmt::Display for SettingsFileError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Missing(path) => write!(f, "'{path}' doesn't exist"),
            Self::Unreadable(path, reason) => write!(f, "cannot read '{path}': {reason}"),
            Self::Raised(path, traceback) => write!(f, "Failed to read config file: {path}\n{traceback}"),
        }
    }
}

/// Executes the settings file at `location`: a path, `file:PATH` or `python:MODULE`. Names come in definition order.
pub fn run(location: &str) -> Result<Vec<Entry>, SettingsFileError> {
    if let Some(module) = location.strip_prefix("python:") {
        return Python::attach(|py| run_module(py, module));
    }
    let path = location.strip_prefix("file:").unwrap_or(location);
    if !Path::new(path).exists() {
        return Err(SettingsFileError::Missing(path.to_owned()));
    }
    let source = fs::read(path).map_err(|error| SettingsFileError::Unreadable(path.to_owned(), error.to_string()))?;
    Python::attach(|py| {
        let run = || -> PyResult<Vec<Entry>> {
            let module = PyModule::new(py, MODULE_NAME)?;
            module.setattr("__file__", path)?;
            py.import("sys")?.getattr("modules")?.set_item(MODULE_NAME, &module)?;
            let builtins = py.import("builtins")?;
            let code = builtins.call_method1("compile", (source.as_slice(), path, "exec"))?;
            builtins.call_method1("exec", (code, module.dict()))?;
            Ok(entries(&module.dict(), &lines(py, &source).unwrap_or_default()))
        };
        run().map_err(|error| raised(py, path, &error))
    })
}

fn run_module(py: Python<'_>, name: &str) -> Result<Vec<Entry>, SettingsFileError> {
    let run = || -> PyResult<Vec<Entry>> {
        let module = py.import("importlib")?.call_method1("import_module", (name,))?.cast_into::<PyModule>()?;
        Ok(entries(&module.dict(), &HashMap::new()))
    };
    run().map_err(|error| raised(py, name, &error))
}

fn raised(py: Python<'_>, path: &str, error: &PyErr) -> SettingsFileError {
    let text = if error.is_instance_of::<PySystemExit>(py) {
        format!("it called sys.exit({})", error.value(py))
    } else {
        traceback::text(py, error)
    };
    SettingsFileError::Raised(path.to_owned(), text)
}

fn entries(names: &Bound<'_, PyDict>, lines: &HashMap<String, u32>) -> Vec<Entry> {
    let entry = |(name, value): (Bound<'_, PyAny>, Bound<'_, PyAny>)| {
        let name = name.extract::<String>().ok()?;
        let is_special = name.starts_with("__") && name.ends_with("__");
        (!is_special).then(|| Entry { value: value_of(&value), line: lines.get(&name).copied(), name })
    };
    names.iter().filter_map(entry).collect()
}

/// The lines of module-level assignments and definitions, by name.
fn lines(py: Python<'_>, source: &[u8]) -> PyResult<HashMap<String, u32>> {
    let ast = py.import("ast")?;
    let module = ast.call_method1("parse", (source,))?;
    let mut lines = HashMap::new();
    for statement in module.getattr("body")?.try_iter()? {
        let statement = statement?;
        let line: u32 = statement.getattr("lineno")?.extract()?;
        for node in ast.call_method1("walk", (&statement,))?.try_iter()? {
            let node = node?;
            // `Name` nodes that are stored to, and the names of functions and classes.
            let is_stored =
                node.getattr("ctx").is_ok_and(|ctx| ctx.get_type().name().is_ok_and(|name| name == "Store"));
            let name = if is_stored { node.getattr("id") } else { node.getattr("name") };
            if let Ok(name) = name.and_then(|name| name.extract::<String>()) {
                let own_line = node.getattr("lineno").and_then(|line| line.extract());
                lines.insert(name, own_line.unwrap_or(line));
            }
        }
    }
    Ok(lines)
}

fn value_of(value: &Bound<'_, PyAny>) -> Value {
    if value.is_none() {
        return Value::None;
    }
    if let Ok(flag) = value.cast::<PyBool>() {
        return Value::Bool(flag.is_true());
    }
    if let Ok(text) = value.cast::<PyString>() {
        return Value::Str(text.to_string_lossy().into_owned());
    }
    if value.is_instance_of::<PyInt>()
        && let Ok(number) = value.extract::<i64>()
    {
        return Value::Int(number);
    }
    if value.is_instance_of::<PyList>() || value.is_instance_of::<PyTuple>() {
        let items = value.try_iter().map(|items| items.flatten().map(|item| value_of(&item)).collect());
        return Value::List(items.unwrap_or_default());
    }
    if let Ok(dict) = value.cast::<PyDict>() {
        return Value::Dict(dict.iter().map(|(key, value)| (value_of(&key), value_of(&value))).collect());
    }
    if value.is_instance_of::<PyFunction>() || value.is_instance_of::<PyCFunction>() {
        let name = value.getattr("__qualname__").and_then(|name| name.extract());
        return Value::Callable(name.unwrap_or_default());
    }
    let type_name = value.get_type().name().map_or_else(|_| "object".to_owned(), |name| name.to_string());
    let text = if value.is_instance_of::<PyFloat>() { value.repr() } else { value.str() };
    Value::Other { type_name, text: text.map_or_else(|_| String::new(), |text| text.to_string()) }
}
