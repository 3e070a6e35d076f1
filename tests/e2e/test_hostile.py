"""Applications and clients that do what they should not: nobody else may notice."""

import os
import signal

import pytest
from harness import title, wait_for
from wire import compose

MODES = [(), ("--threads", "2")]


def resident(pid: int) -> int:
    """MiB of memory that the process really has."""
    with open(f"/proc/{pid}/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") >> 20


@pytest.fixture(params=MODES, ids=["one thread", "two threads"])
def keeper(request, serve):
    with serve("keeper", *request.param) as running:
        yield running


def test_a_body_that_was_kept_cannot_be_read_in_another_request(serve):
    with serve("keeper") as running, running.connect() as first, running.connect() as second:
        first.send(compose("POST", "/keep", {"Expect": "100-continue", "Content-Length": "5"}))
        assert first.response().body == b"kept"
        second.send(compose("GET", "/use"))
        answer = second.response()
        assert (answer.status, answer.body) == (200, b"RuntimeError")


def test_headers_that_call_start_response_do_not_hang(keeper):
    assert keeper.get("/headers_that_call_back").text == "Response headers already set!"


def test_a_body_that_did_not_come_does_not_come_later_either(serve):
    with serve("keeper", "--body-memory", "1000") as running, running.connect() as wire:
        wire.send(compose("POST", "/read_twice", {"Expect": "100-continue", "Content-Length": "900"}))
        assert wire.head().status == 100
        wire.send(b"x" * 100)
        wire.finish_sending()
        assert wire.response().text == "OSError OSError"


def test_a_large_answer_arrives_though_the_client_has_sent_more(keeper):
    with keeper.connect(receive_buffer=8192) as wire:
        wire.send(compose("GET", "/large"))
        assert wire.head().status == 200
        wire.send(compose("GET", "/never-read") * 100)
        assert len(wire.take(3_000_000)) == 3_000_000


def test_a_client_that_does_not_read_costs_neither_worker_nor_memory(serve):
    with serve("keeper", "--timeout", "2") as running, running.connect(receive_buffer=4096) as wire:
        (worker,) = running.workers()
        before = resident(worker)
        wire.send(compose("GET", "/endless"))
        # Longer than `timeout`: waiting for a client is not application time.
        assert not wait_and_see(lambda: running.log_has("WORKER TIMEOUT"), seconds=4)
        assert resident(worker) < before + 16
        assert running.workers() == {worker}


def wait_and_see(happens, seconds: float) -> bool:
    """Whether something that must not happen happens within this time."""
    try:
        wait_for(happens, "nothing", deadline=seconds)
    except AssertionError:
        return False
    return True


def test_a_slow_request_holds_up_nobody_while_a_thread_is_free(serve):
    with serve("keeper", "--threads", "2") as running:
        with running.connect() as slow, running.connect() as pipelined:
            slow.send(compose("GET", "/sleep?3"))
            others = [running.connect() for _ in range(5)]
            for other in others:
                other.send(compose("GET", "/"))
            pipelined.send(compose("GET", "/") * 5)
            for other in others:
                assert other.response().body == b"ok"
                other.close()
            for _ in range(5):
                assert pipelined.response().body == b"ok"
            assert slow.is_quiet()
            assert slow.response().body == b"ok"


def test_a_worker_killed_by_a_real_time_signal_is_replaced(serve):
    with serve("hello") as running:
        (worker,) = running.booted()
        os.kill(worker, signal.SIGRTMIN + 6)
        assert running.workers(without={worker})
        assert running.get("/").status == 200


def test_an_error_message_may_hold_anything(keeper):
    assert keeper.get("/errors").status == 200
    keeper.wait_log("lone surrogate: ")


def test_requests_in_the_accept_queue_are_answered_without_keepalive_too(serve):
    with serve("keeper", "--keep-alive", "0") as running, running.connect() as busy:
        assert running.get("/").status == 200
        busy.send(compose("GET", "/sleep?1"))
        waiting = [running.connect() for _ in range(8)]
        for wire in waiting:
            wire.send(compose("GET", "/"))
        running.signal(signal.SIGTERM)
        assert busy.response().body == b"ok"
        for wire in waiting:
            assert wire.response().body == b"ok"
            wire.close()


def test_a_forked_child_that_comes_back_does_not_become_a_worker(keeper):
    for _ in range(3):
        assert keeper.get("/fork").text == "parent of 70"
    keeper.wait_log("a process that the application has forked came back")


def test_an_abandoned_reload_leaves_nothing_behind(stage):
    settings = stage.write("gunicorn.conf.py", "pidfile = 'a.pid'\nproc_name = 'old'\nwsgi_app = 'hello'\n")
    with stage.serve(None) as running:
        (worker,) = running.booted()
        settings.write_text(
            "pidfile = 'b.pid'\nproc_name = 'new'\nwsgi_app = 'broken_import'\nraw_env = ['LEFT=behind']\n"
        )
        running.signal(signal.SIGHUP)
        running.wait_log("Reload abandoned")
        os.kill(worker, signal.SIGKILL)
        # The first, the candidate, and the one that takes the first one's place.
        running.wait_log("Booting worker with pid", count=3)
        assert running.get("/").status == 200
        assert title(running.pid) == "indrik: master [old]"
        assert (settings.parent / "a.pid").exists()
        assert not (settings.parent / "b.pid").exists()
