"""What the server calls in its own life: settings in force, objects for hooks, the hooks themselves.

Every function here is called by indrik's native side, on the main thread of the master or of a worker, but for
``begin_request`` and ``end_request``, which run on the thread of the request.
"""

import logging
import os
import pickle
import re
import socket
import sys
import traceback
from datetime import timedelta

from gunicorn.arbiter import Arbiter
from gunicorn.config import Config
from gunicorn.http.message import Request
from gunicorn.http.wsgi import Response
from gunicorn.workers.gthread import ThreadWorker
from gunicorn.workers.sync import SyncWorker


class App:
    """What ``server.app`` is where no program has made one."""

    def __init__(self, cfg, load):
        self.cfg = cfg
        self.callable = None
        self.load = load

    def wsgi(self):
        """The application, imported by whoever asks first."""
        if self.callable is None:
            self.callable = self.load()
        return self.callable


class Life:
    """The master's server object, and in a worker that worker's."""

    def __init__(self):
        self.server = None
        self.worker = None
        self.log = None
        self.app = None
        # Workers that a mold was told to fork, by number.
        self.ordered = {}
        self.boot_pid = os.getpid()


life = Life()


def settings(values, objects, given):
    """An object of the settings that were read."""
    return Config._of(values, objects, given)


def start(cfg, app, load):
    """The settings are in force for the first time: makes the logger, and the objects that hooks get."""
    life.app = App(cfg, load) if app is None else app
    life.app.cfg = cfg
    life.server = Arbiter(life.app)
    life.log = life.server.log = cfg.logger_class(cfg)
    life.app.logger = life.log


def adopt(cfg):
    """Other settings are in force, after a reload. Returns what is wrong with their logging, if something is."""
    server = life.server
    before = server.log.cfg
    life.app.cfg = server.cfg = cfg
    server.timeout = cfg.timeout
    life.app.callable = None
    try:
        known = type(server.log)
        wanted = cfg.logger_class
        if wanted is known or (wanted.__module__, wanted.__qualname__) == (known.__module__, known.__qualname__):
            server.log.setup(cfg)
        else:
            life.log = server.log = life.app.logger = wanted(cfg)
    except Exception:
        text = traceback.format_exc()
        try:
            server.log.setup(before)
        except Exception:
            text += traceback.format_exc()
        server.log.cfg = cfg
        return f"reloading the logger configuration failed, keeping the previous one\n{text}"
    server.log.reopen_files()
    return None


def use(cfg):
    """In a worker whose generation's settings are not the master's yet."""
    if life.server.cfg is not cfg:
        return adopt(cfg)
    return None


def reopen():
    """USR1."""
    life.log.reopen_files()


def is_set(cfg, name):
    """Has somebody set this hook?"""
    return cfg._has_hook(name)


def paste_logs(file):
    """Does a PasteDeploy file configure Python's logging, too?"""
    from gunicorn.app.pasterapp import has_logging_config

    return has_logging_config(file)


def django():
    """The application of a Django project in the working directory: ``(URI, file that says so)``, or None.

    The project's code is read and not run.
    """
    try:
        with open("manage.py", encoding="utf-8") as file:
            manage = file.read()
    except OSError:
        return None
    named = re.search(r"DJANGO_SETTINGS_MODULE['\"]\s*,\s*['\"]([\w.]+)['\"]", manage)
    module = os.environ.get("DJANGO_SETTINGS_MODULE") or (named and named[1])
    if not module:
        return None
    stem = module.replace(".", "/")
    for path in (f"{stem}.py", f"{stem}/__init__.py"):
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                said = re.search(r"^WSGI_APPLICATION\s*=\s*['\"]([\w.]+)\.(\w+)['\"]", file.read(), re.MULTILINE)
            if said:
                return f"{said[1]}:{said[2]}", path
    package = module.partition(".")[0]
    if os.path.exists(f"{package}/wsgi.py"):
        return f"{package}.wsgi:application", "manage.py"
    return None


# The master's moments.


def nworkers_changed(new, old):
    server = life.server
    server._num_workers = new
    server.cfg.nworkers_changed(server, new, old)


def on_starting():
    life.server.pid = os.getpid()
    life.server.cfg.on_starting(life.server)


def listening(descriptors):
    """The listeners, as sockets of Python's that do not close the descriptors."""
    life.server.LISTENERS = [Listener(number) for number in descriptors]


