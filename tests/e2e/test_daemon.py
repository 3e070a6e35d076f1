"""The server in the background: whose child it is, what it keeps open, and WINCH."""

import os
import signal
from pathlib import Path

import pytest
from harness import Program, is_alive, processes, wait_for
from wire import Wire


class Daemon:
    """A server that has detached itself; found by its pid file."""

    def __init__(self, stage, application, *arguments, **options):
        line = ["--daemon", "--pid", "server.pid", "--error-logfile", "error.log", "--bind", "unix:d.sock"]
        self.program = Program(stage.folder / "daemon", *line, *arguments, application, **options)
        self.folder = self.program.folder
        self.pid = 0

    def __enter__(self):
        self.program.launch()
        assert self.program.wait() == 0
        self.pid = wait_for(self._written, "a pid file")
        wait_for(lambda: "Booting worker" in self.log, "a worker")
        return self

    def __exit__(self, *_):
        for process in processes():
            if process.pid == self.pid or process.parent == self.pid:
                os.kill(process.pid, signal.SIGKILL)
        wait_for(lambda: not is_alive(self.pid), "the end of the daemon")

    def _written(self):
        path = self.folder / "server.pid"
        return int(path.read_text() or 0) if path.exists() else 0

    @property
    def log(self):
        path = self.folder / "error.log"
        return path.read_text() if path.exists() else ""

    def workers(self):
        return {process.pid for process in processes() if process.parent == self.pid}

    def get(self, target):
        # The path of a socket has room for 107 bytes, the folder of a test is longer.
        here = os.getcwd()
        os.chdir(self.folder)
        try:
            with Wire("d.sock") as wire:
                return wire.request("GET", target)
        finally:
            os.chdir(here)

    def streams(self):
        return [os.readlink(f"/proc/{self.pid}/fd/{number}") for number in range(3)]


def test_it_leaves_terminal_session_and_streams(stage):
    with Daemon(stage, "process") as daemon:
        process = next(one for one in processes() if one.pid == daemon.pid)
        assert process.session not in (daemon.program.pid, os.getsid(0), daemon.pid), "it leads no session"
        assert daemon.streams() == ["/dev/null"] * 3
        assert "Umask:\t0022\n" in Path(f"/proc/{daemon.pid}/status").read_text()
        assert daemon.get("/").json()["cwd"] == str(daemon.folder)
        assert f"Listening at: unix:d.sock ({daemon.pid})" in daemon.log
        worker = daemon.workers()
        os.kill(daemon.pid, signal.SIGTERM)
        wait_for(lambda: not is_alive(daemon.pid), "the end of the daemon")
        assert not any(is_alive(pid) for pid in worker)
        assert not (daemon.folder / "server.pid").exists()
        assert not (daemon.folder / "d.sock").exists()


def test_workers_follow_a_master_that_is_a_daemon(stage):
    with Daemon(stage, "process") as daemon:
        (worker,) = daemon.workers()
        daemon.get("/pid")
        os.kill(daemon.pid, signal.SIGKILL)
        wait_for(lambda: not is_alive(worker), "the end of the orphan")


def test_streams_that_are_no_terminal_can_be_kept(stage):
    with Daemon(stage, "process", "--enable-stdio-inheritance") as daemon:
        folder = daemon.folder
        assert daemon.streams() == ["/dev/null", str(folder / "stdout.log"), str(folder / "stderr.log")]


def test_winch_sends_the_workers_home_and_hup_brings_others(stage):
    settings = (
        "workers = 2\ndef nworkers_changed(server, new, old):\n    server.log.info('changed: %s to %s', old, new)\n"
    )
    folder = stage.folder / "daemon"
    folder.mkdir()
    (folder / "gunicorn.conf.py").write_text(settings)
    with Daemon(stage, "process") as daemon:
        before = wait_for(lambda: len(daemon.workers()) == 2 and daemon.workers(), "two workers")
        daemon.get("/pid")
        os.kill(daemon.pid, signal.SIGWINCH)
        wait_for(lambda: not daemon.workers(), "the workers to leave")
        assert "graceful stop of workers" in daemon.log and "changed: 2 to 0" in daemon.log
        assert is_alive(daemon.pid)
        os.kill(daemon.pid, signal.SIGHUP)
        wait_for(lambda: len(daemon.workers()) == 2, "two workers again")
        assert not daemon.workers() & before
        assert daemon.get("/pid").status == 200


def test_what_is_wrong_with_the_settings_is_told_before_it_detaches(run):
    run("--daemon", "--error-logfile", "nowhere/at/all.log", "hello").expect(1, "cannot open error log")
    run("--daemon", "--user", "no-such-user", "hello").expect(1, "No such user")
    run("--daemon").expect(1, "No application module specified.")
    run("--daemon", "--check-config", "hello").expect(0)


def test_what_the_settings_file_prints_is_printed_once(stage):
    folder = stage.folder / "daemon"
    folder.mkdir()
    (folder / "gunicorn.conf.py").write_text("print('settings are read')\n")
    with Daemon(stage, "process", "-R") as daemon:
        assert daemon.get("/pid").status == 200
        os.kill(daemon.pid, signal.SIGTERM)
        wait_for(lambda: not is_alive(daemon.pid), "the end of the daemon")
        assert daemon.program.out.count("settings are read") == 1


# The pid file.


@pytest.fixture
def sleeper():
    child = os.spawnlp(os.P_NOWAIT, "sleep", "sleep", "600")
    yield child
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def test_a_pid_that_is_another_programs_by_now_is_no_obstacle(serve, stage, sleeper):
    wait_for(lambda: Path(f"/proc/{sleeper}/cmdline").read_bytes().startswith(b"sleep"), "another program")
    path = stage.write("server.pid", f"{sleeper}\n")
    with serve("hello", "--pid", "server.pid") as server:
        assert path.read_text() == f"{server.pid}\n"


def test_a_pid_of_a_worker_is_no_obstacle(serve, stage):
    with serve("process") as other:
        (worker,) = other.booted()
        path = stage.write("server.pid", f"{worker}\n")
        with serve("hello", "--pid", "server.pid") as server:
            assert path.read_text() == f"{server.pid}\n"
