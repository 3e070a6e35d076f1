"""What ends with the interpreter: atexit handlers, threads, pools. LEAVING in the environment says what there is."""

import atexit
import concurrent.futures
import os
import threading
import time

kinds = os.environ["LEAVING"].split(",")


def note(text):
    with open("left.log", "a") as file:
        file.write(f"{text}\n")


atexit.register(note, "atexit")

never = threading.Event()
ending = threading.Event()


def finishing():
    """Ends by itself, some time after the interpreter has begun to wait for it."""
    threading.main_thread().join()
    note("thread")


def asleep():
    while True:
        never.wait(3600)


def computing():
    while True:
        sum(range(1000))


pool = concurrent.futures.ThreadPoolExecutor(1) if {"pool", "stuck pool"} & set(kinds) else None


def pooled():
    time.sleep(0.3)
    note("pool")


def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/begin":
        for kind, target in {"finishing": finishing, "asleep": asleep, "computing": computing}.items():
            if kind in kinds:
                threading.Thread(target=target, name=f"the {kind} one").start()
        if "daemon" in kinds:
            threading.Thread(target=asleep, daemon=True).start()
        if "pool" in kinds:
            for _ in range(3):
                pool.submit(pooled)
        if "stuck pool" in kinds:
            pool.submit(asleep)
    body = str(os.getpid()).encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