class Listener:
    """A listening socket. It belongs to the server; this only looks at it."""

    def __init__(self, number):
        self._number = number

    def fileno(self):
        return self._number

    def getsockname(self):
        looked_at = socket.socket(fileno=os.dup(self._number))
        with looked_at:
            return looked_at.getsockname()

    @property
    def sock(self):
        return socket.socket(fileno=os.dup(self._number))

    def __str__(self):
        name = self.getsockname()
        if isinstance(name, tuple):
            return f"http://[{name[0]}]:{name[1]}" if ":" in name[0] else f"http://{name[0]}:{name[1]}"
        return f"unix:{name}"


def when_ready():
    life.server.cfg.when_ready(life.server)


def pre_fork(cfg, number):
    """Makes the object of the worker that is about to be forked."""
    server = life.server
    server.worker_age += 1
    worker = life.worker = new_worker(cfg, number, server.worker_age, os.getpid())
    cfg.pre_fork(server, worker)


def new_worker(cfg, number, age, master):
    kind = ThreadWorker if cfg.worker_class_str == "gthread" else SyncWorker
    server = life.server
    worker = kind(age, master, server.LISTENERS, life.app, server.timeout / 2, cfg, server.log)
    worker.id = number
    return worker


def order(cfg, number):
    """As ``pre_fork``, for a worker that a mold will fork.

    Returns what the worker must know, pickled: its age, and what the hook has made of its object.
    Second, the traceback of the hook, if it raised.
    """
    server = life.server
    server.worker_age += 1
    worker = life.ordered[number] = new_worker(cfg, number, server.worker_age, os.getpid())
    before = dict(vars(worker))
    failed = None
    try:
        cfg.pre_fork(server, worker)
    except Exception:
        failed = traceback.format_exc()
    kept = {}
    for name, value in vars(worker).items():
        if name in before and before[name] is value:
            continue
        try:
            kept[name] = pickle.dumps(value)
        except Exception as error:
            server.log.warning("worker.%s, set by pre_fork, cannot reach a preloaded worker: %s", name, error)
    return pickle.dumps((number, worker.age, os.getpid(), kept)), failed


def ordered(number, pid):
    """In the master: the mold has forked that worker, or has not (None)."""
    life.worker = life.ordered.pop(number, None)
    if pid is None or life.worker is None:
        life.worker = None
    else:
        forked(pid)


def reborn(cfg, known):
    """In a worker that a mold has forked: makes its object. ``known`` is what ``order`` has returned."""
    number, age, master, kept = pickle.loads(known)
    worker = life.worker = new_worker(cfg, number, age, master)
    for name, value in kept.items():
        setattr(worker, name, pickle.loads(value))


def forked(pid):
    """In the master: the worker lives."""
    server, worker = life.server, life.worker
    life.worker = None
    worker.pid = pid
    server.WORKERS[pid] = worker
    server._stats["workers_spawned"] += 1
    count_workers()


def count_workers():
    count = len(life.server.WORKERS)
    extra = {"metric": "gunicorn.workers", "value": count, "mtype": "gauge"}
    life.log.debug("%s workers", count, extra=extra)


def not_forked():
    life.worker = None


def child_exit(pid):
    server = life.server
    worker = server.WORKERS.pop(pid, None)
    if worker is not None:
        count_workers()
        worker.cfg.child_exit(server, worker)


def reloaded(cfg, new, old):
    """HUP has read the settings; they are in force when a worker has booted with them."""
    server = life.server
    server._stats["reloads"] += 1
    before, server.cfg = server.cfg, cfg
    try:
        cfg.nworkers_changed(server, new, old)
        cfg.on_reload(server)
    finally:
        server.cfg = before


def pre_exec():
    life.server.cfg.pre_exec(life.server)


def on_exit():
    life.server.cfg.on_exit(life.server)


def measure_backlog():
    """The longest of the queues of connections that wait to be accepted."""
    for listener in life.server.LISTENERS:
        with listener.sock as looked_at:
            if looked_at.family in (socket.AF_INET, socket.AF_INET6):
                # struct tcp_info: eight bytes, then tcpi_unacked is the fifth word.
                info = looked_at.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
                waiting = int.from_bytes(info[24:28], sys.byteorder)
                extra = {"metric": "gunicorn.backlog", "value": waiting, "mtype": "histogram"}
                life.log.info("", extra=extra)


# A worker's moments.


def post_fork():
    worker = life.worker
    worker.pid = os.getpid()
    worker.cfg.post_fork(life.server, worker)


def post_worker_init(application):
    worker = life.worker
    worker.wsgi = life.app.callable = application
    worker.cfg.post_worker_init(worker)
    worker.booted = True


def max_requests():
    """The limit at which the worker leaves, 0 for none."""
    limit = life.worker.max_requests
    return 0 if limit >= sys.maxsize else max(limit, 1)


