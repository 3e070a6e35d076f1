"""Starts one server, puts load on it, and says what it cost: requests by wrk, CPU time by the kernel.

CPU time is that of all processes of the server's session (master, workers, helpers): each one's process clock, in
nanoseconds. It counts the threads that have left, which the sum over /proc/PID/task would lose, and is not rounded to
the clock ticks of /proc/PID/stat.
"""

from __future__ import annotations

import http.client
import json
import os
import resource
import signal
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from environment import Environment
from peers import HERE, Peer, Serve
from scenarios import Scenario

# A Django project under two busy cores imports in 1 to 3 s.
BOOT_TIMEOUT_S = 30
# Longer than any graceful stop of an idle server; after it, SIGKILL.
STOP_TIMEOUT_S = 10


class Failed(Exception):
    """The server did not start, or answered wrongly; one line says how."""


@dataclass(frozen=True)
class Load:
    """How long, and on which CPUs (`None`: not pinned)."""

    seconds: int
    warmup_seconds: int
    server_cpu: int | None
    load_cpu: int | None


@dataclass
class Round:
    """What one server did in one round; `faults` not empty means that the figures are void.

    `busy`: CPU time of the server per wall time. `others`: the same of programs that are neither server nor wrk, on the
    CPUs of these two; it tells how quiet the machine was.
    """

    requests: int = 0
    wall_seconds: float = 0.0
    cpu_us_per_request: float = 0.0
    requests_per_second: float = 0.0
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    busy: float = 0.0
    others: float = 0.0
    faults: list[str] = field(default_factory=list)


def measure(environment: Environment, peer: Peer, scenario: Scenario, load: Load) -> Round:
    """One round: start, check the answer, warm up, measure, check the answer again, stop.

    Errors: [`Failed`] when the server does not start or its first answer is wrong.
    """
    with Server(environment, peer, scenario, load.server_cpu) as server:
        server.await_answer()
        idle = server.fill(scenario.idle)
        if load.warmup_seconds:
            wrk(server.port, scenario, load.warmup_seconds, load.load_cpu)
        started_ns, machine_before, wrk_before = time.monotonic_ns(), machine_ns(load), children_ns()
        before = server.cpu_ns()
        report = wrk(server.port, scenario, load.seconds, load.load_cpu)
        after = server.cpu_ns()
        wrk_ns = children_ns() - wrk_before
        whole_ns = machine_ns(load) - machine_before
        window_ns = time.monotonic_ns() - started_ns
        faults = [f"{count} {kind} errors" for kind, count in report["errors"].items() if count]
        if not report["requests"]:
            faults.append("no request was answered")
        # Little's law: what is in flight on average is rate times latency, and wrk keeps every connection waiting. A
        # server that closes after each answer gets down to half, because connecting is not in wrk's latency.
        in_flight = report["requests"] * report["mean_us"] / report["duration_us"]
        if in_flight < scenario.connections / 4:
            faults.append(f"served only {in_flight:.1f} of {scenario.connections} connections at a time")
        if gone := before.keys() - after.keys():
            faults.append(f"{len(gone)} of its processes ended during the round")
        if wrong := server.wrong_answer():
            faults.append(f"after the load: {wrong}")
        for connection in idle:
            connection.close()
    cpu_ns = sum(spent - before.get(pid, 0) for pid, spent in after.items())
    wall_us = report["duration_us"]
    requests = report["requests"]
    return Round(
        requests=requests,
        wall_seconds=wall_us / 1e6,
        cpu_us_per_request=cpu_ns / 1e3 / max(requests, 1),
        requests_per_second=requests * 1e6 / wall_us,
        p50_ms=report["p50_us"] / 1e3,
        p99_ms=report["p99_us"] / 1e3,
        busy=cpu_ns / window_ns,
        others=max(0, whole_ns - cpu_ns - wrk_ns) / window_ns,
        faults=faults,
    )


