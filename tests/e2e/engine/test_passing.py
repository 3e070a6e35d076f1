"""Connections that change the worker: placed when they are new, handed over when their worker leaves."""

import contextlib
import os
import resource
import signal
import time

import pytest
from harness import wait_for
from held import hold, leave, pid_of
from wire import compose


@contextlib.contextmanager
def connections(server, *pids):
    """Connections that these workers own, one for each in that order. More are open meanwhile, so that all get some."""
    with contextlib.ExitStack() as stack:
        left, found = list(pids), {}

        def all_reached():
            wire = stack.enter_context(server.connect())
            owner = pid_of(wire)
            if owner in left:
                left.remove(owner)
                found.setdefault(owner, []).append(wire)
            return not left

        wait_for(all_reached, f"connections to {pids}")
        yield [found[pid].pop() for pid in pids]


def dismiss_deputy(wire, pid):
    """Short calls on a connection of `pid`, until that has no deputy any more."""
    deadline = time.monotonic() + 40
    burst = compose("GET", "/pid") * 50
    while len(os.listdir(f"/proc/{pid}/task")) > 1:
        assert time.monotonic() < deadline, "the deputy stays"
        wire.send(burst)
        for _ in range(50):
            assert wire.response().status == 200


def test_connections_of_a_quiet_server_are_spread_over_its_workers(serve):
    with serve("busy", "--workers", "4") as server:
        pids = server.booted(4)
        wires, owners = [], []
        for _ in range(20):
            wires.append(server.connect())
            owners.append(pid_of(wires[-1]))
        assert set(owners) == pids
        assert max(owners.count(pid) for pid in pids) <= 7
        for wire in wires:
            wire.close()


@pytest.mark.parametrize("workers", [1, 3])
def test_a_reload_cuts_no_idle_connection(serve, workers):
    with serve("busy", "--workers", str(workers)) as server:
        old = server.booted(workers)
        wires = [server.connect() for _ in range(30)]
        for wire in wires[:20]:
            assert pid_of(wire) in old
        # Of the others some have sent nothing, and some a part of a request.
        for wire in wires[25:]:
            wire.send(b"GET /pid HTTP/1.1\r\nHost: a\r\n")
        server.signal(signal.SIGHUP)
        wait_for(lambda: len(server.children() - old) == workers, "the new workers")
        for wire in wires[25:]:
            wire.send(b"\r\n")
            assert wire.response().status == 200
        new = server.workers(workers, without=old)
        for wire in wires[:25]:
            answer = wire.get("/pid")
            assert (answer.status, answer.keeps_open) == (200, True)
            assert int(answer.text) in new
        for wire in wires:
            wire.close()


def test_a_recycled_worker_loses_no_connection_that_was_promised(serve):
    with serve("busy", "--workers", "2", "--max-requests", "40") as server:
        first = server.booted(2)
        wires = [server.connect() for _ in range(10)]
        owners = set()

        def are_all_recycled():
            for index, wire in enumerate(wires):
                # An answer that is under way when its worker is told to leave says so; none ends without a word.
                answer = wire.get("/pid")
                assert answer.status == 200
                owners.add(int(answer.text))
                if not answer.keeps_open:
                    wire.close()
                    wires[index] = server.connect()
            return len(owners - first) >= 2

        wait_for(are_all_recycled, "answers of two more workers")
        for wire in wires:
            wire.close()


def test_the_client_of_a_proxy_header_is_known_to_the_next_worker(serve):
    header = b"PROXY TCP4 192.0.2.9 192.0.2.1 4321 80\r\n"
    with serve("environs", "--workers", "1", "--proxy-protocol") as server, server.connect() as wire:
        old = server.workers(1)
        wire.send(header + compose("GET", "/dump"))
        assert wire.response().json()["environ"]["REMOTE_ADDR"] == "192.0.2.9"
        server.signal(signal.SIGHUP)
        server.workers(1, without=old)
        assert wire.get("/dump").json()["environ"]["REMOTE_ADDR"] == "192.0.2.9"


