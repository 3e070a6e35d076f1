"""Requests of every kind, at the path of its name, and `/measure`: what the process holds, as JSON."""

import collections
import gc
import json
import os
import sys

TEXT = ("Content-Type", "text/plain")
HELLO = b"hello"


def application(environ, start_response):
    return PATHS[environ["PATH_INFO"]](environ, start_response)


def measure(environ, start_response):
    """`objects`: of the collector; `blocks`: of the allocator; `resident`: bytes; `kinds`: objects of each type;
    `references`: to all objects, where the interpreter counts them."""
    gc.collect()
    found = gc.get_objects()
    kinds = collections.Counter(f"{type(item).__module__}.{type(item).__qualname__}" for item in found)
    with open("/proc/self/statm") as statm:
        resident = int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    seen = {"objects": len(found), "blocks": sys.getallocatedblocks(), "resident": resident, "kinds": kinds}
    # A debug build of CPython has it.
    count = getattr(sys, "gettotalrefcount", lambda: 0)
    seen["references"] = count()
    body = json.dumps(seen).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


def whole(environ, start_response):
    start_response("200 OK", [TEXT, ("Content-Length", "5")])
    return [HELLO]


def items(environ, start_response):
    start_response("200 OK", [TEXT])
    yield HELLO
    yield b""
    yield HELLO


class Closing:
    def __init__(self):
        self.items = iter((HELLO, HELLO))
        # A cycle, which only the collector finds.
        self.itself = self

    def __iter__(self):
        return self.items

    def close(self):
        pass


def closing(environ, start_response):
    start_response("200 OK", [TEXT])
    return Closing()


def writing(environ, start_response):
    write = start_response("200 OK", [TEXT])
    write(HELLO)
    return [HELLO]


def replacing(environ, start_response):
    start_response("200 OK", [TEXT])
    try:
        raise ValueError(environ)
    except ValueError:
        start_response("503 Replaced", [TEXT], sys.exc_info())
    return [HELLO]


def sending_a_file(environ, start_response):
    start_response("200 OK", [TEXT])
    return environ["wsgi.file_wrapper"](open("sent.bin", "rb"))


def reading_a_file(environ, start_response):
    start_response("200 OK", [TEXT])

    return environ["wsgi.file_wrapper"](Reader())


class Reader:
    def __init__(self):
        self.items = [b"", HELLO]

    def read(self, size):
        return self.items.pop()


def uploading(environ, start_response):
    body = environ["wsgi.input"]
    length = len(body.read(3)) + len(body.readline()) + sum(map(len, body)) + len(body.read())
    start_response("200 OK", [TEXT])
    return [str(length).encode()]


def ignoring(environ, start_response):
    start_response("200 OK", [TEXT])
    return [HELLO]


def looking(environ, start_response):
    environ["gunicorn.socket"].getpeername()
    environ["wsgi.early_hints"]([("Link", "</a.css>; rel=preload")])
    environ["wsgi.errors"].flush()
    environ["itself"] = environ
    start_response("200 OK", [TEXT])
    return [HELLO]


def failing(environ, start_response):
    kept = environ, start_response
    raise ValueError(kept)


def failing_midway(environ, start_response):
    start_response("200 OK", [TEXT])
    yield HELLO
    raise SystemExit(environ)


def refused(environ, start_response):
    start_response("200 OK", [TEXT, ("Content-Length", "+5")])
    return [HELLO]


PATHS = {
    f"/{made.__name__}": made
    for made in (
        measure,
        whole,
        items,
        closing,
        writing,
        replacing,
        sending_a_file,
        reading_a_file,
        uploading,
        ignoring,
        looking,
        failing,
        failing_midway,
        refused,
    )
}
