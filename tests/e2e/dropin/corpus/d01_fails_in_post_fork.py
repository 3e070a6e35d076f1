# ends: 3
bind = "127.0.0.1:0"


def post_fork(server, worker):
    raise RuntimeError("post_fork is broken")
