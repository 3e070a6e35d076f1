"""What an application does besides answering: its threads, its signal handlers, its event loops, while requests run and
while none does."""

import signal

import pytest
from harness import wait_for

MODES = [(), ("--threads", "4")]


@pytest.fixture(params=MODES, ids=["one thread", "four threads"])
def server(request, serve):
    with serve("background", *request.param) as running:
        yield running


def heard(server):
    path = server.folder / "heard.log"
    return path.read_text().splitlines() if path.exists() else []


def test_threads_of_the_application_run_while_the_worker_waits(server):
    with server.connect() as wire:
        before = wire.get("/look").json()["counter"]
        # The worker has nothing to do between these requests.
        wait_for(lambda: wire.get("/look").json()["counter"] > before + 20, "a background thread that counts")


def test_signal_handlers_of_the_application_run_while_the_worker_waits(server):
    (pid,) = server.workers()
    assert server.get("/look").json()["pid"] == pid
    for count in (1, 2, 3):
        server.signal(signal.SIGUSR2, pid)
        wait_for(lambda count=count: len(heard(server)) == count, "the handler")
    assert heard(server) == [f"handler {int(signal.SIGUSR2)} True"] * 3
    assert server.workers() == {pid}


def test_one_thread_may_set_alarms(serve):
    with serve("background") as server, server.connect() as wire:
        assert wire.get("/alarm").json() == "interrupted"
        assert wire.get("/alarm_later").json() == "set"
        wait_for(lambda: heard(server), "the alarm")
        assert heard(server) == ["alarm True"]
        assert wire.get("/alarm").json() == "interrupted"


def test_one_thread_may_run_event_loops(serve):
    """An event loop takes the interpreter's wake-up descriptor away; signals are heard after it all the same."""
    with serve("background") as server, server.connect() as wire:
        (pid,) = server.workers()
        for _ in range(3):
            assert wire.get("/run_loop").json() == "asyncio"
        server.signal(signal.SIGUSR2, pid)
        wait_for(lambda: heard(server), "the handler")


def test_hints_may_come_from_any_thread(server):
    with server.connect() as wire:
        wire.send(b"GET /hint_from_thread HTTP/1.1\r\nHost: localhost\r\n\r\n")
        hint = wire.head()
        assert (hint.status, hint.header("Link")) == (103, "</from-a-thread.css>; rel=preload")
        assert wire.response().json() == {"gone": False}


def test_another_thread_may_watch_whether_the_client_is_there(server):
    with server.connect() as wire:
        wire.send(b"GET /watch HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert wire.head().status == 200
        wire.take(100_000)
    wait_for(lambda: heard(server), "the news that the client has gone")
    assert "two threads" not in server.log and "Traceback" not in server.log
    with server.connect() as wire:
        assert wire.get("/look").status == 200


def test_what_was_kept_of_a_request_does_nothing_to_another(server):
    with server.connect() as first, server.connect() as second:
        assert first.get("/keep").json() == "kept"
        answers = [second.get("/use_kept").json() for _ in range(5)]
        ended = "the request has ended"
        other = "this socket is not that of the request which runs in this thread"
        assert answers == [[ended, ended, other, other]] * 5
        assert first.get("/look").status == 200
