"""The smallest correct application; `/pid` tells which worker answered."""

import os


def application(environ, start_response):
    body = str(os.getpid()).encode() if environ["PATH_INFO"] == "/pid" else b"hello"
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


not_callable = "a string"
