"""Signals to the master and to workers: who leaves, who stays, and that no accepted request pays for it."""

import contextlib
import os
import signal

import pytest
from harness import is_alive, wait_for
from load import Load
from wire import Ended, Truncated, compose

PID_APP = """
import os


def application(environ, start_response):
    body = str(os.getpid()).encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
"""


@pytest.fixture
def hold():
    """Sends a request that stays in the application until `open_gate`; returns its connection once it is inside."""
    wires = []

    def send(server, name):
        wire = server.connect()
        wires.append(wire)
        wire.send(compose("GET", f"/hold?{name}"))
        wait_for((server.folder / f"{name}.entered").exists, f"request {name} to be in the application")
        return wire

    yield send
    for wire in wires:
        wire.close()


def open_gate(server, name):
    (server.folder / f"{name}.open").touch()


def expect_no_success(wire):
    """A request that was not waited for: its connection is cut, or it is told that the server failed."""
    with contextlib.suppress(Ended, Truncated):
        assert wire.response().status >= 500


# A stop.


@pytest.mark.parametrize("threads", ["1", "4"])
def test_term_lets_the_request_in_progress_finish(serve, hold, threads):
    with serve("gate", "--threads", threads) as server:
        wire = hold(server, "a")
        server.signal(signal.SIGTERM)
        server.wait_log("Handling signal: term")
        open_gate(server, "a")
        assert wire.response().status == 200
        assert wire.has_ended()
        assert server.wait() == 0
        server.expect_nobody_left()
        assert server.log.rstrip().endswith("[INFO] Shutting down: Master")


def test_term_answers_whoever_waits_in_the_accept_queue(serve, hold):
    with serve("gate") as server:
        first = hold(server, "a")
        waiting = [server.connect() for _ in range(5)]
        for wire in waiting:
            wire.send(compose("GET", "/"))
        server.signal(signal.SIGTERM)
        server.wait_log("Handling signal: term")
        open_gate(server, "a")
        assert first.response().status == 200
        for wire in waiting:
            assert wire.response().status == 200
            wire.close()
        assert server.wait() == 0


def test_term_is_graceful_to_a_worker_that_has_only_just_booted(serve, stage, hold):
    stage.write("mine.py", "import slow_import\nfrom gate import application\n")
    with serve("mine") as server:
        wait_for((server.folder / "import.entered").exists, "the import to begin")
        # The master learns of the boot and of the order to stop in one and the same moment.
        server.signal(signal.SIGSTOP)
        (server.folder / "import.open").touch()
        first = hold(server, "a")
        with server.connect() as waiting:
            waiting.send(compose("GET", "/"))
            server.signal(signal.SIGTERM)
            server.signal(signal.SIGCONT)
            server.wait_log("Handling signal: term")
            open_gate(server, "a")
            assert first.response().status == 200
            assert waiting.response().status == 200
        assert server.wait() == 0


def test_term_closes_idle_connections(serve):
    with serve("hello") as server, server.connect() as wire:
        assert wire.get("/").keeps_open
        server.stop()
        assert wire.has_ended()


def test_term_kills_what_outlasts_the_graceful_timeout(serve, hold):
    with serve("gate", "--graceful-timeout", "1") as server:
        wire = hold(server, "a")
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
        expect_no_success(wire)


@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGQUIT, signal.SIGTERM])
def test_a_second_order_to_stop_is_quick(serve, hold, second):
    with serve("gate", "--graceful-timeout", "600") as server:
        wire = hold(server, "a")
        server.signal(signal.SIGTERM)
        server.wait_log("Handling signal: term")
        server.signal(second)
        assert server.wait() == 0
        assert server.log_has("Quick shutdown requested")
        expect_no_success(wire)


@pytest.mark.parametrize("threads", ["1", "4"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT])
def test_int_and_quit_do_not_wait_for_requests(serve, hold, number, threads):
    with serve("gate", "--graceful-timeout", "600", "--threads", threads, "--workers", "2") as server:
        wire = hold(server, "a")
        server.signal(number)
        assert server.wait() == 0
        server.expect_nobody_left()
        expect_no_success(wire)


# A reload.


def test_hup_replaces_every_worker_and_loses_no_request(serve):
    with serve("hello", "--workers", "2", "--threads", "2") as server:
        seen = server.booted(2)
        with Load(server.address) as load:
            for reloads in range(1, 4):
                load.wait_more(50)
                server.signal(signal.SIGHUP)
                server.wait_log("Hang up: Master", reloads)
                new = server.workers(2, without=seen)
                load.wait_answer_of(new)
                seen |= new
            load.wait_more(50)
        assert load.failures == []
        assert server.log.count("Listening at") == 1


