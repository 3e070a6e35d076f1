"""The pages that the server answers with itself, in every mode."""

import re

import pytest
from contract import MODES
from harness import wait_for
from wire import compose

DATE = r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT"
SETTINGS = "limit_request_body = 10\nlimit_request_fields = 5\nlimit_request_line = 100\n"

# How each is provoked, with its status and reason.
PAGES = {
    "malformed": (b"{} /pid HTTP/1.1\r\nHost: a b\r\n\r\n", 400, "Bad Request"),
    "no host": (b"{} /pid HTTP/1.1\r\n\r\n", 400, "Bad Request"),
    "too large": (b"{} /pid HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n", 413, "Content Too Large"),
    "line too long": (b"{} /" + b"x" * 200 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414, "URI Too Long"),
    "too many fields": (
        b"{} /pid HTTP/1.1\r\nHost: a\r\n" + b"X-A: 1\r\n" * 9 + b"\r\n",
        431,
        "Request Header Fields Too Large",
    ),
    "not implemented": (
        b"{} /pid HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        501,
        "Not Implemented",
    ),
    "raised": (b"{} /raises_in_call/ValueError HTTP/1.1\r\nHost: a\r\n\r\n", 500, "Internal Server Error"),
    "no answer": (b"{} /raises_at_first/ValueError HTTP/1.1\r\nHost: a\r\n\r\n", 500, "Internal Server Error"),
    "old client": (b"{} /raises_in_call/ValueError HTTP/1.0\r\n\r\n", 500, "Internal Server Error"),
}


@pytest.fixture
def server(served):
    return served("iterables", settings=SETTINGS)


@pytest.mark.parametrize("case", PAGES)
@pytest.mark.parametrize("method", ["GET", "POST", "HEAD"])
def test_a_page_of_the_server_is_a_whole_answer(server, case, method):
    """PEP 3333, The start_response() Callable: the server is responsible for correct headers; RFC 9110, sections 6.6.1
    and 10.2.4 on Date and Server, section 9.3.2: HEAD has no body."""
    request, status, reason = PAGES[case]
    with server.connect() as wire:
        wire.send(request.replace(b"{}", method.encode()))
        wire.finish_sending()
        response = wire.response(method)
        assert (response.status, response.reason) == (status, reason)
        assert wire.rest() == b""
    assert {name for name, _ in response.headers} == {"Server", "Date", "Connection", "Content-Type", "Content-Length"}
    assert re.fullmatch(DATE, response.header("Date"))
    assert (response.header("Server"), response.header("Connection")) == ("indrik", "close")
    assert response.header("Content-Type").startswith("text/html")
    if method == "HEAD":
        assert response.body == b"" and int(response.header("Content-Length")) > 0
    else:
        assert f"<title>{reason}</title>" in response.text and f"<h1><p>{reason}</p></h1>" in response.text


def test_a_page_shows_nothing_of_the_application(server):
    """PEP 3333, Error Handling: what an application raised belongs into the log; it is nothing for a client."""
    response = server.get("/raises_in_call/ValueError")
    assert "of the application" not in response.text and "Traceback" not in response.text


@pytest.mark.parametrize("mode", MODES)
def test_a_worker_survives_every_page(serve, mode):
    """PEP 3333, Error Handling: one request that fails does not end the server."""
    with serve("iterables", settings=MODES[mode] + SETTINGS) as server:
        pids = server.booted(1)
        for request, status, _ in PAGES.values():
            with server.connect() as wire:
                wire.send(request.replace(b"{}", b"GET"))
                wire.finish_sending()
                assert wire.response().status == status
        with server.connect() as wire:
            wire.send(compose("GET", "/pid"))
            assert int(wire.response().text) in pids
        wait_for(lambda: server.workers(1) == pids, "the same worker")
