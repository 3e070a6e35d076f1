import os


def _note(text):
    with open("hooks.txt", "a") as file:
        file.write(text + "\n")


# get: /os?APP_WORKER_ID
bind = "127.0.0.1:0"
workers = 2


def nworkers_changed(server, new_value, old_value):
    server._worker_id_current_worker_count = new_value


def _next(server):
    in_use = {worker._worker_id for worker in tuple(server.WORKERS.values()) if worker.alive}
    return next(number for number in range(10) if number not in in_use)


def on_starting(server):
    server._worker_id_overload = set()


def pre_fork(server, worker):
    worker._worker_id = _next(server)
    _note(f"slot {worker._worker_id}")


def post_fork(server, worker):
    os.environ["APP_WORKER_ID"] = "set"


def child_exit(server, worker):
    _note(f"free {worker._worker_id in (0, 1)}")
