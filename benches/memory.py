"""Memory of one worker, beside a bare interpreter and with idle connections: `python3 benches/memory.py`, or `--help`.

The bare interpreter imports every module that the worker has, and the application, and does nothing. Resident memory
(VmRSS) of both is compared once the worker has answered; then connections come that ask twice each and stay.
"""

from __future__ import annotations

import argparse
import http.client
import json
import re
import subprocess
import sys
import time
from pathlib import Path

import peers
from bench import CHECKOUT, positive
from environment import Environment, say
from measure import Failed, Server, session
from scenarios import Scenario

HERE = Path(__file__).resolve().parent
SCENARIO = Scenario("memory", "memory", HERE / "apps", "modules:application", "/", lambda _: None)
# Imports what the worker has imported, says so, and stays.
BARE = """
import contextlib, importlib, sys
for name in sys.argv[1].split(","):
    with contextlib.suppress(Exception):
        importlib.import_module(name)
print(flush=True)
sys.stdin.read()
"""


def main() -> int:
    """Exit status: 0 if the worker answered everything."""
    options = arguments()
    environment = Environment(options.env.resolve(), sys.executable)
    (ours,) = peers.chosen(["indrik"])
    environment.install([ours], options.wheel or environment.newest_wheel(CHECKOUT / "target" / "wheels"))
    if "indrik" in environment.missing:
        sys.exit(f"error: indrik is not installed: {environment.missing['indrik']}")
    scenario = Scenario(**{**vars(SCENARIO), "idle": options.connections})
    with Server(environment, ours, scenario, None) as server:
        try:
            server.await_answer()
        except Failed as error:
            sys.exit(f"error: {error}")
        (worker,) = set(session(server.process.pid)) - {server.process.pid}
        modules = fetched(server.port)
        with subprocess.Popen(
            [environment.programs / "python", "-c", BARE, modules],
            cwd=SCENARIO.folder,
            env=environment.variables() | {"PYTHONPATH": str(SCENARIO.folder)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as bare:
            bare.stdout.readline()
            bare_kib = resident_kib(bare.pid)
            bare.stdin.close()
        idle_kib = resident_kib(worker)
        say(f"{options.connections} connections come")
        connections = server.fill(options.connections)
        for connection in connections:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            connection.recv(65536)
        crowded_kib = resident_kib(worker)
    outcome = {
        "modules": modules.count(",") + 1,
        "bare_kib": bare_kib,
        "worker_kib": idle_kib,
        "connections": options.connections,
        "crowded_kib": crowded_kib,
        "kib_per_connection": (crowded_kib - idle_kib) / options.connections,
    }
    print(f"a bare interpreter with the same {outcome['modules']} modules: {bare_kib:,} KiB")
    print(f"an idle worker: {idle_kib:,} KiB, {(idle_kib - bare_kib) / 1024:.2f} MiB more")
    print(f"with {options.connections:,} idle connections: {outcome['kib_per_connection']:.2f} KiB for each")
    path = environment.results / f"memory-{time.strftime('%Y%m%d-%H%M%S')}.json"
    path.write_text(json.dumps(outcome, indent=1) + "\n")
    print(f"written to {path}")
    return 0


def fetched(port: int) -> str:
    """The names of the worker's modules, from apps/modules.py."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/")
        return connection.getresponse().read().decode()
    finally:
        connection.close()


def resident_kib(pid: int) -> int:
    return int(re.search(r"^VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.M)[1])


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Memory of a worker and of its idle connections.")
    parser.add_argument("--connections", type=positive, default=10_000, metavar="N", help="default 10000")
    parser.add_argument("--wheel", type=Path, metavar="PATH", help="default: the newest of target/wheels")
    parser.add_argument("--env", type=Path, default=CHECKOUT / ".bench", metavar="FOLDER", help="the bench's folder")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
