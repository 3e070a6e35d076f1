//! Hooks of the settings file, and the Python objects that they get. The objects live in `gunicorn._life`, a part of the
//! stand-in; here are the moments at which the server calls it.
//!
//! A moment whose hook nobody has set costs the master one call into Python, and a worker's requests nothing.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyCFunction, PyDict, PyTuple};

use super::loader::{self, Loaded, Wanted};
use super::settings_file::{self, Objects};
use super::{interpreter, own_answers, traceback};
use crate::config::Effective;

/// Settings as an object that hooks see.
#[derive(Debug)]
pub struct Settings(Py<PyAny>);

impl Settings {
    /// Another handle of the same.
    pub fn share(&self) -> Self {
        Python::attach(|py| Self(self.0.clone_ref(py)))
    }

    /// Has somebody set this hook?
    pub fn has(&self, hook: &str) -> bool {
        Python::attach(|py| life(py)?.call_method1("is_set", (self.0.bind(py), hook))?.extract()).unwrap_or(false)
    }
}

/// What happens in the master.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Before it listens.
    Starting,
    /// It listens; no worker has been forked.
    Ready,
    /// It is about to leave.
    Exit,
    /// In the child that becomes the new master.
    PreExec,
}

fn life(py: Python<'_>) -> PyResult<Bound<'_, PyModule>> {
    py.import("gunicorn._life")
}

/// Calls a function of `gunicorn._life`. Errors: the traceback.
fn call<'py>(
    py: Python<'py>,
    name: &str,
    arguments: impl pyo3::call::PyCallArgs<'py>,
) -> Result<Bound<'py, PyAny>, String> {
    let called = life(py).and_then(|life| life.getattr(name)?.call1(arguments));
    called.map_err(|error| traceback::text(py, &error))
}

fn call0(name: &str) -> Result<(), String> {
    Python::attach(|py| call(py, name, ()).map(drop))
}

/// The settings in force, as an object. `objects`: what the settings file holds of functions, classes and dicts.
///
/// Errors: the interpreter's.
pub fn settings(effective: &[Effective], objects: &Objects) -> Result<Settings, String> {
    Python::attach(|py| {
        let values = || -> PyResult<_> {
            let values = PyDict::new(py);
            let mut given = Vec::new();
            for one in effective {
                values.set_item(one.name, settings_file::python_value(py, &one.value)?)?;
                if one.source != crate::config::Source::Default {
                    given.push(one.name);
                }
            }
            Ok((values, objects.bind(py).clone(), given))
        };
        let arguments = values().map_err(|error| error.to_string())?;
        call(py, "settings", arguments).map(|made| Settings(made.unbind()))
    })
}

/// Does a PasteDeploy file configure Python's logging, too? Errors: it cannot be read; the text says why.
pub fn paste_configures_logs(file: &str) -> Result<bool, String> {
    Python::attach(|py| call(py, "paste_logs", (file,))?.extract().map_err(|error: PyErr| error.to_string()))
}

/// The application of a Django project in the working directory, and the file that names it.
pub fn django() -> Option<(String, String)> {
    Python::attach(|py| {
        let found = call(py, "django", ());
        found.ok().and_then(|found| found.extract::<Option<(String, String)>>().ok().flatten())
    })
}

/// Makes the logger and the objects of the master. Called once, detached, on the main thread.
///
/// Errors: the logger class raised; one line where that says it all.
pub fn start(settings: &Settings, wanted: &Wanted) -> Result<(), String> {
    Python::attach(|py| {
        let wanted = wanted.clone();
        let load = PyCFunction::new_closure(py, Some(c"load"), None, move |arguments: &Bound<'_, PyTuple>, _| {
            loader::load_raising(arguments.py(), &wanted)
        });
        let load = load.map_err(|error| error.to_string())?;
        let started =
            life(py).and_then(|life| life.getattr("start")?.call1((settings.0.bind(py), loader::embedded(py), load)));
        started.map(drop).map_err(|error| match error.is_instance_of::<pyo3::exceptions::PyRuntimeError>(py) {
            true => error.value(py).to_string(),
            false => traceback::text(py, &error),
        })
    })
}

/// Other settings are in force. Errors: what is wrong with their logging; the old one stays.
pub fn adopt(settings: &Settings) -> Result<(), String> {
    Python::attach(|py| match call(py, "adopt", (settings.0.bind(py),))?.extract::<Option<String>>() {
        Ok(None) => Ok(()),
        Ok(Some(text)) => Err(text),
        Err(error) => Err(error.to_string()),
    })
}

