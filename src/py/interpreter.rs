//! The embedded interpreter of the binary: found, checked, started, ended. The wheel has none of this: there Python
//! has loaded us.
#![allow(unsafe_code)]

use std::env;
use std::ffi::{CString, OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::ptr;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyType;

use super::environment;

/// Prints what we must know of an interpreter: its version, then the path that it believes to be its own.
const PROBE: &str = "import sys; print('%d.%d' % sys.version_info[:2]); print(sys.executable)";

/// Starts the interpreter for the environment that `python` (a program or a virtual environment), else `$VIRTUAL_ENV`,
/// else the `python3` on PATH names. Afterwards this thread is its main thread, detached.
///
/// `argv` becomes `sys.argv`. Errors: no Python there, or one of another version than this program was built for.
pub fn start(python: Option<&Path>, argv: &[OsString]) -> Result<(), String> {
    let program = program_of(python);
    let executable = probe(&program)?;
    initialize(&executable, argv)?;
    // SAFETY: initialised on this thread just now, so it is attached; from here on everybody attaches for themselves.
    unsafe { ffi::PyEval_SaveThread() };
    Ok(())
}

/// Ends the interpreter: `atexit` handlers run, buffers are flushed. Called on the main thread, detached.
pub fn end() {
    // SAFETY: a thread state of this thread exists, since it started the interpreter.
    unsafe { ffi::PyGILState_Ensure() };
    // SAFETY: attached; nothing of Python is used after this.
    unsafe { ffi::Py_FinalizeEx() };
}

/// Ends a process whose application threads cannot be waited for: `atexit` handlers run, buffers are flushed, and the
/// threads end with the process. A full finalisation would unwind them through frames that cannot be unwound.
pub fn leave_at_once() {
    Python::attach(|py| {
        let leave = || -> PyResult<()> {
            py.import("atexit")?.call_method0("_run_exitfuncs")?;
            environment::flush(py)
        };
        if let Err(error) = leave() {
            error.print(py);
        }
    });
}

fn program_of(python: Option<&Path>) -> PathBuf {
    let in_environment = |root: &Path| root.join("bin").join("python");
    match python {
        Some(path) if path.is_dir() => in_environment(path),
        Some(path) => path.to_owned(),
        None => match env::var_os("VIRTUAL_ENV") {
            Some(root) if !root.is_empty() => in_environment(Path::new(&root)),
            _ => PathBuf::from("python3"),
        },
    }
}

/// Asks a Python for its version and its real path.
fn probe(program: &Path) -> Result<PathBuf, String> {
    let shown = program.display();
    let hint = "hint: activate a virtual environment, or name one with --python PATH";
    let output = Command::new(program)
        .args(["-I", "-S", "-c", PROBE])
        .output()
        .map_err(|error| format!("cannot run {shown}: {error}\n{hint}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let mut lines = text.lines();
    let (Some(version), Some(executable), true) = (lines.next(), lines.next(), output.status.success()) else {
        return Err(format!("{shown} does not answer like a Python interpreter\n{hint}"));
    };
    let ours = built_for();
    if version != ours {
        return Err(format!(
            "{shown} is Python {version}, but this program was built for Python {ours}\n\
             hint: run `pip install indrik` in that environment and use the `indrik` it installs"
        ));
    }
    Ok(PathBuf::from(executable))
}

/// `3.11`: what libpython says of itself; needs no interpreter.
fn built_for() -> String {
    Python::version_str().split('.').take(2).collect::<Vec<_>>().join(".")
}

fn initialize(executable: &Path, argv: &[OsString]) -> Result<(), String> {
    // SAFETY: PyConfig is plain data; InitPythonConfig fills all of it.
    let mut config: ffi::PyConfig = unsafe { std::mem::zeroed() };
    // SAFETY: `config` is ours and writable.
    unsafe { ffi::PyConfig_InitPythonConfig(&mut config) };
    // `sys.argv` is ours to set; Python must not read options from it.
    config.parse_argv = 0;
    let result = configure(&mut config, executable, argv).and_then(|()| {
        // SAFETY: the configuration is complete, and no interpreter runs in this process yet.
        checked(unsafe { ffi::Py_InitializeFromConfig(&config) })
    });
    // SAFETY: initialised above; its strings are not used any more.
    unsafe { ffi::PyConfig_Clear(&mut config) };
    result
}

fn configure(config: &mut ffi::PyConfig, executable: &Path, argv: &[OsString]) -> Result<(), String> {
    // With the environment's own Python as `executable`, `pyvenv.cfg` beside it is honoured: `sys.prefix`,
    // site-packages and the program that multiprocessing starts are right.
    let path = c_string(executable.as_os_str())?;
    let config: *mut ffi::PyConfig = config;
    // SAFETY: `config` is a live configuration.
    let field = unsafe { &raw mut (*config).executable };
    // SAFETY: `field` is a string of `config`, `path` is NUL-terminated; Python copies it.
    checked(unsafe { ffi::PyConfig_SetBytesString(config, field, path.as_ptr()) })?;
    let words = argv.iter().map(|word| c_string(word)).collect::<Result<Vec<_>, _>>()?;
    let mut pointers: Vec<_> = words.iter().map(|word| word.as_ptr().cast_mut()).chain([ptr::null_mut()]).collect();
    // SAFETY: as many NUL-terminated strings as `words` has; Python copies them.
    let status = unsafe { ffi::PyConfig_SetBytesArgv(config, words.len() as isize, pointers.as_mut_ptr().cast()) };
    checked(status)
}

fn checked(status: ffi::PyStatus) -> Result<(), String> {
    // SAFETY: a status is plain data.
    if unsafe { ffi::PyStatus_Exception(status) } == 0 {
        return Ok(());
    }
    if status.err_msg.is_null() {
        return Err("the Python interpreter does not start".to_owned());
    }
    // SAFETY: a message is a static string of libpython.
    let message = unsafe { std::ffi::CStr::from_ptr(status.err_msg) };
    Err(format!("the Python interpreter does not start: {}", message.to_string_lossy()))
}

fn c_string(text: &OsStr) -> Result<CString, String> {
    CString::new(text.as_bytes()).map_err(|_| format!("NUL byte in {text:?}"))
}

/// Makes Python's handler of `signal` run at the next opportunity, as if the signal had arrived.
pub(super) fn simulate_signal(signal: i32) {
    // SAFETY: callable from any thread; a signal without a Python handler is ignored.
    unsafe { ffi::PyErr_SetInterruptEx(signal) };
}

/// Makes the thread that Python calls `ident` raise `exception` when it next executes Python code.
pub(super) fn raise_in(ident: std::ffi::c_ulong, exception: &Bound<'_, PyType>) {
    // SAFETY: attached, since `exception` is bound; an unknown thread is ignored.
    unsafe { ffi::PyThreadState_SetAsyncExc(ident.cast_signed(), exception.as_ptr()) };
}

/// What [`raise_in`] has raised in the thread that Python calls `ident`, and did not come up yet, does not come up.
pub(super) fn take_back_raised(_py: Python<'_>, ident: std::ffi::c_ulong) {
    // SAFETY: attached; without an exception the call only clears, and an unknown thread is ignored.
    unsafe { ffi::PyThreadState_SetAsyncExc(ident.cast_signed(), ptr::null_mut()) };
}

/// Has this thread run Python code, and will again? Then it may attach without waiting for a request of another thread's.
pub(super) fn is_pythons_thread() -> bool {
    // SAFETY: callable from any thread while an interpreter lives; it only looks at thread-local storage.
    !unsafe { ffi::PyGILState_GetThisThreadState() }.is_null()
}

/// Does this interpreter run Python code on several threads at the same moment?
pub(super) fn is_free_threaded(py: Python<'_>) -> bool {
    // New in 3.13; builds without the lock may have it switched on.
    let has_lock = || py.import("sys")?.getattr("_is_gil_enabled")?.call0()?.extract::<bool>();
    has_lock().is_ok_and(|has_lock| !has_lock)
}
