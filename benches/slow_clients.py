"""What a crowd of slow clients costs everybody else: `python3 benches/slow_clients.py`, or with `--help`.

One worker with one thread, pinned to a CPU, answers a few thousand normal requests, each on a connection of its own:
first alone, then beside 1,000 connections that sent one byte and stopped, 1,000 idle ones, 200 that read a byte a
second of 5 MiB (half of them from a generator) and 50 that upload 1 MiB at 1 KiB/s. Those live in a process of their
own. Uses the bench's environment and newest wheel, and the crowd of the end-to-end tests.
"""

from __future__ import annotations

import argparse
import http.client
import json
import multiprocessing
import os
import re
import sys
import time
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "e2e"))

import peers
from bench import default_cpus, pair, positive, words
from crowd import Crowd, Member, everyone
from environment import Environment, Unavailable, say
from measure import Failed, Load, Server, session
from scenarios import Scenario

CHECKOUT = Path(__file__).resolve().parent.parent
# So that nobody of the crowd is sent away while we measure.
PATIENCE = ["--worker-connections=3000", "--header-timeout=600", "--body-timeout=600", "--write-timeout=600"]
PATIENCE += ["--keep-alive=600"]
# How long the crowd may take to settle.
SETTLE_TIMEOUT_S = 120

SCENARIO = Scenario(
    name="crowd",
    title="crowd: GET / while others are slow",
    folder=CHECKOUT / "tests" / "e2e" / "apps",
    application="crowded:application",
    path="/",
    wrong=lambda body: None if body == b"hello" else f"body is {body[:40]!r}",
)


@dataclass
class Row:
    """One line of the table; times in milliseconds, memory of the worker in MiB."""

    crowd: str
    requests: int
    p50_ms: float
    p99_ms: float
    max_ms: float
    resident_mib: float
    peak_mib: float


def main() -> int:
    """Exit status: 0 if every request was answered and nobody of the crowd was cut, 1 if not, 2 for a wrong flag."""
    options = arguments()
    try:
        environment = Environment(options.env, options.python)
    except Unavailable as error:
        sys.exit(f"error: no virtual environment in {options.env}: {error}")
    (ours,) = (peer for peer in peers.PEERS if peer.name == "indrik")
    environment.install([ours], options.wheel or environment.newest_wheel(CHECKOUT / "target" / "wheels"))
    if "indrik" in environment.missing:
        sys.exit(f"error: indrik is not installed: {environment.missing['indrik']}")
    patient = replace(ours, command=lambda serve: [*ours.command(serve)[:-1], *PATIENCE, serve.application])

    load = Load(0, 0, *options.cpus)
    if load.load_cpu is not None:
        os.sched_setaffinity(0, {load.load_cpu})
    rows, fault = [], ""
    try:
        with Server(environment, patient, SCENARIO, load.server_cpu) as server:
            server.await_answer()
            # Forgets the peak of the import, so that what is shown is the peak of serving.
            Path(f"/proc/{worker(server)}/clear_refs").write_text("5")
            rows += [measured(server, "none", count) for count in options.requests]
            with Neighbours(server.port) as neighbours:
                rows += [measured(server, neighbours.size, count) for count in options.requests]
                fault = neighbours.fault()
    except Failed as error:
        fault = str(error)
    print(f"{SCENARIO.title}\n1 worker(s) x 1 thread(s), indrik {environment.versions['indrik']}")
    print(table(rows))
    if fault:
        print(f"INVALID: {fault}")
    outcome = {"started": time.strftime("%Y-%m-%dT%H:%M:%S%z"), "fault": fault, "rows": [vars(row) for row in rows]}
    print(f"written to {environment.write(time.strftime('%Y%m%d-%H%M%S-crowd'), outcome)}")
    return 1 if fault else 0


