"""Events, one at a time: each waits until the test has seen the one before it and made the file `tick-N`."""

import os
import time


def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/event-stream")])
    return events(int(environ["QUERY_STRING"] or 3), waits=environ["PATH_INFO"] == "/ticked")


def events(count, waits):
    for number in range(count):
        end = time.monotonic() + 60
        while waits and number and not os.path.exists(f"tick-{number}") and time.monotonic() < end:
            time.sleep(0.005)
        yield f"event {number}\n".encode()