class Server:
    """A peer that serves a scenario, from `with` to the end of the block, in a session of its own."""

    def __init__(self, environment: Environment, peer: Peer, scenario: Scenario, cpu: int | None) -> None:
        self.scenario = scenario
        self.port = free_port()
        self.log = environment.logs / f"{scenario.name}-{peer.name}.log"
        scratch = environment.root / "scratch" / peer.name
        scratch.mkdir(parents=True, exist_ok=True)
        self.command = peer.command(
            Serve(
                scenario.application,
                self.port,
                scenario.workers,
                scenario.threads,
                environment.programs,
                scratch,
                connections=1000 + scenario.idle,
                logged=scenario.logged,
            )
        )
        # The folder of the application leads the import path, whatever a server makes of its working directory.
        self.variables = environment.variables() | {"PYTHONPATH": str(scenario.folder)}
        self.cpu = cpu

    def __enter__(self) -> Server:
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                pinned(self.command, self.cpu),
                cwd=self.scenario.folder,
                env=self.variables,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        try:
            self.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            pass
        for pid in session(self.process.pid):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait()

    def await_answer(self) -> None:
        """Waits until the server accepts, and checks its first answer.

        Errors: [`Failed`] when it exits, does not accept in time, or answers wrongly.
        """
        deadline = time.monotonic() + BOOT_TIMEOUT_S
        while True:
            if self.process.poll() is not None:
                raise Failed(f"exited with {self.process.returncode}: {self.last_words()}")
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise Failed(f"does not accept after {BOOT_TIMEOUT_S} s: {self.last_words()}") from None
                time.sleep(0.02)
        if wrong := self.wrong_answer():
            raise Failed(f"{wrong}: {self.last_words()}")

    def fill(self, count: int) -> list[socket.socket]:
        """Opens idle connections: each has had one answer."""
        resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
        connections = []
        for _ in range(count):
            connection = socket.create_connection(("127.0.0.1", self.port), timeout=BOOT_TIMEOUT_S)
            connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            connection.recv(4096)
            connections.append(connection)
        return connections

    def wrong_answer(self) -> str | None:
        """Sends the scenario's request once; returns what is wrong with the answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=BOOT_TIMEOUT_S)
        names = {name.lower() for name, _ in self.scenario.headers}
        try:
            method = "POST" if self.scenario.upload else "GET"
            connection.putrequest(method, self.scenario.path, skip_host="host" in names, skip_accept_encoding=True)
            if self.scenario.upload:
                connection.putheader("Content-Length", str(self.scenario.upload))
            for name, value in self.scenario.headers:
                connection.putheader(name, value)
            connection.endheaders(b"u" * self.scenario.upload or None)
            answer = connection.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException) as error:
            return f"no answer ({type(error).__name__}: {error})"
        finally:
            connection.close()
        if answer.status != 200:
            return f"status {answer.status}"
        return self.scenario.wrong(body)

    def cpu_ns(self) -> dict[int, int]:
        """User and system time so far of each process of the server, by pid, in nanoseconds."""
        spent = {}
        for pid in session(self.process.pid):
            try:
                # The clock that clock_getcpuclockid(3) names: all threads of that process, also those that have left.
                spent[pid] = time.clock_gettime_ns((~pid << 3) | 2)
            except OSError:
                pass
        return spent

    def last_words(self) -> str:
        lines = self.log.read_text(errors="replace").split("\n")
        return next((line.strip()[:200] for line in reversed(lines) if line.strip()), "nothing in its log")


def wrk(port: int, scenario: Scenario, seconds: int, cpu: int | None) -> dict:
    """Puts load on the port and returns what report.lua printed.

    Errors: [`Failed`] when wrk itself fails.
    """
    headers = [f"--header={name}: {value}" for name, value in scenario.headers]
    command = ["wrk", "-t1", f"-c{scenario.connections}", f"-d{seconds}", "--timeout=10s", f"-s{HERE / 'report.lua'}"]
    answer = subprocess.run(
        pinned([*command, *headers, f"http://127.0.0.1:{port}{scenario.path}"], cpu),
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds + 60,
        env=os.environ | {"BENCH_UPLOAD": str(scenario.upload)},
    )
    last = answer.stdout.rstrip().rpartition("\n")[2]
    if answer.returncode != 0 or not last.startswith("{"):
        raise Failed(f"wrk exited with {answer.returncode}: {(answer.stderr or last).strip()[:200]}")
    return json.loads(last)


def session(leader: int) -> list[int]:
    """The living processes of the session, the leader among them."""
    members = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            # The name, in parentheses, may hold anything; after it: state, parent, group, session.
            fields = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] != "Z" and int(fields[3]) == leader:
            members.append(int(entry.name))
    return members


def machine_ns(load: Load) -> int:
    """Time so far in which the CPUs of server and load were not idle, in nanoseconds (in steps of a clock tick)."""
    names = {"cpu"} if load.server_cpu is None else {f"cpu{load.server_cpu}", f"cpu{load.load_cpu}"}
    ticks = 0
    for line in Path("/proc/stat").read_text().splitlines():
        name, *times = line.split()
        if name in names:
            # user, nice, system, idle, iowait, irq, softirq, steal; guest time is in user already.
            user, nice, system, _, _, irq, softirq, steal = map(int, times[:8])
            ticks += user + nice + system + irq + softirq + steal
    return ticks * 1_000_000_000 // os.sysconf("SC_CLK_TCK")


def children_ns() -> int:
    """CPU time of our children that have ended; between two readings around wrk, that of wrk."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return int((usage.ru_utime + usage.ru_stime) * 1e9)


def pinned(command: list[str], cpu: int | None) -> list[str]:
    return command if cpu is None else ["taskset", "-c", str(cpu), *command]


def free_port() -> int:
    """A port that was free a moment ago; whoever takes it meanwhile shows as a server that does not start."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
