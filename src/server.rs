//! The only file that sees master, worker and Python together. It joins them: settings are loaded, the master runs, and
//! each process that it forks becomes a worker here.

mod daemon;
mod life;
mod mold;
mod privileges;
mod site;
mod upgrade;

use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use self::life::work;
use self::site::Site;
use self::upgrade::Origin;
use crate::config::{self, Config, Layers, Raw, Source, Value};
use crate::exit;
use crate::logging::{self, Destination, Stream, access};
use crate::master::{self, Ended};
use crate::net::Address;
use crate::py::hooks::{self, Moment};
use crate::py::loader::{self, LoadError, Wanted};
use crate::py::{interpreter, package, standin};
use crate::sys;
use crate::worker;

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
    with_python(invocation, serve_with_python)
}

/// Runs `work` with an interpreter that has the package and its stand-ins.
fn with_python(invocation: Invocation, work: impl FnOnce(Invocation) -> i32) -> i32 {
    let door = invocation.door;
    let started = match door {
        Door::Binary => {
            sys::crash_by_default();
            interpreter::start(invocation.python.as_deref(), &invocation.argv).and_then(|()| package::install())
        }
        Door::Wheel => Ok(()),
    };
    let code = match started.and_then(|()| standin::install()) {
        Ok(()) => work(invocation),
        Err(text) => {
            complain(&text);
            return exit::CONFIG;
        }
    };
    if door == Door::Binary {
        interpreter::end();
    }
    code
}

/// Loads settings and application, and says whether they can be served; `explains`: prints every setting, too.
pub fn check(invocation: Invocation, explains: bool) -> i32 {
    with_python(invocation, |invocation| {
        let mut layers = invocation.layers;
        let name = if explains { "print_config" } else { "check_config" };
        let source = Source::Flag { flag: "check".to_owned() };
        layers.command_line.push(name, Value::Bool(true), source);
        serve_with_python(Invocation { layers, ..invocation })
    })
}

/// Says what becomes here of settings that were made for Gunicorn. Returns 0 if they can be served.
pub fn doctor(invocation: Invocation) -> i32 {
    with_python(invocation, |invocation| {
        let origin = Origin::note(invocation.door, invocation.argv);
        let opened = origin.and_then(|origin| Site::open(origin, invocation.layers));
        let examined = opened.and_then(|mut site| site.examine());
        match examined {
            Ok(()) => exit::OK,
            Err(text) => {
                print(&format!("\nIt will not run: {text}"));
                exit::CONFIG
            }
        }
    })
}

fn serve_with_python(invocation: Invocation) -> i32 {
    let origin = Origin::note(invocation.door, invocation.argv);
    let mut site = match origin.and_then(|origin| Site::open(origin, invocation.layers)) {
        Ok(site) => site,
        Err(text) => {
            complain(&text);
            return exit::CONFIG;
        }
    };
    let config = match site.read() {
        Ok(config) => config,
        Err(text) => {
            complain(&text);
            return exit::CONFIG;
        }
    };
    let serves = wanted(&config).is_some() && !config.check_config && !config.print_config;
    let settled = if serves { site.settle_down(&config) } else { Ok(()) };
    if let Err(text) = settled.and_then(|()| site.keep()) {
        complain(&text);
        return exit::CONFIG;
    }
    if config.print_config {
        print(&config::print(&config, &site.layers));
    }
    let Some(wanted) = wanted(&config) else {
        complain("No application module specified.");
        return exit::CONFIG;
    };
    if config.check_config || config.print_config {
        return check_application(&wanted);
    }
    let started = check_logs(&config)
        .and_then(|()| start_logging(&config))
        .and_then(|()| hooks::start(&site.load()?.settings, &wanted));
    if let Err(text) = started {
        complain(&text);
        return exit::CONFIG;
    }
    relay_logs(&config);
    site.report_warnings();
    prepare_for_many(&config);
    privileges::report(&config);
    let heritage = match upgrade::heritage() {
        Ok(heritage) => heritage,
        Err(text) => {
            complain(&text);
            return exit::CONFIG;
        }
    };
    site.is_second = heritage.is_some();
    site.show_title(&config);
    if let Err(text) = hooks::workers_changed(config.workers, None) {
        complain(&text);
        return exit::CONFIG;
    }
    match master::run(&mut site, config, heritage) {
        Ended::Stopped(code) => {
            if code != exit::CONFIG && code != exit::UNHANDLED {
                tell_hook("on_exit", hooks::moment(Moment::Exit));
            }
            code
        }
        Ended::Born(born) => work(&mut site, *born, None),
        Ended::Mold(born) => mold::cast(&mut site, *born),
    }
}

