"""flask-sock with a WebSocket client: simple-websocket takes the connection over through ``gunicorn.socket``.

The client is another implementation than the server's, so that they do not share their mistakes.
"""

import contextlib
import os
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from harness import wait_for
from modes import expect_no_complaint, framework, serving
from websockets.exceptions import ConnectionClosedError, ConnectionClosedOK
from websockets.sync.client import connect
from wire import compose

WAIT = 20
UPGRADE = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13",
}


@pytest.fixture
def start(serve):
    @contextlib.contextmanager
    def started(*arguments, **env):
        with serve("socket_app:application", *arguments, env={**framework(), **env}) as server:
            yield server
            expect_no_complaint(server)

    return started


server = serving("socket_app:application")


@pytest.fixture
def four_threads(start):
    with start("--threads", "4") as running:
        yield running


def to(server, path, **options):
    return connect(f"ws://127.0.0.1:{server.port}{path}", proxy=None, open_timeout=WAIT, close_timeout=WAIT, **options)


def notes(server):
    path = server.folder / "ended.log"
    return path.read_text().splitlines() if path.exists() else []


@contextlib.contextmanager
def noting(server, line, count=1):
    """What is done inside makes the application note that line so often more."""
    before = notes(server).count(line)
    yield
    wait_for(lambda: notes(server).count(line) == before + count, f"{count} x {line!r} in {notes(server)}")


def descriptors_of(server, client_ports):
    """How many descriptors the server's processes hold for the connections to those ports of clients."""
    inodes = set()
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        local, remote = (int(address.split(":")[1], 16) for address in fields[1:3])
        if local == server.port and remote in client_ports:
            inodes.add(f"socket:[{fields[9]}]")
    held = 0
    for pid in server.members():
        for descriptor in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(FileNotFoundError):
                held += os.readlink(f"/proc/{pid}/fd/{descriptor}") in inodes
    return held


def frame(payload):
    """A text message as a client sends it: masked (RFC 6455 5.3), here with a mask of zeros."""
    assert len(payload) < 126
    return bytes([0x81, 0x80 | len(payload), 0, 0, 0, 0]) + payload


def test_messages_go_both_ways(server):
    with noting(server, "closed there 1000"), to(server, "/echo") as ws:
        assert ws.response.status_code == 101
        for message in ("", "hello", "\u2603" * 1000, b"", bytes(range(256)), "x" * 200_000, os.urandom(300_000)):
            ws.send(message)
            assert ws.recv(WAIT) == message
        # Many on their way before the first is read.
        for number in range(200):
            ws.send(str(number))
        assert [ws.recv(WAIT) for _ in range(200)] == [str(number) for number in range(200)]
        # One message in parts.
        ws.send(iter(["in ", "three ", "parts"]))
        assert ws.recv(WAIT) == "in three parts"
    assert server.get("/page").text == "page"


def test_the_application_may_speak_first_and_leave(server):
    for _ in range(3):
        with to(server, "/count/50") as ws:
            assert list(ws) == [str(number) for number in range(50)]
            assert (ws.close_code, ws.close_reason) == (1000, "")
    assert server.get("/page").text == "page"


def test_the_application_may_close_with_a_reason(server):
    with noting(server, "closed here"), to(server, "/echo") as ws:
        ws.send("close")
        with pytest.raises(ConnectionClosedError) as closed:
            ws.recv(WAIT)
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4000, "as you wish")


def test_the_client_may_close_with_a_reason(server):
    with noting(server, "closed there 4001"), to(server, "/echo") as ws:
        ws.close(4001, "enough")
        with pytest.raises(ConnectionClosedError):
            ws.recv(WAIT)


def test_a_client_that_vanishes_frees_its_thread(server):
    for _ in range(5):
        with noting(server, "closed there 1005"), to(server, "/echo") as ws:
            ws.send("hello")
            assert ws.recv(WAIT) == "hello"
            ws.socket.shutdown(socket.SHUT_RDWR)
    assert server.get("/page").text == "page"


def test_what_came_with_the_handshake_is_not_lost(server):
    address = ("127.0.0.1", server.port)
    with noting(server, "closed there 1005"), socket.create_connection(address, timeout=WAIT) as connection:
        connection.sendall(compose("GET", "/echo", UPGRADE) + frame(b"early") + frame(b"bird"))
        received = b""
        while not received.endswith(b"\x81\x05early\x81\x04bird"):
            piece = connection.recv(1000)
            assert piece, f"closed after {received!r}"
            received += piece
        assert received.startswith(b"HTTP/1.1 101 ")


