# wait: timeout
def _note(text):
    with open("hooks.txt", "a") as file:
        file.write(text + "\n")


bind = "127.0.0.1:0"


def on_starting(server):
    server.cfg.set("timeout", 44)
    server.cfg.set("max_requests", "7")


def post_worker_init(worker):
    _note(f"timeout {worker.cfg.timeout} {worker.timeout} {worker.cfg.max_requests}")
