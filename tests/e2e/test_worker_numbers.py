"""The numbers of workers: which one each has, and how many there are where the machine says so."""

import os
import re
import signal
import sys
from pathlib import Path

import pytest
from harness import default_program, wait_for

HOOKS = """
import os

def note(text):
    with open("notes", "a") as file:
        file.write(text + "\\n")

def pre_fork(server, worker):
    note(f"pre_fork {worker.id}")

def post_fork(server, worker):
    note(f"post_fork {worker.id} {os.environ['INDRIK_WORKER_ID']}")

def child_exit(server, worker):
    note(f"child_exit {worker.id}")
"""


def notes(server):
    path = server.folder / "notes"
    return path.read_text().splitlines() if path.exists() else []


def test_workers_are_numbered_and_a_number_that_is_free_is_given_again(serve):
    with serve("process", "--workers", "3", settings=HOOKS) as server:
        pids = server.booted(3)
        assert {f"pre_fork {number}" for number in range(3)} <= set(notes(server))
        assert {f"post_fork {number} {number}" for number in range(3)} <= set(notes(server))

        victim = min(pids)
        server.signal(signal.SIGKILL, victim)
        server.booted(3, without={victim})
        gone = wait_for(lambda: re.findall(r"^child_exit (\d)$", "\n".join(notes(server)), re.M), "the hook child_exit")
        assert notes(server).count(f"post_fork {gone[0]} {gone[0]}") == 2


def test_workers_of_a_mold_are_numbered_too(serve):
    with serve("process", "--workers", "2", "--preload", settings=HOOKS) as server:
        want = {"pre_fork 0", "pre_fork 1", "post_fork 0 0", "post_fork 1 1"}
        wait_for(lambda: want <= set(notes(server)), "both workers' hooks")


def test_a_number_is_in_the_environment_of_the_application(serve):
    with serve("process") as server:
        assert server.get("/").json()["environment"]["INDRIK_WORKER_ID"] == "0"


# Goes on as the program that is named behind it, on these processors only.
CONFINED = "import os, sys; os.sched_setaffinity(0, {}); os.execvp(sys.argv[1], sys.argv[1:])"


@pytest.mark.parametrize(
    "way",
    [
        {"arguments": ["--workers", "auto"]},
        {"env": {"WEB_CONCURRENCY": "auto"}},
        {"files": {"gunicorn.conf.py": "workers = 'auto'\n"}},
    ],
    ids=["option", "variable", "settings"],
)
def test_there_is_a_worker_for_each_processor_that_may_be_used(run, way):
    processors = sorted(os.sched_getaffinity(0))
    for some in (processors[:1], processors):
        program = [sys.executable, "-c", CONFINED.format(some), *default_program()]
        options = dict(way)
        words = ["--print-config", *options.pop("arguments", []), "hello"]
        count = int(run(*words, program=program, **options).expect(0).settings["workers"])
        # Control groups may allow fewer.
        assert 1 <= count <= len(some)
        if not limited():
            assert count == len(some)


def limited():
    """Whether some control group of this process may have a limit of its own."""
    for path in Path("/sys/fs/cgroup").rglob("cpu.max"):
        if not path.read_text().startswith("max"):
            return True
    quotas = Path("/sys/fs/cgroup").rglob("cpu.cfs_quota_us")
    return any(not path.read_text().startswith("-1") for path in quotas)


def test_hooks_see_a_number(run):
    settings = """
workers = "auto"

def on_starting(server):
    print(server.cfg.workers + 0, flush=True)
    raise SystemExit
"""
    ran = run("-c", "mine.py", "--bind", "127.0.0.1:0", "hello", files={"mine.py": settings})
    assert int(ran.out) >= 1
    assert ran.code == 1


def test_what_is_no_number_is_refused(run):
    run("--workers", "many", "hello").expect(2, "expected an integer or 'auto'")
    run("hello", env={"WEB_CONCURRENCY": "many"}).expect(1, "expected an integer of at least 0, or 'auto'")