def measured(server: Server, crowd: str, count: int) -> Row:
    """Asks so often, one request after the other. Errors: [`Failed`] at the first one that is not answered rightly."""
    say(f"{count} requests, crowd: {crowd}")
    times = sorted(asked(server) for _ in range(count))
    status = Path(f"/proc/{worker(server)}/status").read_text()
    resident, peak = (int(re.search(rf"{name}:\s+(\d+) kB", status)[1]) / 1024 for name in ("VmRSS", "VmHWM"))
    # The nearest rank: of 200 times the 198th is the one that 99 % do not exceed.
    p50, p99 = (times[max(0, -(-count * percent // 100) - 1)] for percent in (50, 99))
    return Row(crowd, count, p50, p99, times[-1], resident, peak)


def asked(server: Server) -> float:
    """Milliseconds from before the connection to after the answer."""
    started = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    try:
        connection.request("GET", "/", headers={"Connection": "close"})
        answer = connection.getresponse()
        body = answer.read()
    except (OSError, http.client.HTTPException) as error:
        raise Failed(f"no answer ({type(error).__name__}: {error})") from None
    finally:
        connection.close()
    taken = (time.perf_counter() - started) * 1000
    if answer.status != 200 or SCENARIO.wrong(body):
        raise Failed(f"status {answer.status}, {SCENARIO.wrong(body)}")
    return taken


def worker(server: Server) -> int:
    """The only process of the server's session besides its leader."""
    others = set(session(server.process.pid)) - {server.process.pid}
    if len(others) != 1:
        raise Failed(f"{len(others)} workers in place of one")
    return others.pop()


class Neighbours:
    """The crowd, in a process of its own so that its Python does not slow down ours, from `with` to the block's end."""

    def __init__(self, port: int) -> None:
        # A new interpreter: what runs in ours must not be forked along.
        context = multiprocessing.get_context("spawn")
        self.ours, theirs = context.Pipe()
        self.process = context.Process(target=keep, args=(port, theirs), daemon=True)
        self.size = "?"

    def __enter__(self) -> Neighbours:
        say("the crowd comes")
        self.process.start()
        self.size = f"{self._asked(SETTLE_TIMEOUT_S)['open']:,}"
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.join()

    def fault(self) -> str:
        """Who of them is not there any more, or nothing."""
        self.ours.send("outcomes")
        gone = {outcome: count for outcome, count in self._asked(10).items() if outcome != "open"}
        return f"of the crowd have gone: {json.dumps(gone)}" if gone else ""

    def _asked(self, seconds: float) -> dict:
        if not self.ours.poll(seconds):
            raise Failed("the crowd did not settle")
        try:
            answer = self.ours.recv()
        except EOFError:
            raise Failed("the crowd broke down, see above") from None
        if "open" not in answer:
            raise Failed(f"nobody of the crowd is there: {answer}")
        return answer


def keep(port: int, ours: Connection) -> None:
    """The crowd's process: says the outcomes once all have settled, and again whenever it is asked."""
    with Crowd(("127.0.0.1", port)) as crowd:
        for kind in everyone():
            crowd.add(kind, deadline=SETTLE_TIMEOUT_S)
        ours.send(crowd.outcomes(Member))
        while ours.recv():
            ours.send(crowd.outcomes(Member))


HEAD = ("crowd", "requests", "p50 ms", "p99 ms", "max ms", "RSS MiB", "peak MiB")


def table(rows: list[Row]) -> str:
    lines = [HEAD]
    for row in rows:
        times = (f"{value:.2f}" for value in (row.p50_ms, row.p99_ms, row.max_ms))
        memory = (f"{value:.1f}" for value in (row.resident_mib, row.peak_mib))
        lines.append((row.crowd, f"{row.requests:,}", *times, *memory))
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEAD))]
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="What a crowd of slow clients costs everybody else.")
    parser.add_argument("--requests", type=counts, default=[200, 2000], metavar="N,…", help="default: 200,2000")
    parser.add_argument("--cpus", type=pair, default=default_cpus(), metavar="A,B", help="server's CPU, clients' CPU")
    parser.add_argument("--wheel", type=Path, metavar="PATH", help="default: the newest of target/wheels")
    parser.add_argument("--python", default=sys.executable, metavar="PATH", help="makes the virtual environment")
    parser.add_argument(
        "--env",
        type=Path,
        default=Path(os.environ.get("INDRIK_BENCH_ENV") or CHECKOUT / ".bench"),
        metavar="FOLDER",
        help="the bench's own folder (default: $INDRIK_BENCH_ENV, else .bench in the checkout)",
    )
    options = parser.parse_args()
    options.env = options.env.resolve()
    return options


def counts(text: str) -> list[int]:
    return [positive(word) for word in words(text)]


if __name__ == "__main__":
    sys.exit(main())
