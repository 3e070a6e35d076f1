"""``gunicorn.socket`` and ``wsgi.early_hints``: what an application may do on the connection besides answering."""

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
            assert wire.get("/look").json() == {"peer": ["127.0.0.1", wire.port], "family": int(socket.AF_INET)}


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
