"""The parts of start_response that frameworks use rarely: write(), exc_info, late headers; one path each."""

import sys

TEXT = ("Content-Type", "text/plain")


def application(environ, start_response):
    return PATHS[environ["PATH_INFO"][1:]](environ, start_response)


def write(environ, start_response):
    write = start_response("200 OK", [TEXT])
    write(b"one ")
    write(b"two ")
    return [b"three"]


def write_with_length(environ, start_response):
    write = start_response("200 OK", [TEXT, ("Content-Length", "7")])
    write(b"one")
    write(b" two")
    return []


def replaced(environ, start_response):
    start_response("200 OK", [TEXT, ("X-First", "1")])
    try:
        raise ValueError("found out in time")
    except ValueError:
        start_response("503 Replaced", [TEXT, ("X-Second", "1")], sys.exc_info())
    return [b"replaced"]


def too_late(environ, start_response):
    start_response("200 OK", [TEXT])
    yield b"first"
    try:
        raise ValueError("found out too late")
    except ValueError:
        start_response("503 Too Late", [TEXT], sys.exc_info())
    yield b"never seen"


def late_start(environ, start_response):
    """PEP 3333 allows the call to come with the first item of a generator."""
    start_response("202 Late", [TEXT])
    yield b"late"


def replaced_after_empty(environ, start_response):
    """Headers must wait for the first bytes, so an empty piece does not fix the status."""
    start_response("200 OK", [TEXT])
    yield b""
    try:
        raise ValueError("found out in time")
    except ValueError:
        start_response("503 Replaced", [TEXT], sys.exc_info())
    yield b"replaced"


def errors(environ, start_response):
    environ["wsgi.errors"].write("a line of the application\n")
    environ["wsgi.errors"].writelines(["a second line\n", "a third line\n"])
    environ["wsgi.errors"].flush()
    print("a print to wsgi.errors", file=environ["wsgi.errors"])
    start_response("200 OK", [TEXT])
    return [b"noted"]


def hop_by_hop(environ, start_response):
    names = ("Keep-Alive", "Proxy-Authenticate", "TE", "Transfer-Encoding", "Upgrade")
    start_response("200 OK", [TEXT, *((name, "x") for name in names), ("X-End", "1"), ("X-End", "2")])
    return [b"clean"]


PATHS = {
    made.__name__: made
    for made in (
        write,
        write_with_length,
        replaced,
        too_late,
        late_start,
        replaced_after_empty,
        errors,
        hop_by_hop,
    )
}
