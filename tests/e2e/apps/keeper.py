"""Applications that keep what they were given, or use it where they should not."""

import os
import sys
import time

KEPT = {}


def application(environ, start_response):
    """`/keep` keeps its environ unread; `/use` reads the kept body; the rest is named by its path."""
    path = environ["PATH_INFO"]
    plain = [("Content-Type", "text/plain")]
    if path == "/keep":
        KEPT["environ"], KEPT["start_response"] = environ, start_response
        start_response("200 OK", plain)
        return [b"kept"]
    if path == "/use":
        try:
            result = KEPT["environ"]["wsgi.input"].read()
        except Exception as error:
            result = type(error).__name__.encode()
        start_response("200 OK", plain)
        return [result]
    if path == "/headers_that_call_back":

        def headers():
            start_response("500 Inner", plain)
            yield ("Content-Type", "text/plain")

        try:
            start_response("200 OK", headers())
        except AssertionError as error:
            start_response("200 OK", plain, sys.exc_info())
            return [str(error).encode()]
        return [b"no error"]
    if path == "/read_twice":
        answers = []
        for _ in range(2):
            try:
                answers.append(str(len(environ["wsgi.input"].read())))
            except OSError:
                answers.append("OSError")
        start_response("200 OK", plain)
        return [" ".join(answers).encode()]
    if path == "/endless":
        start_response("200 OK", plain)
        return endless()
    if path == "/large":
        start_response("200 OK", [*plain, ("Connection", "close")])
        return [b"x" * 3_000_000]
    if path == "/fork":
        if not (child := os.fork()):
            start_response("200 OK", plain)
            return [b"child"]
        _, status = os.waitpid(child, 0)
        start_response("200 OK", plain)
        return [f"parent of {os.waitstatus_to_exitcode(status)}".encode()]
    if path == "/errors":
        environ["wsgi.errors"].write("lone surrogate: \udc80\n")
    if path == "/sleep":
        time.sleep(float(environ["QUERY_STRING"]))
    start_response("200 OK", plain)
    return [b"ok"]


def endless():
    """More than any client takes."""
    while True:
        yield b"x" * 1000
