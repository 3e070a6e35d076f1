"""The longest stall that clients see while an operator does something to the server: `python3 benches/stalls.py`.

wrk keeps 16 connections busy on four workers for some seconds, once undisturbed and once with each event in the middle.
For each run the slowest answer is told, and whether anything failed. The program is the `indrik` beside this Python.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

APP = """
import os, time
time.sleep(float(os.environ.get("IMPORT_S", "0")))
def application(environ, start_response):
    time.sleep(0.002)
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]
"""


def main() -> int:
    """Exit status: 0 if no request failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=8, help="length of each load (default: %(default)s)")
    options = parser.parse_args()
    failed = False
    print(f"{'event':34} {'slowest answer, ms':>18} {'req/s':>8}  errors")
    for name, arguments, event in EVENTS:
        slowest, rate, errors = run(arguments, event, options.seconds)
        failed |= bool(errors)
        print(f"{name:34} {slowest:18.1f} {rate:8.0f}  {errors or 'none'}", flush=True)
    return int(failed)


def run(arguments: list[str], event: Callable[[int], None], seconds: int) -> tuple[float, float, str]:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "mine.py").write_text(APP)
        Path(folder, "server.conf.py").write_text("import os\nraw_env = ['IMPORT_S=' + open('import_s').read()]\n")
        Path(folder, "import_s").write_text("0")
        program = Path(sys.executable).with_name("indrik")
        command = [program, "-c", "server.conf.py", "-w", "4", "-b", "unix:s", "-b", "127.0.0.1:0", *arguments, "mine"]
        with open(Path(folder, "log"), "w") as log:
            server = subprocess.Popen(command, cwd=folder, stderr=log, start_new_session=True)
        try:
            port = await_port(Path(folder, "log"))
            load = subprocess.Popen(
                ["wrk", "-t1", "-c16", f"-d{seconds}s", "--latency", f"http://127.0.0.1:{port}/"],
                stdout=subprocess.PIPE,
                text=True,
            )
            time.sleep(seconds / 4)
            os.chdir(folder)
            event(server.pid)
            out, _ = load.communicate()
        finally:
            os.chdir("/")
            # A new master that USR2 has made belongs to the group as well.
            os.killpg(server.pid, signal.SIGTERM)
            server.wait()
    slowest = re.search(r"Latency\s+\S+\s+\S+\s+([\d.]+)(us|ms|s)", out)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", out)
    assert slowest and rate, out
    scale = {"us": 0.001, "ms": 1, "s": 1000}[slowest[2]]
    errors = re.findall(r"(?:Socket errors|Non-2xx).*", out)
    return float(slowest[1]) * scale, float(rate[1]), "; ".join(errors)


def await_port(log: Path) -> int:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        found = re.search(r"http://127\.0\.0\.1:(\d+)", log.read_text())
        if found and log.read_text().count("Booting worker") >= 4:
            time.sleep(1)
            return int(found[1])
        time.sleep(0.01)
    sys.exit(f"error: the server does not listen:\n{log.read_text()}")


def nothing(pid: int) -> None:
    pass


def hup(pid: int) -> None:
    os.kill(pid, signal.SIGHUP)


def slow_hup(pid: int) -> None:
    Path("import_s").write_text("3")
    os.kill(pid, signal.SIGHUP)


def five_hups(pid: int) -> None:
    for _ in range(5):
        os.kill(pid, signal.SIGHUP)
        time.sleep(0.5)


def more_and_fewer(pid: int) -> None:
    for _ in range(5):
        os.kill(pid, signal.SIGTTIN)
        time.sleep(0.3)
        os.kill(pid, signal.SIGTTOU)
        time.sleep(0.3)


def upgrade(pid: int) -> None:
    os.kill(pid, signal.SIGUSR2)


EVENTS: list[tuple[str, list[str], Callable[[int], None]]] = [
    ("none", [], nothing),
    ("HUP", [], hup),
    ("five HUPs, half a second apart", [], five_hups),
    ("HUP, the import takes 3 s", [], slow_hup),
    ("HUP with preload_app", ["--preload"], hup),
    ("TTIN and TTOU, five times", [], more_and_fewer),
    ("max_requests = 200", ["--max-requests", "200"], nothing),
    ("USR2", [], upgrade),
    ("none, again", [], nothing),
]


if __name__ == "__main__":
    sys.exit(main())
