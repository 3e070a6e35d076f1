"""What a service manager hears, and the sockets that it hands over."""

import os
import re
import signal
import socket
import time

import pytest
from harness import is_alive, processes, wait_for
from manager import Manager, activated
from wire import Wire

GATED = """
import os, time

while not os.path.exists("open"):
    time.sleep(0.01)

from process import application
"""

BROKEN = "raise RuntimeError('no such luck')\n"
PLAIN = "from process import application\n"


@pytest.fixture(params=["path", "abstract"])
def manager(request, short_folder):
    name = str(short_folder / "notify") if request.param == "path" else f"@indrik-{os.getpid()}-{short_folder.name}"
    with Manager(name) as manager:
        yield manager


@pytest.fixture
def one_manager(short_folder):
    with Manager(str(short_folder / "notify")) as manager:
        yield manager


def test_it_is_ready_when_a_worker_has_booted_and_not_before(stage, manager):
    stage.write("mine.py", GATED)
    with stage.serve("mine", "--workers", "2", env={"NOTIFY_SOCKET": manager.address}) as server:
        manager.wait("STATUS=Starting: 0 of 2 workers serve, generation 1")
        manager.wait("EXTEND_TIMEOUT_USEC=30000000")
        assert "READY=1" not in manager.lines()
        (server.folder / "open").touch()
        manager.wait("READY=1")
        assert server.get("/pid").status == 200
        manager.wait("STATUS=2 of 2 workers serve, generation 1")
        server.stop()
        assert manager.drain()[-1] == "STATUS=Stopping: 0 workers are left"
        assert manager.lines().count("READY=1") == manager.lines().count("STOPPING=1") == 1


def test_a_reload_is_told_from_its_beginning_to_its_end(stage, one_manager):
    stage.write("mine.py", PLAIN)
    with stage.serve("mine", "--workers", "2", env={"NOTIFY_SOCKET": one_manager.address}) as server:
        one_manager.wait("STATUS=2 of 2 workers serve, generation 1")
        before = server.booted(2)
        asked_at = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        server.signal(signal.SIGHUP)
        began = one_manager.wait("RELOADING=1")
        word, _, microseconds = one_manager.messages[began - 1].split("\n")[1].partition("=")
        assert word == "MONOTONIC_USEC"
        assert asked_at <= int(microseconds) <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        one_manager.wait("READY=1", began)
        one_manager.wait("STATUS=2 of 2 workers serve, generation 2", began)
        assert not server.booted(2) & before, "who hears READY meets new workers only"


def test_a_reload_that_is_abandoned_ends_too_and_says_why(stage, one_manager):
    stage.write("mine.py", PLAIN)
    settings = "workers = 1\n"
    with stage.serve("mine", settings=settings, env={"NOTIFY_SOCKET": one_manager.address}) as server:
        one_manager.wait("READY=1")
        (server.folder / "mine.py").write_text(BROKEN)
        server.signal(signal.SIGHUP)
        began = one_manager.wait("RELOADING=1")
        ended = one_manager.wait("READY=1", began)
        one_manager.wait("STATUS=The last reload failed: Reload abandoned: worker (pid:", ended - 1)
        assert server.get("/pid").status == 200
        (server.folder / "server.conf.py").write_text("workers = 'many'\n")
        server.signal(signal.SIGHUP)
        began = one_manager.wait("RELOADING=1", ended)
        ended = one_manager.wait("READY=1", began)
        one_manager.wait("STATUS=The last reload failed: invalid value for workers: 'many'", began)
        (server.folder / "server.conf.py").write_text(settings)
        (server.folder / "mine.py").write_text(PLAIN)
        server.signal(signal.SIGHUP)
        one_manager.wait("STATUS=1 of 1 workers serve, generation", one_manager.wait("RELOADING=1", ended))


def test_a_start_that_fails_never_says_that_it_is_ready(stage, one_manager):
    stage.write("mine.py", BROKEN)
    stage.run("mine", "--bind", "127.0.0.1:0", env={"NOTIFY_SOCKET": one_manager.address}).expect(3)
    one_manager.drain()
    assert "READY=1" not in one_manager.lines()
    assert "STOPPING=1" in one_manager.lines()


def test_the_watchdog_gets_its_signs(serve, one_manager):
    env = {"NOTIFY_SOCKET": one_manager.address, "WATCHDOG_USEC": "300000"}
    with serve("hello", env=env):
        seen = 0
        for _ in range(5):
            seen = one_manager.wait("WATCHDOG=1", seen)


def test_a_watchdog_that_waits_for_somebody_else_gets_none(serve, one_manager):
    env = {"NOTIFY_SOCKET": one_manager.address, "WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1"}
    with serve("hello", env=env) as server:
        one_manager.wait("STATUS=1 of 1 workers serve")
        server.stop()
    one_manager.drain()
    assert "WATCHDOG=1" not in one_manager.lines()


def successor(server):
    """The pid of the master that USR2 has made, once it has a worker."""
    server.signal(signal.SIGUSR2)
    pid = int(re.search(r"New master with pid: (\d+)", server.wait_log("New master with pid"))[1])
    wait_for(lambda: any(one.parent == pid for one in processes()), "a worker of the new master")
    return pid


