"""Requests that take longer than they may: what their clients get, what the log says, and that nobody else suffers."""

import contextlib
import signal

import pytest
from harness import wait_for
from load import Load
from wire import Ended, Truncated, compose

WAYS = {
    "asleep": "/sleep?40",
    "computing": "/compute?40",
    "in a regular expression": "/regex",
    "in C code that hears nothing": "/deaf",
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("threads", [1, 4])
def test_a_hung_request_is_answered_with_504_and_its_worker_replaced(serve, way, threads):
    arguments = ["--threads", str(threads), "--request-timeout", "1", "--graceful-timeout", "2"]
    with serve("busy", *arguments, "--workers", "2", "--access-logfile", "access.log") as server:
        old = server.workers(2)
        with server.connect() as hung:
            hung.send(compose("GET", way))
            # Only then: who is in the application of the same worker when C code takes the interpreter hangs with it.
            wait_for((server.folder / "busy.entered").exists, "the request to be in the application")
            with Load(server.address, kept=1, fresh=1) as load:
                answer = hung.response()
                assert (answer.status, answer.header("Connection")) == (504, "close")
                load.wait_more(20)
                new = wait_for(lambda: server.children() - old, "a replacement")
                assert len(new) == 1
        assert load.failures == []
        wait_for(lambda: len(server.children() & old) == 1, "the end of the hung worker")
        server.workers(2)
        log = server.log
        assert log.count("WORKER TIMEOUT (pid:") == 1
        assert f'request "GET {way}" of 127.0.0.1 has been running for 1.' in log
        assert "in answer" in log and "busy.py" in log
        line = f'"GET {way} HTTP/1.1" 504'
        assert (server.folder / "access.log").read_text().count(line) == 1


def test_an_answer_that_has_begun_is_cut(serve):
    with serve("busy", "--timeout", "1", "--graceful-timeout", "2") as server, server.connect() as hung:
        old = server.workers(1)
        hung.send(compose("GET", "/begun?a"))
        with pytest.raises(Truncated) as cut:
            hung.response()
        assert cut.value.response.body == b"first"
        server.workers(1, without=old)
        assert server.get("/").status == 200


@pytest.mark.parametrize("threads", [1, 3])
def test_an_answer_that_was_cut_for_good_has_its_access_line(serve, threads):
    arguments = ["--threads", str(threads), "--request-timeout", "1", "--graceful-timeout", "1"]
    with serve("busy", *arguments, "--access-logfile", "access.log") as server, server.connect() as hung:
        old = server.workers(1)
        hung.send(compose("GET", "/begun?a"))
        with pytest.raises(Truncated):
            hung.response()
        server.workers(1, without=old)
        assert (server.folder / "access.log").read_text().count('"GET /begun?a HTTP/1.1" 200') == 1


def test_other_requests_of_a_hung_worker_are_finished(serve):
    with serve("busy", "--threads", "3", "--request-timeout", "2", "--graceful-timeout", "20") as server:
        old = server.workers(1)
        with server.connect() as hung, server.connect() as slow:
            hung.send(compose("GET", "/hold?hung"))
            wait_for((server.folder / "hung.entered").exists, "the request to be in the application")
            slow.send(compose("GET", "/sleep?1.8"))
            assert hung.response().status == 504
            assert int(slow.response().text.split()[0]) in old
        server.workers(1, without=old)


def test_a_request_that_reacts_to_its_interruption_keeps_its_worker(serve):
    for threads in (1, 3):
        arguments = ["--threads", str(threads), "--request-timeout", "1", "--request-interrupt"]
        with serve("busy", *arguments) as server:
            pids = server.workers(1)
            assert server.get("/react?30").text.startswith("interrupted:")
            assert server.get("/").status == 200
            assert server.children() == pids
            assert server.log_has("it is interrupted (setting request_interrupt)")
            assert not server.log_has("WORKER TIMEOUT")


def test_requests_on_several_threads_are_interrupted_each_for_itself(serve):
    arguments = ["--threads", "5", "--request-timeout", "1", "--request-interrupt", "--timeout", "0"]
    with serve("busy", *arguments) as server, Load(server.address, kept=1, fresh=1) as load:
        pids = server.workers(1)
        wires = [server.connect() for _ in range(3)]
        for _ in range(2):
            for wire in wires:
                wire.send(compose("GET", "/react?30") + compose("GET", "/sleep?0.1"))
            for wire in wires:
                assert wire.response().text.startswith("interrupted:")
                assert wire.response().text.startswith(str(*pids)), "the next request is not interrupted"
        for wire in wires:
            wire.close()
        load.wait_more(20)
        assert server.children() == pids
    assert load.failures == []
    assert not server.log_has("WORKER TIMEOUT")


def test_worker_abort_is_called_for_the_first_request_and_does_not_end_the_next(serve):
    hook = "def worker_abort(worker):\n    open('aborted', 'a').write('x')\n"
    with serve("busy", "--timeout", "1", "--graceful-timeout", "2", settings=hook) as server:
        old = server.workers(1)
        assert server.get("/sleep?2").status == 200
        assert (server.folder / "aborted").read_text() == "x"
        assert server.get("/sleep?40").status == 504
        server.workers(1, without=old)


def test_a_request_that_ignores_its_interruption_is_given_up(serve):
    with serve("busy", "--request-timeout", "1", "--request-interrupt", "--graceful-timeout", "1") as server:
        old = server.workers(1)
        assert server.get("/deaf").status == 504
        server.workers(1, without=old)


def test_without_a_limit_a_long_request_on_threads_is_reported_once(serve):
    with serve("busy", "--threads", "2", "--timeout", "1") as server:
        pids = server.workers(1)
        with server.connect() as long:
            long.send(compose("GET", "/hold?a"))
            server.wait_log('request "GET /hold?a" of 127.0.0.1 has been running for 1.')
            for _ in range(50):
                assert server.get("/").status == 200
            (server.folder / "a.open").touch()
            assert long.response().status == 200
        assert server.children() == pids
        assert server.log.count("has been running for") == 1
        assert "busy.py" in server.log


def test_a_worker_whose_threads_are_all_late_is_replaced(serve):
    with serve("busy", "--threads", "2", "--timeout", "1", "--graceful-timeout", "20") as server:
        old = server.workers(1)
        wires = [server.connect() for _ in range(2)]
        for number, wire in enumerate(wires):
            wire.send(compose("GET", f"/hold?{number}"))
        assert wait_for(lambda: server.children() - old, "a replacement")
        for number, wire in enumerate(wires):
            (server.folder / f"{number}.open").touch()
            assert wire.response().status == 200
            wire.close()
        server.workers(1, without=old)


def test_a_request_that_waits_too_long_for_a_thread_gets_503(serve):
    with serve("busy", "--queue-timeout", "1", "--timeout", "0", "--access-logfile", "access.log") as server:
        with server.connect() as held, server.connect() as waiting:
            held.send(compose("GET", "/hold?a"))
            wait_for((server.folder / "a.entered").exists, "the request to be in the application")
            waiting.send(compose("GET", "/?waits"))
            answer = waiting.response()
            assert (answer.status, answer.header("Retry-After")) == (503, "1")
            (server.folder / "a.open").touch()
            assert held.response().status == 200
        assert '"GET /?waits HTTP/1.1" 503' in (server.folder / "access.log").read_text()


def test_a_worker_that_quits_does_not_wait_for_a_hung_request(serve):
    for way in WAYS.values():
        with serve("busy", "--timeout", "0") as server, server.connect() as hung:
            server.workers(1)
            hung.send(compose("GET", way))
            with contextlib.suppress(Ended, Truncated):
                wait_for(lambda: bool(server.log), "a log", 1)
            server.signal(signal.SIGQUIT)
            assert server.wait(10) == 0


@pytest.mark.parametrize("number", [signal.SIGQUIT, signal.SIGINT])
def test_a_request_that_is_cut_by_a_quit_is_no_error(serve, number):
    """Its thread takes a while to unwind, and whoever stands in has heard of the order long before that."""
    with serve("busy", "--timeout", "0") as server, server.connect() as held:
        server.workers(1)
        held.send(compose("GET", "/tidy?a"))
        wait_for((server.folder / "a.entered").exists, "the request to be in the application")
        server.signal(number)
        with pytest.raises(Ended):
            held.response()
        assert server.wait() == 0
        assert "Traceback" not in server.log
