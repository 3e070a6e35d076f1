//! WSGI (PEP 3333) as an application of the worker: environ in, `start_response` and an iterable out.
//!
//! [`Wsgi`] is what the worker sees. A call goes through the files in this order: [`environ`], [`input`],
//! [`start_response`], [`answer`]. Hot code uses `pyo3::ffi` behind safe functions ([`strings`], [`fields`]); all else is
//! ordinary PyO3.
#![allow(unsafe_code)]

mod answer;
mod body;
mod bytes;
mod environ;
mod errors;
mod fields;
mod file_span;
mod file_wrapper;
mod held;
mod hints;
mod hooked;
mod input;
mod link;
mod refused;
mod socket;
mod start_response;
mod strings;
mod window;

use std::cell::Cell;
use std::os::fd::BorrowedFd;
use std::sync::{Arc, Mutex};

use pyo3::prelude::*;
use pyo3::types::{PyCFunction, PyDict};

pub use self::bytes::{Buffer, Piece};
use self::environ::Template;
use self::fields::FieldCache;
pub use self::hooked::Around;
pub(super) use self::hooked::latin1;
pub(super) use self::refused::ClientDisconnected;
use self::start_response::Responder;
use super::interpreter;
use super::loader::Loaded;
use super::own_answers;
use super::parting;
use super::signals::{self, Stage, Wake};
use super::stacks::Stacks;
use crate::app::{App, Caller, Exchange, Failure, Notice, Notices, ThreadWork};
use crate::sys;

/// Exit code of a process that the application forked and did not end. Nobody but the application waits for it.
const FORKED: i32 = 70;

/// What the environs of a worker say about the server. Source: PEP 3333, environ variables.
#[derive(Clone, Debug)]
pub struct Server {
    /// `SERVER_SOFTWARE`.
    pub software: String,
    /// `wsgi.multithread`: may another thread of this process run the application at the same time?
    pub is_multithread: bool,
    /// `wsgi.multiprocess`: may another process?
    pub is_multiprocess: bool,
    /// `SCRIPT_NAME` for requests that bring none, from the process's environment; else empty.
    pub script_name: String,
}

/// A WSGI application, ready to be called.
#[derive(Debug)]
pub struct Wsgi {
    callable: Py<PyAny>,
    template: Template,
    wake: Wake,
    /// Environ keys that the access log wants.
    variables: Vec<String>,
    /// What runs around each call; nearly always nothing.
    around: Option<Around>,
    main_thread: std::thread::ThreadId,
    is_multithread: bool,
    /// Is there no lock that one thread holds while it executes Python code?
    spreads: bool,
    stacks: Option<Stacks>,
}

impl Wsgi {
    /// Prepares `application` for calls. Called on the worker's main thread, detached.
    ///
    /// `variables`: environ keys that the access log wants; `around`: what runs around each call. Errors: the interpreter is out of memory.
    pub fn new(
        application: Loaded,
        server: &Server,
        wake: Wake,
        variables: Vec<String>,
        around: Option<Around>,
    ) -> Result<Self, String> {
        let (template, stacks, spreads) = Python::attach(|py| {
            // An event loop that the import has run may have taken the wake-up descriptor away.
            wake.renew(py);
            let stacks = Stacks::install(py).inspect_err(|error| log::debug!("no stacks of hung requests: {error}"));
            (Template::new(py, server), stacks.ok(), interpreter::is_free_threaded(py))
        });
        Ok(Self {
            callable: application.0,
            template: template.map_err(|error| format!("cannot prepare environ: {error}"))?,
            wake,
            variables,
            around,
            main_thread: std::thread::current().id(),
            is_multithread: server.is_multithread,
            spreads,
            stacks,
        })
    }
}

impl App for Wsgi {
    type Piece = Piece;
    type Buffer = Buffer;
    type Memory = Memory;

    fn attached<R>(&self, work: impl FnOnce(&mut dyn Caller<Self>) -> R) -> R {
        Python::attach(|py| {
            let tools = TOOLS.take().unwrap_or_default();
            let is_main = std::thread::current().id() == self.main_thread;
            let mut caller = Attached { py, wsgi: self, tools, is_main };
            let was_attached = IS_ATTACHED.replace(true);
            let result = work(&mut caller);
            IS_ATTACHED.set(was_attached);
            TOOLS.set(Some(caller.tools));
            result
        })
    }