def test_a_worker_that_is_added_takes_part(serve):
    with serve("busy", "--workers", "1", "--timeout", "0") as server:
        old = server.booted(1)
        server.signal(signal.SIGTTIN)
        both = server.booted(2)
        with server.connect() as held:
            held.send(compose("GET", "/hold?a"))
            wait_for((server.folder / "a.entered").exists, "the request to be in the application")
            for _ in range(6):
                assert server.get("/pid").status == 200
            (server.folder / "a.open").touch()
            assert held.response().status == 200
        assert old < both


def test_a_hung_worker_without_a_deputy_is_explained_by_the_master(serve):
    """After many short calls the deputy has left: the first long one is seen by the master alone."""
    with serve("busy", "--timeout", "1", "--graceful-timeout", "1") as server:
        old = server.workers(1)
        (pid,) = old
        with server.connect() as wire:
            dismiss_deputy(wire, pid)
        with server.connect() as hung:
            hung.send(compose("GET", "/deaf"))
            log = server.wait_log("Stacks of worker")
            assert "WORKER TIMEOUT (pid:" in log
            assert 'request "GET /deaf" of 127.0.0.1 has been running for' in log
            assert "in answer" in log
        server.workers(1, without=old)
        assert server.get("/pid").status == 200


def test_nothing_is_sent_to_a_worker_that_is_busy_without_a_deputy(serve):
    with serve("busy", "--workers", "2", "--timeout", "0") as server:
        pid, other = server.booted(2)
        with connections(server, pid) as (held,):
            dismiss_deputy(held, pid)
            hold(server, held, "a")
            # The other accepts all of them, and would like to give it some.
            wires = [server.connect() for _ in range(12)]
            for wire in wires:
                assert pid_of(wire) == other
                wire.close()
            leave(server, "a")
            assert held.response().status == 200


def test_a_worker_passes_requests_to_those_that_were_born_after_it(serve):
    with serve("busy", "--workers", "1", "--timeout", "0") as server:
        (first,) = server.booted(1)
        for count in (2, 3, 4):
            before = server.children()
            server.signal(signal.SIGTTIN)
            (last,) = server.booted(count) - before
        with connections(server, first, *server.children() - {last}) as (waiting, *held):
            for index, wire in enumerate(held):
                hold(server, wire, str(index))
            assert pid_of(waiting) == last
            for index, wire in enumerate(held):
                leave(server, str(index))
                assert wire.response().status == 200


def test_a_request_that_is_passed_to_a_worker_without_descriptors_waits_for_one(serve):
    with serve("busy", "--workers", "2", "--timeout", "0") as server:
        pid, other = server.booted(2)
        with connections(server, pid, pid) as (held, waiting):
            hold(server, held, "a")
            first_free = min(set(range(1000)) - {int(name) for name in os.listdir(f"/proc/{other}/fd")})
            usual = resource.prlimit(other, resource.RLIMIT_NOFILE)
            resource.prlimit(other, resource.RLIMIT_NOFILE, (first_free, usual[1]))
            waiting.send(compose("GET", "/pid"))
            server.wait_log("Too many open files")
            resource.prlimit(other, resource.RLIMIT_NOFILE, usual)
            assert int(waiting.response().text) == other
            leave(server, "a")
            assert held.response().status == 200


def test_while_all_workers_leave_requests_still_go_to_whoever_is_free(serve):
    with serve("busy", "--workers", "2", "--timeout", "0") as server:
        pid, other = server.booted(2)
        with connections(server, pid, pid, other) as (held, waiting, beside):
            hold(server, held, "a")
            server.signal(signal.SIGTERM)
            wait_for(lambda: not beside.get("/pid").keeps_open, "the other worker to hear of it")
            answer = waiting.get("/pid")
            assert (int(answer.text), answer.keeps_open) == (other, False)
            leave(server, "a")
            assert held.response().status == 200
        assert server.wait() == 0
