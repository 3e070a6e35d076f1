//! Where the settings come from, what they have changed in this process, and what the master asks for while it runs.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::Arc;

use super::upgrade::{self, Origin};
use super::{
    SERVER_SOFTWARE, add_paste, check_logs, check_values, daemon, prepare_for_many, print, privileges, relay_logs,
    start_logging, tell_hook, tell_stderr, title, wanted, without_file,
};
use crate::config::{self, Config, Layers, Raw, Source, Value};
use crate::ipc::MAX_WORKERS;
use crate::logging;
use crate::master::{Crew, Forked};
use crate::net::Address;
use crate::py::environment;
use crate::py::fork::{self, Fork};
use crate::py::hooks::{self, Moment, Settings};
use crate::py::loader::{self, LoadError};
use crate::py::settings_file::{self, Objects};
use crate::py::signals;
use crate::sys;

/// Do the folders exist in which the pid file and unix sockets shall be?
fn check_folders(config: &Config) -> Result<(), String> {
    let sockets = config.bind.iter().filter_map(|text| match Address::parse(text) {
        Ok(Address::Unix(path)) if !Address::is_abstract(&path) => Some(("bind", path)),
        _ => None,
    });
    for (name, path) in config.pidfile.iter().map(|path| ("pidfile", path.clone())).chain(sockets) {
        let path = config.chdir.join(path);
        if !path.parent().is_none_or(Path::is_dir) {
            return Err(format!("the folder of {} (setting {name}) does not exist", path.display()));
        }
    }
    Ok(())
}

fn change_to(directory: &Path) -> Result<(), String> {
    std::env::set_current_dir(directory).map_err(|error| format!("can't chdir to '{}': {error}", directory.display()))
}

/// Settings as they were read.
pub(super) struct Load {
    config: Arc<Config>,
    layers: Layers,
    warnings: Vec<config::Warning>,
    /// As hooks see them.
    pub(super) settings: Settings,
}

/// Whom a new worker works for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Follows {
    /// The master, which lives.
    Master,
    /// The master had gone before the worker was ready to follow it.
    Nobody,
}

/// Where the settings come from, and what they have changed in this process.
pub(super) struct Site {
    pub(super) layers: Layers,
    /// How the process was started.
    origin: Origin,
    /// Is this a master beside the one that made it?
    pub(super) is_second: bool,
    /// What was read and not yet applied, the newest last: of reloads one may still be tried while the next is read.
    reads: Vec<Load>,
    /// What is in force.
    current: Option<Load>,
    /// What this has put on `sys.path`, the last one first there.
    inserted: Vec<PathBuf>,
    /// The application was found without being named: says where.
    found: Option<String>,
    /// Has a program that embeds the server been asked for its settings?
    has_asked: bool,
    /// Where the process works, once settings are applied.
    directory: Option<PathBuf>,
    warnings: Vec<config::Warning>,
    /// What variables of `raw_env` held before; `None` is unset.
    replaced: HashMap<String, Option<String>>,
    has_forked: bool,
    /// How many listening sockets a service manager has opened for this process.
    sockets: usize,
    /// The process that forks the workers.
    master: i32,
    /// What environment variables say, before anything was found out besides.
    environment: Raw,
}

impl Site {
    /// Errors: the interpreter's.
    pub(super) fn open(origin: Origin, layers: Layers) -> Result<Self, String> {
        environment::set_variable("SERVER_SOFTWARE", SERVER_SOFTWARE)?;
        Ok(Self {
            environment: layers.environment.clone(),
            layers,
            origin,
            is_second: false,
            reads: Vec::new(),
            current: None,
            inserted: Vec::new(),
            found: None,
            has_asked: false,
            directory: None,
            warnings: Vec::new(),
            replaced: HashMap::new(),
            has_forked: false,
            sockets: 0,
            master: process::id() as i32,
        })
    }