    fn buffer(&self, len: usize) -> Buffer {
        // Detached (another thread than the application's drives the reactor), plain memory has to do.
        if IS_ATTACHED.get() { Buffer::bytes(len) } else { Buffer::from(vec![0; len]) }
    }

    fn start_thread(self: &Arc<Self>, index: usize, work: ThreadWork<Self>) -> Result<(), String> {
        let wsgi = self.clone();
        let work = Mutex::new(Some(work));
        let start = |py: Python<'_>| -> PyResult<()> {
            let body = PyCFunction::new_closure(py, Some(c"serve"), None, move |arguments, _| {
                if let Err(error) = parting::pass_as_ordinary(arguments.py()) {
                    log::debug!("threads of the application are daemons: {error}");
                }
                let work = work.lock().ok().and_then(|mut work| work.take());
                if let Some(work) = work {
                    wsgi.attached(work);
                }
            })?;
            let options = PyDict::new(py);
            options.set_item("target", body)?;
            options.set_item("name", format!("indrik-worker-{index}"))?;
            // The worker itself sees to it that its threads have ended, or leaves without them.
            options.set_item("daemon", true)?;
            py.import("threading")?.call_method("Thread", (), Some(&options))?.call_method0("start")?;
            Ok(())
        };
        Python::attach(start).map_err(|error| format!("cannot start application thread {index}: {error}"))
    }

    fn wake_descriptor(&self) -> Option<BorrowedFd<'_>> {
        Some(self.wake.descriptor())
    }

    fn posted(&self) -> Notices {
        signals::take_posted()
    }

    fn interrupt(&self, notice: Notice) {
        signals::interrupt(notice);
    }

    fn interrupt_call(&self, thread: i32) {
        signals::interrupt_call(thread);
    }

    fn aborts(&self) -> bool {
        signals::has_worker_abort()
    }

    fn abort_call(&self) {
        signals::abort_call();
    }

    fn stacks(&self, thread: i32) -> Option<String> {
        self.stacks.as_ref()?.dump(thread)
    }

    fn spreads(&self) -> bool {
        self.spreads
    }

    fn logged_variables(&self) -> &[String] {
        &self.variables
    }
}

/// What a thread keeps between calls: caches, and objects that are used again.
#[derive(Debug, Default)]
struct Tools {
    fields: FieldCache,
    responder: Option<Responder>,
}

thread_local! {
    static TOOLS: Cell<Option<Tools>> = const { Cell::new(None) };
    /// Is this thread inside [`App::attached`], and not waiting? CPython's own answer is always yes where
    /// subinterpreters exist.
    static IS_ATTACHED: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work` detached. Every wait of this room goes through here, so that nobody takes the thread for attached meanwhile.
fn detached<R: Send>(py: Python<'_>, work: impl FnOnce() -> R + Send) -> R {
    struct Back(bool);
    impl Drop for Back {
        fn drop(&mut self) {
            IS_ATTACHED.set(self.0);
        }
    }
    let _back = Back(IS_ATTACHED.replace(false));
    py.detach(work)
}

struct Attached<'py, 'a> {
    py: Python<'py>,
    wsgi: &'a Wsgi,
    tools: Tools,
    is_main: bool,
}

impl Caller<Wsgi> for Attached<'_, '_> {
    fn call(&mut self, exchange: &mut dyn Exchange<Wsgi>) -> Result<(), Failure> {
        signals::forget_interruption(self.py);
        if self.is_main {
            signals::enter(Stage::InApplication);
        }
        let result = answer::call(self.py, self.wsgi, &mut self.tools, exchange);
        if signals::is_forked() {
            log::error!("a process that the application has forked came back from its call; it ends here");
            sys::exit_now(FORKED);
        }
        if self.is_main {
            signals::enter(Stage::Serving);
        }
        signals::forget_interruption(self.py);
        result
    }

    fn detached(&mut self, wait: &mut (dyn FnMut() + Send)) {
        detached(self.py, wait);
    }

    fn notices(&mut self) -> Notices {
        if !self.is_main {
            return Notices::default();
        }
        if self.wsgi.is_multithread {
            // The main thread only waits for signals here, so it looks seldom.
            self.wsgi.wake.renew(self.py);
        }
        own_answers::write(self.py);
        self.wsgi.wake.notices(self.py)
    }
}

/// What is kept with a connection: the environ entries that are the same for all its requests.
#[derive(Debug, Default)]
pub struct Memory {
    template: Option<Py<PyDict>>,
    socket: Option<Py<PyAny>>,
}
