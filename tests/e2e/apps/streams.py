"""wsgi.input and wsgi.errors, in every way that an application may use them; one path each, answers are JSON."""

import io
import json
import os
import sys
import threading

TEXT = ("Content-Type", "application/json")


def application(environ, start_response):
    value = PATHS.get(environ["PATH_INFO"], pid)(environ)
    body = json.dumps(value).encode()
    start_response("200 OK", [TEXT, ("Content-Length", str(len(body)))])
    return [body]


def pid(environ):
    return os.getpid()


# wsgi.input.


def ways(environ):
    """What each way to read gives at the beginning of the body, one after the other, and their types."""
    body = environ["wsgi.input"]
    buffer = bytearray(5)
    seen = [
        body.read(0),
        body.read(3),
        body.readline(2),
        body.readline(),
        next(iter(body)),
        *body.readlines(1),
        body.read1(4),
        bytes(buffer[: body.readinto(buffer)]),
        body.readline(-1),
        body.readline(None),
        *body.readlines(None),
        body.read(),
    ]
    assert iter(body) is iter(body)
    return [[type(item).__name__, item.decode()] for item in seen]


def end(environ):
    """Reads everything by `?NAME`, and then in every way what is behind it."""
    body, name = environ["wsgi.input"], environ["QUERY_STRING"]
    reads = {
        "read": lambda: body.read(),
        "read_all": lambda: body.read(-1),
        "read_more": lambda: body.read(1 << 30),
        "readline": lambda: b"".join(iter(body.readline, b"")),
        "readline_more": lambda: b"".join(iter(lambda: body.readline(1 << 30), b"")),
        "readlines": lambda: b"".join(body.readlines()),
        "iteration": lambda: b"".join(body),
        "read1": lambda: b"".join(iter(lambda: body.read1(7), b"")),
    }
    whole = reads[name]()
    behind = [body.read(), body.read(1), body.read(-1), body.readline(), body.readline(5), body.read1(), body.read1(3)]
    behind += [*body.readlines(), *body, *body.readlines(9)]
    empty = bytearray(b"kept")
    assert body.readinto(empty) == 0 and empty == b"kept"
    return [whole.decode(), sorted({(type(item).__name__, item.decode()) for item in behind})]


def nature(environ):
    """What the stream says of itself; and that to close it harms nobody."""
    body = environ["wsgi.input"]
    said = {"readable": body.readable(), "seekable": body.seekable(), "writable": body.writable()}
    first = body.read(3)
    closed = [body.close() for _ in range(2)]
    return {**said, "closed": closed, "body": (first + body.read()).decode()}


def buffered(environ):
    """Through the standard library's own buffer and decoder."""
    reader = io.TextIOWrapper(io.BufferedReader(environ["wsgi.input"], 16), encoding="utf-8", newline="")
    return reader.readlines()


def wrong(environ):
    """Which wrong arguments are taken."""
    body = environ["wsgi.input"]
    calls = {
        "read text": lambda: body.read("1"),
        "read float": lambda: body.read(1.0),
        "read two": lambda: body.read(1, 2),
        "readline text": lambda: body.readline("1"),
        "readlines text": lambda: body.readlines("1"),
        "readinto bytes": lambda: body.readinto(b"1234"),
        "readinto nothing": lambda: body.readinto(),
    }
    taken = []
    for name, call in calls.items():
        try:
            call()
            taken.append(name)
        except TypeError:
            continue
    return [taken, body.read().decode()]


def nothing(environ):
    return None


# wsgi.errors.


def say(environ):
    """Writes each line of the body, as the query says."""
    errors, lines = environ["wsgi.errors"], environ["wsgi.input"].read().decode().splitlines(keepends=True)
    way = environ["QUERY_STRING"]
    if way == "write":
        results = [errors.write(line) for line in lines]
    elif way == "writelines":
        results = [errors.writelines(lines)]
    elif way == "generator":
        results = [errors.writelines(line for line in lines)]
    elif way == "pieces":
        results = [errors.write(character) for line in lines for character in line]
    elif way == "at once":
        results = [errors.write("".join(lines))]
    else:
        for line in lines:
            print(line, end="", file=errors)
        results = []
    return [results, errors.flush()]


def say_unfinished(environ):
    """A line without an end, and no flush."""
    environ["wsgi.errors"].write(environ["QUERY_STRING"])


def say_unfinished_and_flush(environ):
    environ["wsgi.errors"].write(environ["QUERY_STRING"])
    environ["wsgi.errors"].flush()


def say_anything(environ):
    """Text that not every encoding takes, and some that none does."""
    environ["wsgi.errors"].write("begin \u00e9 \u65e5 \U0001f600 \ud800 \x85 \u2028 \x00 end\n")


def say_wrong(environ):
    """Which wrong arguments are taken."""
    taken = []
    for value in (b"bytes\n", 1, None, ["text"]):
        try:
            environ["wsgi.errors"].write(value)
            taken.append(repr(value))
        except TypeError:
            continue
    return taken


def say_on_threads(environ):
    """Many threads at once; `?WAY`. Each line tells its thread and its number."""
    errors, way = environ["wsgi.errors"], environ["QUERY_STRING"]
    start = threading.Barrier(THREADS)

    def work(thread):
        start.wait()
        for number in range(LINES):
            line = f"thread {thread} line {number} {'x' * 50} end"
            if way == "write":
                errors.write(line + "\n")
            elif way == "writelines":
                errors.writelines([line + "\n"])
            elif way == "pieces":
                errors.write(line)
                # Every thread has begun a line now, and none has ended it.
                start.wait()
                errors.write("\n")
            else:
                print(line, file=errors)
        errors.flush()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(THREADS)]
    # So that they really take turns in the middle of a line.
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sys.setswitchinterval(interval)


THREADS, LINES = 8, 200

PATHS = {
    f"/{made.__name__}": made
    for made in (
        ways,
        end,
        nature,
        buffered,
        wrong,
        nothing,
        say,
        say_unfinished,
        say_unfinished_and_flush,
        say_anything,
        say_wrong,
        say_on_threads,
    )
}
