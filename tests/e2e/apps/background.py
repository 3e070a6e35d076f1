"""What an application does besides requests: threads, signal handlers, event loops."""

import asyncio
import json
import os
import signal
import threading
import time

counter = 0
heard = []


def count():
    global counter
    while True:
        counter += 1
        time.sleep(0.001)


threading.Thread(target=count, daemon=True, name="of the application").start()

signal.signal(signal.SIGUSR2, lambda number, frame: note(f"handler {number}"))


def note(text):
    with open("heard.log", "a") as file:
        file.write(f"{text} {threading.current_thread() is threading.main_thread()}\n")


class Late(Exception):
    pass


def on_alarm(number, frame):
    raise Late


def alarm(environ):
    signal.signal(signal.SIGALRM, on_alarm)
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    try:
        time.sleep(60)
    except Late:
        return "interrupted"
    return "slept"


def alarm_later(environ):
    """The handler runs when no request does."""
    signal.signal(signal.SIGALRM, lambda number, frame: note("alarm"))
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    return "set"


async def wait():
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGUSR1, lambda: None)
    await asyncio.gather(*(asyncio.sleep(0.01) for _ in range(3)))
    reader = await asyncio.to_thread(lambda: threading.current_thread().name)
    loop.remove_signal_handler(signal.SIGUSR1)
    return reader


def run_loop(environ):
    return asyncio.run(wait()).partition("_")[0]


def look(environ):
    return {"counter": counter, "pid": os.getpid()}


def hint_from_thread(environ):
    """Early hints, and the question whether the client is there, from a thread that runs no request."""
    seen = {}

    def work():
        seen["gone"] = environ["indrik.client_disconnected"]()
        environ["wsgi.early_hints"]([("Link", "</from-a-thread.css>; rel=preload")])

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    return seen


kept = []


def keep(environ):
    kept.append((environ["indrik.client_disconnected"], environ["wsgi.early_hints"], environ["gunicorn.socket"]))
    return "kept"


def use_kept(environ):
    """What belongs to a request that has ended does nothing to the one that runs."""
    errors = []
    for gone, hint, connection in kept:
        for use in (gone, lambda hint=hint: hint([("Link", "</stale>")]), connection.getpeername, connection.fileno):
            try:
                errors.append(repr(use()))
            except RuntimeError as error:
                errors.append(str(error))
    return errors


def watch(environ):
    """Asks from another thread, while this one streams, until the client has gone."""
    gone = environ["indrik.client_disconnected"]

    def work():
        try:
            while not gone():
                time.sleep(0.001)
        except RuntimeError:
            pass  # the thread that streams has found it out first
        note("gone")

    thread = threading.Thread(target=work)
    thread.start()
    while thread.is_alive():
        yield b"x" * 1000


def application(environ, start_response):
    path = environ["PATH_INFO"][1:]
    if path == "watch":
        start_response("200 OK", [("Content-Type", "text/plain")])
        return watch(environ)
    body = json.dumps(PATHS[path](environ)).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


PATHS = {made.__name__: made for made in (alarm, alarm_later, run_loop, look, hint_from_thread, keep, use_kept)}
