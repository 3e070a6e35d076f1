//! The life of a worker, from its birth to its exit code.

use std::os::fd::AsFd;
use std::sync::Arc;

use super::site::{Follows, Site};
use super::{SERVER_SOFTWARE, relay_logs, start_logging, title, wanted};
use crate::config::Config;
use crate::exit;
use crate::http;
use crate::ipc::FromWorker;
use crate::logging::{self, Destination, Stream, access};
use crate::master::Born;
use crate::py::hooks::{self, Settings, Snapshot};
use crate::py::loader::{self, LoadError, Loaded};
use crate::py::signals::{self, Stage};
use crate::py::wsgi::{Around, Server, Wsgi};
use crate::py::{environment, interpreter, own_answers, parting};
use crate::sys;
use crate::worker::{self, Setup};

/// An application that was imported before the worker was forked.
pub(super) struct Preloaded {
    pub(super) application: Loaded,
    /// What the loggers looked like before that.
    pub(super) loggers: Snapshot,
}

/// The life of a worker, from its birth to its exit code.
pub(super) fn work(site: &mut Site, born: Born, preloaded: Option<Preloaded>) -> i32 {
    let pid = std::process::id();
    log::info!("Booting worker with pid: {pid}");
    sys::set_title(&title("worker", &born.config, ""));
    let has_threads = born.config.threads > 1;
    let graceful_timeout = born.config.graceful_timeout;
    let line = born.line.clone();
    if let Err(text) = environment::set_variable("INDRIK_WORKER_ID", &born.berth.id.0.to_string()) {
        log::error!("{text}");
    }
    // What post_fork starts shall not inherit blocked signals.
    sys::unblock_all();
    let forked = hooks::post_fork().map_err(|text| {
        log::error!("Exception in worker process\n{text}");
        let _ = born.ipc.tell(FromWorker::BootFailed);
        exit::BOOT
    });
    let ended = forked.and_then(|()| {
        // Its generation's settings may not be the master's yet.
        if let Err(text) = site.apply(&born.config).and_then(|()| start_logging(&born.config)) {
            log::error!("{text}");
        }
        if let Some(Err(text)) = site.settings_of(&born.config).map(hooks::use_settings) {
            log::error!("{text}");
        }
        relay_logs(&born.config);
        match site.become_worker(&born.config) {
            Ok(Follows::Master) => {}
            Ok(Follows::Nobody) => return Err(exit::OK),
            Err(text) => {
                log::error!("Exception in worker process\n{text}");
                let _ = born.ipc.tell(FromWorker::BootFailed);
                return Err(exit::BOOT);
            }
        }
        let hooked = site.settings_of(&born.config).map(Hooked::of).unwrap_or_default();
        boot(born, hooked, preloaded)
    });
    let ended = ended.map(worker::run);
    signals::ignore_orders();
    log::info!("Worker exiting (pid: {pid})");
    hooks::worker_exit(line.requests());
    let (code, leaves_calls) = match ended {
        Ok(Ok(worker::Ended::Drained)) => (exit::OK, false),
        Ok(Ok(worker::Ended::Quit)) => (exit::OK, has_threads),
        Ok(Ok(worker::Ended::Aborted)) => (exit::ABORTED, has_threads),
        Ok(Err(text)) => {
            log::error!("Exception in worker process\n{text}");
            (exit::UNHANDLED, has_threads)
        }
        Err(code) => (code, false),
    };
    let parted = parting::wait_for_threads(graceful_timeout);
    if let Err(names) = &parted {
        log::warn!(
            "Worker (pid: {pid}) leaves although threads of the application have not ended: {}",
            names.join(", ")
        );
    }
    // Application threads may be running still; the interpreter cannot end around them.
    if leaves_calls || parted.is_err() { leave_at_once(code) } else { code }
}

/// The hooks of a worker that are set.
#[derive(Clone, Copy, Debug, Default)]
struct Hooked {
    around_requests: bool,
    worker_int: bool,
    worker_abort: bool,
}

impl Hooked {
    fn of(settings: &Settings) -> Self {
        Self {
            around_requests: settings.has("pre_request") || settings.has("post_request"),
            worker_int: settings.has("worker_int"),
            worker_abort: settings.has("worker_abort"),
        }
    }
}

fn leave_at_once(code: i32) -> i32 {
    interpreter::leave_at_once();
    sys::exit_now(code)
}

