//! The only file that sees master, worker and Python together. It joins them: settings are loaded, the master runs, and
//! each process that it forks becomes a worker here.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config::{self, Config, Layers, Raw, Source};
use crate::exit;
use crate::ipc::FromWorker;
use crate::logging::{self, Destination, Stream, access};
use crate::master::{self, Born, Crew, Ended, Forked};
use crate::net::Address;
use crate::py::fork::{self, Fork};
use crate::py::loader::{self, LoadError};
use crate::py::signals::{self, Stage};
use crate::py::wsgi::{Server, Wsgi};
use crate::py::{environment, interpreter, package, parting, settings_file};
use crate::sys;
use crate::worker::{self, Setup};

/// What applications find in `SERVER_SOFTWARE`; many test that it begins with `gunicorn`.
const SERVER_SOFTWARE: &str = concat!("gunicorn/27 (compatible; indrik/", env!("CARGO_PKG_VERSION"), ")");

/// Through which door the program was entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// Python has loaded us: the interpreter is there.
    Wheel,
    /// We are the program: the interpreter must be found and started.
    Binary,
}

/// What was typed.
#[derive(Debug)]
pub struct Invocation {
    /// Through which door.
    pub door: Door,
    /// All settings but those of the settings file.
    pub layers: Layers,
    /// The interpreter or virtual environment that was named; for the binary.
    pub python: Option<PathBuf>,
    /// The program as it was called.
    pub program: String,
    /// All words, the program first.
    pub argv: Vec<OsString>,
}

/// Does what was typed. Called detached, on the main thread; returns the exit code, in the master and in each worker.
pub fn serve(invocation: Invocation) -> i32 {
    let door = invocation.door;
    if door == Door::Binary
        && let Err(text) =
            interpreter::start(invocation.python.as_deref(), &invocation.argv).and_then(|()| package::install())
    {
        complain(&text);
        return exit::CONFIG;
    }
    let code = serve_with_python(invocation);
    if door == Door::Binary {
        interpreter::end();
    }
    code
}

fn serve_with_python(invocation: Invocation) -> i32 {
    let mut site = match Site::open(invocation.layers) {
        Ok(site) => site,
        Err(text) => {
            complain(&text);
            return exit::CONFIG;
        }
    };
    let config = match site.read().and_then(|config| site.keep().map(|()| config)) {
        Ok(config) => config,
        Err(text) => {
            complain(&text);
            return exit::CONFIG;
        }
    };
    if config.print_config {
        print(&config::print(&config, &site.layers));
    }
    if config.check_config || config.print_config {
        return check_application(&config);
    }
    if config.wsgi_app.is_none() {
        complain("No application module specified.");
        return exit::CONFIG;
    }
    if let Err(text) = check_logs(&config).and_then(|()| start_logging(&config)) {
        complain(&text);
        return exit::CONFIG;
    }
    site.report_warnings();
    prepare_for_many(&config);
    sys::set_title(&title("master", &config));
    signals::forget_keyboard_interrupt();
    match master::run(&mut site, config) {
        Ended::Stopped(code) => code,
        Ended::Born(born) => {
            // Its generation's settings may not be the master's yet.
            if let Err(text) = site.apply(&born.config).and_then(|()| start_logging(&born.config)) {
                log::error!("{text}");
            }
            work(*born)
        }
    }
}

/// Where the settings come from, and what they have changed in this process.
struct Site {
    layers: Layers,
    start: PathBuf,
    /// What was read and not yet applied.
    read: Option<(Arc<Config>, Layers, Vec<config::Warning>)>,
    /// Where the process works, once settings are applied.
    directory: Option<PathBuf>,
    warnings: Vec<config::Warning>,
    /// What variables of `raw_env` held before; `None` is unset.
    replaced: HashMap<String, Option<String>>,
    has_forked: bool,
}

