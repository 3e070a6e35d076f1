# ends: 1
bind = "127.0.0.1:0"


def on_starting(server):
    raise RuntimeError("cannot start")
