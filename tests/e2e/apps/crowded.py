"""Answers that cost no time to make, so that only the waiting for clients is left; each has its length.

`/list?SIZE` in one piece and `/generator?SIZE` in pieces of 64 KiB, up to 64 MiB; `/upload` counts a body; the rest
says hello. `/noted_generator` is a generator that notes its end in `ended.log`.
"""

PIECE = 65536
LARGEST = 64 * 1024 * 1024
FIRST = b"".join(b"%015d\n" % line for line in range(5 * 1024 * 1024 // 16))


def application(environ, start_response):
    path, size = environ["PATH_INFO"], int(environ["QUERY_STRING"] or 0)
    if path == "/list":
        body = [content(size)]
    elif path == "/generator":
        body = pieces(size)
    elif path == "/noted_generator":
        body = noted(pieces(size))
    elif path == "/upload":
        body = [str(count(environ["wsgi.input"])).encode()]
    else:
        body = [b"hello"]
    length = len(body[0]) if isinstance(body, list) else size
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(length))])
    return body


def content(size):
    """The first 5 MiB are numbered lines, the same object each time; what is above is zeros."""
    if size == len(FIRST):
        return FIRST
    return FIRST[:size] + bytes(max(0, min(size, LARGEST) - len(FIRST)))


def pieces(size):
    for start in range(0, size, PIECE):
        end = min(start + PIECE, size)
        yield FIRST[start:end] if end <= len(FIRST) else bytes(end - start)


def noted(items):
    try:
        yield from items
    finally:
        with open("ended.log", "a") as ended:
            ended.write("generator\n")


def count(file):
    total = 0
    while piece := file.read(PIECE):
        total += len(piece)
    return total