impl Site {
    /// Errors: the working directory is gone.
    fn open(layers: Layers) -> Result<Self, String> {
        let start = std::env::current_dir().map_err(|error| format!("cannot find the working directory: {error}"))?;
        environment::set_variable("SERVER_SOFTWARE", SERVER_SOFTWARE)?;
        Ok(Self {
            layers,
            start,
            read: None,
            directory: None,
            warnings: Vec::new(),
            replaced: HashMap::new(),
            has_forked: false,
        })
    }

    /// Reads the settings: at start and at each reload. The settings file sees the directory of `chdir`, as far as the
    /// command line names one. Errors: everything that is wrong with a setting; nothing has changed then.
    fn read(&mut self) -> Result<Arc<Config>, String> {
        let before = config::resolve(&without_file(&self.layers), &self.start).map_err(|error| error.to_string())?.0;
        enter(&before.chdir)?;
        let file = self.run_settings_file()?;
        let layers = Layers { file, ..self.layers.clone() };
        let (config, warnings) = config::resolve(&layers, &self.start).map_err(|error| error.to_string())?;
        check(&config, &layers)?;
        enter(&config.chdir)?;
        let config = Arc::new(config);
        self.read = Some((config.clone(), layers, warnings));
        Ok(config)
    }

    /// Applies what a process takes from settings: directory, paths, environment, logs.
    fn apply(&mut self, config: &Config) -> Result<(), String> {
        enter(&config.chdir)?;
        for directory in &config.pythonpath {
            environment::insert_path(directory)?;
        }
        self.directory = Some(config.chdir.clone());
        self.set_variables(config)
    }

    /// The settings that were read last are those of this process.
    fn keep(&mut self) -> Result<(), String> {
        let Some((config, layers, warnings)) = self.read.take() else { return Ok(()) };
        self.layers = layers;
        self.warnings = warnings;
        self.apply(&config)
    }

    fn run_settings_file(&self) -> Result<Raw, String> {
        let named = self.layers.settings_file().map(str::to_owned);
        let found = || config::SETTINGS_FILES.into_iter().find(|name| Path::new(name).exists()).map(str::to_owned);
        let mut file = Raw::new();
        let Some(location) = named.or_else(found) else { return Ok(file) };
        let path = location.strip_prefix("file:").unwrap_or(&location);
        let extension = Path::new(path).extension().and_then(|extension| extension.to_str());
        if !location.starts_with("python:") && Path::new(path).exists() && !matches!(extension, Some("py" | "pyc")) {
            tell_stderr("!!!\n!!! WARNING: configuration file should have a valid Python extension.\n!!!\n");
        }
        for entry in settings_file::run(&location).map_err(|error| error.to_string())? {
            file.push(entry.name, entry.value, Source::SettingsFile { path: path.to_owned(), line: entry.line });
        }
        Ok(file)
    }

    /// Puts `raw_env` into the environment, after what an earlier load had replaced is back.
    fn set_variables(&mut self, config: &Config) -> Result<(), String> {
        for (name, value) in self.replaced.drain() {
            match value {
                Some(value) => environment::set_variable(&name, &value)?,
                None => environment::remove_variable(&name),
            }
        }
        for (name, value) in &config.raw_env {
            self.replaced.entry(name.clone()).or_insert_with(|| environment::variable(name));
            environment::set_variable(name, value)?;
        }
        Ok(())
    }

    fn report_warnings(&mut self) {
        for warning in self.warnings.drain(..) {
            log::warn!("{warning}");
        }
    }
}

impl Crew for Site {
    fn fork(&mut self) -> io::Result<Forked> {
        if !std::mem::replace(&mut self.has_forked, true) {
            let threads = fork::other_threads();
            if threads > 0 {
                log::info!("threads that the settings file has started stay behind in the master at a fork: {threads}");
            }
        }
        Ok(match fork::fork()? {
            Fork::Parent { child } => Forked::Master(child),
            Fork::Child => Forked::Worker,
        })
    }

