//! From `module:attribute` to a callable. Source: Gunicorn, "running Gunicorn" and its error texts.

use pyo3::exceptions::{PyAttributeError, PyImportError, PySyntaxError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use super::traceback;

/// The attribute where none is named.
const DEFAULT_ATTRIBUTE: &str = "application";

/// An application, found and callable.
#[derive(Debug)]
pub struct Loaded(pub(super) Py<PyAny>);

/// Why there is no application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoadError {
    /// The module is there, the application in it is not. Exit code 4 of a worker.
    NotFound(String),
    /// Importing it raised: the traceback. Exit code 3 of a worker.
    Raised(String),
    /// Somebody asked the process to leave meanwhile (`SystemExit` from our own signal handler).
    Interrupted,
}

/// Imports the application that `uri` names: `module`, `module:name`, `module:factory()`, `module:factory("a", k=1)`.
pub fn load(uri: &str) -> Result<Loaded, LoadError> {
    Python::attach(|py| match find(py, uri) {
        Ok(callable) => Ok(Loaded(callable.unbind())),
        Err(Missing::App(text)) => Err(LoadError::NotFound(text)),
        Err(Missing::Raised(_)) if super::signals::is_leaving() => Err(LoadError::Interrupted),
        Err(Missing::Raised(error)) => Err(LoadError::Raised(traceback::text(py, &error))),
    })
}

enum Missing {
    App(String),
    Raised(PyErr),
}

impl From<PyErr> for Missing {
    fn from(error: PyErr) -> Self {
        Self::Raised(error)
    }
}

fn find<'py>(py: Python<'py>, uri: &str) -> Result<Bound<'py, PyAny>, Missing> {
    let (module_name, expression) = uri.split_once(':').unwrap_or((uri, DEFAULT_ATTRIBUTE));
    let module = import(py, module_name, expression)?;
    let parsed = parse(py, expression)?;
    let missing = |_| Missing::App(format!("Failed to find attribute '{}' in '{module_name}'.", parsed.name));
    let found = match module.getattr(parsed.name.as_str()) {
        Err(error) if error.is_instance_of::<PyAttributeError>(py) => return Err(missing(error)),
        other => other?,
    };
    let application = match &parsed.call {
        None => found,
        Some((args, kwargs)) => call_factory(py, &found, args, kwargs)?,
    };
    if application.is_none() {
        return Err(Missing::App(format!("Failed to find application object: '{expression}'")));
    }
    if !application.is_callable() {
        return Err(Missing::App("Application object must be callable.".to_owned()));
    }
    Ok(application)
}

fn import<'py>(py: Python<'py>, name: &str, expression: &str) -> Result<Bound<'py, PyAny>, Missing> {
    match py.import("importlib")?.call_method1("import_module", (name,)) {
        Err(error) if error.is_instance_of::<PyImportError>(py) => {
            let stem = name.strip_suffix(".py").filter(|_| std::path::Path::new(name).exists());
            Err(match stem {
                Some(stem) => {
                    let text = format!("Failed to find application, did you mean '{stem}:{expression}'?");
                    Missing::Raised(PyImportError::new_err(text))
                }
                None => Missing::Raised(error),
            })
        }
        other => Ok(other?),
    }
}

struct Parsed<'py> {
    name: String,
    call: Option<(Bound<'py, PyTuple>, Bound<'py, PyDict>)>,
}

/// Reads `name` or `name(literal, key=literal)` with Python's own grammar.
fn parse<'py>(py: Python<'py>, expression: &str) -> Result<Parsed<'py>, Missing> {
    let ast = py.import("ast")?;
    let unreadable = || Missing::App(format!("Failed to parse '{expression}' as an attribute name or function call."));
    let mode = PyDict::new(py);
    mode.set_item("mode", "eval")?;
    let node = match ast.call_method("parse", (expression,), Some(&mode)) {
        Err(error) if error.is_instance_of::<PySyntaxError>(py) || error.is_instance_of::<PyValueError>(py) => {
            return Err(unreadable());
        }
        other => other?.getattr("body")?,
    };
    let name_type = ast.getattr("Name")?;
    if node.is_instance(&name_type)? {
        return Ok(Parsed { name: node.getattr("id")?.extract()?, call: None });
    }
    if !node.is_instance(&ast.getattr("Call")?)? {
        return Err(unreadable());
    }
    let function = node.getattr("func")?;
    if !function.is_instance(&name_type)? {
        return Err(Missing::App(format!("Function reference must be a simple name: '{expression}'")));
    }
    let arguments = || -> PyResult<_> {
        let literal = |node: Bound<'py, PyAny>| ast.call_method1("literal_eval", (node,));
        let mut args = Vec::new();
        for node in node.getattr("args")?.try_iter()? {
            args.push(literal(node?)?);
        }
        let kwargs = PyDict::new(py);
        for keyword in node.getattr("keywords")?.try_iter()? {
            let keyword = keyword?;
            kwargs.set_item(keyword.getattr("arg")?, literal(keyword.getattr("value")?)?)?;
        }
        Ok((PyTuple::new(py, args)?, kwargs))
    };
    match arguments() {
        Ok(call) => Ok(Parsed { name: function.getattr("id")?.extract()?, call: Some(call) }),
        Err(error) if error.is_instance_of::<PyValueError>(py) => {
            Err(Missing::App(format!("Failed to parse arguments as literal values: '{expression}'")))
        }
        Err(error) => Err(error.into()),
    }
}

/// Calls an application factory. Wrong arguments are the command line's fault, anything deeper is the application's.
fn call_factory<'py>(
    py: Python<'py>,
    factory: &Bound<'py, PyAny>,
    args: &Bound<'py, PyTuple>,
    kwargs: &Bound<'py, PyDict>,
) -> Result<Bound<'py, PyAny>, Missing> {
    factory.call(args, Some(kwargs)).map_err(|error| {
        let raised_inside = error.traceback(py).is_some();
        if error.is_instance_of::<PyTypeError>(py) && !raised_inside {
            Missing::App(error.value(py).to_string())
        } else {
            Missing::Raised(error)
        }
    })
}