def test_hup_lets_old_requests_finish(serve, hold):
    with serve("gate") as server:
        old = server.booted(1)
        wire = hold(server, "a")
        server.signal(signal.SIGHUP)
        wait_for(lambda: server.children() - old, "a new worker")
        wait_for(lambda: int(server.get("/pid").text) not in old, "an answer from the new worker")
        open_gate(server, "a")
        assert int(wire.response().text) in old
        server.workers(1, without=old)


def test_hup_makes_new_settings_and_new_code_effective(serve, stage):
    stage.write("mine.py", PID_APP)
    with serve("mine", settings="workers = 1\nraw_env = ['SHOP=old']\n") as server:
        old = server.booted(1)
        (server.folder / "server.conf.py").write_text("workers = 3\nraw_env = ['SHOP=newer']\n")
        (server.folder / "mine.py").write_text(
            PID_APP.replace("body = str(os.getpid())", "body = os.environ['SHOP']").replace('"200 OK"', '"202 New"')
        )
        server.signal(signal.SIGHUP)
        server.workers(3, without=old)
        wait_for(lambda: server.get("/").status == 202, "an answer of the new code")
        assert server.get("/").text == "newer"


def test_hup_with_fewer_workers_lets_the_others_go(serve):
    with serve("hello", settings="workers = 3\n") as server:
        old = server.booted(3)
        (server.folder / "server.conf.py").write_text("workers = 1\n")
        server.signal(signal.SIGHUP)
        server.workers(1, without=old)
        assert server.get("/").text == "hello"


@pytest.mark.parametrize(
    "broken",
    ["workers = (\n", "raise RuntimeError('no such tenant')\n", "workers = -5\n", "import sys\nsys.exit(3)\n"],
    ids=["syntax error", "raises", "bad value", "exits"],
)
def test_hup_with_a_broken_settings_file_changes_nothing(serve, broken):
    with serve("hello", settings="workers = 2\n") as server:
        old = server.booted(2)
        (server.folder / "server.conf.py").write_text(broken)
        server.signal(signal.SIGHUP)
        server.wait_log("[ERROR]")
        with Load(server.address) as load:
            load.wait_more(50)
        assert load.failures == []
        assert server.children() == old
        # The next good one is taken.
        (server.folder / "server.conf.py").write_text("workers = 2\n")
        server.signal(signal.SIGHUP)
        server.booted(2, without=old)


@pytest.mark.parametrize(
    "broken",
    ["def application(\n", "import a_module_that_nobody_has\n", "raise SystemExit(0)\n", "import os\nos._exit(0)\n"],
    ids=["syntax error", "import error", "exits", "dies"],
)
def test_hup_with_a_broken_application_keeps_the_old_workers(serve, stage, broken):
    stage.write("mine.py", PID_APP)
    with serve("mine", "--workers", "2") as server:
        old = server.booted(2)
        (server.folder / "mine.py").write_text(broken)
        with Load(server.address) as load:
            load.wait_more(20)
            server.signal(signal.SIGHUP)
            server.wait_log("Hang up: Master")
            server.wait_log("[ERROR]")
            load.wait_more(100)
            server.workers(2)
        assert load.failures == []
        assert server.children() == old
        assert {int(pid) for pid in load.answers} <= old
        # The next good one is taken.
        (server.folder / "mine.py").write_text(PID_APP + "\n")
        server.signal(signal.SIGHUP)
        server.booted(2, without=old)


# One more, one fewer, other logs.


def test_ttin_and_ttou_change_the_number_of_workers(serve):
    with serve("hello") as server:
        first = server.booted(1)
        server.signal(signal.SIGTTIN)
        both = server.booted(2)
        assert first < both
        server.signal(signal.SIGTTOU)
        # The oldest goes.
        assert server.workers(1) == both - first
        server.signal(signal.SIGTTOU)
        server.wait_log("Handling signal: ttou", 2)
        assert server.get("/").text == "hello"
        assert server.workers(1) == both - first


def test_ttou_loses_no_request(serve):
    with serve("hello", "--workers", "3", "--threads", "2") as server:
        server.booted(3)
        with Load(server.address) as load:
            load.wait_more(50)
            server.signal(signal.SIGTTOU)
            server.workers(2)
            server.signal(signal.SIGTTOU)
            server.workers(1)
            load.wait_more(50)
        assert load.failures == []


