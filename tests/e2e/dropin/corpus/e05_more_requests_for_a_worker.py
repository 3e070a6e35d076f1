# get: / / / / /
# wait: left
# logs: indrik's replacement boots first
def _note(text):
    with open("hooks.txt", "a") as file:
        file.write(text + "\n")


bind = "127.0.0.1:0"
max_requests = 3


def post_fork(server, worker):
    worker.max_requests += 2


def worker_exit(server, worker):
    if worker.age == 1:
        _note(f"left {worker.max_requests}")
