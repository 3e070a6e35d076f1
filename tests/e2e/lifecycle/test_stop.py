"""TERM, once and twice, with and without a delay."""

from __future__ import annotations

import os
import signal
import socket

import pytest
from harness import wait_for
from load import Load
from wire import Ended, compose


def test_a_shutdown_delay_serves_on(serve):
    with serve("hello", "--workers", "2", "--shutdown-delay", "3") as server:
        server.booted(2)
        with Load(server.address) as load:
            server.signal(signal.SIGTERM)
            server.wait_log("Serving on for 3 s (shutdown_delay)")
            load.wait_more(50)
            assert load.failures == []
            victim = min(server.children())
            server.signal(signal.SIGTERM, victim)
            server.workers(2, without={victim})
        assert load.failures == []
        assert server.wait() == 0


def test_a_second_term_ends_the_delay(serve):
    with serve("hello", "--shutdown-delay", "600") as server:
        server.booted(1)
        server.signal(signal.SIGTERM)
        server.wait_log("Serving on for 600 s (shutdown_delay)")
        server.signal(signal.SIGTERM)
        server.wait_log("Quick shutdown requested")
        assert server.wait() == 0


def test_a_second_term_does_not_wait_for_requests(serve):
    with serve("gate", "--graceful-timeout", "600") as server, server.connect() as wire:
        wire.send(compose("GET", "/hold?a"))
        wait_for((server.folder / "a.entered").exists, "the request to be in the application")
        server.signal(signal.SIGTERM)
        server.wait_log("Handling signal: term")
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
        try:
            wire.response()
            raise AssertionError("the request was cut")
        except (Ended, OSError):
            pass


@pytest.mark.parametrize("workers", [1, 2, 3])
@pytest.mark.parametrize("to_group", [False, True], ids=["to the master", "to the group"])
def test_what_the_kernel_has_connected_before_term_is_answered(serve, workers, to_group):
    with serve("gate", "--workers", str(workers)) as server:
        server.workers(workers)
        held = []
        for number in range(workers):
            wire = server.connect()
            wire.send(compose("GET", f"/hold?{number}"))
            wait_for((server.folder / f"{number}.entered").exists, "the request to be in the application")
            held.append(wire)
        # Every worker is busy: these wait in the queue of the kernel.
        waiting = [socket.create_connection(server.address) for _ in range(20)]
        for one in waiting:
            one.sendall(compose("GET", "/pid", {"Connection": "close"}))
        if to_group:
            os.killpg(server.pid, signal.SIGTERM)
        else:
            server.signal(signal.SIGTERM)
        server.wait_log("Handling signal: term")
        for number, wire in enumerate(held):
            (server.folder / f"{number}.open").touch()
            assert wire.response().status == 200
            wire.close()
        for one in waiting:
            one.settimeout(20)
            assert one.recv(100).startswith(b"HTTP/1.1 200")
            one.close()
        assert server.wait() == 0
