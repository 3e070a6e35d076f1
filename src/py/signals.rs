//! Signals of a worker: handlers that Python sees, and that only post what was asked for.
//!
//! They are set with `signal.signal` before the application is imported, so that it may look at them and replace them.
//! What they post, [`crate::app::Caller::notices`] takes.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering::Relaxed};
use std::time::Instant;

use pyo3::exceptions::{PyException, PySystemExit};
use pyo3::prelude::*;
use pyo3::types::{PyAny, PyCFunction, PyDict};

use super::interruptions::Interruptions;
use super::{hooks, interpreter, traceback};
use crate::app::{Notice, Notices};
use crate::sys;

/// What was posted and not yet taken, as bits of [`Notices`].
static POSTED: AtomicU32 = AtomicU32::new(0);

/// Has it been posted that the process leaves at once? Stays, whoever takes what was posted.
static IS_QUITTING: AtomicBool = AtomicBool::new(false);

/// How often the wake-up descriptor is set again: an event loop that the application runs on this thread takes it away.
/// Until then a signal that another thread catches is seen at the worker's next beat. Each time costs two system calls.
const LOOKS_PER_RENEWAL: u32 = 64;

/// What the main thread is doing, as [`Stage`].
static STAGE: AtomicU8 = AtomicU8::new(Stage::Serving as u8);

/// What the main thread is doing decides whether a handler interrupts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Importing the application: any order to leave ends that at once.
    Booting = 0,
    /// Polling: the loop sees to it.
    Serving = 1,
    /// Inside the application: an order to leave at once, or the master's last warning, interrupts the request.
    InApplication = 2,
}

/// Ends the poll of the thread that stands in for this one.
static BELL: OnceLock<OwnedFd> = OnceLock::new();

/// Hooks that are set, as bits: `worker_int` and `worker_abort`.
static HOOKS: AtomicU8 = AtomicU8::new(0);
const WORKER_INT: u8 = 1;
const WORKER_ABORT: u8 = 2;

/// Says which hooks the handlers call.
pub fn set_hooks(worker_int: bool, worker_abort: bool) {
    HOOKS.store((u8::from(worker_int) * WORKER_INT) | (u8::from(worker_abort) * WORKER_ABORT), Relaxed);
}

/// Is SIGABRT on its way for a request, and not for the worker?
static IS_ABORTING_CALL: AtomicBool = AtomicBool::new(false);

/// Is the hook `worker_abort` set, and not called yet?
pub(super) fn has_worker_abort() -> bool {
    HOOKS.load(Relaxed) & WORKER_ABORT != 0
}

/// Has `worker_abort` called on the main thread. On any thread, attached or not.
pub(super) fn abort_call() {
    IS_ABORTING_CALL.store(true, Relaxed);
    let pid = std::process::id() as i32;
    if let Err(error) = sys::signal_thread(pid, pid, sys::SIGABRT) {
        log::debug!("cannot interrupt a request: {error}");
    }
}

/// The worker shall finish what it has and leave, as by SIGTERM.
pub(super) fn drain() {
    post(Notice::Drain);
    if let Some(bell) = BELL.get() {
        sys::write_byte(bell.as_fd());
    }
}

/// The calls that shall be interrupted.
static OVERDUE: Interruptions = Interruptions::new();

/// When the process was first asked to leave.
static LEAVING_SINCE: OnceLock<Instant> = OnceLock::new();

/// Is the main thread to give up waiting for threads of the application?
static IS_PARTING: AtomicBool = AtomicBool::new(false);

pyo3::create_exception!(
    indrik,
    RequestTimeout,
    PyException,
    "The request has been running for longer than `request_timeout` and is about to be given up."
);

/// Says what the main thread is about to do.
pub fn enter(stage: Stage) {
    STAGE.store(stage as u8, Relaxed);
}

/// Is this a process that the application has forked? Set by [`note_fork`].
static IS_FORKED: AtomicBool = AtomicBool::new(false);

/// Is this a child that the application forked, and that has come back from the application's call? It must not go on as a
/// second worker on the same sockets.
pub(super) fn is_forked() -> bool {
    IS_FORKED.load(Relaxed)
}

