"""preload_app: one process per generation imports the application and forks the workers; a reload makes a new one."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from harness import is_alive, processes, title, wait_for
from load import Load

APP = Path(__file__).parents[1].joinpath("apps", "hello.py").read_text()
NOTES_IMPORT = "import os\nopen('imports.log', 'a').write(f'{os.getpid()}\\n')\n"


def mold_of(server):
    """The pid of the one mold there is."""

    def found():
        molds = [pid for pid in server.children() if title(pid).startswith("indrik: mold")]
        return molds[0] if len(molds) == 1 else None

    return wait_for(found, "one mold")


def workers_of(server, count, without=frozenset()):
    """Waits for that many workers, molds aside."""

    def settled():
        now = {pid for pid in server.children() if title(pid).startswith("indrik: worker")}
        return now if len(now) == count and not now & without else None

    return wait_for(settled, f"{count} workers, none of {sorted(without)} (there are {server.children()})")


def test_the_application_is_imported_once_for_all_workers(serve, stage):
    stage.write("mine.py", NOTES_IMPORT + APP)
    with serve("mine", "--preload", "--workers", "3") as server:
        workers = workers_of(server, 3)
        mold = mold_of(server)
        assert (server.folder / "imports.log").read_text() == f"{mold}\n"
        assert int(server.get("/pid").text) in workers
        assert all(process.parent == server.pid for process in processes() if process.pid in workers)


def test_workers_of_a_mold_are_replaced_whatever_ends_them(serve, stage):
    stage.write("mine.py", NOTES_IMPORT + APP)
    with serve("mine", "--preload", "--workers", "2") as server:
        first = workers_of(server, 2)
        mold = mold_of(server)
        assert server.get("/").text == "hello"
        for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV):
            victim = min(workers_of(server, 2))
            server.signal(number, victim)
            workers_of(server, 2, without=frozenset({victim}))
        server.signal(signal.SIGTTIN)
        workers_of(server, 3, without=frozenset())
        assert (server.folder / "imports.log").read_text() == f"{mold}\n"
        assert first.isdisjoint({mold})
        assert not [pid for pid in server.members() if title(pid) == ""], "no process in between stays"


def test_a_reload_loads_the_new_code_and_loses_no_request(serve, stage):
    stage.write("mine.py", APP)
    with serve("mine", "--preload", "--workers", "2") as server:
        old, mold = workers_of(server, 2), mold_of(server)
        (server.folder / "mine.py").write_text(APP.replace('"200 OK"', '"200 Newer"'))
        with Load(server.address) as load:
            load.wait_more(50)
            server.signal(signal.SIGHUP)
            workers_of(server, 2, without=frozenset(old))
            load.wait_more(50)
        assert load.failures == []
        assert server.get("/").reason == "Newer"
        wait_for(lambda: not is_alive(mold), "the old mold to leave")
        mold_of(server)


@pytest.mark.parametrize(
    "broken", ["import nothing_of_that_name\n", "raise SystemExit(0)\n", "import os\nos._exit(0)\n"]
)
def test_a_reload_whose_code_cannot_be_loaded_is_abandoned(serve, stage, broken):
    stage.write("mine.py", APP)
    with serve("mine", "--preload", "--workers", "2") as server:
        old = workers_of(server, 2)
        (server.folder / "mine.py").write_text(broken)
        with Load(server.address) as load:
            server.signal(signal.SIGHUP)
            server.wait_log("[ERROR] Reload abandoned")
            load.wait_more(50)
        assert load.failures == []
        assert workers_of(server, 2) == old
        (server.folder / "mine.py").write_text(APP)
        server.signal(signal.SIGHUP)
        workers_of(server, 2, without=frozenset(old))


@pytest.mark.parametrize(
    ("text", "said"),
    [("import nothing_of_that_name\n", "ModuleNotFoundError"), ("", "Failed to find attribute 'application'")],
)
def test_a_first_load_that_fails_ends_the_program_with_1(run, text, said):
    ran = run("--preload", "--bind", "127.0.0.1:0", "--workers", "2", "mine", files={"mine.py": text})
    ran.expect(1, said, "Reason: App failed to load.")


def test_a_load_without_end_is_given_up_at_the_boot_timeout(run):
    files = {"mine.py": "import time\nwhile True: time.sleep(1)\n"}
    ran = run("--preload", "--boot-timeout", "1", "--bind", "127.0.0.1:0", "mine", files=files)
    ran.expect(1, "the application was not loaded within 1 s (boot_timeout)")


def test_a_mold_that_was_killed_is_made_anew_for_the_next_worker(serve, stage):
    stage.write("mine.py", NOTES_IMPORT + APP)
    with serve("mine", "--preload", "--workers", "1") as server:
        (old,) = workers_of(server, 1)
        mold = mold_of(server)
        server.signal(signal.SIGKILL, mold)
        server.wait_log("the mold was ended by signal 9; the next worker makes a new one")
        assert server.get("/").text == "hello"
        server.signal(signal.SIGKILL, old)
        workers_of(server, 1, without=frozenset({old}))
        assert mold_of(server) != mold


def test_what_pre_fork_sets_reaches_the_worker(serve):
    settings = """
