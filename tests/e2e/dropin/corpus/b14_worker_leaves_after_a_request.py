def _note(text):
    with open("hooks.txt", "a") as file:
        file.write(text + "\n")


# get: /
# logs: the replacement boots at another moment
bind = "127.0.0.1:0"


def post_request(worker, req, environ, resp):
    worker.alive = False


def worker_exit(server, worker):
    _note("worker_exit")