/// Runs in every child that is forked from this worker by way of Python: what is the server's goes, and signals do what
/// they do to any process, unless the application handles them.
fn note_fork(py: Python<'_>, ours: &[(i32, Py<PyAny>)]) -> PyResult<()> {
    IS_FORKED.store(true, Relaxed);
    POSTED.store(0, Relaxed);
    IS_QUITTING.store(false, Relaxed);
    sys::surrender_private();
    let signal = py.import("signal")?;
    // The pipe is shared with the worker, which would wake.
    signal.call_method1("set_wakeup_fd", (-1,))?;
    for (number, handler) in ours {
        if signal.call_method1("getsignal", (*number,))?.is(handler) {
            let default = if *number == sys::SIGINT { "default_int_handler" } else { "SIG_DFL" };
            signal.call_method1("signal", (*number, signal.getattr(default)?))?;
        }
    }
    Ok(())
}

#[pyfunction]
fn hold_signals() {
    sys::hold_signals();
}

#[pyfunction]
fn release_signals() {
    sys::release_signals();
}

/// The pipe that CPython's own C handler writes to, so that a wait ends.
#[derive(Debug)]
pub struct Wake {
    reader: OwnedFd,
    writer: OwnedFd,
    /// How often handlers were let run.
    looks: AtomicU32,
}

/// Sets the worker's handlers. Called in a new worker, detached, before the application is imported.
///
/// Errors: the interpreter refuses; the text says why.
pub fn install() -> Result<Wake, String> {
    let (reader, writer) = sys::pipe().map_err(|error| format!("cannot make a pipe for signals: {error}"))?;
    POSTED.store(0, Relaxed);
    IS_QUITTING.store(false, Relaxed);
    let bell = writer.try_clone().map_err(|error| format!("cannot make a pipe for signals: {error}"))?;
    let _ = BELL.set(bell);
    let set = |py: Python<'_>| -> PyResult<()> {
        let signal = py.import("signal")?;
        signal.call_method1("signal", (sys::interrupt_signal(), wrap_pyfunction!(on_overdue, py)?))?;
        let handlers: [(&str, Bound<'_, PyCFunction>); 7] = [
            ("SIGTERM", wrap_pyfunction!(on_drain, py)?),
            ("SIGINT", wrap_pyfunction!(on_quit, py)?),
            ("SIGQUIT", wrap_pyfunction!(on_quit, py)?),
            ("SIGUSR1", wrap_pyfunction!(on_reopen, py)?),
            ("SIGABRT", wrap_pyfunction!(on_abort, py)?),
            // For the master only. Their default action would kill the worker.
            ("SIGHUP", wrap_pyfunction!(on_nothing, py)?),
            ("SIGUSR2", wrap_pyfunction!(on_nothing, py)?),
        ];
        let mut ours = Vec::new();
        for (name, handler) in handlers {
            let number = signal.getattr(name)?;
            signal.call_method1("signal", (&number, &handler))?;
            ours.push((number.extract()?, handler.into_any().unbind()));
        }
        let after = PyCFunction::new_closure(py, Some(c"note_fork"), None, move |arguments, _| {
            let noted = note_fork(arguments.py(), &ours);
            sys::release_signals();
            noted
        })?;
        let options = PyDict::new(py);
        // A signal that came between the fork and the change of handlers would be lost.
        options.set_item("before", wrap_pyfunction!(hold_signals, py)?)?;
        options.set_item("after_in_parent", wrap_pyfunction!(release_signals, py)?)?;
        options.set_item("after_in_child", after)?;
        py.import("os")?.call_method("register_at_fork", (), Some(&options))?;
        set_wakeup_descriptor(py, &writer)
    };
    Python::attach(set).map_err(|error| format!("cannot set signal handlers: {error}"))?;
    Ok(Wake { reader, writer, looks: AtomicU32::new(0) })
}

/// Makes CPython write a byte into the pipe when a signal with a Python handler arrives.
fn set_wakeup_descriptor(py: Python<'_>, pipe: &OwnedFd) -> PyResult<()> {
    let options = PyDict::new(py);
    options.set_item("warn_on_full_buffer", false)?;
    py.import("signal")?.call_method("set_wakeup_fd", (pipe.as_raw_fd(),), Some(&options)).map(drop)
}

/// Gives the master's signals their default action where Python has a handler: Python's own for SIGINT, or one that a tracer
/// or a hook has set. The master's are chained to what was there before, and Python's would run in the next hook.
///
/// Source: Gunicorn, too, sets handlers of its own in their place.
pub fn forget_pythons_handlers() {
    Python::attach(|py| {
        let reset = || -> PyResult<()> {
            let signal = py.import("signal")?;
            let default = signal.getattr("SIG_DFL")?;
            for name in ["HUP", "INT", "QUIT", "USR1", "USR2", "TERM", "CHLD", "TTIN", "TTOU", "WINCH"] {
                let number = signal.getattr(format!("SIG{name}").as_str())?;
                if signal.call_method1("getsignal", (&number,))?.is_callable() {
                    signal.call_method1("signal", (number, &default))?;
                }
            }
            Ok(())
        };
        if let Err(error) = reset() {
            log::warn!("cannot reset Python's handlers of signals: {error}");
        }
    });
}

