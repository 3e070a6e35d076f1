"""Starts the real program, watches its processes, and ends it; the server side of every end-to-end test.

`Program` is one run in a session of its own, `Server` one that listens. A test waits for facts with a deadline
(`wait_for`), never for time to pass. Which program runs is said by INDRIK_PROGRAM (split as a shell would), else it is
`python -m indrik` of the interpreter that runs the tests.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from wire import Address, Response, Wire, compose

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
APPS = HERE / "apps"

# Generous, because two cores may run four tests at once; a passing test never waits for it.
DEADLINE = 20.0

# Whatever of these the developer's shell holds must not reach the program: they are settings to it.
SETTINGS_VARIABLES = {
    "FORWARDED_ALLOW_IPS",
    "GUNICORN_CMD_ARGS",
    "GUNICORN_FD",
    "GUNICORN_PID",
    "INDRIK_CMD_ARGS",
    "LISTEN_FDNAMES",
    "LISTEN_FDS",
    "LISTEN_PID",
    "NOTIFY_SOCKET",
    "PORT",
    "PYTHONPATH",
    "SCRIPT_NAME",
    "SENDFILE",
    "SERVER_SOFTWARE",
    "VIRTUAL_ENV",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
    "WEB_CONCURRENCY",
    "XDG_RUNTIME_DIR",
}

T = TypeVar("T")


def wait_for(predicate: Callable[[], T], what: str, deadline: float = DEADLINE) -> T:
    """Asks until the answer is true, and returns it. Fails with `what` when `deadline` (seconds) has passed."""
    end = time.monotonic() + deadline
    while True:
        answer = predicate()
        if answer:
            return answer
        assert time.monotonic() < end, f"waited {deadline:g} s in vain for {what}"
        time.sleep(0.01)


def default_program() -> list[str]:
    chosen = os.environ.get("INDRIK_PROGRAM")
    return shlex.split(chosen) if chosen else [sys.executable, "-m", "indrik"]


class Process:
    """A line of /proc/PID/stat: who it is, whose child, in which session, in which state."""

    def __init__(self, text: str) -> None:
        before, after = text.rsplit(")", 1)
        self.pid = int(before.split(" ", 1)[0])
        self.state, parent, _, session = after.split()[:4]
        self.parent, self.session = int(parent), int(session)


def processes() -> list[Process]:
    """All processes that live; a zombie holds nothing any more and does not count."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                found.append(Process(Path("/proc", entry, "stat").read_text()))
            except (FileNotFoundError, ProcessLookupError):
                continue  # it left while we were looking
    return [process for process in found if process.state not in "ZX"]


def is_alive(pid: int) -> bool:
    return any(process.pid == pid for process in processes())


def title(pid: int) -> str:
    """What `ps` shows of a process; nothing of one that has just gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


class Program:
    """One run of the program in `folder`, its working directory, which also holds its stdout and stderr as files."""

    def __init__(
        self,
        folder: Path,
        *arguments: str,
        env: Mapping[str, str] | None = None,
        program: Sequence[str] | None = None,
        descriptors: Sequence[int] = (),
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.command = [*(program or default_program()), *arguments]
        self.env = {name: value for name, value in os.environ.items() if name not in SETTINGS_VARIABLES}
        # No bytecode: a module that a test writes twice in one second would come back stale.
        self.env |= {"PYTHONPATH": str(APPS), "PYTHONDONTWRITEBYTECODE": "1", "HOME": str(folder), **(env or {})}
        # What it inherits besides the three streams, under the same numbers.
        self.descriptors = descriptors
        self.process: subprocess.Popen[bytes] | None = None

    def launch(self) -> None:
        assert self.process is None, "a program is started once"
        with open(self.folder / "stdout.log", "ab") as out, open(self.folder / "stderr.log", "ab") as err:
            self.process = subprocess.Popen(
                self.command,
                cwd=self.folder,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
                pass_fds=self.descriptors,
            )

    def run(self, deadline: float = DEADLINE) -> int:
        """Starts it, waits until it has ended by itself with nobody left behind, and returns its exit code."""
        self.launch()
        try:
            code = self.wait(deadline)
            self.expect_nobody_left()
            return code
        finally:
            self.kill()

    @property
    def pid(self) -> int:
        """The master's pid; also the number of its session."""
        assert self.process is not None, "not started"
        return self.process.pid

    def wait(self, deadline: float = DEADLINE) -> int:
        """Waits for the master's end; its exit code, negative for a signal."""
        assert self.process is not None, "not started"
        try:
            return self.process.wait(deadline)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the program did not end within {deadline:g} s") from None

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def members(self) -> list[int]:
        """Pids of all that belongs to this run, the master among them."""
        return [process.pid for process in processes() if process.session == self.pid]

    def expect_nobody_left(self) -> None:
        wait_for(lambda: not self.members(), f"an empty session; still there: {self.members()}", 5)

    def kill(self) -> None:
        """Ends whatever is left of the run, without questions."""
        if self.process is None:
            return
        _signal_all(signal.SIGKILL, set(self.members()))
        self.process.wait(DEADLINE)

    # What it said.

    @property
    def out(self) -> str:
        return _text(self.folder / "stdout.log")

    @property
    def err(self) -> str:
        return _text(self.folder / "stderr.log")

    def report(self) -> dict[str, str]:
        """Every log of the run, for the report of a test that failed."""
        parts = {"command": f"{shlex.join(self.command)}\nin {self.folder}"}
        for path in sorted(self.folder.glob("*.log")):
            parts[path.name] = _text(path)[-20_000:]
        return parts


