//! The settings as meant: checked, in the types that the rooms work with, and immutable.
//!
//! Made by `resolve` only; every other room reads it.

use std::path::PathBuf;
use std::time::Duration;

use super::choice::{Account, ClientIpHeader, HeaderMap, ProxyProtocol};
use super::peers::Peers;

/// What the server shall do. One per load of the settings.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Settings file that the operator named, if any: a path, `file:PATH` or `python:MODULE`.
    pub config: Option<String>,
    /// The application, `MODULE` or `MODULE:NAME`. `None`: nobody named one.
    pub wsgi_app: Option<String>,
    /// Addresses to listen at, unparsed; never empty.
    pub bind: Vec<String>,
    /// Connections that may wait to be accepted; fits a C int.
    pub backlog: u32,
    /// Worker processes; 0 to 1024. Where the machine says how many, 1 as long as nobody has asked it.
    pub workers: usize,
    /// The machine says how many workers there are.
    pub workers_by_machine: bool,
    /// As meant: `sync` with more than one thread is [`WorkerClass::Gthread`].
    pub worker_class: WorkerClass,
    /// Application threads per worker; 1 to 256, and 1 for [`WorkerClass::Sync`].
    pub threads: usize,
    /// Open connections per worker at most.
    pub worker_connections: usize,
    /// Requests after which a worker is replaced; 0: never.
    pub max_requests: u64,
    /// Most requests that chance adds to `max_requests`.
    pub max_requests_jitter: u64,
    /// Silence after which a worker is killed; `None`: never.
    pub timeout: Option<Duration>,
    /// Time in the application after which a request is given up, `timeout` standing in for one thread; `None`: never.
    pub request_timeout: Option<Duration>,
    /// Interrupt a request before it is given up.
    pub request_interrupt: bool,
    /// Time that a complete request may wait for a thread; `None`: any.
    pub queue_timeout: Option<Duration>,
    /// Time for running requests when a worker stops.
    pub graceful_timeout: Duration,
    /// Time for a worker to boot; at least 1 s.
    pub boot_timeout: Duration,
    /// Workers that a reload boots at once beside those that serve; at least 1.
    pub reload_surge: usize,
    /// Time to serve on after TERM.
    pub shutdown_delay: Duration,
    /// Time after which a worker is replaced; `None`: never.
    pub max_worker_lifetime: Option<Duration>,
    /// Time over which the ends of `max_worker_lifetime` are spread.
    pub max_worker_lifetime_jitter: Duration,
    /// Resident memory above which a worker is replaced, in MiB; `None`: any.
    pub max_worker_memory: Option<u64>,
    /// Time that an idle connection stays open; zero: closed after each answer.
    pub keepalive: Duration,
    /// Directory to work in; absolute. Nobody has looked whether it exists.
    pub chdir: PathBuf,
    /// Directories for `sys.path`, absolute, in the order they were given.
    pub pythonpath: Vec<PathBuf>,
    /// Environment variables for the application, in order; of two with one name the later counts.
    pub raw_env: Vec<(String, String)>,
    /// File for the master's pid; absolute.
    pub pidfile: Option<PathBuf>,
    /// Access log: a path, relative to `chdir`, or `-` for standard output. `None`: no access log.
    pub accesslog: Option<String>,
    /// Format of the access log, unparsed.
    pub access_log_format: String,
    /// Beginnings of paths that the access log leaves out.
    pub access_log_skip: Vec<String>,
    /// Error log: a path, relative to `chdir`, or `-` for standard error.
    pub errorlog: String,
    /// Least level of the error log.
    pub loglevel: Level,
    /// Longest request line, in bytes; 1 to 65536.
    pub limit_request_line: usize,
    /// Most header fields of a request; 1 to 32768.
    pub limit_request_fields: usize,
    /// Longest header field, in bytes; at least 1.
    pub limit_request_field_size: usize,
    /// Check settings and application, then exit.
    pub check_config: bool,
    /// Print the settings, then do as `check_config`.
    pub print_config: bool,
    /// Name for the process titles. `None`: the application's.
    pub proc_name: Option<String>,
    /// Load the application once for all workers of a generation.
    pub preload_app: bool,
    /// Largest request body that is received into memory, in bytes; a larger one goes to a file.
    pub body_memory: u64,
    /// Time for a request's head to arrive whole; at least 1 s.
    pub header_timeout: Duration,
    /// Time without any byte of a request's body; at least 1 s.
    pub body_timeout: Duration,
    /// Time in which a client takes no byte of its answer; at least 1 s.
    pub write_timeout: Duration,
    /// Least mean pace of a request's body, in bytes per second; 0: any.
    pub body_min_rate: u64,
    /// Receive the body before the application is called.
    pub request_buffering: bool,
    /// What all buffered bodies of a worker may take of its memory, in bytes.
    pub buffer_memory: u64,
    /// Directory for bodies and answers that do not stay in memory; absolute. Nobody has looked whether it exists.
    pub tmp_upload_dir: PathBuf,
    /// Bytes of one answer that wait in memory for the client; at least 64 KiB.
    pub response_high_water: usize,
    /// Bytes of one answer that wait in a file for the client; 0: none.
    pub response_spool: u64,
    /// Send files by sendfile(2).
    pub sendfile: bool,
    /// Largest request body, in bytes; `None`: any.
    pub limit_request_body: Option<u64>,
    /// What becomes of header fields with `_` in their name.
    pub header_map: HeaderMap,
    /// Take header fields that go over several lines.
    pub permit_obsolete_folding: bool,
    /// Take blanks between the name of a header field and its colon.
    pub strip_header_spaces: bool,
    /// Take every method that is a token.
    pub permit_unconventional_http_method: bool,
    /// Take versions other than HTTP/1.x.
    pub permit_unconventional_http_version: bool,
    /// Turn methods to upper case.
    pub casefold_http_method: bool,
    /// Peers whose `secure_scheme_headers` and `forwarder_headers` are believed; always those on unix sockets.
    pub forwarded_allow_ips: Peers,
    /// Header fields that tell the scheme, upper case, each once, and the value of each that means https.
    pub secure_scheme_headers: Vec<(String, String)>,
    /// Header fields with `_` that pass from believed peers, upper case; `*` stands for all.
    pub forwarder_headers: Vec<String>,
    /// Peers that name the client in `client_ip_header`.
    pub trusted_proxies: Peers,
    /// The header field in which they do.
    pub client_ip_header: ClientIpHeader,
    /// PROXY headers that are read.
    pub proxy_protocol: ProxyProtocol,
    /// Peers that may send one; always those on unix sockets.
    pub proxy_allow_ips: Peers,
    /// Go on in the background, as a daemon.
    pub daemon: bool,
    /// A daemon keeps standard output and error.
    pub enable_stdio_inheritance: bool,
    /// Listen at ports that others listen at, too.
    pub reuse_port: bool,
    /// User of the workers. `None`: the master's.
    pub user: Option<Account>,
    /// Group of the workers. `None`: the master's.
    pub group: Option<Account>,
    /// The workers get all groups of their user.
    pub initgroups: bool,
    /// Permissions that unix sockets lack.
    pub umask: u32,
    /// Permissions of unix sockets. `None`: `umask` says it.
    pub unix_socket_mode: Option<u32>,
    /// Owner of unix sockets, `user` standing in. `None`: who makes them.
    pub unix_socket_user: Option<Account>,
    /// Group of unix sockets, `group` standing in. `None`: that of who makes them.
    pub unix_socket_group: Option<Account>,
    /// Must be a directory, and has no other effect.
    pub worker_tmp_dir: Option<PathBuf>,
    /// Replace the workers when a file of the application changes.
    pub reload: bool,
    /// Files that are watched besides the application's, as written; patterns among them.
    pub reload_extra_files: Vec<String>,
    /// What the application prints goes to the error log, where that is a file.
    pub capture_output: bool,
    /// The logs take their way through Python: a logger class, a configuration of Python's logging, syslog or statsd is
    /// asked for.
    pub logs_by_python: bool,
    /// Measure how many connections wait to be accepted.
    pub enable_backlog_metric: bool,
    /// Name of the processes where neither `proc_name` nor the application gives one.
    pub default_proc_name: Option<String>,
    /// PasteDeploy file, `FILE` or `FILE#NAME`, that the application is loaded from.
    pub paste: Option<String>,
    /// Its global variables, `KEY=VALUE`.
    pub raw_paste_global_conf: Vec<String>,
}

/// Kind of worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkerClass {
    /// The application runs on the worker's main thread.
    Sync,
    /// The application runs on `threads` threads.
    Gthread,
}

impl WorkerClass {
    /// Gunicorn's short name of it.
    pub fn name(&self) -> &'static str {
        match self {
            WorkerClass::Sync => "sync",
            WorkerClass::Gthread => "gthread",
        }
    }
}

/// Levels of the error log, from the chattiest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Everything.
    Debug,
    /// What happens in normal operation.
    Info,
    /// What somebody should look at.
    Warning,
    /// What went wrong.
    Error,
    /// What takes the server or a worker down.
    Critical,
}

impl Level {
    /// The level of that name, in any case; `None` for all others.
    pub(super) fn named(name: &str) -> Option<Self> {
        [Level::Debug, Level::Info, Level::Warning, Level::Error, Level::Critical]
            .into_iter()
            .find(|level| level.name().eq_ignore_ascii_case(name))
    }

    /// Its name in lower case, as `loglevel` takes it.
    pub fn name(&self) -> &'static str {
        match self {
            Level::Debug => "debug",
            Level::Info => "info",
            Level::Warning => "warning",
            Level::Error => "error",
            Level::Critical => "critical",
        }
    }
}
