"""HUP: the settings are tried in a child, one worker is tried with the new code, and the seats follow one by one."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from harness import processes, wait_for
from load import Load
from wire import compose

PID_APP = Path(__file__).parents[1].joinpath("apps", "hello.py").read_text()


@pytest.mark.parametrize(
    "broken",
    [
        "import os\nos._exit(0)\n",
        "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n",
        "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n",
        "raise KeyboardInterrupt\n",
        "print('what the file says')\nraise ValueError('no such tenant')\n",
    ],
    ids=["leaves", "crashes", "is killed", "interrupts", "raises"],
)
def test_a_settings_file_that_ends_its_process_does_not_end_the_master(serve, broken):
    with serve("hello", settings="workers = 2\n") as server:
        old = server.booted(2)
        (server.folder / "server.conf.py").write_text(broken)
        server.signal(signal.SIGHUP)
        server.wait_log("[ERROR] Reload failed, the old settings stay in force")
        assert server.children() == old
        assert ("what the file says" in server.log) == ("what the file says" in broken)
        (server.folder / "server.conf.py").write_text("workers = 1\n")
        server.signal(signal.SIGHUP)
        server.booted(1, without=old)


def test_a_settings_file_without_end_is_given_up_and_the_master_goes_on_meanwhile(serve):
    with serve("hello", "--boot-timeout", "2", settings="workers = 1\n") as server:
        old = server.booted(1)
        (server.folder / "server.conf.py").write_text("import time\nwhile True: time.sleep(1)\n")
        server.signal(signal.SIGHUP)
        server.wait_log("Hang up: Master")
        # The master obeys other orders while the file is being read.
        server.signal(signal.SIGTTIN)
        wait_for(lambda: len(server.children() - old) >= 1, "one more worker")
        server.wait_log("they were not read within 2 s (boot_timeout)")
        assert len(server.workers(2) - old) == 1


def test_a_second_hup_supersedes_the_trial_of_the_first(serve):
    with serve("hello", settings="workers = 1\n") as server:
        old = server.booted(1)
        (server.folder / "server.conf.py").write_text("import time\nwhile True: time.sleep(1)\n")
        server.signal(signal.SIGHUP)
        wait_for(lambda: server.children() - old, "the trial")
        (server.folder / "server.conf.py").write_text("workers = 2\n")
        server.signal(signal.SIGHUP)
        server.booted(2, without=old)
        assert "[ERROR]" not in server.log


def test_a_stop_during_a_trial_leaves_nobody_behind(serve):
    with serve("hello", settings="workers = 1\n") as server:
        old = server.booted(1)
        (server.folder / "server.conf.py").write_text("import time\nwhile True: time.sleep(1)\n")
        server.signal(signal.SIGHUP)
        wait_for(lambda: server.children() - old, "the trial")
        server.stop()


def test_one_worker_is_tried_before_the_others_follow(serve, stage):
    stage.write("mine.py", PID_APP)
    with serve("mine", "--workers", "3") as server:
        old = server.booted(3)
        gate = server.folder / "gate"
        waiting = "import os, time\nwhile not os.path.exists('gate'): time.sleep(0.01)\n"
        (server.folder / "mine.py").write_text(waiting + PID_APP)
        server.signal(signal.SIGHUP)
        (canary,) = wait_for(lambda: booting(server, old), "the first of the new generation")
        with Load(server.address) as load:
            load.wait_more(100)
            assert server.children() == old | {canary}
            gate.touch()
            server.workers(3, without=old)
            load.wait_more(50)
        assert load.failures == []
        peak = server.log.count("Booting worker with pid")
        assert peak == 6


def booting(server, old):
    new = server.children() - old
    return new if len(new) == 1 and server.log_has(f"Booting worker with pid: {next(iter(new))}") else None


def test_no_more_than_the_surge_boot_at_once(serve, stage):
    stage.write("mine.py", PID_APP)
    with serve("mine", "--workers", "6", "--reload-surge", "2") as server:
        old = server.booted(6)
        note = "import os, time\ndef note(text):\n    with open('boots.log', 'a') as log: log.write(text + '\\n')\n"
        slow = note + "note('begin')\ntime.sleep(0.3)\nnote('end')\n" + PID_APP
        (server.folder / "mine.py").write_text(slow)
        server.signal(signal.SIGHUP)
        server.workers(6, without=old)
        booting, most = 0, 0
        lines = (server.folder / "boots.log").read_text().split()
        assert lines[:2] == ["begin", "end"], "the first is tried alone"
        for line in lines:
            booting += 1 if line == "begin" else -1
            most = max(most, booting)
        assert (len(lines), most) == (12, 2)


def test_a_boot_that_hangs_ends_the_reload_at_the_boot_timeout(serve, stage):
    stage.write("mine.py", PID_APP)
    with serve("mine", "--workers", "2", "--boot-timeout", "2") as server:
        old = server.booted(2)
        (server.folder / "mine.py").write_text("import time\nwhile True: time.sleep(1)\n")
        server.signal(signal.SIGHUP)
        server.wait_log("[ERROR] Reload abandoned")
        server.workers(2)
        assert server.children() == old


def test_a_worker_that_dies_during_a_trial_is_replaced_by_one_of_its_generation(serve, stage):
    stage.write("mine.py", PID_APP)
    with serve("mine", "--workers", "2") as server:
        old = server.booted(2)
        waiting = "import os, time\nif os.path.exists('new'):\n  while not os.path.exists('gate'): time.sleep(0.01)\n"
        (server.folder / "mine.py").write_text(waiting + PID_APP)
        (server.folder / "new").touch()
        server.signal(signal.SIGHUP)
        (canary,) = wait_for(lambda: booting(server, old), "the first of the new generation")
        victim = min(old)
        (server.folder / "new").unlink()
        server.signal(signal.SIGKILL, victim)
        server.wait_log(f"Worker (pid:{victim}) was sent SIGKILL!")
        wait_for(lambda: len(server.children() - {canary}) == 2, "two workers besides the one that is tried")
        assert not any(process.pid == victim for process in processes())
        (server.folder / "gate").touch()
        server.workers(2, without=old)


def test_a_changed_bind_does_not_cut_what_waits_at_the_old_address(serve):
    with serve("gate", bind=None, settings="bind = '127.0.0.1:0'\n") as server, server.connect() as held:
        old = server.workers(1)
        held.send(compose("GET", "/hold?a", {"Connection": "close"}))
        wait_for((server.folder / "a.entered").exists, "the request to be in the application")
        waiting = [server.connect() for _ in range(6)]
        for one in waiting:
            one.send(compose("GET", "/pid", {"Connection": "close"}))
        (server.folder / "server.conf.py").write_text("bind = ['127.0.0.1:0', 'unix:new.sock']\n")
        server.signal(signal.SIGHUP)
        server.wait_log("Listening at", 2)
        (server.folder / "a.open").touch()
        assert held.response().status == 200
        for one in waiting:
            assert one.response().status == 200
            one.close()
        server.workers(1, without=old)
