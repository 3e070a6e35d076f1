//! Functions of a settings file that the server calls.
//!
//! A part of the table of settings.

use super::{BLANK, Preset, Setting, Verdict};
use crate::config::kind::Kind;

const SERVER: Kind = Kind::Hook { arities: &[1] };
const SERVER_AND_WORKER: Kind = Kind::Hook { arities: &[2] };

const fn hook(name: &'static str, kind: Kind, unset: &'static str, help: &'static str, more: &'static str) -> Setting {
    Setting { name, section: "Hooks", kind, default: Preset::Hook(unset), help, more, ..BLANK }
}

const DIRTY: &str = "there are no dirty workers; run such tasks in a task queue";

const fn dirty(name: &'static str, kind: Kind, unset: &'static str, help: &'static str) -> Setting {
    Setting { verdict: Verdict::Refused(DIRTY), ..hook(name, kind, unset, help, "") }
}

/// In the order of a server's life.
pub(super) const SETTINGS: &[Setting] = &[
    hook(
        "on_starting",
        SERVER,
        "OnStarting.on_starting",
        "Called in the master before it listens: on_starting(server).",
        "An exception ends the program with exit code 1.",
    ),
    hook(
        "on_reload",
        SERVER,
        "OnReload.on_reload",
        "Called in the master when HUP has read the settings again: on_reload(server).",
        "",
    ),
    hook(
        "when_ready",
        SERVER,
        "WhenReady.when_ready",
        "Called in the master when it listens, before the first worker is forked: when_ready(server).",
        "An exception ends the program with exit code 1.",
    ),
    hook(
        "pre_fork",
        SERVER_AND_WORKER,
        "Prefork.pre_fork",
        "Called in the master before a worker is forked: pre_fork(server, worker).",
        "`worker.pid` is `\"[booting]\"`.",
    ),
    hook(
        "post_fork",
        SERVER_AND_WORKER,
        "Postfork.post_fork",
        "Called in a new worker before the application is imported: post_fork(server, worker).",
        "",
    ),
    hook(
        "post_worker_init",
        SERVER,
        "PostWorkerInit.post_worker_init",
        "Called in a worker when the application is imported: post_worker_init(worker).",
        "",
    ),
    hook(
        "worker_int",
        SERVER,
        "WorkerInt.worker_int",
        "Called in a worker that is told to leave at once: worker_int(worker).",
        "By SIGINT or SIGQUIT, on the main thread.",
    ),
    hook(
        "worker_abort",
        SERVER,
        "WorkerAbort.worker_abort",
        "Called in a worker that the master has given up: worker_abort(worker).",
        "By SIGABRT, on the main thread. With one thread an exception that it raises comes up in the running request.",
    ),
    hook(
        "pre_exec",
        SERVER,
        "PreExec.pre_exec",
        "Called in the child that becomes the new master, before exec: pre_exec(server).",
        "By USR2.",
    ),
    hook(
        "pre_request",
        SERVER_AND_WORKER,
        "PreRequest.pre_request",
        "Called in a worker before a request is handed to the application: pre_request(worker, req).",
        "What it changes in `req.headers` and `req.scheme` is in the environ. An exception is answered with 500.",
    ),
    hook(
        "post_request",
        Kind::Hook { arities: &[4, 3, 2] },
        "PostRequest.post_request",
        "Called in a worker after a request: post_request(worker, req, environ, resp).",
        "It may leave out the last argument, or the last two.",
    ),
    hook(
        "child_exit",
        SERVER_AND_WORKER,
        "ChildExit.child_exit",
        "Called in the master after a worker has ended: child_exit(server, worker).",
        "",
    ),
    hook(
        "worker_exit",
        SERVER_AND_WORKER,
        "WorkerExit.worker_exit",
        "Called in a worker that is about to leave: worker_exit(server, worker).",
        "",
    ),
    hook(
        "nworkers_changed",
        Kind::Hook { arities: &[3] },
        "NumWorkersChanged.nworkers_changed",
        "Called in the master when the number of workers is set: nworkers_changed(server, new_value, old_value).",
        "At start the old value is `None`.",
    ),
    hook("on_exit", SERVER, "OnExit.on_exit", "Called in the master as its last act: on_exit(server).", ""),
    dirty(
        "on_dirty_starting",
        SERVER,
        "OnDirtyStarting.on_dirty_starting",
        "Gunicorn calls it before its dirty workers are started.",
    ),
    dirty(
        "dirty_post_fork",
        SERVER_AND_WORKER,
        "DirtyPostFork.dirty_post_fork",
        "Gunicorn calls it in a new dirty worker.",
    ),
    dirty(
        "dirty_worker_init",
        SERVER,
        "DirtyWorkerInit.dirty_worker_init",
        "Gunicorn calls it in a dirty worker that has loaded its applications.",
    ),
    dirty(
        "dirty_worker_exit",
        SERVER_AND_WORKER,
        "DirtyWorkerExit.dirty_worker_exit",
        "Gunicorn calls it in a dirty worker that is about to leave.",
    ),
];
