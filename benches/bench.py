"""Compares indrik with other WSGI servers on this machine: `make bench`, or `python3 benches/bench.py --help`.

Builds nothing; it installs the newest wheel of target/wheels. What is measured stands in scenarios.py and peers.py, how
in measure.py, how to read it in README.md.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from pathlib import Path

import peers
import scenarios
from environment import Environment, Unavailable, require_wrk, say
from measure import Failed, Load, measure
from peers import Peer
from report import Row, table
from scenarios import Scenario

CHECKOUT = Path(__file__).resolve().parent.parent


def main() -> int:
    """Exit status: 0 if all ran and every row of indrik is valid, 1 if not, 2 for a wrong flag."""
    options = arguments()
    wanted = scenarios.chosen(options.only)
    racers = peers.chosen(options.peers)
    try:
        environment = Environment(options.env, options.python)
    except Unavailable as error:
        sys.exit(f"error: no virtual environment in {options.env}: {error}")
    wrk_version = require_wrk()
    environment.install(racers, options.wheel or environment.newest_wheel(CHECKOUT / "target" / "wheels"))
    for name, reason in environment.missing.items():
        say(f"{name}: not installed: {reason}")
    if "indrik" in environment.missing:
        sys.exit("error: indrik is not installed, see above\nhint: --peers gunicorn-sync,… measures without it")

    server_cpu, load_cpu = options.cpus
    load = Load(options.seconds, options.warmup, server_cpu, load_cpu)
    name = time.strftime("%Y%m%d-%H%M%S")
    outcome = {
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "machine": machine(environment, wrk_version),
        "method": {"rounds": options.rounds, **vars(load)},
        "not_installed": environment.missing,
        "scenarios": [],
    }
    sound = True
    for scenario in wanted:
        rows, reason = run(environment, racers, scenario, load, options.rounds)
        sound &= not reason and all(row.valid() for row in rows if row.peer == "indrik")
        print(heading(scenario, options.rounds, load))
        print(f"not run: {reason}" if reason else table(rows), end="\n\n", flush=True)
        outcome["scenarios"].append(
            {"name": scenario.name, "title": scenario.title, "not_run": reason, "rows": [row.as_json() for row in rows]}
        )
        path = environment.write(name, outcome)
    print_notes(racers, environment)
    print(f"written to {path}")
    return 0 if sound else 1


def run(
    environment: Environment, racers: list[Peer], scenario: Scenario, load: Load, rounds: int
) -> tuple[list[Row], str]:
    """All rounds of one scenario, the servers taking turns; or no rows, and the reason.

    Each round starts each server anew, so that a lucky hash seed or memory layout is not measured five times. Each
    round begins with another one of them.
    """
    if scenario.django:
        try:
            environment.prepare_bookshop()
        except Unavailable as error:
            return [], str(error)
    runners = [peer for peer in racers if peer.name in environment.versions and takes_part(peer, scenario)]
    rows = {peer.name: Row(peer.name, environment.versions[peer.name]) for peer in runners}
    for turn in range(rounds):
        first = turn % max(len(runners), 1)
        for peer in runners[first:] + runners[:first]:
            row = rows[peer.name]
            if row.fault:
                continue
            say(f"{scenario.name}, round {turn + 1} of {rounds}: {peer.name}")
            try:
                row.rounds.append(measure(environment, peer, scenario, load))
            except Failed as error:
                row.fault = str(error)
    return list(rows.values()), "" if rows else "none of the chosen servers takes part"


def takes_part(peer: Peer, scenario: Scenario) -> bool:
    if (peer.floor and not scenario.floor) or (scenario.is_own and peer.name != "indrik"):
        return False
    return not peer.single or (scenario.workers == 1 and scenario.threads == 1)


def heading(scenario: Scenario, rounds: int, load: Load) -> str:
    parallel = f"{scenario.workers} worker(s) x {scenario.threads} thread(s), {scenario.connections} connections"
    return f"{scenario.title}\n{parallel}, medians of {rounds} rounds of {load.seconds} s"


def print_notes(racers: list[Peer], environment: Environment) -> None:
    for peer in racers:
        if peer.note and peer.name in environment.versions:
            print(f"* {peer.note}")
    for name, reason in environment.missing.items():
        print(f"* {name} was not installed: {reason}")


def machine(environment: Environment, wrk_version: str) -> dict:
    model = ""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    return {
        "cpu": model,
        "cpus": os.cpu_count(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "wrk": wrk_version,
        "load_average": os.getloadavg(),
    }


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Compares indrik with other WSGI servers on this machine.")
    known = [peer.name for peer in peers.PEERS]
    names = [scenario.name for scenario in scenarios.SCENARIOS]
    parser.add_argument("--only", type=words, metavar="NAMES", help=f"scenarios, of: {', '.join(names)}")
    parser.add_argument("--peers", type=words, metavar="NAMES", help=f"servers, of: {', '.join(known)}")
    parser.add_argument("--rounds", type=positive, default=5, metavar="N", help="rounds per server (default 5)")
    parser.add_argument("--seconds", type=positive, default=2, metavar="S", help="length of a round (default 2)")
    parser.add_argument("--warmup", type=natural, default=3, metavar="S", help="load before each round (default 3)")
    parser.add_argument("--cpus", type=pair, default=default_cpus(), metavar="A,B", help="server's CPU, wrk's CPU")
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


def words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def natural(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number of at least 0")
    return int(text)


def positive(text: str) -> int:
    if natural(text) == 0:
        raise argparse.ArgumentTypeError("must be at least 1")
    return int(text)


def pair(text: str) -> tuple[int, int]:
    numbers = [natural(word) for word in words(text)]
    if len(numbers) != 2:
        raise argparse.ArgumentTypeError("needs two CPU numbers, like 0,1")
    return numbers[0], numbers[1]


def default_cpus() -> tuple[int, int] | tuple[None, None]:
    """The first two CPUs that we may use. With a single one nothing is pinned, and the figures say little."""
    usable = sorted(os.sched_getaffinity(0))
    return (usable[0], usable[1]) if len(usable) > 1 else (None, None)


if __name__ == "__main__":
    sys.exit(main())
