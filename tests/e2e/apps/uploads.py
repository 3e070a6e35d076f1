"""Reads the request's body in the way that the query names; answers with its length and its SHA-256, as JSON."""

import hashlib
import json


def application(environ, start_response):
    pieces = READERS[environ["QUERY_STRING"] or "read"](environ["wsgi.input"])
    body = b"".join(pieces)
    seen = {
        "length": len(body),
        "sha256": hashlib.sha256(body).hexdigest(),
        "pieces": len(pieces),
        "after_the_end": environ["wsgi.input"].read().decode("latin-1"),
    }
    answer = json.dumps(seen).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(answer)))])
    return [answer]


def read(file):
    return [file.read()]


def read_all(file):
    return [file.read(-1)]


def read_none(file):
    return [file.read(0), file.read(None)]


def read_pieces(file):
    return list(iter(lambda: file.read(1000), b""))


def readline(file):
    return list(iter(file.readline, b""))


def readline_sized(file):
    return list(iter(lambda: file.readline(7), b""))


def readlines(file):
    return file.readlines()


def iteration(file):
    return list(file)


def mixed(file):
    return [file.readline(), file.read(10), file.readline(), *file]


def nothing(file):
    return []


READERS = {
    made.__name__: made
    for made in (read, read_all, read_none, read_pieces, readline, readline_sized, readlines, iteration, mixed, nothing)
}
