//! Settings files: Python modules that are executed, and whose names are settings.
//!
//! Source: Gunicorn setting `config`. Runs in the master, once at start and once per reload.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use pyo3::exceptions::{PyRuntimeError, PySystemExit};
use pyo3::prelude::*;
use pyo3::types::{
    PyBool, PyCFunction, PyDict, PyFloat, PyFunction, PyInt, PyList, PyModule, PyString, PyTuple, PyType,
};

use super::traceback;
use crate::config::{FOREIGN_WORKER, Kind, SETTINGS, UNFIT, Value};

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

/// What a settings file gives.
#[derive(Debug)]
pub struct Read {
    /// Its names, in definition order.
    pub entries: Vec<Entry>,
    /// What stands behind names that are more than plain values.
    pub objects: Objects,
}

/// Functions, classes and dicts that a settings file gives, by the name of the setting.
#[derive(Debug)]
pub struct Objects(Py<PyDict>);

impl Objects {
    pub(super) fn new(py: Python<'_>) -> Self {
        Self(PyDict::new(py).unbind())
    }

    /// None at all.
    pub fn none() -> Self {
        Python::attach(Self::new)
    }

    /// Another handle of the same.
    pub fn share(&self) -> Self {
        Python::attach(|py| Self(self.0.clone_ref(py)))
    }

    pub(super) fn bind<'py>(&self, py: Python<'py>) -> &Bound<'py, PyDict> {
        self.0.bind(py)
    }

    pub(super) fn object<'py>(&self, py: Python<'py>, name: &str) -> Option<Bound<'py, PyAny>> {
        self.0.bind(py).get_item(name).ok().flatten()
    }

    /// The value of the name `name` as the table takes it; what is more than a value is kept.
    pub(super) fn note(&self, py: Python<'_>, name: &str, value: &Bound<'_, PyAny>) -> Value {
        let Some(setting) = SETTINGS.iter().find(|setting| setting.name == name) else {
            return value_of(value);
        };
        let keep = |object: &Bound<'_, PyAny>, value: Value| match self.0.bind(py).set_item(name, object) {
            Ok(()) => value,
            Err(error) => Value::Other { type_name: "exception".to_owned(), text: error.to_string() },
        };
        match setting.kind {
            Kind::Hook { arities } => match fitting(value, arities) {
                Ok(function) => keep(&function, Value::Callable(qualified_name(&function))),
                Err(text) => Value::Other { type_name: UNFIT.to_owned(), text },
            },
            Kind::Class | Kind::WorkerClass => {
                let made = match value.is_instance_of::<PyFunction>() {
                    true => value.call0().unwrap_or_else(|_| value.clone()),
                    false => value.clone(),
                };
                match made.is_instance_of::<PyType>() {
                    true if setting.kind == Kind::WorkerClass && is_foreign_worker(&made) => {
                        Value::Other { type_name: FOREIGN_WORKER.to_owned(), text: described(&made) }
                    }
                    true => keep(&made, value_of(&made)),
                    false => value_of(&made),
                }
            }
            Kind::Dict if value.is_instance_of::<PyDict>() => keep(value, value_of(value)),
            _ => value_of(value),
        }
    }
}

/// The function that a hook is set to, itself or by its dotted name. Errors: why it is none for this hook.
///
/// Source: Gunicorn counts positional parameters only.
fn fitting<'py>(value: &Bound<'py, PyAny>, arities: &[usize]) -> Result<Bound<'py, PyAny>, String> {
    let py = value.py();
    let function = match value.cast::<PyString>() {
        Ok(name) => {
            let name = name.to_string_lossy();
            let (module, attribute) = name.rsplit_once('.').ok_or_else(|| format!("'{name}' is no dotted name"))?;
            let import = || py.import("importlib")?.call_method1("import_module", (module,))?.getattr(attribute);
            import().map_err(|error| format!("'{name}': {error}"))?
        }
        Err(_) => value.clone(),
    };
    if !function.is_callable() {
        return Err(format!("{} cannot be called", value_of(&function).repr()));
    }
    let count = || -> PyResult<usize> {
        let inspect = py.import("inspect")?;
        let parameter = inspect.getattr("Parameter")?;
        let positional = [parameter.getattr("POSITIONAL_ONLY")?, parameter.getattr("POSITIONAL_OR_KEYWORD")?];
        let mut count = 0;
        for one in inspect
            .call_method1("signature", (&function,))?
            .getattr("parameters")?
            .call_method0("values")?
            .try_iter()?
        {
            let kind = one?.getattr("kind")?;
            count += usize::from(positional.iter().any(|wanted| wanted.is(&kind)));
        }
        Ok(count)
    };
    match count() {
        Ok(count) if arities.contains(&count) => Ok(function),
        Ok(count) => Err(format!("<{}()> has {count} positional parameters", qualified_name(&function))),
        Err(error) => Err(error.to_string()),
    }
}

/// Is it a worker class of somebody's own? Gunicorn's two are known by their names.
fn is_foreign_worker(class: &Bound<'_, PyAny>) -> bool {
    let check = || -> PyResult<bool> {
        let base = class.py().import("gunicorn.workers.base")?.getattr("Worker")?;
        let is_worker = class.cast::<PyType>()?.is_subclass(&base)?;
        Ok(is_worker && !class.getattr("__module__")?.extract::<String>()?.starts_with("gunicorn."))
    };
    check().unwrap_or(false)
}