def test_an_old_master_names_its_successor_when_it_leaves_and_not_before(serve, one_manager):
    with serve("process", env={"NOTIFY_SOCKET": one_manager.address}) as server:
        ready = one_manager.wait("READY=1")
        new = successor(server)
        # The new one speaks for itself, which a manager does not believe before it is named.
        one_manager.wait("READY=1", ready)
        assert not any(line.startswith("MAINPID") for line in one_manager.lines())
        server.signal(signal.SIGTERM)
        named = one_manager.wait(f"MAINPID={new}")
        assert "STOPPING=1" not in one_manager.lines()
        one_manager.wait("READY=1", named)
        assert server.wait() == 0
        assert server.get("/pid").status == 200
        os.kill(new, signal.SIGTERM)
        one_manager.wait("STOPPING=1", named)
        wait_for(lambda: not is_alive(new), "the end of the new master")


def test_a_manager_that_is_not_there_is_no_reason_to_fail(serve):
    with serve("hello", env={"NOTIFY_SOCKET": "/nowhere/at/all"}) as server:
        assert server.get("/").status == 200


def test_an_address_of_another_kind_is_told_once(serve):
    with serve("hello", env={"NOTIFY_SOCKET": "vsock:2:1"}) as server:
        assert server.get("/").status == 200
        assert server.log.count("the service manager cannot be told anything") == 1


# Sockets.


@pytest.fixture
def inet():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


@pytest.fixture
def unix(short_folder):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(short_folder / "x.sock"))
        listener.listen()
        yield listener


def test_sockets_of_a_manager_are_served_and_bind_does_not_count(serve, inet, unix):
    path = unix.getsockname()
    fds = [inet.fileno(), unix.fileno()]
    with serve("process", bind="127.0.0.1:1", program=activated([inet, unix]), descriptors=fds) as server:
        port = inet.getsockname()[1]
        assert server.addresses == [("127.0.0.1", port), path]
        seen = server.get("/").json()["environment"]
        assert not [name for name in seen if name.startswith("LISTEN_")]
        with Wire(path) as wire:
            assert wire.request("GET", "/pid").status == 200
        before = server.booted()
        server.signal(signal.SIGHUP)
        server.booted(without=before)
        assert server.get("/pid").status == 200
    assert os.path.exists(path), "the manager's file is the manager's"
    # The manager keeps the sockets: who connects now waits for the next server.
    with (
        Wire(("127.0.0.1", port)) as wire,
        serve("process", program=activated([inet, unix]), descriptors=fds) as server,
    ):
        assert wire.request("GET", "/pid").status == 200


def test_sockets_of_a_manager_go_on_to_a_new_master(serve, inet, unix):
    path = unix.getsockname()
    fds = [inet.fileno(), unix.fileno()]
    # The settings name the same file, which even so is the manager's.
    options = {"bind": f"unix:{path}", "program": activated([inet, unix]), "descriptors": fds}
    with serve("process", **options) as server:
        new = successor(server)
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
        wait_for(lambda: server.log_has("Master has been promoted."), "the promotion")
        for address in server.addresses:
            with Wire(address) as wire:
                seen = wire.request("GET", "/").json()["environment"]
                assert not [name for name in seen if name.startswith(("LISTEN_", "GUNICORN_"))]
        os.kill(new, signal.SIGTERM)
        wait_for(lambda: not is_alive(new), "the end of the new master")
    assert os.path.exists(path)


def test_sockets_for_another_process_are_left_alone(serve, inet):
    env = {"LISTEN_PID": "1", "LISTEN_FDS": "1"}
    with serve("process", env=env) as server:
        assert server.port != inet.getsockname()[1]
        assert server.get("/").json()["environment"]["LISTEN_FDS"] == "1"


def test_a_descriptor_is_served_beside_an_address(serve, inet):
    number = inet.fileno()
    with serve("hello", "--bind", f"fd://{number}", descriptors=[number]) as server:
        assert len(server.addresses) == 2
        assert ("127.0.0.1", inet.getsockname()[1]) in server.addresses
        for address in server.addresses:
            with Wire(address) as wire:
                assert wire.request("GET", "/").status == 200


@pytest.mark.parametrize("number", [0, 99])
def test_a_descriptor_that_cannot_listen_is_refused(run, number):
    ran = run("hello", "--bind", f"fd://{number}")
    ran.expect(
        1, f"Can't connect to fd://{number}", "hint: fd://N is a socket that whoever starts the server has opened"
    )


def test_two_servers_share_a_port_if_both_say_so(serve, run):
    with serve("hello", "--reuse-port", "--workers", "2") as server:
        address = f"127.0.0.1:{server.port}"
        run("hello", "--bind", address).expect(1, "Connection in use")
        with serve("hello", "--reuse-port", bind=address) as second:
            assert second.port == server.port
            server.stop()
            assert wait_for(lambda: second.get("/").status == 200, "an answer of the second")