    /// Reads the settings: at start and at each reload. The settings file sees the directory of `chdir`, as far as the
    /// command line names one. Errors: everything that is wrong with a setting; nothing has changed then.
    pub(super) fn read(&mut self) -> Result<Arc<Config>, String> {
        let before =
            config::resolve(&without_file(&self.layers), self.origin.directory()).map_err(|error| error.to_string())?.0;
        self.take_out_paths();
        self.enter(&before.chdir)?;
        let (file, objects) = self.run_settings_file()?;
        let mut layers = Layers { file, environment: self.environment.clone(), ..self.layers.clone() };
        if let Some(file) = &before.paste {
            add_paste(&mut layers.environment, self.origin.directory(), file)?;
        }
        let start = self.origin.directory().to_owned();
        let resolve = |layers: &Layers| config::resolve(layers, &start).map_err(|error| error.to_string());
        let (mut config, mut warnings) = resolve(&layers)?;
        check_values(&config, &layers)?;
        self.enter(&config.chdir)?;
        if wanted(&config).is_none()
            && let Some((uri, path)) = hooks::django()
        {
            let source = Source::SettingsFile { path: path.clone(), line: None };
            layers.environment.push("wsgi_app", Value::Str(uri), source);
            (config, warnings) = resolve(&layers)?;
            self.found =
                Some(format!("Serving {}, which {path} names", config.wsgi_app.as_deref().unwrap_or_default()));
        }
        if config.workers_by_machine {
            config.workers = sys::processors().min(MAX_WORKERS);
        }
        privileges::number_accounts(&mut config, &layers)?;
        config.paste = config.paste.map(|file| self.origin.directory().join(file).display().to_string());
        let settings = hooks::settings(&config::effective(&config, &layers), &objects)?;
        let config = Arc::new(config);
        self.reads.push(Load { config: config.clone(), layers, warnings, settings });
        Ok(config)
    }

    /// Reads the settings, prints what becomes of each, and tries them. Errors: why they cannot be served.
    pub(super) fn examine(&mut self) -> Result<(), String> {
        let before =
            config::resolve(&without_file(&self.layers), self.origin.directory()).map_err(|error| error.to_string())?.0;
        self.enter(&before.chdir)?;
        let (file, _) = self.run_settings_file()?;
        let layers = Layers { file, ..self.layers.clone() };
        let mut is_refused = false;
        for finding in config::diagnose(&layers) {
            is_refused |= matches!(finding.judgement, config::Judgement::Refused(_));
            print(&finding.to_string());
        }
        if is_refused {
            return Err("something is refused".to_owned());
        }
        let config = self.read()?;
        self.keep()?;
        let wanted = wanted(&config).ok_or("no application is named")?;
        check_logs(&config)?;
        check_folders(&config)?;
        hooks::start(&self.load()?.settings, &wanted)?;
        match loader::load(&wanted) {
            Ok(_) => {}
            Err(LoadError::NotFound(text) | LoadError::Raised(text)) => return Err(text),
            Err(LoadError::Interrupted) => return Err("interrupted".to_owned()),
        }
        print("\nIt will run.");
        Ok(())
    }

    /// What is in force. Errors: nothing is yet.
    pub(super) fn load(&self) -> Result<&Load, String> {
        self.current.as_ref().ok_or_else(|| "no settings have been read".to_owned())
    }

    /// The settings, as hooks see them, that belong to `config`.
    pub(super) fn settings_of(&self, config: &Arc<Config>) -> Option<&Settings> {
        let loads = self.reads.iter().chain(&self.current);
        let own = loads.clone().find(|load| Arc::ptr_eq(&load.config, config));
        own.or(self.current.as_ref()).map(|load| &load.settings)
    }

    /// Applies what a process takes from settings: directory, paths, environment, logs.
    pub(super) fn apply(&mut self, config: &Config) -> Result<(), String> {
        self.take_out_paths();
        self.enter(&config.chdir)?;
        for directory in &config.pythonpath {
            self.insert_path(directory)?;
        }
        self.directory = Some(config.chdir.clone());
        self.set_variables(config)
    }

    /// Changes into `directory` and makes modules there importable, under the name that it was given: a link leads to what it
    /// leads to by then. Source: Gunicorn setting `chdir`.
    fn enter(&mut self, directory: &Path) -> Result<(), String> {
        change_to(directory)?;
        self.insert_path(directory)
    }

    fn insert_path(&mut self, directory: &Path) -> Result<(), String> {
        if environment::insert_path(directory)? {
            self.inserted.push(directory.to_owned());
        }
        Ok(())
    }

