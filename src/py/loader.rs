//! From `module:attribute` to a callable, or from a PasteDeploy file, or from a program that embeds the server.
//!
//! Source: Gunicorn, "running Gunicorn" and its error texts.

use std::sync::{Mutex, PoisonError};

use pyo3::exceptions::{PyAttributeError, PyImportError, PySyntaxError, PySystemExit, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use super::traceback;

/// The attribute where none is named.
const DEFAULT_ATTRIBUTE: &str = "application";

/// Source: `gunicorn.arbiter.Arbiter.APP_LOAD_ERROR`.
const APP_LOAD_ERROR: i32 = 4;

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

/// Where the application comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// A name: `module`, `module:name`, `module:factory()`, `module:factory("a", k=1)`.
    Uri(String),
    /// A PasteDeploy file, `FILE` or `FILE#NAME`, and its global variables, `KEY=VALUE`.
    Paste(String, Vec<String>),
    /// The program that has started the server.
    Embedded,
}

/// The program that embeds the server: an object of the stand-in's `BaseApplication`.
static EMBEDDED: Mutex<Option<Py<PyAny>>> = Mutex::new(None);

/// Says that `app` embeds the server.
pub fn embed(app: Py<PyAny>) {
    *EMBEDDED.lock().unwrap_or_else(PoisonError::into_inner) = Some(app);
}

pub(super) fn embedded(py: Python<'_>) -> Option<Bound<'_, PyAny>> {
    let app = EMBEDDED.lock().unwrap_or_else(PoisonError::into_inner);
    app.as_ref().map(|app| app.bind(py).clone())
}

/// Does a program embed the server?
pub fn is_embedded() -> bool {
    EMBEDDED.lock().unwrap_or_else(PoisonError::into_inner).is_some()
}

/// As [`load`], for Python code that asks: raises.
pub(super) fn load_raising(py: Python<'_>, wanted: &Wanted) -> PyResult<Py<PyAny>> {
    match find(py, wanted) {
        Ok(callable) => Ok(callable.unbind()),
        Err(Missing::App(text)) => Err(PyImportError::new_err(text)),
        Err(Missing::Raised(error)) => Err(error),
    }
}

/// Gets the application.
pub fn load(wanted: &Wanted) -> Result<Loaded, LoadError> {
    Python::attach(|py| match find(py, wanted) {
        Ok(callable) => Ok(Loaded(callable.unbind())),
        Err(Missing::App(text)) => Err(LoadError::NotFound(text)),
        Err(Missing::Raised(_)) if super::signals::is_leaving() => Err(LoadError::Interrupted),
        Err(Missing::Raised(error)) if says_not_loaded(py, &error) => {
            Err(LoadError::NotFound(traceback::text(py, &error)))
        }
        Err(Missing::Raised(error)) => Err(LoadError::Raised(traceback::text(py, &error))),
    })
}

/// An application that answers with why there is none. Source: Gunicorn setting `reload`. Errors: the interpreter's.
pub fn failing(text: &str) -> Result<Loaded, String> {
    Python::attach(|py| {
        let made = py.import("gunicorn.util").and_then(|util| util.getattr("make_fail_app")?.call1((text,)));
        made.map(|made| Loaded(made.unbind())).map_err(|error| traceback::text(py, &error))
    })
}

/// `sys.exit(Arbiter.APP_LOAD_ERROR)`, with which an application says that it need not be tried again.
fn says_not_loaded(py: Python<'_>, error: &PyErr) -> bool {
    let code = error.is_instance_of::<PySystemExit>(py).then(|| error.value(py).getattr("code"));
    code.is_some_and(|code| code.and_then(|code| code.extract::<i32>()).is_ok_and(|code| code == APP_LOAD_ERROR))
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

fn find<'py>(py: Python<'py>, wanted: &Wanted) -> Result<Bound<'py, PyAny>, Missing> {
    match wanted {
        Wanted::Uri(uri) => find_by_name(py, uri),
        Wanted::Paste(file, global) => {
            let options = PyDict::new(py);
            let config = py.import("gunicorn.config")?.getattr("Config")?;
            let holder = config.call0()?;
            holder.getattr("settings")?.get_item("raw_paste_global_conf")?.setattr("value", global)?;
            options.set_item("defaults", holder.getattr("paste_global_conf")?)?;
            let load = py.import("gunicorn.app.pasterapp")?.getattr("get_wsgi_app")?;
            Ok(load.call((file,), Some(&options))?)
        }
        Wanted::Embedded => {
            let app = embedded(py).ok_or_else(|| Missing::App("No application module specified.".to_owned()))?;
            let callable = app.call_method0("wsgi")?;
            if !callable.is_callable() {
                return Err(Missing::App("Application object must be callable.".to_owned()));
            }
            Ok(callable)
        }
    }
}

fn find_by_name<'py>(py: Python<'py>, uri: &str) -> Result<Bound<'py, PyAny>, Missing> {
    let (module_name, expression) = uri.split_once(':').unwrap_or((uri, DEFAULT_ATTRIBUTE));
    let module = import(py, module_name, expression)?;
    let parsed = parse(py, expression)?;
    let mut found = module;
    for name in parsed.name.split('.') {
        found = match found.getattr(name) {
            Err(error) if error.is_instance_of::<PyAttributeError>(py) => {
                return Err(Missing::App(format!("Failed to find attribute '{}' in '{module_name}'.", parsed.name)));
            }
            other => other?,
        };
    }
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
    // `module:object.attribute`, which Gunicorn refuses.
    let is_dotted = expression
        .trim()
        .split('.')
        .all(|part| !part.is_empty() && part.chars().all(|c| c == '_' || c.is_alphanumeric()));
    if is_dotted && node.is_instance(&ast.getattr("Attribute")?)? {
        return Ok(Parsed { name: expression.trim().to_owned(), call: None });
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