class Server(Program):
    """A run that listens. As a context manager it starts, and at the end must obey TERM and leave nobody behind.

    `application` is the positional argument; None leaves it out. `settings` is the text of a settings file.
    `log` names the error log. With `address`, being reachable there is the sign of readiness; otherwise it is the line
    `Listening at:`, which also tells the port that the kernel picked.
    """

    def __init__(
        self,
        folder: Path,
        application: str | None,
        *arguments: str,
        settings: str | None = None,
        bind: str | None = "127.0.0.1:0",
        log: str = "stderr.log",
        address: Address | None = None,
        **options: Any,
    ) -> None:
        line = [*arguments]
        if bind is not None:
            line += ["--bind", bind]
        if settings is not None:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "server.conf.py").write_text(settings)
            line += ["--config", "server.conf.py"]
        if application is not None:
            line.append(application)
        super().__init__(folder, *line, **options)
        self.log_path = self.folder / log
        self.addresses: list[Address] = [] if address is None else [address]

    def __enter__(self) -> Server:
        self.launch()
        try:
            if self.addresses:
                wait_for(self._is_reachable, f"a listener at {self.addresses[0]}")
            else:
                self.addresses = wait_for(self._announced, "the line 'Listening at:'")
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(self, failure: type[BaseException] | None, *_: object) -> None:
        try:
            if failure is None and self.is_running:
                self.stop()
            elif failure is None:
                self.expect_nobody_left()
            if failure is None:
                assert "panicked" not in self.err + self.log
        finally:
            self.kill()

    def stop(self) -> None:
        """TERM, and all that a stop has to be: exit 0, and nobody left."""
        self.signal(signal.SIGTERM)
        code = self.wait()
        assert code == 0, f"exit code {code} after TERM"
        self.expect_nobody_left()

    def signal(self, number: int, pid: int | None = None) -> None:
        """Sends a signal to the master, or to that process of the run."""
        assert self.is_running or pid is not None, "the master has left"
        os.kill(pid or self.pid, number)

    # Its processes.

    def children(self) -> set[int]:
        """Pids of the workers there are at this moment."""
        return {process.pid for process in processes() if process.parent == self.pid}

    def workers(self, count: int = 1, without: set[int] | frozenset[int] = frozenset()) -> set[int]:
        """Waits until there are exactly `count` workers, none of them in `without`; their pids."""

        def settled() -> set[int] | None:
            now = self.children()
            return now if len(now) == count and not now & without else None

        named = f", none of {sorted(without)}" if without else ""
        return wait_for(settled, f"{count} workers{named} (there are {self.children()})")

    def booted(self, count: int = 1, without: set[int] | frozenset[int] = frozenset()) -> set[int]:
        """Waits for `workers` that have also answered as themselves; the application must tell its pid at `/pid`."""
        pids = self.workers(count, without)
        answered: set[int] = set()

        def all_answered() -> bool:
            answered.add(self.answering(resting=answered & pids))
            return pids <= answered

        wait_for(all_answered, f"an answer from each of {sorted(pids)}")
        return pids

    def answering(self, resting: set[int]) -> int:
        """The pid of a worker that answers now.

        On a quiet server the kernel may give every connection to the same worker. So those in `resting` are stopped
        for a moment, far shorter than any timeout; whoever is ready besides them has to answer.
        """
        _signal_all(signal.SIGSTOP, resting)
        try:
            wire = self.connect()
            wire.send(compose("GET", "/pid", {"Connection": "close"}))
            wire.wait_readable(0.2)
        finally:
            _signal_all(signal.SIGCONT, resting)
        with wire:
            return int(wire.response().text)

    # What it said.

    @property
    def log(self) -> str:
        return _text(self.log_path)

    def log_has(self, text: str) -> bool:
        return text in self.log

    def wait_log(self, text: str, count: int = 1, deadline: float = DEADLINE) -> str:
        """Waits until the error log holds `text` that often; the whole log."""
        wait_for(lambda: self.log.count(text) >= count, f"{count} x {text!r} in the error log", deadline)
        return self.log

    # Its clients.

    @property
    def address(self) -> Address:
        return self.addresses[0]

    @property
    def port(self) -> int:
        assert isinstance(self.address, tuple), "a unix socket has no port"
        return self.address[1]

    def connect(self, **options: Any) -> Wire:
        return Wire(self.address, **options)

    def request(self, method: str, target: str, headers: Any = (), body: Any = None, **options: Any) -> Response:
        """One request on a connection of its own."""
        fields = list(headers.items()) if isinstance(headers, Mapping) else list(headers)
        with self.connect() as wire:
            return wire.request(method, target, [*fields, ("Connection", "close")], body, **options)

    def get(self, target: str, headers: Any = (), **options: Any) -> Response:
        return self.request("GET", target, headers, **options)

    def _announced(self) -> list[Address] | None:
        found = re.search(r"Listening at: (\S+) \((\d+)\)", self.log)
        if found is None:
            assert self.is_running, f"the program ended with exit code {self.wait()} before it listened"
            return None
        return [_address(text, self.folder) for text in found[1].split(",")]

    def _is_reachable(self) -> bool:
        assert self.is_running, f"the program ended with exit code {self.wait()} before it listened"
        try:
            Wire(self.addresses[0]).close()
        except OSError:
            return False
        return True


def _signal_all(number: int, pids: set[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _address(text: str, folder: Path) -> Address:
    """`http://127.0.0.1:8000`, `http://[::1]:8000` or `unix:/path` as a socket address."""
    if text.startswith("unix:"):
        return str(folder / text[len("unix:") :])
    host, _, port = text.split("://", 1)[1].rpartition(":")
    return host.strip("[]"), int(port)


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="backslashreplace")
    except FileNotFoundError:
        return ""
