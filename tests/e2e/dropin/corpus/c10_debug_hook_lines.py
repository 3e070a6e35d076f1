# get: /
bind = "127.0.0.1:0"


def post_worker_init(worker):
    worker.log.warning("a warning %s", "of the hook")
    worker.log.error("an error of the hook")
