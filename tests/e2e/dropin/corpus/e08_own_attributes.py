# wait: hello 1 None
def _note(text):
    with open("hooks.txt", "a") as file:
        file.write(text + "\n")


bind = ["127.0.0.1:0"]


def on_starting(server):
    server.hello = "hello"
    server.count = 0


def pre_fork(server, worker):
    server.count += 1
    worker.slot = server.count


def post_fork(server, worker):
    server.log.info("Worker spawned (slot: %s)", worker.slot)
    _note(f"{server.hello} {worker.slot} {getattr(worker, 'nothing', None)} {str(worker).startswith('<Worker ')}")


def child_exit(server, worker):
    _note(f"slot {worker.slot} {worker.pid in server.WORKERS} {len(server.WORKERS)}")
