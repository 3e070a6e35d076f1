"""A worker that has answered many requests is as large as before: neither objects nor memory are left behind."""

import os
from concurrent.futures import ThreadPoolExecutor

import pytest
from contract import MODES
from wire import Wire, compose

# As many of each kind; `make soak` asks for 100,000, which takes longer than a suite may.
REQUESTS = int(os.environ.get("GROWTH_REQUESTS", "20000"))
WARM_UP = 2_000

# What may come and go: less than one object, one block or a hundred bytes for every twentieth request.
MOST_OBJECTS = REQUESTS // 20
MOST_BLOCKS = REQUESTS // 20
MOST_BYTES = 2 * 1024 * 1024

UPLOAD = b"one line\nanother\n" * 20

# Ends in the middle of the body; whether anybody answers that depends on the mode.
LEAVING = compose("POST", "/uploading", {"Content-Length": "10"}) + b"half"

# Each kind: its request, and how many travel together. Those after which the server closes travel alone.
TOGETHER = 100
KINDS = {
    "whole": (compose("GET", "/whole"), TOGETHER),
    "head": (compose("HEAD", "/whole"), TOGETHER),
    "items": (compose("GET", "/items"), TOGETHER),
    "closing": (compose("GET", "/closing"), TOGETHER),
    "writing": (compose("GET", "/writing"), TOGETHER),
    "replacing": (compose("GET", "/replacing"), TOGETHER),
    "sending a file": (compose("GET", "/sending_a_file"), TOGETHER),
    "reading a file": (compose("GET", "/reading_a_file"), TOGETHER),
    "uploading": (compose("POST", "/uploading", (), UPLOAD), TOGETHER),
    "uploading in chunks": (compose("POST", "/uploading", (), [UPLOAD[:50], UPLOAD[50:]]), TOGETHER),
    "ignoring the body": (compose("POST", "/ignoring", (), UPLOAD), TOGETHER),
    "looking at everything": (compose("GET", "/looking?a=b", {"Cookie": "a=1", "X-Any": "2"}), TOGETHER),
    "connecting": (compose("GET", "/items", {"Connection": "close"}), 1),
    "failing": (compose("GET", "/failing"), 1),
    "failing midway": (compose("GET", "/failing_midway"), 1),
    "refused": (compose("GET", "/refused"), 1),
    "malformed": (b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 1),
    "leaving": (LEAVING, 1),
}


def send(server, request, count, together):
    """So many requests, `together` of them on one connection, whose last one asks to close it."""
    last = request.replace(b"\r\nHost: ", b"\r\nConnection: close\r\nHost: ", 1)
    batch = request * (together - 1) + last
    for _ in range(max(1, count // together)):
        with Wire(server.address) as wire:
            wire.send(batch)
            wire.finish_sending()
            answers = wire.rest().count(b"\r\nServer: ")
        assert answers == together or request == LEAVING, f"{answers} answers to {request[:40]!r}"


def measure(server, threads):
    """The smallest that the process is seen to be: several threads may have asked at once."""
    return min((server.get("/measure").json() for _ in range(threads * 2)), key=lambda seen: seen["blocks"])


@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", KINDS)
def test_many_requests_leave_nothing_behind(serve, kind):
    """PEP 3333, The start_response() Callable: servers should avoid circular references; and all else that would keep
    what belongs to a request that has ended."""
    expect_no_growth(serve, MODES["one thread"], {kind: KINDS[kind]}, clients=1)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("mode", ["four threads", "unbuffered"])
def test_many_requests_of_all_kinds_at_once_leave_nothing_behind(serve, mode):
    """PEP 3333, Thread Support: the same holds where requests run in parallel."""
    expect_no_growth(serve, MODES[mode], KINDS, clients=3)


def expect_no_growth(serve, settings, kinds, clients):
    with serve("growing", settings=settings) as server:
        (server.folder / "sent.bin").write_bytes(UPLOAD)

        def work(count):
            for request, together in kinds.values():
                send(server, request, count // len(kinds) // clients, together)

        def all_clients(count):
            with ThreadPoolExecutor(clients) as pool:
                list(pool.map(work, [count] * clients))

        all_clients(WARM_UP)
        (pid,) = server.workers(1)
        before = measure(server, clients)
        all_clients(REQUESTS)
        after = measure(server, clients)
        assert server.workers(1) == {pid}
        grown = {name: after["kinds"][name] - before["kinds"].get(name, 0) for name in after["kinds"]}
        grown = {name: count for name, count in grown.items() if count > 20}
        assert after["objects"] - before["objects"] < MOST_OBJECTS, grown
        assert after["blocks"] - before["blocks"] < MOST_BLOCKS, grown
        assert after["references"] - before["references"] < REQUESTS // 20, grown
        assert after["resident"] - before["resident"] < MOST_BYTES, grown