/// `shop.Worker (overrides init_process, run)`.
fn described(class: &Bound<'_, PyAny>) -> String {
    let names = || -> PyResult<Vec<String>> {
        let own = class.py().import("builtins")?.call_method1("vars", (class,))?;
        let mut names = Vec::new();
        for pair in own.call_method0("items")?.try_iter()? {
            let (name, value): (String, Bound<'_, PyAny>) = pair?.extract()?;
            if !name.starts_with("__") && value.is_instance_of::<PyFunction>() {
                names.push(name);
            }
        }
        Ok(names)
    };
    let module = class.getattr("__module__").and_then(|module| module.extract::<String>()).unwrap_or_default();
    let name = qualified_name(class);
    match names().unwrap_or_default() {
        names if names.is_empty() => format!("{module}.{name}"),
        names => format!("{module}.{name} (overrides {})", names.join(", ")),
    }
}

fn qualified_name(function: &Bound<'_, PyAny>) -> String {
    let name = function.getattr("__qualname__").and_then(|name| name.extract());
    name.unwrap_or_else(|_| function.get_type().name().map_or_else(|_| String::new(), |name| name.to_string()))
}

/// What an embedding program has given with `cfg.set`. Where the settings are read `again` it sets them anew.
///
/// Errors: it raised.
pub fn of_embedded(again: bool) -> Result<Read, SettingsFileError> {
    Python::attach(|py| {
        let name = "BaseApplication";
        let read = || -> PyResult<Read> {
            let app =
                super::loader::embedded(py).ok_or_else(|| PyRuntimeError::new_err("no program embeds the server"))?;
            if again {
                app.call_method0("do_load_config")?;
                app.setattr("callable", py.None())?;
            }
            let given = app.getattr("cfg")?.getattr("_given")?.cast_into::<PyDict>()?;
            Ok(entries(&given, &HashMap::new()))
        };
        read().map_err(|error| raised(py, name, &error))
    })
}

/// The names that a settings file gives, as they are. Errors: as [`run`].
pub(super) fn names<'py>(py: Python<'py>, location: &str) -> Result<Bound<'py, PyDict>, SettingsFileError> {
    execute(py, location).map(|(names, _)| names)
}

/// Executes the settings file at `location`: a path, `file:PATH` or `python:MODULE`.
pub fn run(location: &str) -> Result<Read, SettingsFileError> {
    Python::attach(|py| execute(py, location).map(|(names, lines)| entries(&names, &lines)))
}

type Names<'py> = (Bound<'py, PyDict>, HashMap<String, u32>);

fn execute<'py>(py: Python<'py>, location: &str) -> Result<Names<'py>, SettingsFileError> {
    if let Some(module) = location.strip_prefix("python:") {
        return run_module(py, module);
    }
    let path = location.strip_prefix("file:").unwrap_or(location);
    if !Path::new(path).exists() {
        return Err(SettingsFileError::Missing(path.to_owned()));
    }
    let source = fs::read(path).map_err(|error| SettingsFileError::Unreadable(path.to_owned(), error.to_string()))?;
    let run = || -> PyResult<Names<'py>> {
        let module = PyModule::new(py, MODULE_NAME)?;
        module.setattr("__file__", path)?;
        py.import("sys")?.getattr("modules")?.set_item(MODULE_NAME, &module)?;
        let builtins = py.import("builtins")?;
        let code = builtins.call_method1("compile", (source.as_slice(), path, "exec"))?;
        builtins.call_method1("exec", (code, module.dict()))?;
        Ok((module.dict(), lines(py, &source).unwrap_or_default()))
    };
    run().map_err(|error| raised(py, path, &error))
}

fn run_module<'py>(py: Python<'py>, name: &str) -> Result<Names<'py>, SettingsFileError> {
    let import = || -> PyResult<Names<'py>> {
        let module = py.import("importlib")?.call_method1("import_module", (name,))?.cast_into::<PyModule>()?;
        Ok((module.dict(), HashMap::new()))
    };
    import().map_err(|error| raised(py, name, &error))
}

fn raised(py: Python<'_>, path: &str, error: &PyErr) -> SettingsFileError {
    let text = if error.is_instance_of::<PySystemExit>(py) {
        format!("it called sys.exit({})", error.value(py))
    } else {
        traceback::text(py, error)
    };
    SettingsFileError::Raised(path.to_owned(), text)
}

fn entries(names: &Bound<'_, PyDict>, lines: &HashMap<String, u32>) -> Read {
    let py = names.py();
    let objects = Objects::new(py);
    let entry = |(name, value): (Bound<'_, PyAny>, Bound<'_, PyAny>)| {
        let name = name.extract::<String>().ok()?;
        let is_special = name.starts_with("__") && name.ends_with("__");
        (!is_special).then(|| Entry { value: objects.note(py, &name, &value), line: lines.get(&name).copied(), name })
    };
    let entries = names.iter().filter_map(entry).collect();
    Read { entries, objects }
}

/// A plain value as Python has it; what is none comes as `None`, since an object stands behind it.
pub(super) fn python_value<'py>(py: Python<'py>, value: &Value) -> PyResult<Bound<'py, PyAny>> {
    Ok(match value {
        Value::None | Value::Callable(_) | Value::Other { .. } => py.None().into_bound(py),
        Value::Bool(on) => PyBool::new(py, *on).to_owned().into_any(),
        Value::Int(number) => number.into_pyobject(py)?.into_any(),
        Value::Str(text) => PyString::new(py, text).into_any(),
        Value::List(items) => {
            let items = items.iter().map(|item| python_value(py, item)).collect::<PyResult<Vec<_>>>()?;
            PyList::new(py, items)?.into_any()
        }
        Value::Dict(pairs) => {
            let dict = PyDict::new(py);
            for (key, value) in pairs {
                dict.set_item(python_value(py, key)?, python_value(py, value)?)?;
            }
            dict.into_any()
        }
    })
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
