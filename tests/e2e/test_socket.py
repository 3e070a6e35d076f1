"""``gunicorn.socket`` and ``wsgi.early_hints``: what an application may do on the connection besides answering."""

import contextlib
import socket

import pytest

MODES = [(), ("--threads", "4")]


@pytest.fixture(params=MODES, ids=["one thread", "four threads"])
def server(request, serve):
    with serve("socket_user", *request.param) as running:
        yield running


def read_until(connection: socket.socket, ending: bytes) -> bytes:
    seen = b""
    while not seen.endswith(ending):
        piece = connection.recv(1000)
        assert piece, f"closed after {seen!r}"
        seen += piece
    return seen


def test_looking_at_the_socket_takes_nothing_over(server):
    with server.connect() as wire:
        for _ in range(3):
            seen = wire.get("/look").json()
            assert "not" not in seen.pop("shown")
            assert seen == {
                "peer": ["127.0.0.1", wire.port],
                "own": ["127.0.0.1", server.port],
                "family": int(socket.AF_INET),
                "type": int(socket.SOCK_STREAM),
                "proto": socket.IPPROTO_TCP,
                "nodelay": 1,
                "timeout": None,
                "inheritable": False,
                "is a socket": True,
            }
            assert wire.get("/unpicklable").json() == "refused"


def test_an_application_may_take_the_connection_over(server):
    request = b"GET /take HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        # Sent along with the request, so the server has read it already: it is not lost.
        connection.sendall(request + b"early")
        assert read_until(connection, b"<early>") == b"HTTP/1.1 101 Switching Protocols\r\n\r\n<early>"
        connection.sendall(b"late")
        assert read_until(connection, b"<late>") == b"<late>"
        connection.sendall(b"bye")
        assert connection.recv(1000) == b""
    assert server.get("/look").status == 200
    assert "Traceback" not in server.log


@pytest.fixture
def talk(server):
    """Sends a request and more in one packet; the bytes behind the head of the answer, as a file."""
    with contextlib.ExitStack() as stack:

        def begun(name, early):
            address = ("127.0.0.1", server.port)
            connection = stack.enter_context(socket.create_connection(address, timeout=20))
            connection.sendall(f"GET /{name} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode() + early)
            return connection

        yield begun
    assert server.get("/look").status == 200
    assert "Traceback" not in server.log


def rest(connection):
    seen = b""
    while piece := connection.recv(1000):
        seen += piece
    return seen.removeprefix(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")


def test_every_way_to_receive_gives_what_was_read_already(talk):
    connection = talk("small", b"abcdefghijk")
    read_until(connection, b"\r\n\r\n")
    connection.sendall(b"lm")
    assert rest(connection).split(b"|") == [b"ab", b"ab", b"c", b"d", b"e", b"f", b"g", b"", b"hijklm"]


def test_a_file_of_it_gives_what_was_read_already(talk):
    connection = talk("makefile", b"early\nand ")
    assert read_until(connection, b"EARLY\n").endswith(b"\r\n\r\nEARLY\n")
    connection.sendall(b"late\n")
    assert read_until(connection, b"LATE\n") == b"AND LATE\n"
    connection.shutdown(socket.SHUT_WR)
    assert connection.recv(1000) == b""


def test_a_duplicate_brings_what_was_read_already(talk):
    connection = talk("dup", b"early")
    read_until(connection, b"<early>")
    connection.sendall(b"late")
    assert rest(connection) == b"<late>"


def test_the_bare_descriptor_is_refused_while_it_would_lose_bytes(talk):
    connection = talk("descriptor", b"early")
    assert rest(connection) == b"fileno detach early detached"


def test_it_outlives_its_request_in_another_thread(talk):
    connection = talk("thread", b"early")
    read_until(connection, b"<early>")
    connection.sendall(b"late")
    assert read_until(connection, b"<late>") == b"<late>"
    connection.shutdown(socket.SHUT_WR)
    assert connection.recv(1000) == b""


def test_code_in_c_takes_it_for_a_socket(talk):
    connection = talk("tls", b"early")
    # The first record of a TLS handshake.
    assert connection.recv(1) == b"\x16"
    connection.sendall(b"no TLS here")
    with contextlib.suppress(ConnectionResetError):
        rest(connection)


def test_early_hints_go_out_before_the_answer(serve):
    with serve("hinting") as running, running.connect() as wire:
        wire.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        hint = wire.head()
        assert (hint.status, hint.header("Link")) == (103, "</style.css>; rel=preload")
        answer = wire.response()
        assert (answer.status, answer.body) == (200, b"hinted")


def test_early_hints_are_not_sent_to_an_old_client(serve):
    with serve("hinting") as running, running.connect() as wire:
        wire.send(b"GET / HTTP/1.0\r\n\r\n")
        assert (answer := wire.response()).status == 200 and answer.body == b"hinted"


def test_early_hints_refuse_what_http_does_not_allow(serve):
    with serve("hinting") as running:
        assert running.get("/wrong").text == "ValueError"