def test_hup_resets_the_number_of_workers(serve):
    with serve("hello") as server:
        server.booted(1)
        server.signal(signal.SIGTTIN)
        old = server.booted(2)
        server.signal(signal.SIGHUP)
        server.workers(1, without=old)


def test_usr1_opens_both_logs_anew(serve):
    with serve(
        "hello", "--error-logfile", "error.log", "--access-logfile", "access.log", "--workers", "2", log="error.log"
    ) as server:
        server.booted(2)
        error, access = server.folder / "error.log", server.folder / "access.log"
        server.get("/before")
        wait_for(lambda: "/before" in access.read_text(), "a line in the access log")
        error.rename(server.folder / "error.1.log")
        access.rename(server.folder / "access.1.log")
        server.signal(signal.SIGUSR1)
        wait_for(error.exists, "a new error log")
        wait_for(access.exists, "a new access log")

        def both_write_there() -> bool:
            # Until a worker has obeyed it may still write into the renamed file.
            server.booted(2)
            return len(access.read_text().splitlines()) >= 2

        wait_for(both_write_there, "lines in the new access log")
        server.signal(signal.SIGTTIN)
        server.wait_log("Handling signal: ttin")
    old = (server.folder / "error.1.log").read_text()
    assert "Listening at" in old
    assert "Shutting down: Master" in error.read_text() and "Shutting down: Master" not in old


def test_winch_is_ignored_unless_daemonized(serve):
    with serve("hello", "--log-level", "debug") as server:
        pids = server.booted(1)
        server.signal(signal.SIGWINCH)
        server.wait_log("SIGWINCH ignored. Not daemonized")
        assert server.booted(1) == pids


def test_every_signal_is_logged_by_name(serve):
    with serve("hello") as server:
        server.booted(1)
        server.signal(signal.SIGUSR1)
        server.wait_log("[INFO] Handling signal: usr1")


def test_a_storm_of_signals_leaves_the_right_number_of_workers(serve):
    with serve("hello") as server:
        server.booted(1)
        for _ in range(30):
            server.signal(signal.SIGTTIN)
            server.signal(signal.SIGTTOU)
            server.signal(signal.SIGHUP)
        # Signals may merge while they are pending; a last order to itself settles the number.
        server.signal(signal.SIGHUP)
        wait_for(lambda: server.get("/").text == "hello", "an answer after the storm")
        wait_for(lambda: len(server.children()) == 1, "one worker after the storm")


# To a worker, and without asking.


def test_term_to_a_worker_lets_it_finish_and_replaces_it(serve, hold):
    with serve("gate") as server:
        (old,) = server.booted(1)
        wire = hold(server, "a")
        server.signal(signal.SIGTERM, old)
        open_gate(server, "a")
        assert int(wire.response().text) == old
        server.booted(1, without={old})


@pytest.mark.parametrize("number", [signal.SIGQUIT, signal.SIGINT])
def test_quit_and_int_to_a_worker_are_quick_and_it_is_replaced(serve, hold, number):
    with serve("gate", "--graceful-timeout", "600") as server:
        (old,) = server.booted(1)
        wire = hold(server, "a")
        server.signal(number, old)
        expect_no_success(wire)
        server.booted(1, without={old})


def test_kill_of_a_worker_under_load_is_healed(serve):
    with serve("hello", "--workers", "2", "--threads", "2") as server:
        old = server.booted(2)
        with Load(server.address) as load:
            load.wait_more(50)
            victim = load.busiest
            server.signal(signal.SIGKILL, victim)
            assert len(server.workers(2, without={victim}) - old) == 1
            load.wait_more(20)
            # What was in that process is lost with it, at most one request of each client; nothing after it is.
            lost = len(load.failures)
            assert lost <= load.clients
            load.wait_more(100)
            assert len(load.failures) == lost
        assert server.log_has(f"Worker (pid:{victim}) was sent SIGKILL! ")


def test_kill_of_the_master_makes_the_workers_leave(serve):
    server = serve("hello", "--workers", "2", "--timeout", "4")
    with server:
        pids = server.booted(2)
        os.kill(server.pid, signal.SIGKILL)
        assert server.wait() == -signal.SIGKILL
        wait_for(lambda: not any(is_alive(pid) for pid in pids), "the workers to leave")


def test_workers_without_a_master_finish_their_requests(serve, hold):
    with serve("gate") as server:
        wire = hold(server, "a")
        os.kill(server.pid, signal.SIGKILL)
        server.wait()
        open_gate(server, "a")
        assert wire.response().status == 200
        wait_for(lambda: not server.members(), "the worker to leave")
