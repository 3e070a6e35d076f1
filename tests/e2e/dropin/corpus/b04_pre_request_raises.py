# get: / /
bind = "127.0.0.1:0"


def pre_request(worker, req):
    raise RuntimeError("no entry")