preload_app = True
def pre_fork(server, worker):
    worker.number = worker.age * 10
    worker.lock = open("/dev/null")
def post_fork(server, worker):
    worker.log.info("number %s of %s, lock %s", worker.number, worker.age, hasattr(worker, "lock"))
def child_exit(server, worker):
    server.log.info("child_exit of %s, number %s", worker.pid, worker.number)
"""
    with serve("hello", settings=settings) as server:
        server.wait_log("number 10 of 1, lock False")
        server.wait_log("worker.lock, set by pre_fork, cannot reach a preloaded worker")
        (worker,) = workers_of(server, 1)
        assert server.get("/").text == "hello"
        server.signal(signal.SIGKILL, worker)
        server.wait_log(f"child_exit of {worker}, number 10")


def test_workers_of_a_mold_leave_with_the_master(serve):
    server = serve("hello", "--preload", "--workers", "2")
    with server:
        workers_of(server, 2)
        os.kill(server.pid, signal.SIGKILL)
        server.wait()
        wait_for(lambda: not server.members(), "the workers and the mold to leave")


def test_signals_to_the_whole_group_do_not_end_the_mold(serve):
    with serve("hello", "--preload", "--workers", "1") as server:
        workers_of(server, 1)
        mold = mold_of(server)
        os.killpg(server.pid, signal.SIGUSR1)
        os.killpg(server.pid, signal.SIGWINCH)
        server.wait_log("Handling signal: usr1")
        assert server.get("/").text == "hello"
        assert is_alive(mold)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_mold_that_still_loads_does_not_hold_up_a_stop(serve, stage, number):
    stage.write("mine.py", "import time\nopen('loading', 'w').close()\ntime.sleep(600)\n")
    with serve("mine", "--preload", "--workers", "2") as server:
        wait_for((server.folder / "loading").exists, "the import")
        server.signal(number)
        assert server.wait() == 0
        server.expect_nobody_left()


@pytest.mark.parametrize("workers", [1, 2])
def test_a_second_hup_while_a_mold_loads_supersedes_it(serve, stage, workers):
    stage.write("mine.py", APP)
    with serve("mine", "--preload", "--workers", str(workers)) as server:
        old = workers_of(server, workers)
        (server.folder / "mine.py").write_text("import time\nopen('loading', 'w').close()\ntime.sleep(600)\n")
        server.signal(signal.SIGHUP)
        wait_for((server.folder / "loading").exists, "the import")
        (server.folder / "mine.py").write_text(APP)
        server.signal(signal.SIGHUP)
        workers_of(server, workers, without=frozenset(old))
        mold_of(server)


FORKS = """
import os, time
if os.fork() == 0:
    open("forked.new", "w").write(str(os.getpid()))
    os.rename("forked.new", "forked")
    time.sleep(60)
    os._exit(0)
"""


def test_a_mold_whose_application_has_forked_is_missed_all_the_same(serve, stage):
    stage.write("mine.py", FORKS + APP)
    with serve("mine", "--preload", "--workers", "1") as server:
        (old,) = workers_of(server, 1)
        assert server.get("/").text == "hello"
        wait_for((server.folder / "forked").exists, "the process that the application forks")
        (server.folder / "mine.py").write_text(APP)
        server.signal(signal.SIGKILL, mold_of(server))
        server.wait_log("the mold was ended by signal 9; the next worker makes a new one")
        server.signal(signal.SIGKILL, old)
        workers_of(server, 1, without=frozenset({old}))
        # It is no child of ours to end.
        os.kill(int((server.folder / "forked").read_text()), signal.SIGKILL)


def test_a_mold_that_does_not_answer_does_not_hold_up_a_stop(serve):
    with serve("hello", "--preload", "--workers", "1") as server:
        workers_of(server, 1)
        assert server.get("/").text == "hello"
        server.signal(signal.SIGSTOP, mold_of(server))
        server.signal(signal.SIGTTIN)
        server.wait_log("Handling signal: ttin")
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