/// A hook of the master that raises is no reason to stop serving.
fn tell_hook(name: &str, done: Result<(), String>) {
    if let Err(text) = done {
        log::error!("Exception in {name} hook\n{text}");
    }
}

/// Where the application comes from; `None`: nobody says.
fn wanted(config: &Config) -> Option<Wanted> {
    if loader::is_embedded() {
        return Some(Wanted::Embedded);
    }
    match &config.paste {
        Some(file) => Some(Wanted::Paste(file.clone(), config.raw_paste_global_conf.clone())),
        None => config.wsgi_app.clone().map(Wanted::Uri),
    }
}

fn without_file(layers: &Layers) -> Layers {
    Layers { file: Raw::new(), ..layers.clone() }
}

/// A PasteDeploy file that the command line names gives its own name to the processes, and may configure the logs.
fn add_paste(environment: &mut Raw, start: &Path, named: &str) -> Result<(), String> {
    let path = start.join(named.split('#').next().unwrap_or(named));
    let text = path.display().to_string();
    if !path.exists() {
        return Err(format!("'{text}' not found"));
    }
    let source = Source::SettingsFile { path: text.clone(), line: None };
    environment.push("default_proc_name", Value::Str(text.clone()), source.clone());
    if hooks::paste_configures_logs(&text)? {
        environment.push("logconfig", Value::Str(text), source);
    }
    Ok(())
}

/// Sends the error log through Python where the settings ask for it.
fn relay_logs(config: &Config) {
    let relay: logging::Relay = hooks::relay;
    logging::relay(config.logs_by_python.then(|| (relay, hooks::effective_level())));
}

/// What the settings room cannot judge: addresses, directories and the format of the access log.
fn check_values(config: &Config, layers: &Layers) -> Result<(), String> {
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
    if let Some(directory) = &config.worker_tmp_dir
        && !directory.is_dir()
    {
        let directory = directory.display();
        return Err(wrong("worker_tmp_dir", &format!("{directory} doesn't exist. Can't create workertmp.")));
    }
    for file in &config.reload_extra_files {
        if !file.contains(['*', '?', '[']) && !Path::new(file).exists() {
            return Err(wrong("reload_extra_files", &format!("File {file} does not exists.")));
        }
    }
    if config.logs_by_python {
        // A logger class may know more than the native log.
        return Ok(());
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
            let file = opened.map_err(|error| format!("cannot open {which} log {}: {error}", path.display()))?;
            privileges::give(&file, config);
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
fn title(role: &str, config: &Config, suffix: &str) -> String {
    let names = [&config.proc_name, &config.default_proc_name, &config.wsgi_app];
    let name = names.into_iter().find_map(|name| name.as_deref()).unwrap_or("indrik");
    format!("indrik: {role} [{name}{suffix}]")
}

/// Loads the application and says whether it can be served. Source: Gunicorn setting `check_config`.
fn check_application(wanted: &Wanted) -> i32 {
    match loader::load(wanted) {
        Ok(_) => exit::OK,
        Err(LoadError::NotFound(text) | LoadError::Raised(text)) => {
            tell_stderr(&format!("\nError while loading the application:\n\n{text}\n"));
            exit::CONFIG
        }
        Err(LoadError::Interrupted) => exit::OK,
    }
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