    fn reread(&mut self) -> Result<Arc<Config>, String> {
        let config = self.read();
        if let Some(directory) = &self.directory {
            enter(directory)?;
        }
        let config = config?;
        if config.wsgi_app.is_none() {
            return Err("No application module specified.".to_owned());
        }
        check_logs(&config)?;
        Ok(config)
    }

    fn adopt(&mut self) {
        let Some((config, ..)) = &self.read else { return };
        let config = config.clone();
        for done in [self.keep(), start_logging(&config)] {
            if let Err(text) = done {
                log::error!("{text}");
            }
        }
        prepare_for_many(&config);
        sys::set_title(&title("master", &config));
        self.report_warnings();
    }

    fn reopen_logs(&mut self) {
        if let Err(error) = logging::reopen() {
            log::error!("cannot reopen the error log: {error}");
        }
    }
}

fn without_file(layers: &Layers) -> Layers {
    Layers { file: Raw::new(), ..layers.clone() }
}

fn enter(directory: &Path) -> Result<(), String> {
    environment::enter(directory).map_err(|error| format!("can't chdir to '{}': {error}", directory.display()))
}

/// What the settings room cannot judge: addresses, directories and the format of the access log.
fn check(config: &Config, layers: &Layers) -> Result<(), String> {
    let wrong = |name: &str, error: &dyn std::fmt::Display| {
        let hint = config::hint(config.bind.first().map_or("", String::as_str)).filter(|_| name == "bind");
        let hint = hint.map(|hint| format!("\nhint: {hint}")).unwrap_or_default();
        format!("invalid value for {name} ({}): {error}{hint}", layers.source(name))
    };
    for text in &config.bind {
        Address::parse(text).map_err(|error| wrong("bind", &error))?;
    }
    if layers.source("tmp_upload_dir") != Source::Default && !config.tmp_upload_dir.is_dir() {
        let directory = config.tmp_upload_dir.display();
        return Err(wrong("tmp_upload_dir", &format!("{directory} is not a directory")));
    }
    access::Format::parse(&config.access_log_format).map(drop).map_err(|error| wrong("access_log_format", &error))
}

/// Can the log files be opened? A worker that finds out would only fail to boot.
fn check_logs(config: &Config) -> Result<(), String> {
    let access = config.accesslog.as_deref().map(|path| ("access", Destination::parse(path, Stream::Stdout)));
    let error = ("error", Destination::parse(&config.errorlog, Stream::Stderr));
    for (which, destination) in [Some(error), access].into_iter().flatten() {
        if let Some(path) = destination.path() {
            let path = config.chdir.join(path);
            let opened = fs::OpenOptions::new().append(true).create(true).open(&path);
            opened.map_err(|error| format!("cannot open {which} log {}: {error}", path.display()))?;
        }
    }
    Ok(())
}

/// Sees to what many connections and large bodies need, and says what is short. Workers inherit it.
fn prepare_for_many(config: &Config) {
    let wanted = worker::wanted_descriptors(config);
    // Each connection may have a file besides, for a body or an answer; that they all do is unlikely.
    match sys::raise_descriptor_limit(wanted + config.worker_connections as u64) {
        Ok(limit) if limit < wanted => log::warn!(
            "the limit on open files is {limit}, worker_connections = {} asks for {wanted}: a worker will hold {} \
             connections; raise the limit (ulimit -n, LimitNOFILE=)",
            config.worker_connections,
            worker::capacity(config, limit)
        ),
        Ok(_) => {}
        Err(error) => log::warn!("cannot raise the limit on open files: {error}"),
    }
    if sys::is_tmpfs(&config.tmp_upload_dir) {
        let directory = config.tmp_upload_dir.display();
        log::info!("{directory} (setting tmp_upload_dir) is in memory: large bodies will be, too");
    }
}

fn start_logging(config: &Config) -> Result<(), String> {
    let level = logging::level(config.loglevel.name()).unwrap_or(log::LevelFilter::Info);
    let destination = Destination::parse(&config.errorlog, Stream::Stderr);
    logging::start(&destination, level).map_err(|error| format!("cannot open error log {destination}: {error}"))
}