    /// Takes out of `sys.path` what this has put there: other settings bring their own.
    fn take_out_paths(&mut self) {
        for directory in self.inserted.drain(..) {
            environment::remove_path(&directory);
        }
    }

    /// The settings that were read last are those of this process.
    pub(super) fn keep(&mut self) -> Result<(), String> {
        let Some(load) = self.reads.pop() else { return Ok(()) };
        self.keep_load(load)
    }

    fn keep_load(&mut self, mut load: Load) -> Result<(), String> {
        self.reads.clear();
        self.layers = load.layers.clone();
        self.warnings = std::mem::take(&mut load.warnings);
        let config = load.config.clone();
        self.current = Some(load);
        self.apply(&config)
    }

    /// Ends with the master from here on. `false`: it has gone already.
    pub(super) fn follows_master(&self) -> bool {
        sys::end_with_parent(self.master)
    }

    /// In a worker that a mold has forked: waits for the moment at which it is the master's child. `false`: it will not be.
    pub(super) fn is_masters_child(&self) -> bool {
        sys::await_parent(self.master)
    }

    /// Becomes the process that will serve: from here on the pid is the master's.
    pub(super) fn settle_down(&mut self, config: &Config) -> Result<(), String> {
        // They are for the process that was started, which a daemon no longer is.
        self.take_sockets();
        if config.daemon {
            daemon::detach(config)?;
        }
        self.master = process::id() as i32;
        Ok(())
    }

    /// Takes note of the sockets that a service manager has opened for this process, and of nobody else's. What it says is
    /// taken out of the environment: it is not meant for subprocesses.
    ///
    /// Source: sd_listen_fds(3); Gunicorn.
    fn take_sockets(&mut self) {
        let number = |name: &str| environment::variable(name)?.parse::<usize>().ok();
        if number("LISTEN_PID") == Some(process::id() as usize) {
            self.sockets = number("LISTEN_FDS").unwrap_or(0);
            ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"].into_iter().for_each(environment::remove_variable);
        }
    }

    /// In a new worker, as its settings say who it is: becomes that, and follows the master's end from here on.
    ///
    /// Errors: it cannot.
    pub(super) fn become_worker(&self, config: &Config) -> Result<Follows, String> {
        privileges::drop_to(config)?;
        Ok(if self.follows_master() { Follows::Master } else { Follows::Nobody })
    }

    /// Shows the master's title.
    pub(super) fn show_title(&self, config: &Config) {
        sys::set_title(&title("master", config, if self.is_second { ".2" } else { "" }));
    }

    fn run_settings_file(&mut self) -> Result<(Raw, Objects), String> {
        let mut file = Raw::new();
        if loader::is_embedded() {
            let again = std::mem::replace(&mut self.has_asked, true);
            let read = settings_file::of_embedded(again).map_err(|error| error.to_string())?;
            for entry in read.entries {
                let source = Source::SettingsFile { path: "cfg.set".to_owned(), line: None };
                file.push(entry.name, entry.value, source);
            }
            return Ok((file, read.objects));
        }
        let named = self.layers.settings_file().map(str::to_owned);
        let found = || config::SETTINGS_FILES.into_iter().find(|name| Path::new(name).exists()).map(str::to_owned);
        let Some(location) = named.or_else(found) else { return Ok((file, Objects::none())) };
        let path = location.strip_prefix("file:").unwrap_or(&location);
        let extension = Path::new(path).extension().and_then(|extension| extension.to_str());
        if !location.starts_with("python:") && Path::new(path).exists() && !matches!(extension, Some("py" | "pyc")) {
            tell_stderr("!!!\n!!! WARNING: configuration file should have a valid Python extension.\n!!!\n");
        }
        let read = settings_file::run(&location).map_err(|error| match config::hint(path) {
            Some(hint) => format!("{error}\nhint: {hint}"),
            None => error.to_string(),
        })?;
        for entry in read.entries {
            file.push(entry.name, entry.value, Source::SettingsFile { path: path.to_owned(), line: entry.line });
        }
        Ok((file, read.objects))
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

    pub(super) fn report_warnings(&mut self) {
        if let Some(found) = self.found.take() {
            log::info!("{found}");
        }
        for warning in self.warnings.drain(..) {
            log::warn!("{warning}");
        }
    }
}

impl Crew for Site {
    fn starting(&mut self) -> Result<Option<usize>, String> {
        let started = hooks::moment(Moment::Starting);
        signals::forget_pythons_handlers();
        started.map(|()| hooks::wanted_workers())
    }

