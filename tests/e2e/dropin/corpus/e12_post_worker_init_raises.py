# ends: 3
bind = "127.0.0.1:0"


def post_worker_init(worker):
    raise RuntimeError("not today")
