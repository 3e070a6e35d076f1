"""Applications that fork by themselves: the child has nothing of the server's, and answers nobody."""

import os
import signal
import socket

import pytest
from harness import wait_for

MODES = [(), ("--threads", "4")]

# Exit code of a child that came back from the application's call.
RETURNED = 70


@pytest.fixture(params=MODES, ids=["one thread", "four threads"])
def server(request, serve):
    with serve("forking", *request.param) as running:
        yield running


def test_a_process_of_multiprocessing_has_no_socket_of_the_server(server):
    with server.connect() as idle, server.connect() as wire:
        assert int(idle.get("/pid").text) in server.workers()
        seen = wire.get("/in_a_process").json()
        assert seen["code"] == 0
        assert len(seen["parent"]) >= 4, "a listener, two connections, the way to the master"
        assert seen["sockets"] == []
        mine = "the request belongs to the process that forked this one"
        assert [seen["hints"], seen["gone"], seen["socket"]] == [mine, mine, mine]
        # The worker has lost nothing by it.
        assert int(wire.get("/pid").text) in server.workers()
        assert int(idle.get("/pid").text) in server.workers()


def test_pools_work(server):
    for _ in range(3):
        assert server.get("/in_a_pool").json() == 45


def test_a_process_can_be_terminated(server):
    """The worker's handler of SIGTERM is not the child's."""
    assert server.get("/terminated").json() == -signal.SIGTERM
    assert "Autorestarting" not in server.log
    pids = server.workers()
    assert int(server.get("/pid").text) in pids


def test_a_subprocess_with_a_preexec_function(server):
    with server.connect() as wire:
        for _ in range(3):
            # The three standard streams, and the folder that it lists.
            assert wire.get("/with_preexec").json() == {"code": 0, "descriptors": 4, "errors": ""}


@pytest.mark.parametrize("way", ["returns", "raises", "writes"])
def test_a_child_that_comes_back_answers_nobody(server, way):
    with server.connect() as wire:
        assert wire.get(f"/{way}").text == str(RETURNED)
        assert int(wire.get("/pid").text) in server.workers()
    server.wait_log("a process that the application has forked came back from its call; it ends here")
    assert "of the child" not in server.get("/pid").text


def test_a_generator_that_forks_is_ended_in_the_child_alone(server):
    with server.connect() as wire:
        assert wire.get("/yields").json() == [RETURNED]
        assert int(wire.get("/pid").text) in server.workers()


@pytest.mark.parametrize("way", ["lives_on", "lives_on_unseen"])
def test_a_child_that_lives_on_holds_no_client(server, way):
    with server.connect() as wire:
        child = wire.get(f"/{way}", {"Connection": "close"}).json()
        try:
            assert wire.rest() == b"", "the client hears the end although the child lives"
            os.kill(child, 0)
        finally:
            os.kill(child, signal.SIGKILL)


def test_a_child_that_lives_on_does_not_hold_the_port(serve):
    with serve("forking") as server:
        child = server.get("/lives_on").json()
        try:
            server.signal(signal.SIGTERM)
            assert server.wait() == 0
            with socket.socket() as other:
                other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                other.bind(("127.0.0.1", server.port))
                other.listen()
        finally:
            os.kill(child, signal.SIGKILL)
        wait_for(lambda: not server.members(), "the end of all processes")
