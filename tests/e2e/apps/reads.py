"""Reads its body in many ways, beside an io.BytesIO of the same bytes from `body.bin`; one test per path."""

import errno
import io
import json
import os
import pickle
import random
import signal
import threading
from pathlib import Path

SIZES = (1, 2, 7, 100, 4096, 65535, 65536, 65537, 200_000)
RECORD = 16

kept = []


def application(environ, start_response):
    if environ["PATH_INFO"] == "/begun":
        return begun(environ["wsgi.input"], start_response)
    answer = PATHS[environ["PATH_INFO"]](environ["wsgi.input"], environ["QUERY_STRING"])
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(answer).encode()]


# Against io.BytesIO.


def compare(body, seed):
    """Random calls on both until well behind the end. The number of calls, and the first one that differs."""
    chance = random.Random(seed)
    reference = io.BytesIO(Path("body.bin").read_bytes())
    calls = behind_the_end = 0
    while behind_the_end < 30:
        name, arguments = a_call(chance)
        wrong = difference(body, reference, name, arguments)
        calls += 1
        if wrong:
            return {"calls": calls, "difference": f"{name}{arguments}: {wrong}"}
        behind_the_end += reference.tell() == len(reference.getbuffer())
    return {"calls": calls, "difference": None}


def a_call(chance):
    name = chance.choice(("read", "read", "readline", "readline", "readlines", "next", "readinto", "read1", "wrong"))
    size = chance.choice(SIZES)
    if name == "wrong":
        return chance.choice(("read", "readline", "readlines", "readinto")), (chance.choice(("1", 1.0, b"readonly")),)
    if name == "next":
        return name, ()
    if name == "readinto":
        return name, (size - size % 4 + 4,)
    if chance.random() < 0.02:
        return name, chance.choice(((), (None,), (-1,), (-7,)))
    if chance.random() < 0.05:
        # Of readlines, 0 means all.
        return ("read", (0,)) if name == "readlines" else (name, (0,))
    if name == "readline" and chance.random() < 0.5:
        return name, ()
    return name, (size,)


def difference(body, reference, name, arguments):
    if name == "read1":
        return short_difference(body, reference, arguments)
    got, want = outcome(body, name, arguments), outcome(reference, name, arguments)
    return None if got == want else f"{shown(got)} instead of {shown(want)}"


def short_difference(body, reference, arguments):
    """A short read may give less than there is, but neither nothing nor something else."""
    got, want = body.read1(*arguments), reference.read1(*arguments)
    reference.seek(len(got) - len(want), os.SEEK_CUR)
    if not want.startswith(got) or bool(got) != bool(want):
        return f"{shown(got)} instead of a part of {shown(want)}"
    return None


def outcome(file, name, arguments):
    try:
        if name == "next":
            return next(iter(file), None)
        if name == "readinto" and isinstance(arguments[0], int):
            # Items of four bytes each: the size of a buffer is not its number of items.
            buffer = bytearray(arguments[0])
            count = file.readinto(memoryview(buffer).cast("I"))
            return count, bytes(buffer)
        return getattr(file, name)(*arguments)
    except TypeError:
        return TypeError


def shown(value):
    text = repr(value)
    return text if len(text) < 200 else f"{text[:200]}... ({len(text)})"


# Several threads, signals, and requests that have ended.


def shared(body, _):
    """Two threads read records; each must come whole, and once."""
    records, failures = [], []

    def read():
        try:
            while record := body.read(RECORD):
                records.append(record)
        except BaseException as failure:
            failures.append(repr(failure))

    threads = [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {"records": sorted(record.decode("latin-1") for record in records), "failures": failures}


def alarm(body, _):
    """The application's own timeout ends a read that waits; what had come is not lost."""

    def ring(*_):
        raise TimeoutError("of the application")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    try:
        body.read()
        raised = False
    except TimeoutError:
        raised = True
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    Path("rang").touch()
    return {"raised": raised, "body": body.read().decode()}


def nested(body, _):
    """A signal handler that reads in the middle of a read is told so."""
    seen = []

    def ring(*_):
        try:
            seen.append(body.read(1).decode())
        except RuntimeError:
            seen.append("RuntimeError")
        Path("rang").touch()

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    read = body.read()
    signal.signal(signal.SIGALRM, before)
    return {"seen": seen, "body": read.decode()}


def keep(body, _):
    kept.append((body, body.read(2)))
    return "kept"


def read_kept(_, __):
    body, _ = kept.pop()
    try:
        # What had come before the request ended may still be read, but nothing of a later request.
        read = b"".join(iter(lambda: body.read(1), b""))
    except RuntimeError as error:
        return str(error)
    return read.decode()


def first(body, _):
    """Tells what is there before the rest has come."""
    Path("first").write_bytes(body.read1())
    return body.read().decode()


# Bodies that do not come.


def report(body, name):
    """What a read raises, and the next one."""
    import indrik

    errors = []
    for _ in range(2):
        try:
            while getattr(body, name or "read")():
                pass
        except OSError as error:
            errors.append(error)
    error = errors[0]
    copy = pickle.loads(pickle.dumps(error))
    return {
        "class": f"{type(error).__module__}.{type(error).__qualname__}",
        "is_disconnected": isinstance(error, indrik.ClientDisconnected),
        "errno": error.errno and errno.errorcode[error.errno],
        "text": str(error),
        "again": str(errors[1]),
        "copy": type(copy) is type(error) and str(copy) == str(error),
    }


def careless(body, _):
    return len(body.read())


def wrapping(body, _):
    """As Django does."""
    try:
        return len(body.read())
    except OSError as error:
        raise OSError("of the framework") from error


def stubborn(body, _):
    """An error of its own after a body that did not come."""
    try:
        return len(body.read())
    except OSError:
        return "answered all the same"


def begun(body, start_response):
    """Answers before it has read, and lets what a read raises pass."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    yield b"first"
    yield body.read()


PATHS = {
    f"/{made.__name__}": made
    for made in (
        compare,
        shared,
        alarm,
        nested,
        keep,
        read_kept,
        first,
        report,
        careless,
        wrapping,
        stubborn,
    )
}