/// Everything from birth to readiness. Errors: the exit code; the reason is logged and told.
fn boot(born: Born, hooked: Hooked, preloaded: Option<Preloaded>) -> Result<Setup<Wsgi>, i32> {
    let Born { config, listeners, ipc, line, siblings, .. } = born;
    signals::enter(Stage::Booting);
    let installed = signals::install();
    signals::set_hooks(hooked.worker_int, hooked.worker_abort);
    let fail = |code: i32, word: FromWorker, text: &str| {
        log::error!("{text}");
        let _ = ipc.tell(word);
        code
    };
    let broken = |text: String| {
        if signals::is_leaving() {
            // Our own handler's exception, which ends a boot wherever it is.
            return exit::OK;
        }
        fail(exit::BOOT, FromWorker::BootFailed, &format!("Exception in worker process\n{text}"))
    };
    let wake = installed.map_err(broken)?;
    // What is forked while the application is imported must not keep the port.
    let inboxes = siblings.iter().flat_map(|siblings| siblings.inboxes().descriptors());
    sys::keep_private(listeners.iter().map(|listener| listener.as_fd()).chain([ipc.as_fd()]).chain(inboxes));
    let Preloaded { application, loggers } = match preloaded {
        Some(preloaded) => preloaded,
        None => {
            let loggers = hooks::snapshot().map_err(broken)?;
            let wanted = wanted(&config).ok_or_else(|| broken("No application module specified.".to_owned()))?;
            let application = match loader::load(&wanted) {
                Ok(application) => application,
                Err(LoadError::Interrupted) => return Err(exit::OK),
                Err(LoadError::NotFound(text) | LoadError::Raised(text)) if config.reload => {
                    log::error!("{text}");
                    loader::failing(&text).map_err(broken)?
                }
                Err(LoadError::NotFound(text)) => return Err(fail(exit::APP_LOAD, FromWorker::AppNotLoaded, &text)),
                Err(LoadError::Raised(text)) => return Err(broken(text)),
            };
            Preloaded { application, loggers }
        }
    };
    if let Err(text) = hooks::post_worker_init(&application) {
        return Err(broken(text));
    }
    if config.reload {
        hooks::watch_files().map_err(broken)?;
    }
    let logs_access = config.logs_by_python || is_log_taken_over(&config, &loggers);
    let mut variables = Vec::new();
    let access = match &config.accesslog {
        Some(path) if !logs_access => {
            let format = access::Format::parse(&config.access_log_format).map_err(|error| broken(error.to_string()))?;
            variables = format.variables().to_vec();
            let destination = Destination::parse(path, Stream::Stdout);
            let opened = access::AccessLog::open(&destination, format);
            let log = opened.map_err(|error| broken(format!("cannot open access log {destination}: {error}")))?;
            Some(log.skipping(config.access_log_skip.clone()))
        }
        Some(_) | None => None,
    };
    let note_answer = logs_access.then_some(own_answers::note as fn(&dyn access::Entry));
    let (name, software) = hooks::server_names();
    if let Some(name) = name.filter(|name| name != http::SERVER) {
        http::name_server(name);
    }
    let around = (hooked.around_requests || logs_access).then_some(Around { logs_access });
    let server = Server {
        software: software.unwrap_or_else(|| SERVER_SOFTWARE.to_owned()),
        is_multithread: config.threads > 1,
        is_multiprocess: config.workers > 1,
        script_name: environment::variable("SCRIPT_NAME").unwrap_or_default(),
    };
    let app = Wsgi::new(application, &server, wake, variables, around).map_err(broken)?;
    signals::enter(Stage::Serving);
    // Hooks may change the limit. With Python code around requests it may change at any time, so it is counted there.
    let max_requests = if around.is_some() { 0 } else { hooks::max_requests() };
    Ok(Setup { app: Arc::new(app), config, listeners, ipc, line, siblings, access, note_answer, max_requests })
}

/// Has the application changed Python's loggers, with a filter, say? Then the error log takes its way through Python from
/// now on; says whether the access log must, too.
fn is_log_taken_over(config: &Config, before: &Snapshot) -> bool {
    let changed = hooks::differences(before);
    if changed.error {
        log::info!("the application has changed the logger gunicorn.error: the error log goes through Python");
        logging::relay(Some((hooks::relay, hooks::effective_level())));
    }
    let access = changed.access && config.accesslog.is_some();
    if access {
        log::info!("the application has changed the logger gunicorn.access: the access log goes through Python");
    }
    access
}