/// Lets the interpreter end in peace: an order to leave that arrives now has been obeyed already. Python would give the
/// signals their default action while it ends, and the order's repetition would look like a death.
pub fn ignore_orders() {
    Python::attach(|py| {
        let ignore = || -> PyResult<()> {
            let signal = py.import("signal")?;
            for name in ["SIGTERM", "SIGINT", "SIGQUIT", "SIGUSR1", "SIGHUP", "SIGUSR2"] {
                signal.call_method1("signal", (signal.getattr(name)?, signal.getattr("SIG_IGN")?))?;
            }
            // Nobody reads the pipe any more, and it is about to be closed.
            signal.call_method1("set_wakeup_fd", (-1,))?;
            Ok(())
        };
        if let Err(error) = ignore() {
            log::debug!("cannot ignore signals: {error}");
        }
    });
}

/// Has the process been asked to leave at once?
pub(super) fn is_quitting() -> bool {
    IS_QUITTING.load(Relaxed)
}

/// Has the process been asked to leave at once, or while it boots to leave at all?
pub fn is_leaving() -> bool {
    let posted = Notices::from_bits(POSTED.load(Relaxed));
    posted.has(Notice::Quit) || posted.has(Notice::Abort) || posted.has(Notice::Drain)
}

impl Wake {
    /// Readable after a signal arrived.
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        self.reader.as_fd()
    }

    /// Sets the wake-up descriptor again and empties the pipe.
    pub(super) fn renew(&self, py: Python<'_>) {
        sys::discard_bytes(self.reader.as_fd());
        if let Err(error) = set_wakeup_descriptor(py, &self.writer) {
            log::debug!("cannot set the wake-up descriptor again: {error}");
        }
    }

    /// Runs handlers that are due and takes what they posted. On the main thread.
    pub(super) fn notices(&self, py: Python<'_>) -> Notices {
        let looks = self.looks.load(Relaxed).wrapping_add(1);
        self.looks.store(looks, Relaxed);
        if looks.is_multiple_of(LOOKS_PER_RENEWAL) {
            self.renew(py);
        }
        if let Err(error) = py.check_signals() {
            if error.is_instance_of::<PySystemExit>(py) {
                // A handler of the application's own, which wants the process to end.
                post(Notice::Quit);
            } else {
                log::error!("Exception in a signal handler of the application\n{}", traceback::text(py, &error));
            }
        }
        take_posted()
    }
}

/// Takes what handlers have posted. On any thread, attached or not.
pub(super) fn take_posted() -> Notices {
    if POSTED.load(Relaxed) == 0 { Notices::default() } else { Notices::from_bits(POSTED.swap(0, Relaxed)) }
}

/// Runs Python's handler of the signal that stands for `notice`, for an order that came over ipc. On any thread, attached or
/// not; the handler runs on the main thread when that next executes Python code.
pub(super) fn interrupt(notice: Notice) {
    note_leaving(notice);
    interpreter::simulate_signal(match notice {
        Notice::Drain => sys::SIGTERM,
        Notice::Quit => sys::SIGQUIT,
        Notice::Reopen => sys::SIGUSR1,
        Notice::Abort => sys::SIGABRT,
    });
}

/// Has [`RequestTimeout`] raised in the call that `thread` (the kernel's number) is in. On any thread, attached or not.
pub(super) fn interrupt_call(thread: i32) {
    OVERDUE.ask(thread);
    // A real signal, to the thread where Python's handlers run: it also ends a system call that sleeps.
    let pid = std::process::id() as i32;
    if let Err(error) = sys::signal_thread(pid, pid, sys::interrupt_signal()) {
        log::debug!("cannot interrupt a request: {error}");
    }
}

/// A call of this thread begins or has ended: an interruption of the one before is pointless. Called attached.
pub(super) fn forget_interruption(py: Python<'_>) {
    if let Some(ident) = OVERDUE.forget(sys::thread_id) {
        interpreter::take_back_raised(py, ident);
    }
}

/// When the process was first asked to leave.
pub(super) fn leaving_since() -> Option<Instant> {
    LEAVING_SINCE.get().copied()
}

#[allow(clippy::disallowed_methods)] // A handler has no loop to ask for the time.
fn note_leaving(notice: Notice) {
    if notice != Notice::Reopen {
        LEAVING_SINCE.get_or_init(Instant::now);
    }
}