    fn sockets(&mut self) -> usize {
        self.sockets
    }

    fn ready(&mut self, descriptors: &[i32]) -> Result<(), String> {
        hooks::listening(descriptors);
        hooks::moment(Moment::Ready)
    }

    fn before_fork(&mut self, config: &Arc<Config>, id: u16) {
        if let Some(settings) = self.settings_of(config) {
            tell_hook("pre_fork", hooks::pre_fork(settings, id));
        }
    }

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

    fn before_order(&mut self, config: &Arc<Config>, id: u16) -> Vec<u8> {
        let Some(settings) = self.settings_of(config) else { return Vec::new() };
        let (known, hooked) = hooks::order(settings, id);
        tell_hook("pre_fork", hooked);
        known
    }

    fn ordered(&mut self, id: u16, pid: Option<i32>) {
        hooks::ordered(id, pid);
    }

    fn forked(&mut self, pid: Option<i32>) {
        hooks::forked(pid);
    }

    fn execute_anew(&mut self, descriptors: &[i32]) -> ! {
        if let Err(text) = hooks::moment(Moment::PreExec) {
            upgrade::fail(&text);
        }
        environment::flush_output();
        upgrade::fail(&self.origin.execute(self.master.cast_unsigned(), descriptors, self.sockets))
    }

    fn promoted(&mut self) {
        self.is_second = false;
        if let Ok(load) = self.load() {
            self.show_title(&load.config);
        }
    }

    fn ended(&mut self, pid: i32) {
        hooks::child_exit(pid);
    }

    fn resized(&mut self, new: usize, old: usize) {
        tell_hook("nworkers_changed", hooks::workers_changed(new, Some(old)));
    }

    fn try_settings(&mut self) -> Result<(), String> {
        let tried = self.read().and_then(|config| check_logs(&config));
        environment::flush_output();
        tried
    }

    fn reread(&mut self, workers: usize) -> Result<Arc<Config>, String> {
        let (paths, count) = (self.inserted.clone(), self.reads.len());
        let config = self.read().and_then(|config| match wanted(&config) {
            Some(_) => check_logs(&config).map(|()| config),
            None => Err("No application module specified.".to_owned()),
        });
        if let Some(directory) = &self.directory {
            change_to(directory)?;
        }
        match (&config, self.reads.last()) {
            (Ok(config), Some(load)) => {
                tell_hook("on_reload", hooks::reloaded(&load.settings, config.workers, workers));
            }
            _ => {
                self.reads.truncate(count);
                self.take_out_paths();
                for directory in &paths {
                    self.insert_path(directory)?;
                }
            }
        }
        config
    }

    fn adopt(&mut self, config: &Arc<Config>) {
        let Some(at) = self.reads.iter().position(|load| Arc::ptr_eq(&load.config, config)) else { return };
        let load = self.reads.swap_remove(at);
        let kept = self.keep_load(load);
        for done in [kept, start_logging(config), self.load().and_then(|load| hooks::adopt(&load.settings))] {
            if let Err(text) = done {
                log::error!("{text}");
            }
        }
        relay_logs(config);
        prepare_for_many(config);
        self.show_title(config);
        self.report_warnings();
    }

    fn reopen_logs(&mut self) {
        // What a rotation has moved is made anew here, so that the workers find a file that is theirs.
        if let Some(Err(text)) = self.current.as_ref().map(|load| check_logs(&load.config)) {
            log::error!("{text}");
        }
        if let Err(error) = logging::reopen() {
            log::error!("cannot reopen the error log: {error}");
        }
        hooks::reopen_logs();
    }

    fn tick(&mut self) {
        if self.current.as_ref().is_some_and(|load| load.config.enable_backlog_metric && load.config.logs_by_python) {
            hooks::measure_backlog();
        }
    }
}
