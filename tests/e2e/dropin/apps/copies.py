"""The recipe of Flask: the application's logger takes over handlers and level of the server's."""

import logging

log = logging.getLogger("shop")
server_log = logging.getLogger("gunicorn.error")
log.handlers = server_log.handlers
log.setLevel(server_log.level)
log.propagate = False


def application(environ, start_response):
    log.info("a line of the application")
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]