/// `indrik: master [name]`. Source: Gunicorn setting `proc_name`.
fn title(role: &str, config: &Config) -> String {
    let name = config.proc_name.as_deref().or(config.wsgi_app.as_deref()).unwrap_or("indrik");
    format!("indrik: {role} [{name}]")
}

/// Loads the application and says whether it can be served. Source: Gunicorn setting `check_config`.
fn check_application(config: &Config) -> i32 {
    let Some(uri) = &config.wsgi_app else {
        complain("No application module specified.");
        return exit::CONFIG;
    };
    match loader::load(uri) {
        Ok(_) => exit::OK,
        Err(LoadError::NotFound(text) | LoadError::Raised(text)) => {
            tell_stderr(&format!("\nError while loading the application:\n\n{text}\n"));
            exit::CONFIG
        }
        Err(LoadError::Interrupted) => exit::OK,
    }
}

/// The life of a worker, from its birth to its exit code.
fn work(born: Born) -> i32 {
    let pid = std::process::id();
    log::info!("Booting worker with pid: {pid}");
    sys::notify_of_parents_death();
    sys::set_title(&title("worker", &born.config));
    let has_threads = born.config.threads > 1;
    let graceful_timeout = born.config.graceful_timeout;
    let ended = boot(born).map(worker::run);
    signals::ignore_orders();
    log::info!("Worker exiting (pid: {pid})");
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

fn leave_at_once(code: i32) -> i32 {
    interpreter::leave_at_once();
    sys::exit_now(code)
}

/// Everything from birth to readiness. Errors: the exit code; the reason is logged and told.
fn boot(born: Born) -> Result<Setup<Wsgi>, i32> {
    let Born { config, listeners, ipc, line, siblings, .. } = born;
    signals::enter(Stage::Booting);
    let installed = signals::install();
    sys::unblock_all();
    let fail = |code: i32, word: FromWorker, text: &str| {
        log::error!("{text}");
        let _ = ipc.tell(word);
        code
    };
    let broken =
        |text: String| fail(exit::BOOT, FromWorker::BootFailed, &format!("Exception in worker process\n{text}"));
    let wake = installed.map_err(broken)?;
    let format = access::Format::parse(&config.access_log_format).map_err(|error| broken(error.to_string()))?;
    let variables = format.variables().to_vec();
    let access = match &config.accesslog {
        Some(path) => {
            let destination = Destination::parse(path, Stream::Stdout);
            let opened = access::AccessLog::open(&destination, format);
            let log = opened.map_err(|error| broken(format!("cannot open access log {destination}: {error}")))?;
            Some(log.skipping(config.access_log_skip.clone()))
        }
        None => None,
    };
    let uri = config.wsgi_app.as_deref().unwrap_or_default();
    let application = loader::load(uri).map_err(|error| match error {
        LoadError::NotFound(text) => fail(exit::APP_LOAD, FromWorker::AppNotLoaded, &text),
        LoadError::Raised(text) => broken(text),
        LoadError::Interrupted => exit::OK,
    })?;
    let server = Server {
        software: SERVER_SOFTWARE.to_owned(),
        is_multithread: config.threads > 1,
        is_multiprocess: config.workers > 1,
        script_name: environment::variable("SCRIPT_NAME").unwrap_or_default(),
    };
    let app = Wsgi::new(application, &server, wake, variables).map_err(broken)?;
    signals::enter(Stage::Serving);
    let max_requests = match config.max_requests {
        0 => 0,
        limit => limit + sys::random_up_to(config.max_requests_jitter),
    };
    Ok(Setup { app: Arc::new(app), config, listeners, ipc, line, siblings, access, max_requests })
}

/// For what goes wrong before there is a log.
fn complain(text: &str) {
    tell_stderr(&format!("\nError: {text}\n"));
}

/// Where nobody reads, nobody needs to be told.
fn tell_stderr(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

fn print(text: &str) {
    let _ = writeln!(io::stdout(), "{}", text.trim_end());
}