def test_several_sockets_and_pages_at_once(four_threads):
    server = four_threads
    with to(server, "/talk/a") as a, to(server, "/talk/b") as b, to(server, "/talk/c") as c:
        talkers = [a, b, c]
        for ws, name in zip(talkers, "abc", strict=True):
            # Everybody has arrived when they hear themselves.
            ws.send("here")
            heard = [ws.recv(WAIT)]
            while heard[-1] != f"{name}: here":
                heard.append(ws.recv(WAIT))
        b.send("hello all")
        for ws in talkers:
            while ws.recv(WAIT) != "b: hello all":
                pass
        # The fourth thread still answers pages.
        with ThreadPoolExecutor(4) as pool:
            assert {text.text for text in pool.map(server.get, ["/page"] * 20)} == {"page"}
        with pytest.raises(TimeoutError):
            a.recv(0)
    assert server.get("/page").text == "page"


def test_the_server_forgets_the_connection(four_threads):
    server = four_threads
    with noting(server, "closed there 1000", 3), contextlib.ExitStack() as open_sockets:
        sockets = [open_sockets.enter_context(to(server, "/echo")) for _ in range(3)]
        ports = {ws.local_address[1] for ws in sockets}
        for ws in sockets:
            ws.send("here")
            assert ws.recv(WAIT) == "here"
        # One is the application's; while its call lasts, the server may have another.
        assert 3 <= descriptors_of(server, ports) <= 6
    wait_for(lambda: descriptors_of(server, ports) == 0, "an end of all descriptors of closed sockets")
    assert server.get("/page").text == "page"


@pytest.mark.parametrize("threads", ["1", "4"])
def test_a_socket_is_not_bound_by_the_deadlines_of_requests(start, threads):
    deadlines = ("--timeout", "--keep-alive", "--write-timeout", "--header-timeout", "--body-timeout")
    chosen = [word for option in deadlines for word in (option, "1")]
    with start(*chosen, "--threads", threads) as server, to(server, "/echo") as ws:
        pids = server.workers()
        # Longer than any of them, with silence in between that is longer too.
        end = time.monotonic() + 3
        while time.monotonic() < end:
            with pytest.raises(TimeoutError):
                ws.recv(1.5)
            ws.send("still here")
            assert ws.recv(WAIT) == "still here"
        assert server.workers() == pids


def test_pings_keep_a_quiet_socket_alive(start):
    with start("--threads", "4", PING_INTERVAL="0.1") as server, to(server, "/echo") as ws:
        latency = ws.ping()
        assert latency.wait(WAIT)
        for _ in range(3):
            with pytest.raises(TimeoutError):
                ws.recv(0.3)
            ws.send("hello")
            assert ws.recv(WAIT) == "hello"


@pytest.mark.xfail(
    strict=True, reason="fileno() raises while bytes wait for recv(), and simple-websocket's thread dies of it"
)
def test_what_came_with_the_handshake_is_not_lost_by_a_socket_that_pings(start):
    received = bytearray()
    with start("--threads", "4", PING_INTERVAL="1") as server, server.connect() as wire:
        wire.send(compose("GET", "/echo", UPGRADE) + frame(b"early"))
        assert wire.head().status == 101

        def echoed():
            assert "Exception in thread" not in server.log
            while wire.wait_readable(0):
                received.extend(wire.take(1))
            return b"early" in received

        wait_for(echoed, "the echo")


def test_sockets_that_ended_leave_their_places_to_others(start):
    with start("--threads", "4", "--worker-connections", "4") as server:
        for _ in range(5):
            with contextlib.ExitStack() as stack:
                sockets = [stack.enter_context(to(server, "/echo")) for _ in range(3)]
                assert server.get("/page").text == "page"
                for ws in sockets:
                    ws.send("still here")
                    assert ws.recv(WAIT) == "still here"


def test_a_stop_waits_for_a_socket_until_its_end(start):
    with start("--threads", "4", "--graceful-timeout", "30") as server:
        with to(server, "/echo") as ws:
            server.signal(15)
            server.wait_log("Handling signal: term")
            ws.send("last words")
            assert ws.recv(WAIT) == "last words"
        assert server.wait() == 0
        server.expect_nobody_left()


def test_a_stop_cuts_a_socket_that_stays(serve):
    chosen = ("--threads", "4", "--graceful-timeout", "1")
    with serve("socket_app:application", *chosen, env=framework()) as server, to(server, "/echo") as ws:
        ws.send("hello")
        assert ws.recv(WAIT) == "hello"
        server.signal(15)
        with pytest.raises((ConnectionClosedError, ConnectionClosedOK)):
            ws.recv(WAIT)
        assert server.wait() == 0
        server.expect_nobody_left()
