"""Workers that die: what is said of each death, what is lost with it, and what stays behind in the master."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from harness import processes, wait_for
from load import Load
from wire import compose


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def resident(pid):
    """MiB."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def zombies(parent):
    stats = [Path("/proc", entry, "stat") for entry in os.listdir("/proc") if entry.isdigit()]
    found = 0
    for stat in stats:
        try:
            after = stat.read_text().rsplit(")", 1)[1].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        found += after[0] == "Z" and int(after[1]) == parent
    return found


HOLDS = """
import os, time
def application(environ, start_response):
    if environ["PATH_INFO"] == "/hold":
        open("holder.new", "w").write(str(os.getpid()))
        os.rename("holder.new", "holder")
        time.sleep(60)
    body = str(os.getpid()).encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
"""


def test_a_killed_worker_loses_the_requests_that_it_ran_and_no_other(serve, stage):
    stage.write("mine.py", HOLDS)
    with serve("mine", "--workers", "2", "--threads", "2") as server:
        server.booted(2)
        with server.connect() as wire:
            wire.send(compose("GET", "/hold?a"))
            wait_for((server.folder / "holder").exists, "the request to be in the application")
            victim = int((server.folder / "holder").read_text())
            with Load(server.address, kept=0, fresh=4) as load:
                load.wait_more(20)
                server.signal(signal.SIGKILL, victim)
                server.wait_log(f"Worker (pid:{victim}) was sent SIGKILL!")
                server.workers(2, without={victim})
                load.wait_more(50)
            # Besides the one that is named, at most what each client had under way in that worker.
            assert len(load.failures) <= load.clients
        line = next(line for line in server.log.splitlines() if f"(pid:{victim}) was sent SIGKILL!" in line)
        assert "Requests lost: " in line and "GET /hold?a (" in line


@pytest.mark.timeout(240)
def test_two_hundred_kills_leave_nothing_behind_in_the_master(serve):
    with serve("hello", "--workers", "8") as server:
        server.booted(8)
        for _ in range(3):
            kill_four(server)
        before = descriptors(server.pid), resident(server.pid)
        with Load(server.address, kept=2, fresh=2) as load:
            for _ in range(47):
                kill_four(server)
            load.wait_more(100)
        assert descriptors(server.pid) == before[0]
        assert resident(server.pid) - before[1] < 2
        assert zombies(server.pid) == 0
        assert server.log.count("was sent SIGKILL!") == 200


def kill_four(server):
    """Four of eight, each of which has shown that it can serve: whoever dies in booting is not replaced at once."""
    victims = set(sorted(server.booted(8))[:4])
    for victim in victims:
        server.signal(signal.SIGKILL, victim)
    server.workers(8, without=victims)


def test_a_master_that_was_killed_frees_the_address_at_once(serve):
    with serve("hello", "--workers", "2") as server:
        server.booted(2)
        os.kill(server.pid, signal.SIGKILL)
        server.wait()
        wait_for(lambda: not server.members(), "the workers to leave")
        with serve("hello", bind=f"127.0.0.1:{server.port}") as fresh:
            assert fresh.get("/").text == "hello"
            assert "Connection in use" not in fresh.log


def test_orphans_finish_what_they_have_while_a_fresh_master_serves(serve):
    with serve("gate") as server, server.connect() as wire:
        wire.send(compose("GET", "/hold?a"))
        wait_for((server.folder / "a.entered").exists, "the request to be in the application")
        os.kill(server.pid, signal.SIGKILL)
        server.wait()
        with serve("hello", bind=f"127.0.0.1:{server.port}") as fresh:
            # Nobody of the old ones listens: every answer is of the new server.
            for _ in range(20):
                assert fresh.get("/").text == "hello"
            (server.folder / "a.open").touch()
            assert wire.response().status == 200
        wait_for(lambda: not [one for one in processes() if one.session == server.pid], "the orphan to leave")
