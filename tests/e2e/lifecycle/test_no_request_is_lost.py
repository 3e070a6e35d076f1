"""Constant load from sixteen clients, and all that an operator does to a server meanwhile: no request fails."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from harness import wait_for
from load import Load

APP = Path(__file__).parents[1].joinpath("apps", "hello.py").read_text()
BROKEN = {
    "syntax error": "def application(\n",
    "import error": "import a_module_that_nobody_has\n",
    "exit": "import sys\nsys.exit()\n",
}


@pytest.fixture
def load():
    def of(server):
        return Load(server.address, kept=12, fresh=4)

    return of


def test_reloads(serve, load):
    with serve("hello", "--workers", "4") as server:
        seen = server.booted(4)
        with load(server) as clients:
            for _ in range(20):
                clients.wait_more(20)
                server.signal(signal.SIGHUP)
                seen |= server.workers(4, without=seen)
            clients.wait_more(100)
        assert clients.failures == []
        assert "[ERROR]" not in server.log


def test_reloads_that_come_too_fast(serve, load):
    with serve("hello", "--workers", "4") as server:
        server.booted(4)
        with load(server) as clients:
            for _ in range(20):
                clients.wait_more(5)
                server.signal(signal.SIGHUP)
            before = server.workers(4)
            server.signal(signal.SIGHUP)
            server.workers(4, without=before)
            clients.wait_more(100)
        assert clients.failures == []


def test_more_and_fewer_workers(serve, load):
    with serve("hello", "--workers", "2") as server:
        server.booted(2)
        with load(server) as clients:
            for count in range(1, 21):
                # One at a time: the kernel merges a signal with one of its kind that waits.
                server.signal(signal.SIGTTIN)
                server.wait_log("Handling signal: ttin", count)
                clients.wait_more(20)
                server.signal(signal.SIGTTOU)
                server.wait_log("Handling signal: ttou", count)
                clients.wait_more(20)
            server.workers(2)
        assert clients.failures == []


def test_recycling_of_four_workers_after_fifty_requests_each(serve, load):
    with serve("hello", "--workers", "4", "--max-requests", "50") as server:
        first = server.booted(4)
        with load(server) as clients:
            wait_for(lambda: len(set(clients.answers) - {str(pid) for pid in first}) >= 12, "twelve more workers")
            clients.wait_more(100)
        assert clients.failures == []
        server.workers(4)


def test_lifetimes_and_memory_recycle_as_well(serve, load):
    options = ("--workers", "2", "--max-worker-lifetime", "1", "--max-worker-memory", "1")
    # Nobody waits for the first workers here: they may have been replaced by then.
    with serve("hello", *options) as server:
        with load(server) as clients:
            server.wait_log("(max_worker_memory is 1): it is replaced.", 3)
            clients.wait_more(100)
        assert clients.failures == []
    with serve("hello", *options[:4]) as server:
        with load(server) as clients:
            server.wait_log("has lived for max_worker_lifetime: it is replaced.", 3)
            clients.wait_more(100)
        assert clients.failures == []


def test_an_application_that_takes_three_seconds_to_import(serve, stage, load):
    stage.write("mine.py", APP)
    with serve("mine", "--workers", "2") as server:
        old = server.booted(2)
        (server.folder / "mine.py").write_text("import time\ntime.sleep(3)\n" + APP)
        with load(server) as clients:
            server.signal(signal.SIGHUP)
            server.workers(2, without=old)
            clients.wait_more(100)
        assert clients.failures == []


def test_reloads_that_fail(serve, stage, load):
    stage.write("mine.py", APP)
    with serve("mine", settings="workers = 2\n") as server:
        old = server.booted(2)
        settings = server.folder / "server.conf.py"
        with load(server) as clients:
            for count, text in enumerate(BROKEN.values(), 1):
                (server.folder / "mine.py").write_text(text)
                server.signal(signal.SIGHUP)
                server.wait_log("[ERROR] Reload abandoned", count)
                clients.wait_more(50)
            (server.folder / "mine.py").write_text(APP)
            for count, text in enumerate(BROKEN.values(), 1):
                settings.write_text(text)
                server.signal(signal.SIGHUP)
                server.wait_log("[ERROR] Reload failed", count)
                clients.wait_more(50)
            server.workers(2)
            assert server.children() == old
        assert clients.failures == []


def test_an_upgrade_and_a_promotion(serve, load):
    with serve("hello", "--workers", "2", "--pid", "master.pid") as server:
        server.booted(2)
        with load(server) as clients:
            server.signal(signal.SIGUSR2)
            path = server.folder / "master.pid.2"
            new = int(wait_for(lambda: path.exists() and path.read_text().strip(), "the second pid file"))
            server.wait_log("Booting worker with pid", 4)
            clients.wait_more(100)
            server.signal(signal.SIGTERM)
            assert server.wait() == 0
            server.wait_log("Master has been promoted.")
            clients.wait_more(100)
        assert clients.failures == []
        os.kill(new, signal.SIGTERM)
        wait_for(lambda: not server.members(), "everybody to leave")


def test_a_storm_of_two_hundred_signals_leaves_what_was_asked_for_last(serve):
    with serve("hello", "--workers", "2") as server:
        server.booted(2)
        for index in range(200):
            server.signal((signal.SIGTTIN, signal.SIGHUP, signal.SIGTTOU)[index % 3])
        # Signals may merge while they are pending; a last order settles the number.
        before = server.children()
        server.signal(signal.SIGHUP)
        wait_for(lambda: not server.children() & before, "new workers only")
        server.booted(2)
        assert "panicked" not in server.log