/// In a new worker: these are the settings of its generation. Errors: as [`adopt`].
pub fn use_settings(settings: &Settings) -> Result<(), String> {
    Python::attach(|py| match call(py, "use", (settings.0.bind(py),))?.extract::<Option<String>>() {
        Ok(None) => Ok(()),
        Ok(Some(text)) => Err(text),
        Err(error) => Err(error.to_string()),
    })
}

/// Opens the log files of Python's logging anew.
pub fn reopen_logs() {
    tell("reopen", call0("reopen"));
}

/// One of the master's moments. Errors: the hook's traceback.
pub fn moment(moment: Moment) -> Result<(), String> {
    call0(match moment {
        Moment::Starting => "on_starting",
        Moment::Ready => "when_ready",
        Moment::Exit => "on_exit",
        Moment::PreExec => "pre_exec",
    })
}

/// How many workers `on_starting` has left to be started. `None`: it makes no sense.
pub fn wanted_workers() -> Option<usize> {
    Python::attach(|py| life(py)?.getattr("life")?.getattr("server")?.getattr("_num_workers")?.extract()).ok()
}

/// The master listens at these descriptors.
pub fn listening(descriptors: &[i32]) {
    tell("listening", Python::attach(|py| call(py, "listening", (descriptors.to_vec(),)).map(drop)));
}

/// The number of workers is set; at start there is no old one. Errors: the hook's traceback.
pub fn workers_changed(new: usize, old: Option<usize>) -> Result<(), String> {
    Python::attach(|py| call(py, "nworkers_changed", (new, old)).map(drop))
}

/// The settings have been read again. Errors: the hook's traceback.
pub fn reloaded(settings: &Settings, new: usize, old: usize) -> Result<(), String> {
    Python::attach(|py| call(py, "reloaded", (settings.0.bind(py), new, old)).map(drop))
}

/// A worker is about to be forked. Errors: the hook's traceback; the fork goes on.
pub fn pre_fork(settings: &Settings, id: u16) -> Result<(), String> {
    Python::attach(|py| call(py, "pre_fork", (settings.0.bind(py), id)).map(drop))
}

/// A mold is about to be told to fork worker `id`. Returns what [`reborn`] must know, and the hook's traceback if it raised.
pub fn order(settings: &Settings, id: u16) -> (Vec<u8>, Result<(), String>) {
    let ordered = Python::attach(|py| {
        let made = call(py, "order", (settings.0.bind(py), id))?;
        made.extract::<(Vec<u8>, Option<String>)>().map_err(|error| error.to_string())
    });
    match ordered {
        Ok((known, None)) => (known, Ok(())),
        Ok((known, Some(text))) => (known, Err(text)),
        Err(text) => (Vec::new(), Err(text)),
    }
}

/// The mold has forked that worker, or has not (`None`). In the master.
pub fn ordered(id: u16, pid: Option<i32>) {
    tell("ordered", Python::attach(|py| call(py, "ordered", (id, pid)).map(drop)));
}

/// In a worker that a mold has forked: makes its object. `known`: what [`order`] has returned. Errors: the traceback.
pub fn reborn(settings: &Settings, known: &[u8]) -> Result<(), String> {
    Python::attach(|py| call(py, "reborn", (settings.0.bind(py), PyBytes::new(py, known))).map(drop))
}

/// It was, or was not (`None`). In the master.
pub fn forked(pid: Option<i32>) {
    let done = Python::attach(|py| match pid {
        Some(pid) => call(py, "forked", (pid,)).map(drop),
        None => call(py, "not_forked", ()).map(drop),
    });
    tell("forked", done);
}

/// A worker has ended.
pub fn child_exit(pid: i32) {
    tell("child_exit hook", Python::attach(|py| call(py, "child_exit", (pid,)).map(drop)));
}

/// Measures how many connections wait to be accepted.
pub fn measure_backlog() {
    tell("enable_backlog_metric", call0("measure_backlog"));
}

/// In a new worker. Errors: the hook's traceback.
pub fn post_fork() -> Result<(), String> {
    call0("post_fork")
}

/// The application is imported. Errors: the hook's traceback.
pub fn post_worker_init(application: &Loaded) -> Result<(), String> {
    Python::attach(|py| call(py, "post_worker_init", (application.0.bind(py),)).map(drop))
}

/// After how many requests the worker leaves, jitter and what hooks have made of it included; 0: never.
pub fn max_requests() -> u64 {
    let limit = Python::attach(|py| {
        call(py, "max_requests", ())?.extract().map_err(|error: PyErr| traceback::text(py, &error))
    });
    limit.unwrap_or_else(|text| {
        log::error!("worker.max_requests is no number\n{text}");
        0
    })
}

