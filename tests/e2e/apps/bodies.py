"""Bodies and who reads them; every call adds its path to `calls.log`, in order.

`/read` answers with length and SHA-256, `/count` with the length; `/stream` makes the file `begun`, reads piece by
piece, and notes in `outcome.log` how that ended; `/ignore` never reads; `/file` sends `large.bin`.
"""

import hashlib
import json
import os

PIECE = 65536


def application(environ, start_response):
    path = environ["PATH_INFO"]
    note("calls.log", path)
    if path == "/file":
        start_response("200 OK", [("Content-Type", "application/octet-stream")])
        return environ["wsgi.file_wrapper"](open("large.bin", "rb"), PIECE)
    body = READERS.get(path, pid)(environ["wsgi.input"]).encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


def pid(file):
    return str(os.getpid())


def read(file):
    digest, length = hashlib.sha256(), 0
    while piece := file.read(PIECE):
        digest.update(piece)
        length += len(piece)
    return json.dumps({"length": length, "sha256": digest.hexdigest()})


def count(file):
    length = 0
    while piece := file.read(PIECE):
        length += len(piece)
    return str(length)


def stream(file):
    os.close(os.open("begun", os.O_CREAT | os.O_WRONLY))
    try:
        result = read(file)
    except Exception as error:
        note("outcome.log", describe(error))
        try:
            file.read()
        except Exception as again:
            note("outcome.log", f"again {describe(again)}")
        else:
            note("outcome.log", "again nothing")
        raise
    note("outcome.log", "complete")
    return result


def ignore(file):
    return "ignored"


def describe(error):
    kind = type(error)
    return f"{kind.__module__}.{kind.__qualname__} {'is' if isinstance(error, OSError) else 'is not'} an OSError"


def note(name, line):
    file = os.open(name, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    os.write(file, f"{line}\n".encode())
    os.close(file)


READERS = {"/read": read, "/count": count, "/stream": stream, "/ignore": ignore}
