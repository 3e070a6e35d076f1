# get: / / / / /
# wait: left 5
# logs: indrik's replacement boots first
def _note(text):
    with open("hooks.txt", "a") as file:
        file.write(text + "\n")


bind = "127.0.0.1:0"
max_requests = 3


def post_request(worker, req):
    if worker.nr == 2:
        worker.max_requests += 2


def worker_exit(server, worker):
    if worker.age == 1:
        _note(f"left {worker.nr}")
