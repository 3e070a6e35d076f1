//! What is served, where, and by how many processes and threads.
//!
//! A part of the table of settings.

use super::{BLANK, COUNT, Preset, Setting, Verdict};
use crate::config::kind::Kind;

/// Seats of the scoreboard that the workers of a server share.
const MOST_WORKERS: i64 = 1024;

/// Places for threads in one seat of the scoreboard.
const MOST_THREADS: i64 = 256;

/// listen(2) takes a C int.
const MOST_BACKLOG: i64 = i32::MAX as i64;

/// Section by section.
pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        name: "config",
        section: "Settings file",
        short: Some('c'),
        long: Some("config"),
        metavar: "FILE",
        default_note: "`./indrik.conf.py`, else `./gunicorn.conf.py`, if there is one",
        help: "Settings file to run: PATH, file:PATH or python:MODULE.",
        more: "Counts only on the command line and in `INDRIK_CMD_ARGS` or `GUNICORN_CMD_ARGS`; in a settings file it has \
               no effect.",
        verdict: Verdict::Adapted("`indrik.conf.py` is looked for before `gunicorn.conf.py`"),
        ..BLANK
    },
    Setting {
        name: "wsgi_app",
        section: "Settings file",
        help: "The application, MODULE:NAME, when the command line names none.",
        more: "Without `:NAME` the name is `application`.",
        ..BLANK
    },
    Setting {
        name: "bind",
        section: "Server socket",
        short: Some('b'),
        long: Some("bind"),
        metavar: "ADDRESS",
        kind: Kind::Addresses,
        default: Preset::List(&["127.0.0.1:8000"]),
        default_note: "`0.0.0.0:$PORT` if the environment has `PORT`",
        help: "Address to listen at: HOST, HOST:PORT, :PORT, [IPV6]:PORT, unix:PATH or fd://N; may be repeated.",
        more: "A settings file gives one text or a list; a comma does not separate. `fd://N` is a socket that was open when the \
               server was started; other addresses may stand beside it. A list on the command line takes the \
               place of the one in the settings file.",
        ..BLANK
    },
    Setting {
        name: "backlog",
        section: "Server socket",
        long: Some("backlog"),
        metavar: "INT",
        kind: Kind::Int { least: 0, most: MOST_BACKLOG },
        default: Preset::Int(2048),
        unit: "connections",
        help: "Connections that may wait to be accepted.",
        more: "The kernel cuts it to `net.core.somaxconn`.",
        ..BLANK
    },
    Setting {
        name: "workers",
        section: "Workers",
        short: Some('w'),
        long: Some("workers"),
        metavar: "COUNT",
        kind: Kind::Workers { most: MOST_WORKERS },
        default: Preset::Int(1),
        default_note: "`$WEB_CONCURRENCY` if the environment has it",
        unit: "processes",
        help: "Worker processes that handle requests.",
        more: "`auto` is one for each processor that the process may use, by its affinity and by the limits of its control groups, so \
               that a container with two processors has two workers on any machine; so is `WEB_CONCURRENCY=auto`. The signals TTIN \
               and TTOU change the number while the server runs; HUP brings it back.",
        ..BLANK
    },
    Setting {
        name: "worker_class",
        section: "Workers",
        short: Some('k'),
        long: Some("worker-class"),
        metavar: "CLASS",
        kind: Kind::WorkerClass,
        default: Preset::Text("sync"),
        help: "Kind of worker: sync (one thread) or gthread (several).",
        more: "The dotted names of Gunicorn's two classes mean the same. `sync` with more than one thread is `gthread`.",
        verdict: Verdict::Adapted("other classes are refused with a line that names the way out"),
        ..BLANK
    },
    Setting {
        name: "threads",
        section: "Workers",
        long: Some("threads"),
        metavar: "INT",
        kind: Kind::Int { least: 0, most: MOST_THREADS },
        default: Preset::Int(1),
        unit: "threads per worker",
        help: "Threads of each worker that run the application.",
        ..BLANK
    },
    Setting {
        name: "worker_connections",
        section: "Workers",
        long: Some("worker-connections"),
        metavar: "INT",
        kind: Kind::Int { least: 1, most: i64::MAX },
        default: Preset::Int(1000),
        unit: "connections per worker",
        help: "Connections that one worker holds open at most.",
        verdict: Verdict::Adapted("holds for every kind of worker"),
        ..BLANK
    },
    Setting {
        name: "max_requests",
        section: "Workers",
        long: Some("max-requests"),
        metavar: "INT",
        kind: COUNT,
        default: Preset::Int(0),
        unit: "requests",
        help: "Requests after which a worker is replaced; 0: never.",
        ..BLANK
    },
    Setting {
        name: "max_requests_jitter",
        section: "Workers",
        long: Some("max-requests-jitter"),
        metavar: "INT",
        kind: COUNT,
        default: Preset::Int(0),
        unit: "requests",
        help: "Adds 0 to INT requests, drawn per worker, to max_requests.",
        more: "So workers that started together are not replaced together.",
        ..BLANK
    },
    Setting {
        name: "timeout",
        section: "Workers",
        short: Some('t'),
        long: Some("timeout"),
        metavar: "SECONDS",
        kind: Kind::Seconds { least: 0 },
        default: Preset::Int(30),
        unit: "seconds",
        help: "A worker silent for longer is killed and replaced; 0: never.",
        verdict: Verdict::Adapted("a client that is slow to send or to read does not count"),
        ..BLANK
    },
    Setting {
        name: "request_timeout",
        section: "Workers",
        long: Some("request-timeout"),
        metavar: "SECONDS",
        kind: Kind::Seconds { least: 0 },
        default: Preset::Int(0),
        default_note: "`timeout` with one thread, none with several",
        unit: "seconds",
        help: "Time in the application after which a request is given up; 0: never.",
        more: "Its client gets 504, or a cut connection if the answer has begun; the log gets the request line and the \
               Python stacks; the worker finishes its other requests and is replaced. Time in which the client is slow \
               does not count, nor that of a connection that the application has taken over.",
        verdict: Verdict::New,
        ..BLANK
    },
    Setting {
        name: "request_interrupt",
        section: "Workers",
        long: Some("request-interrupt"),
        kind: Kind::Bool,
        default: Preset::Off,
        help: "Raise indrik.RequestTimeout in a request before it is given up.",
        more: "A request that ends within 2 seconds keeps its worker. Python can raise it only between two of its \
               instructions, not inside a call of a C library.",
        verdict: Verdict::New,
        ..BLANK
    },
    Setting {
        name: "queue_timeout",
        section: "Workers",
        long: Some("queue-timeout"),
        metavar: "SECONDS",
        kind: Kind::Seconds { least: 0 },
        default: Preset::Int(0),
        unit: "seconds",
        help: "Time that a request may wait for a thread before it is answered with 503; 0: any.",
        more: "The answer says `Retry-After`. The application is not called.",
        verdict: Verdict::New,
        ..BLANK
    },
    Setting {
        name: "graceful_timeout",
        section: "Workers",
        long: Some("graceful-timeout"),
        metavar: "SECONDS",
        kind: Kind::Seconds { least: 0 },
        default: Preset::Int(30),
        unit: "seconds",
        help: "Time for running requests when a worker stops.",
        more: "What has not finished by then is killed; 0 kills at once.",
        ..BLANK
    },
    Setting {
        name: "boot_timeout",
        section: "Workers",
        long: Some("boot-timeout"),
        metavar: "SECONDS",
        kind: Kind::Seconds { least: 1 },
        default: Preset::Int(300),
        unit: "seconds",
        help: "Time for a worker to load the application.",
        more: "One that takes longer is killed. While a reload is tried, this ends the reload: the old workers serve on. \
               `timeout` does not count during the boot. A settings file that is read again has as long.",
        verdict: Verdict::New,
        ..BLANK
    },
    Setting {
        name: "reload_surge",
        section: "Workers",
        long: Some("reload-surge"),
        metavar: "INT",
        kind: Kind::Int { least: 1, most: MOST_WORKERS },
        default: Preset::Int(1),
        unit: "processes",
        help: "Workers that a reload boots at once beside those that serve.",
        more: "A reload first boots one new worker; once it serves, the others follow, as many at a time as this, each ready \
               before its predecessor drains. Those that drain do not count: no slow client holds up a reload.",
        verdict: Verdict::New,
        ..BLANK
    },
    Setting {
        name: "shutdown_delay",
        section: "Workers",
        long: Some("shutdown-delay"),
        metavar: "SECONDS",
        kind: Kind::Seconds { least: 0 },
        default: Preset::Int(0),
        unit: "seconds",
        help: "Time to serve on after TERM before the workers drain.",
        more: "For load balancers that go on sending requests for a while. A second TERM cuts it short.",
        verdict: Verdict::New,
        ..BLANK
    },
    Setting {
        name: "max_worker_lifetime",
        section: "Workers",
        long: Some("max-worker-lifetime"),
        metavar: "SECONDS",
        kind: Kind::Seconds { least: 0 },
        default: Preset::Int(0),
        unit: "seconds",
        help: "Time after which a worker is replaced; 0: never.",
        more: "Its successor is ready before it drains, and no more than a tenth of the workers are replaced at once.",
        verdict: Verdict::New,
        ..BLANK
    },
    Setting {
        name: "max_worker_lifetime_jitter",
        section: "Workers",
        long: Some("max-worker-lifetime-jitter"),
        metavar: "SECONDS",
        kind: Kind::Seconds { least: 0 },
        default: Preset::Int(0),
        unit: "seconds",
        help: "Spreads the ends of max_worker_lifetime over this time.",
        verdict: Verdict::New,
        ..BLANK
    },
    Setting {
        name: "max_worker_memory",
        section: "Workers",
        long: Some("max-worker-memory"),
        metavar: "MIB",
        kind: COUNT,
        default: Preset::Int(0),
        unit: "MiB",
        help: "Resident memory above which a worker is replaced; 0: any.",
        more: "Looked at about once a second; replaced as by `max_worker_lifetime`. Pages that workers share, as with \
               `preload_app`, count in each.",
        verdict: Verdict::New,
        ..BLANK
    },
    Setting {
        name: "keepalive",
        section: "Workers",
        long: Some("keep-alive"),
        metavar: "SECONDS",
        kind: Kind::Seconds { least: 0 },
        default: Preset::Int(75),
        unit: "seconds",
        help: "Time that an idle connection stays open for the next request.",
        more: "0 closes after each answer. Keep it above the idle timeout of the proxy in front, usually 60 seconds: the \
               side that closes first should be the proxy.",
        verdict: Verdict::Adapted("the default is 75, where Gunicorn has 2; holds for `sync` as well"),
        ..BLANK
    },
];
