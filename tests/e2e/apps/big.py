"""Large answers of `?SIZE` bytes: `/list` in one piece with its length, `/generator` in pieces of 64 KiB without it."""

import os

PIECE = 65536


def application(environ, start_response):
    size = int(environ["QUERY_STRING"] or 0)
    if environ["PATH_INFO"] == "/list":
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(size))])
        return [content(size)]
    if environ["PATH_INFO"] == "/generator":
        start_response("200 OK", [("Content-Type", "text/plain")])
        whole = content(size)
        return (whole[start : start + PIECE] for start in range(0, size, PIECE))
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]


def content(size):
    """Bytes in which a lost, doubled or swapped piece shows."""
    return b"".join(b"%015d\n" % line for line in range((size + 15) // 16))[:size]