/// Interrupts the main thread while it waits for threads of the application: their time is over. On any thread, detached.
pub(super) fn interrupt_parting() {
    IS_PARTING.store(true, Relaxed);
    let pid = std::process::id() as i32;
    let _ = sys::signal_thread(pid, pid, sys::interrupt_signal());
}

/// Nobody waits any more.
pub(super) fn end_parting() {
    IS_PARTING.store(false, Relaxed);
}

fn post(notice: Notice) {
    note_leaving(notice);
    if matches!(notice, Notice::Quit | Notice::Abort) {
        IS_QUITTING.store(true, Relaxed);
    }
    POSTED.fetch_or(Notices::bit(notice), Relaxed);
    // Whoever stands in for this thread polls, and C's handler has rung before there was anything to take.
    if !stage_is(Stage::Serving) {
        ring();
    }
}

/// Has whoever waits for signals look, though there was none. On any thread, attached or not.
pub(super) fn ring() {
    if let Some(bell) = BELL.get() {
        sys::write_byte(bell.as_fd());
    }
}

fn leave_now(code: i32) -> PyResult<()> {
    Err(PySystemExit::new_err(code))
}

fn stage_is(stage: Stage) -> bool {
    STAGE.load(Relaxed) == stage as u8
}

/// SIGTERM: finish what you have, then leave.
#[pyfunction]
fn on_drain(_signum: i32, _frame: &Bound<'_, PyAny>) -> PyResult<()> {
    post(Notice::Drain);
    if stage_is(Stage::Booting) { leave_now(0) } else { Ok(()) }
}

/// SIGINT, SIGQUIT: leave at once; a running request is cut.
#[pyfunction]
fn on_quit(py: Python<'_>, _signum: i32, _frame: &Bound<'_, PyAny>) -> PyResult<()> {
    if HOOKS.load(Relaxed) & WORKER_INT != 0 {
        // Once: the order comes over ipc and as a signal.
        HOOKS.fetch_and(!WORKER_INT, Relaxed);
        hooks::worker_int(py);
    }
    post(Notice::Quit);
    if stage_is(Stage::Serving) { Ok(()) } else { leave_now(0) }
}

/// SIGUSR1: open the log files anew.
#[pyfunction]
fn on_reopen(_signum: i32, _frame: &Bound<'_, PyAny>) {
    post(Notice::Reopen);
    hooks::reopen_logs();
}

/// SIGABRT: the master has waited too long for this worker, or the worker for a request.
#[pyfunction]
fn on_abort(py: Python<'_>, _signum: i32, _frame: &Bound<'_, PyAny>) -> PyResult<()> {
    // A request is given up by those who have sent this, whatever the hook says.
    let is_for_call = IS_ABORTING_CALL.swap(false, Relaxed);
    if HOOKS.load(Relaxed) & WORKER_ABORT != 0 {
        HOOKS.fetch_and(!WORKER_ABORT, Relaxed);
        let called = hooks::worker_abort(py);
        if called.is_err() {
            // It comes up in the request, which may still answer; then the worker leaves.
            post(Notice::Drain);
            return called;
        }
    }
    if is_for_call {
        return Ok(());
    }
    post(Notice::Abort);
    if stage_is(Stage::Serving) { Ok(()) } else { leave_now(1) }
}

/// Requests take too long. Their calls are on this thread, or on ones that are told by way of the interpreter.
#[pyfunction]
fn on_overdue(py: Python<'_>, _signum: i32, _frame: &Bound<'_, PyAny>) -> PyResult<()> {
    if IS_PARTING.load(Relaxed) {
        return leave_now(0);
    }
    let (own, asked) = (sys::thread_id(), OVERDUE.asked());
    if asked.iter().any(|&thread| thread != own) {
        let exception = py.get_type::<RequestTimeout>();
        for other in py.import("threading")?.call_method0("enumerate")?.try_iter()? {
            let other = other?;
            let Some(thread) = other.getattr("native_id")?.extract::<Option<i32>>()? else { continue };
            if thread != own && asked.contains(&thread) {
                let ident = other.getattr("ident")?.extract()?;
                OVERDUE.raise(thread, ident, || interpreter::raise_in(ident, &exception));
            }
        }
    }
    if asked.contains(&own) {
        OVERDUE.forget(|| own);
        if stage_is(Stage::InApplication) {
            return Err(RequestTimeout::new_err("the request has been running for longer than request_timeout"));
        }
    }
    Ok(())
}

/// Signals that mean something to the master only.
#[pyfunction]
fn on_nothing(_signum: i32, _frame: &Bound<'_, PyAny>) {}
