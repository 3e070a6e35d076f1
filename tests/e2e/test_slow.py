"""The deadlines that the server sets its clients, each 1 s here: what a client that misses one gets to see."""

import time
from itertools import count

import pytest
from harness import wait_for
from wire import Ended, Truncated, Wire, chunk, compose

MEBIBYTE = 1 << 20

# Only one of them is short at a time, so that it is known which one struck.
LONG = {"--header-timeout": "60", "--body-timeout": "60", "--write-timeout": "60", "--keep-alive": "60"}


@pytest.fixture
def impatient(serve):
    """A server with that one deadline at 1 s: `impatient("--body-timeout")`."""

    def start(option, *arguments, application="bodies", **options):
        chosen = {**LONG, option: "1"}
        return serve(application, *(word for pair in chosen.items() for word in pair), *arguments, **options)

    return start


def expect_408(wire):
    response = wire.response()
    assert (response.status, response.reason, response.keeps_open) == (408, "Request Timeout", False)
    assert wire.has_ended()


def calls(server):
    path = server.folder / "calls.log"
    return path.read_text().splitlines() if path.exists() else []


# Heads.


@pytest.mark.parametrize("part", [b"G", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost: a\r\n"])
def test_a_head_that_stops_is_answered_with_408(impatient, part):
    with impatient("--header-timeout") as server, server.connect() as wire:
        wire.send(part)
        expect_408(wire)
        assert server.get("/pid").status == 200


def test_a_second_head_that_stops_is_answered_with_408_too(impatient):
    with impatient("--header-timeout") as server, server.connect() as wire:
        assert wire.get("/pid").keeps_open
        wire.send(b"GET / HT")
        expect_408(wire)


def test_a_head_that_comes_behind_a_request_and_stops_is_answered_with_408(impatient):
    with impatient("--header-timeout") as server, server.connect() as wire:
        wire.send(compose("GET", "/pid") + b"GET / HT")
        assert wire.response().status == 200
        expect_408(wire)


def test_a_head_that_trickles_for_ever_is_answered_with_408(impatient):
    # The time counts from its first byte: progress does not renew it.
    with impatient("--header-timeout") as server, server.connect() as wire:
        wire.send(b"GET / HTTP/1.1\r\nHost: a\r\nX: ")
        for number in count():
            wire.send(b"x")
            if wire.wait_readable(0.1):
                break
            assert number < 150, "a head may trickle on"
        expect_408(wire)


def test_a_new_connection_that_says_nothing_is_closed_without_a_word(impatient):
    with impatient("--header-timeout") as server, server.connect() as wire:
        assert wire.has_ended()
        assert server.get("/pid").status == 200
        assert "[WARNING]" not in server.log


def test_an_idle_connection_is_closed_without_a_word(impatient):
    with impatient("--keep-alive") as server, server.connect() as wire:
        assert wire.get("/pid").keeps_open
        assert wire.has_ended()
        assert "[WARNING]" not in server.log


def test_keep_alive_is_not_the_time_for_a_head(impatient):
    with impatient("--keep-alive") as server, server.connect() as wire, server.connect() as idle:
        assert wire.get("/pid").keeps_open
        wire.send(b"GET /pid HT")
        assert idle.get("/pid").keeps_open
        # The one that began is there when the one that became idle after it has been closed.
        assert idle.has_ended()
        assert wire.is_quiet()
        wire.send(b"TP/1.1\r\nHost: a\r\n\r\n")
        assert wire.response().status == 200


# Bodies.


@pytest.mark.parametrize("size", [1000, 10 * MEBIBYTE])
@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_a_body_that_stops_is_answered_with_408_and_never_reaches_the_application(impatient, size, framing):
    with impatient("--body-timeout") as server, server.connect() as wire:
        if framing == "length":
            wire.send(compose("POST", "/read", {"Content-Length": str(size)}) + bytes(size // 2))
        else:
            wire.send(compose("POST", "/read", {"Transfer-Encoding": "chunked"}) + chunk(bytes(size // 2)))
        expect_408(wire)
        assert server.get("/pid").status == 200
        assert calls(server) == ["/pid"]


def test_a_body_that_never_begins_is_answered_with_408(impatient):
    with impatient("--body-timeout") as server, server.connect() as wire:
        wire.send(compose("POST", "/read", {"Content-Length": "10"}))
        expect_408(wire)
        assert calls(server) == []


def test_an_announced_body_that_does_not_come_is_answered_with_408(impatient):
    with impatient("--body-timeout") as server, server.connect() as wire:
        wire.send(compose("POST", "/stream", {"Content-Length": "10", "Expect": "100-continue"}))
        assert wire.response().status == 100
        expect_408(wire)
        assert server.get("/pid").status == 200


def test_a_streamed_body_that_stops_is_an_error_of_the_read_and_answered_with_408(impatient):
    with impatient("--body-timeout", "--no-request-buffering") as server, server.connect() as wire:
        wire.send(compose("POST", "/stream", {"Content-Length": "10"}) + b"12345")
        expect_408(wire)
        outcome = (server.folder / "outcome.log").read_text().splitlines()
        assert len(outcome) == 2 and all(line.endswith(" is an OSError") for line in outcome)
        assert server.get("/pid").status == 200


def test_a_body_that_makes_progress_has_all_the_time_it_needs(impatient):
    with impatient("--header-timeout", "--body-timeout", "4") as server, server.connect() as wire:
        wire.send(compose("POST", "/count", {"Content-Length": "6"}))
        for _ in range(6):
            # Six seconds in all, and never more than one without a byte.
            assert not wire.wait_readable(1)
            wire.send(b"x")
        assert wire.response().text == "6"


def test_the_application_has_its_own_time(impatient):
    with impatient("--header-timeout", application="slow") as server, server.connect() as wire:
        assert wire.get("/?2").status == 200


# Answers.


@pytest.mark.parametrize("path", ["/list", "/generator"])
def test_a_client_that_does_not_read_is_cut(impatient, path):
    log = ("--access-logfile", "access.log", "--access-logformat", "%(U)s %(s)s %(B)s")
    size = 32 * MEBIBYTE
    with impatient("--write-timeout", *log, application="crowded") as server:
        with Wire(server.address, receive_buffer=4096) as wire:
            wire.send(compose("GET", f"{path}?{size}"))
            # Its line is written when it is over; it must not be us who end it by reading.
            access = server.folder / "access.log"
            text = wait_for(lambda: access.exists() and access.read_text(), "the access line")
            assert text.startswith(f"{path} 200 ") and int(text.split()[2]) < size
            with pytest.raises((Truncated, Ended)):
                wire.response()
        assert server.get("/").text == "hello"


def test_a_client_that_reads_now_and_then_is_not_cut(impatient):
    size = 5 * MEBIBYTE
    with impatient("--header-timeout", "--write-timeout", "4", application="crowded") as server:
        with Wire(server.address, receive_buffer=65536) as wire:
            wire.send(compose("GET", f"/list?{size}"))
            wire.head()
            taken = 0
            for _ in range(6):
                time.sleep(1)  # a pause is what is tested; all of them together are longer than the deadline
                taken += len(wire.take(500_000))
            assert len(wire.take(size - taken)) == size - taken
            assert wire.get("/").text == "hello"
