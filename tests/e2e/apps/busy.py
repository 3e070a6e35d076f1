"""Requests that keep a thread: asleep, computing, inside C code that holds the interpreter, or until a gate opens.

`/hold?NAME` makes the file `NAME.entered` and sleeps until there is a file `NAME.open`; `/sleep?SECONDS`,
`/compute?SECONDS`, `/regex` and `/deaf` make `busy.entered` and keep the thread each in its way, `/occupy` the
interpreter; `/begun?NAME` answers its first bytes and then holds; `/tidy?NAME` holds and takes its time to clean up;
`/react?SECONDS` computes and answers how it was interrupted. `/upload` answers the length of the body, `/large?BYTES`
that many bytes, `/pid` the pid; all else pid, thread and number of calls.
"""

import collections
import itertools
import os
import re
import threading
import time

import indrik

GIVE_UP = 60  # seconds; a test that forgets its gate must not leave a worker behind for ever

calls = 0


def application(environ, start_response):
    global calls
    calls += 1
    path, query = environ["PATH_INFO"], environ["QUERY_STRING"]
    if path == "/begun":
        start_response("200 OK", [("Content-Type", "text/plain")])
        return begun(query)
    if path == "/large":
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", query)])
        return [b"x" * int(query)]
    body = answer(path, query, environ).encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


def answer(path, query, environ):
    if path == "/pid":
        return str(os.getpid())
    if path in ("/sleep", "/compute", "/regex", "/deaf"):
        enter("busy")
    if path == "/hold":
        hold(query)
    elif path == "/tidy":
        try:
            hold(query)
        finally:
            time.sleep(0.2)
    elif path == "/sleep":
        time.sleep(float(query))
    elif path == "/compute":
        compute(float(query))
    elif path == "/regex":
        re.match(r"(a+)+$", "a" * 60 + "b")
    elif path == "/deaf":
        # In C, without a look at signals, and with the interpreter's lock held.
        collections.deque(itertools.repeat(0), maxlen=0)
    elif path == "/occupy":
        # The same, for some seconds and on another thread than the one that answers; not before it has answered.
        threading.Timer(0.2, collections.deque, (itertools.repeat(0, 300_000_000), 0)).start()
    elif path == "/react":
        try:
            compute(float(query))
        except indrik.RequestTimeout as error:
            return f"interrupted: {error}"
    elif path == "/upload":
        return str(len(environ["wsgi.input"].read()))
    return f"{os.getpid()} {threading.current_thread().name} {calls}"


def begun(name):
    yield b"first"
    hold(name)
    yield b"last"


def hold(name):
    enter(name)
    end = time.monotonic() + GIVE_UP
    while not os.path.exists(f"{name}.open") and time.monotonic() < end:
        time.sleep(0.005)


def enter(name):
    os.close(os.open(f"{name}.entered", os.O_CREAT | os.O_WRONLY))


def compute(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        sum(range(1000))
