"""Applications that fork by themselves: the child has nothing of the server's, and answers nobody."""

import os
import signal
import socket
from pathlib import Path

import pytest
from harness import title, wait_for

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


MANAGER = """
import multiprocessing, os
from hello import application
multiprocessing.set_start_method("fork")
manager = multiprocessing.Manager()
"""


@pytest.mark.parametrize("options", [(), ("--preload",)], ids=["worker", "mold"])
def test_what_is_forked_during_the_import_does_not_keep_the_port(serve, stage, options):
    stage.write("mine.py", MANAGER)
    with serve("mine", *options) as server:
        assert server.get("/").text == "hello"
        forked = [pid for pid in server.members() if holds(pid, server.port)]
        assert server.pid in forked
        titles = {title(pid).split(" [")[0] for pid in forked}
        assert titles <= {"indrik: master", "indrik: worker", "indrik: mold"}
        managers = set(server.members()) - set(forked)
        assert managers, "the process of the manager holds nothing of ours"
        server.signal(signal.SIGKILL)
        server.wait()
        with serve("hello", bind=f"127.0.0.1:{server.port}") as fresh:
            assert fresh.get("/").text == "hello"
            assert "Connection in use" not in fresh.log
        for pid in server.members():
            os.kill(pid, signal.SIGKILL)


def holds(pid, port):
    """Whether a process has the listening socket of that port open."""
    inodes = set()
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[3] == "0A" and int(fields[1].split(":")[1], 16) == port:
            inodes.add(f"socket:[{fields[9]}]")
    links = Path(f"/proc/{pid}/fd")
    return any(os.readlink(link) in inodes for link in links.iterdir() if link.is_symlink())
