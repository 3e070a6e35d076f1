"""A worker leaves its interpreter as any Python program does, but a thread that never ends cannot hold it."""

import os
import shlex
import signal

import pytest
from harness import wait_for

THREADS = ["1", "4"]

# Both doors; the second only where it was built.
DOORS = {"wheel": None}
if "INDRIK_BINARY" in os.environ:
    DOORS["binary"] = shlex.split(os.environ["INDRIK_BINARY"])


@pytest.fixture(params=DOORS)
def leaving(request, serve):
    """Serves, begins the threads of `kinds`, ends the server with `number`; what the application has noted."""

    def left(kinds, threads, number=signal.SIGTERM, graceful="20"):
        arguments = ("--threads", threads, "--graceful-timeout", graceful)
        options = {"env": {"LEAVING": kinds}, "program": DOORS[request.param]}
        with serve("parting", *arguments, **options) as server:
            assert server.get("/begin").status == 200
            server.signal(number)
            assert server.wait() == 0
            server.expect_nobody_left()
            assert "SIGKILL" not in server.log and "Traceback" not in server.log
            return server, (server.folder / "left.log").read_text().split()

    return left


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize(
    ("kinds", "notes"),
    [
        ("nothing", ["atexit"]),
        ("daemon", ["atexit"]),
        ("finishing", ["thread", "atexit"]),
        ("pool", ["pool", "pool", "pool", "atexit"]),
        ("pool,finishing,daemon", ["pool", "pool", "pool", "thread", "atexit"]),
    ],
)
def test_threads_and_pools_finish_before_atexit_handlers(leaving, kinds, notes, threads, number):
    """Whoever waits for the main thread to end hears it, and pools finish what they were given."""
    assert leaving(kinds, threads, number)[1] == notes


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize(
    ("kinds", "name"),
    [("asleep", "the asleep one"), ("computing", "the computing one"), ("stuck pool", "ThreadPoolExecutor-0_0")],
)
def test_a_thread_that_never_ends_cannot_hold_the_exit(leaving, kinds, name, threads):
    server, notes = leaving(kinds, threads, graceful="2")
    assert notes == ["atexit"]
    server.wait_log(f"leaves although threads of the application have not ended: {name}")


def test_a_worker_that_is_recycled_leaves_the_same_way(serve):
    settings = ("--max-requests", "1", "--graceful-timeout", "2")
    with serve("parting", *settings, env={"LEAVING": "asleep"}) as server:
        (old,) = server.workers()
        assert int(server.get("/begin").text) == old
        server.wait_log(f"Worker (pid: {old}) leaves although threads")
        wait_for(lambda: (server.folder / "left.log").exists(), "atexit of the old worker")
        server.workers(1, without={old})
