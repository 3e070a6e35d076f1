"""A worker whose only thread is in the application goes on with everything else, and siblings take what waits."""

import os
import signal
import time

import pytest
from harness import wait_for
from held import leave
from wire import Ended, compose

FAST_CALLS = 10_000


def enter(server, name):
    """A connection whose request has just begun to hold its thread."""
    wire = server.connect()
    wire.send(compose("GET", f"/hold?{name}"))
    wait_for((server.folder / f"{name}.entered").exists, "the request to be in the application")
    return wire


@pytest.fixture(params=["from the first call", "after many short calls"])
def busy(request, serve):
    """A worker with one thread: fresh, or long without a slow call."""

    def start(*arguments):
        server = serve("busy", "--timeout", "0", *arguments)
        server.__enter__()
        if request.param != "from the first call":
            with server.connect() as wire:
                pipelined = compose("GET", "/") * 100
                for _ in range(FAST_CALLS // 100):
                    wire.send(pipelined)
                    for _ in range(100):
                        assert wire.response().status == 200
            # Where these took two seconds the deputy has left, and the first long call goes without one, as it may.
            assert server.get("/sleep?0.01").status == 200
        return server

    servers = []

    def starting(*arguments):
        servers.append(start(*arguments))
        return servers[-1]

    yield starting
    for server in servers:
        server.__exit__(None)


def test_reads_and_writes_go_on_while_a_request_holds_the_thread(busy):
    server = busy()
    with server.connect() as upload, server.connect() as download:
        body = b"u" * 3_000_000
        upload.send(compose("POST", "/upload", {"Content-Length": str(len(body))}))
        upload.send(body[:1000])
        # More than socket buffers hold: most of it has yet to be written when the thread is taken.
        download.send(compose("GET", "/large?30000000"))
        assert download.wait_readable(10)
        with enter(server, "a") as held:
            answer = download.response()
            assert (answer.status, len(answer.body)) == (200, 30_000_000)
            upload.send(body[1000:])
            leave(server, "a")
            assert held.response().status == 200
        assert upload.response().text == str(len(body))


def test_deadlines_pass_while_a_request_holds_the_thread(busy):
    server = busy("--keep-alive", "1")
    with server.connect() as idle:
        assert idle.get("/").status == 200
        with enter(server, "a") as held:
            with pytest.raises(Ended):
                idle.response()
            leave(server, "a")
            assert held.response().status == 200


def test_logs_are_reopened_while_a_request_holds_the_thread(busy):
    server = busy("--access-logfile", "access.log")
    with enter(server, "a") as held:
        os.rename(server.folder / "access.log", server.folder / "access.log.1")
        server.signal(signal.SIGUSR1)
        wait_for((server.folder / "access.log").exists, "the new access log")
        leave(server, "a")
        assert held.response().status == 200
    wait_for(lambda: "/hold?a" in (server.folder / "access.log").read_text(), "the access line")


def test_a_stop_finishes_the_request_that_holds_the_thread(busy):
    server = busy()
    with server.connect() as idle, enter(server, "a") as held:
        assert idle.is_quiet()
        server.signal(signal.SIGTERM)
        # The idle connection is closed by the worker that is still busy.
        with pytest.raises(Ended):
            idle.response()
        leave(server, "a")
        answer = held.response()
        assert (answer.status, answer.header("Connection")) == (200, "close")
    assert server.wait() == 0


def test_an_idle_sibling_answers_what_waits_behind_a_long_request(serve):
    with serve("busy", "--workers", "2", "--timeout", "0") as server:
        server.workers(2)
        with enter(server, "a") as held:
            # Whoever accepts these: none of them waits for the gate.
            wires = [server.connect() for _ in range(8)]
            for _ in range(3):
                for wire in wires:
                    wire.send(compose("GET", "/"))
                pids = {wire.response().text.split()[0] for wire in wires}
                assert len(pids) == 1
            for wire in wires:
                wire.close()
            leave(server, "a")
            answer = held.response()
            assert answer.text.split()[0] not in pids


def test_a_connection_that_a_busy_worker_holds_is_passed_on_with_its_request(serve):
    """Connections are spread over both workers first, so one half of them belongs to the one that gets busy."""
    with serve("busy", "--workers", "2", "--timeout", "0") as server:
        server.booted(2)
        wires = [server.connect() for _ in range(10)]
        for wire in wires:
            assert wire.get("/").status == 200
        wires[0].send(compose("GET", "/hold?a"))
        wait_for((server.folder / "a.entered").exists, "the request to be in the application")
        pids = set()
        for number, wire in enumerate(wires[1:]):
            body = os.urandom(200_000 if number % 3 == 0 else 100)
            pieces = [body[:50], body[50:]] if number % 2 else body
            answer = wire.request("POST", "/upload", (), pieces)
            assert answer.text == str(len(body))
            pids.add(wire.get("/").text.split()[0])
        assert len(pids) == 1
        leave(server, "a")
        assert wires[0].response().text.split()[0] not in pids
        for wire in wires:
            assert wire.get("/").status == 200
            wire.close()


def test_a_large_upload_is_passed_on_with_its_file(serve):
    with serve("busy", "--workers", "2", "--timeout", "0", "--body-memory", "1000") as server:
        server.booted(2)
        wires = [server.connect() for _ in range(6)]
        for wire in wires:
            assert wire.get("/").status == 200
        wires[0].send(compose("GET", "/hold?a"))
        wait_for((server.folder / "a.entered").exists, "the request to be in the application")
        for wire in wires[1:]:
            wire.send(compose("POST", "/upload", (), b"b" * 300_000) + compose("GET", "/"))
            assert wire.response().text == "300000"
            assert wire.response().status == 200
        leave(server, "a")
        assert wires[0].response().status == 200
        for wire in wires:
            wire.close()


def test_a_request_on_its_way_to_a_worker_that_dies_is_answered_by_another(serve):
    """Workers are killed while connections change hands; only requests that ran in them may be lost."""
    with serve("busy", "--workers", "3", "--timeout", "0") as server:
        server.booted(3)
        for round_ in range(5):
            held = [enter(server, f"{round_}.{index}") for index in range(2)]
            wires = [server.connect() for _ in range(6)]
            for wire in wires:
                wire.send(compose("GET", "/"))
            for wire in wires:
                assert wire.response().status == 200
                wire.close()
            for index, wire in enumerate(held):
                leave(server, f"{round_}.{index}")
                assert wire.response().status == 200
                wire.close()
            victim = min(server.workers(3))
            server.signal(signal.SIGKILL, victim)
            server.booted(3, without={victim})


@pytest.mark.parametrize("threads", [1, 4])
def test_a_thread_that_holds_the_interpreter_holds_up_nobody(serve, threads):
    """It belongs to no request, so nobody gives it up; what waits meanwhile goes to the sibling."""
    with serve("busy", "--workers", "2", "--threads", str(threads), "--timeout", "1") as server:
        pids = server.booted(2)
        wires = [server.connect() for _ in range(10)]
        for wire in wires:
            assert wire.get("/").status == 200
        assert wires[0].get("/occupy").status == 200
        end = time.monotonic() + 2
        while time.monotonic() < end:
            for wire in wires[1:]:
                assert wire.get("/").status == 200
        assert server.children() == pids
        assert not server.log_has("WORKER TIMEOUT")
        for wire in wires:
            wire.close()
