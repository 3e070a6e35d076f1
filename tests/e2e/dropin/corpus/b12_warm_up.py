# get: /
bind = "127.0.0.1:0"


def post_worker_init(worker):
    environ = {"PATH_INFO": "/", "QUERY_STRING": ""}
    body = worker.wsgi(environ, lambda status, headers: None)
    worker.log.info("warmed up: %s", b"".join(body).decode())