/// Watches the files of the application. Source: Gunicorn setting `reload`.
pub fn watch_files() -> Result<(), String> {
    call0("watch_files")
}

/// The worker is about to leave, after so many requests.
pub fn worker_exit(requests: u64) {
    Python::attach(own_answers::write);
    let done = Python::attach(|py| call(py, "worker_exit", (requests,)).map(drop));
    if let Err(text) = done {
        log::warn!("Exception during worker exit:\n{text}");
    }
}

/// The worker was told to leave at once. On the main thread, in a signal handler.
pub(super) fn worker_int(py: Python<'_>) {
    tell("worker_int hook", call(py, "worker_int", ()).map(drop));
}

/// The master has given the worker up. On the main thread, in a signal handler. Errors: what the hook raised.
pub(super) fn worker_abort(py: Python<'_>) -> PyResult<()> {
    life(py)?.getattr("worker_abort")?.call0().map(drop)
}

fn tell(what: &str, done: Result<(), String>) {
    if let Err(text) = done {
        log::error!("Exception in {what}\n{text}");
    }
}

/// What the settings file has made of the server's names: the header `Server` if it has one, and `SERVER_SOFTWARE`.
pub fn server_names() -> (Option<String>, Option<String>) {
    Python::attach(|py| {
        let name = |name: &str| py.import("gunicorn")?.getattr(name)?.str()?.extract::<String>();
        (name("SERVER").ok(), name("SERVER_SOFTWARE").ok())
    })
}

// --- Python's loggers ----------------------------------------------------------------------------------------------

/// What `gunicorn.error` and `gunicorn.access` looked like.
#[derive(Debug)]
pub struct Snapshot(Py<PyAny>);

/// What has become of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changed {
    /// `gunicorn.error`.
    pub error: bool,
    /// `gunicorn.access`.
    pub access: bool,
}

/// What the two loggers look like now.
pub fn snapshot() -> Result<Snapshot, String> {
    Python::attach(|py| call(py, "snapshot", ()).map(|look| Snapshot(look.unbind())))
}

/// Which of them somebody has changed since.
pub fn differences(before: &Snapshot) -> Changed {
    let names = Python::attach(|py| {
        call(py, "differences", (before.0.bind(py),))?.extract::<Vec<String>>().map_err(|e| e.to_string())
    });
    let names = names.unwrap_or_default();
    let has = |name: &str| names.iter().any(|one| one == name);
    Changed { error: has("error"), access: has("access") }
}

/// The level of the error log where Python writes it.
pub fn effective_level() -> log::LevelFilter {
    let level =
        Python::attach(|py| call(py, "effective_level", ())?.extract::<u32>().map_err(|error| error.to_string()));
    match level.unwrap_or(20) {
        0..=10 => log::LevelFilter::Debug,
        11..=20 => log::LevelFilter::Info,
        21..=30 => log::LevelFilter::Warn,
        _ => log::LevelFilter::Error,
    }
}

/// Most lines that wait for a thread of Python's.
const MOST_WAITING: usize = 1000;

/// Lines of threads that never attach.
static WAITING: Mutex<VecDeque<(String, String)>> = Mutex::new(VecDeque::new());

thread_local! {
    /// Is a line of this thread on its way?
    static IS_WRITING: RefCell<bool> = const { RefCell::new(false) };
}

/// Writes a line of the error log through Python's logging. `false`: it must be written natively, too.
///
/// A thread without Python leaves it to the next one that has it: attaching, it might wait for a request that hangs, and
/// be the one that reports it.
pub fn relay(level: &str, text: &str) -> bool {
    if !interpreter::is_pythons_thread() {
        let mut waiting = WAITING.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() < MOST_WAITING {
            waiting.push_back((level.to_owned(), text.to_owned()));
        }
        return !matches!(level, "ERROR" | "CRITICAL");
    }
    // A handler of Python's that makes the server log would go round in circles.
    if IS_WRITING.with(|writing| writing.replace(true)) {
        return false;
    }
    let written = Python::attach(|py| {
        let earlier = std::mem::take(&mut *WAITING.lock().unwrap_or_else(PoisonError::into_inner));
        for (level, text) in &earlier {
            call(py, "log", (level, text))?;
        }
        call(py, "log", (level, text)).map(drop)
    });
    IS_WRITING.with(|writing| writing.replace(false));
    written.is_ok()
}
