"""Workers with several threads: whoever is free takes what comes, however long the others are in the application."""

import contextlib
import signal

import pytest
from harness import wait_for
from held import hold, leave, pid_of
from wire import Ended, Truncated, compose

BATCHES, BATCH = 60, 100


def make_lead(wire):
    """So many short calls that one thread of the connection's worker leads and runs all of them itself."""
    pipelined = compose("GET", "/pid") * BATCH
    for _ in range(BATCHES):
        wire.send(pipelined)
        for _ in range(BATCH):
            assert wire.response().status == 200


@pytest.fixture
def owned(serve):
    """Starts a server; it, and a connection to each of its workers."""
    with contextlib.ExitStack() as stack:

        def start(workers, *arguments, **options):
            server = stack.enter_context(serve("busy", "--workers", str(workers), *arguments, **options))
            pids, wires = server.booted(workers), {}

            def all_reached():
                wire = stack.enter_context(server.connect())
                wires[pid_of(wire)] = wire
                return wires.keys() == pids

            wait_for(all_reached, "a connection to each worker")
            return server, [*wires.values()]

        yield start


def test_new_connections_are_taken_while_one_thread_of_each_worker_is_busy(owned):
    server, wires = owned(2, "--threads", "3", "--timeout", "0")
    for wire in wires:
        make_lead(wire)
    for index, wire in enumerate(wires):
        hold(server, wire, str(index))
    for _ in range(10):
        assert server.get("/").status == 200
    for index, wire in enumerate(wires):
        leave(server, str(index))
        assert wire.response().status == 200


def test_a_request_that_waits_too_long_for_one_of_several_threads_gets_503(owned):
    server, wires = owned(1, "--threads", "2", "--queue-timeout", "1", "--timeout", "0")
    held = [*wires, server.connect()]
    for index, wire in enumerate(held):
        hold(server, wire, str(index))
    with server.connect() as waiting:
        waiting.send(compose("GET", "/?waits"))
        answer = waiting.response()
        assert (answer.status, answer.header("Retry-After")) == (503, "1")
    for index, wire in enumerate(held):
        leave(server, str(index))
        assert wire.response().status == 200
        wire.close()


PARTS = """
import atexit

def post_worker_init(worker):
    atexit.register(lambda: open("parted", "w").close())
"""


@pytest.mark.parametrize("leads", [True, False], ids=["beside a leader", "handed out"])
def test_a_worker_that_quits_parts_in_good_order_from_a_thread_that_is_busy(owned, leads):
    server, (wire,) = owned(1, "--threads", "3", "--timeout", "0", settings=PARTS)
    if leads:
        make_lead(wire)
    hold(server, wire, "a")
    server.signal(signal.SIGQUIT)
    assert server.wait() == 0
    assert (server.folder / "parted").exists()
    with contextlib.suppress(Ended, Truncated):
        wire.response()