def worker_int():
    worker = life.worker
    worker._alive = False
    worker.cfg.worker_int(worker)


def worker_abort():
    worker = life.worker
    worker._alive = False
    worker.aborted = True
    worker.cfg.worker_abort(worker)


def worker_exit(requests):
    """``requests``: how many the worker has answered."""
    worker = life.worker
    worker.nr = max(worker.nr, requests)
    worker.cfg.worker_exit(life.server, worker)


def watch_files():
    """Source: Gunicorn setting ``reload``."""
    from gunicorn.reloader import Reloader

    worker = life.worker

    def changed(file):
        worker.log.info("Worker reloading: %s modified", file)
        worker.alive = False
        worker.cfg.worker_int(worker)

    worker.log.warning("Reloader is on. Use in development only!")
    files = list(worker.cfg.reload_extra_files)
    # Of an application that could not be imported, the files that its traceback names.
    files += re.findall(r'File "([^"<]+)"', getattr(worker.wsgi, "message", ""))
    worker.reloader = Reloader(extra_files=files, callback=changed)
    worker.reloader.start()


# A request's moments.


def begin_request(method, uri, version, headers, scheme, number, peer, remote, proxied):
    """The objects of a request: ``(req, resp)``, after ``pre_request``."""
    worker = life.worker
    req = Request(method, uri, version, headers, scheme, number, peer, remote, proxied, worker.cfg)
    worker.cfg.pre_request(worker, req)
    worker._count()
    return req, Response(req, cfg=worker.cfg)


def amend(req, environ):
    req._amend(environ)


def end_request(req, resp, environ, outcome, seconds, logs):
    """The request is over: ``logs`` says whether its access line is written here."""
    worker = life.worker
    if environ is None:
        environ, resp = {}, None
    else:
        *answered, failed = outcome
        resp._note(*answered)
        if logs:
            log_access(req, resp, environ, failed, timedelta(seconds=seconds))
    try:
        worker.cfg.post_request(worker, req, environ, resp)
    except Exception:
        worker.log.exception("Exception in post_request hook")


def log_access(req, resp, environ, failed, duration):
    """The access line. ``failed``: the status of the server's own answer, where the application has given none."""
    log = life.worker.log
    if is_skipped(req.path):
        return
    if failed is not None:
        from http import HTTPStatus

        resp = Response(req, cfg=resp.cfg)
        resp._note(f"{failed} {HTTPStatus(failed).phrase}", [], 0, True)
    try:
        log.access(resp, req, environ, duration)
    except Exception:
        log.exception("Exception in the logger class")


def is_skipped(path):
    """Is it one of the paths that the access log leaves out?"""
    return path.startswith(tuple(life.worker.cfg.access_log_skip))


def log_own_answer(line, path, headers, remote, status, sent, seconds):
    """The access line of an answer that the server gave without the application. ``line``: method, target, protocol."""
    from http import HTTPStatus

    method, uri, protocol = line
    worker = life.worker
    if is_skipped(path):
        return
    version = tuple(int(digit) for digit in protocol.removeprefix("HTTP/").split("."))
    req = Request(method, uri, version, headers, "http", 0, None, None, None, worker.cfg)
    resp = Response(req, cfg=worker.cfg)
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Client Closed Request"
    resp._note(f"{status} {phrase}", [], sent, True)
    environ = {
        "REQUEST_METHOD": method,
        "RAW_URI": uri,
        "PATH_INFO": path,
        "QUERY_STRING": req.query,
        "SERVER_PROTOCOL": protocol,
        "REMOTE_ADDR": remote,
    }
    for name, value in headers:
        name = name.replace("-", "_")
        environ[name if name in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{name}"] = value
    worker.log.access(resp, req, environ, timedelta(seconds=seconds))


# The logs.


def log(level, text):
    """A line of the server's own, through Python's logging."""
    write = getattr(life.log, level.lower(), life.log.info)
    write("%s", text)


def effective_level():
    """The level below which nothing of the error log is written."""
    return life.log.error_log.getEffectiveLevel()


def snapshot():
    """What the two loggers look like, to be compared later."""
    return {name: _look(logging.getLogger(name)) for name in ("gunicorn.error", "gunicorn.access")}


def _look(logger):
    handlers = [(handler, handler.level, tuple(handler.filters), handler.formatter) for handler in logger.handlers]
    return handlers, list(logger.filters), logger.level, logger.propagate, logger.disabled


def differences(before):
    """Names of the loggers that somebody has changed since ``before``: ``error``, ``access``."""
    after = snapshot()
    return [name.rpartition(".")[2] for name, look in before.items() if look != after[name]]
