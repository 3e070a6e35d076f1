"""A request that lasts until the test opens its gate, so that no test has to guess a duration.

`/hold?NAME` makes the file `NAME.entered`, waits for the file `NAME.open`, and answers with the pid; `order.log` gets a
line at each end. `/upload?NAME` does so and reads the body only then; `/refuse` answers 403 and never reads.
"""

import os
import time

GIVE_UP = 60  # seconds; a test that forgets its gate must not leave a worker behind for ever


def application(environ, start_response):
    path, name = environ["PATH_INFO"], environ["QUERY_STRING"]
    status = "200 OK"
    if path == "/hold":
        hold(name)
        body = str(os.getpid())
    elif path == "/upload":
        hold(name)
        body = str(len(environ["wsgi.input"].read()))
    elif path == "/refuse":
        status, body = "403 Forbidden", "no"
    else:
        body = str(os.getpid())
    start_response(status, [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body.encode()]


def hold(name):
    note(f"enter {name}")
    make(f"{name}.entered")
    end = time.monotonic() + GIVE_UP
    while not os.path.exists(f"{name}.open") and time.monotonic() < end:
        time.sleep(0.005)
    note(f"leave {name}")


def make(path):
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY))


def note(line):
    order = os.open("order.log", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    os.write(order, f"{line}\n".encode())
    os.close(order)
