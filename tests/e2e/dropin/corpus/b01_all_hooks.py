import os


def _note(text):
    with open("hooks.txt", "a") as file:
        file.write(text + "\n")


# get: / /environ
bind = "127.0.0.1:0"
_master = os.getpid()


def _where():
    return "master" if os.getpid() == _master else "worker"


def nworkers_changed(server, new, old):
    _note(f"nworkers_changed {new} {old} {_where()}")


def on_starting(server):
    _note(f"on_starting {_where()} {server.pid == os.getpid()} {server.LISTENERS} {len(server.address)}")


def when_ready(server):
    _note(f"when_ready {_where()} {len(server.LISTENERS)} {server.LISTENERS[0].getsockname()[0]} {server.WORKERS}")


def pre_fork(server, worker):
    _note(f"pre_fork {_where()} {worker.pid} {worker.age} {worker} {server.WORKERS}")
    worker._own = "kept"


def post_fork(server, worker):
    _note(
        f"post_fork {_where()} {worker.pid == os.getpid()} {worker._own} {worker.wsgi if hasattr(worker, 'wsgi') else None}"
    )


def post_worker_init(worker):
    _note(f"post_worker_init {_where()} {callable(worker.wsgi)} {worker.booted}")


def pre_request(worker, req):
    req.own = 7
    _note(f"pre_request {_where()} {req.method} {req.uri} {req.path} {req.query} {req.version} {worker.nr}")


def post_request(worker, req, environ, resp):
    _note(f"post_request {req.own} {environ['PATH_INFO']} {resp.status} {resp.status_code} {resp.sent} {resp.headers}")


def worker_exit(server, worker):
    _note(f"worker_exit {_where()} {worker.pid == os.getpid()}")


def child_exit(server, worker):
    _note(f"child_exit {_where()} {worker._own} {worker.pid in server.WORKERS} {type(worker.pid).__name__}")


def on_exit(server):
    _note(f"on_exit {_where()} {server.WORKERS}")
