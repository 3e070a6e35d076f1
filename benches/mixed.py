"""Fast and slow requests mixed, on four workers with one thread each: what the fast ones wait for the slow ones.

Requests arrive at random (Poisson) at a rate that no server can influence, each on an idle one of 16 kept connections;
5 % of them sleep 200 ms. Latency counts from the arrival. Beside the servers stands the best that four threads could
do: one queue for all, simulated with the same arrivals. `make bench` runs it behind the others; see README.md.
"""

from __future__ import annotations

import argparse
import asyncio
import heapq
import json
import random
import sys
import time
from pathlib import Path
from statistics import mean, quantiles

import peers
from bench import CHECKOUT, default_cpus
from environment import Environment, say
from measure import Load, Server
from scenarios import Scenario, hello

HERE = Path(__file__).resolve().parent
WORKERS = 4
CONNECTIONS = 16
SLOW_SHARE = 0.05
SLOW_S = 0.2
RATES = (150, 250)  # requests per second: 38 % and 62 % of what four threads can do
PEERS = ["indrik", "gunicorn-gthread", "granian", "uwsgi"]
SCENARIO = Scenario("mixed", "mixed", HERE / "apps", "bodies:application", "/", hello, workers=WORKERS)


class Arrivals:
    """When each request comes, in seconds from the start, and whether it is a slow one."""

    def __init__(self, rate: float, seconds: float, seed: int) -> None:
        chance = random.Random(seed)
        self.all: list[tuple[float, bool]] = []
        at = chance.expovariate(rate)
        while at < seconds:
            self.all.append((at, chance.random() < SLOW_SHARE))
            at += chance.expovariate(rate)


def simulate(arrivals: Arrivals, fast_s: float) -> list[float]:
    """Latencies of the fast requests, in seconds, with one queue for all threads."""
    free = [0.0] * WORKERS
    latencies = []
    for at, slow in arrivals.all:
        begin = max(at, heapq.heappop(free))
        end = begin + (SLOW_S if slow else fast_s)
        heapq.heappush(free, end)
        if not slow:
            latencies.append(end - at)
    return latencies


async def drive(port: int, arrivals: Arrivals) -> list[float]:
    """Latencies of the fast requests, in seconds. Raises ConnectionError when an answer is wrong or missing."""
    idle: asyncio.Queue = asyncio.Queue()
    for _ in range(CONNECTIONS):
        idle.put_nowait(await asyncio.open_connection("127.0.0.1", port))
    latencies: list[float] = []
    chance = random.Random(0)

    async def request(due: float, slow: bool) -> None:
        streams = await idle.get()
        # A random one of the idle connections, not always the one that has rested longest.
        if idle.qsize() and chance.random() < 0.5:
            idle.put_nowait(streams)
            streams = await idle.get()
        reader, writer = streams
        writer.write(b"GET /%s HTTP/1.1\r\nHost: localhost\r\n\r\n" % (b"slow" if slow else b""))
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise ConnectionError(f"answer {head[:60]!r}")
        if b"chunked" in head.lower():
            await reader.readuntil(b"0\r\n\r\n")
        else:
            await reader.readexactly(14)
        if not slow:
            latencies.append(time.monotonic() - due)
        if b"connection: close" in head.lower():
            writer.close()
            streams = await asyncio.open_connection("127.0.0.1", port)
        idle.put_nowait(streams)

    start = time.monotonic() + 0.2
    tasks = []
    for at, slow in arrivals.all:
        delay = start + at - time.monotonic()
        if delay > 0:
            await asyncio.sleep(delay)
        tasks.append(asyncio.create_task(request(start + at, slow)))
    await asyncio.gather(*tasks)
    return latencies


def figures(latencies: list[float]) -> dict[str, float]:
    cuts = quantiles(latencies, n=100)
    return {
        "mean_ms": mean(latencies) * 1e3,
        "p50_ms": cuts[49] * 1e3,
        "p95_ms": cuts[94] * 1e3,
        "p99_ms": cuts[98] * 1e3,
    }


def main() -> int:
    """Exit status: 0 if indrik answered everything."""
    options = arguments()
    environment = Environment(options.env.resolve(), sys.executable)
    racers = peers.chosen(PEERS)
    environment.install(racers, options.wheel or environment.newest_wheel(CHECKOUT / "target" / "wheels"))
    server_cpu, load_cpu = default_cpus()
    load = Load(0, 0, server_cpu, load_cpu)
    outcome, sound = [], True
    for rate in RATES:
        results: dict[str, list[float]] = {}
        for seed in range(options.rounds):
            arrivals = Arrivals(rate, options.seconds, seed)
            for peer in racers:
                if peer.name not in environment.versions:
                    continue
                say(f"mixed at {rate}/s, round {seed + 1} of {options.rounds}: {peer.name}")
                with Server(environment, peer, SCENARIO, load.server_cpu) as server:
                    server.await_answer()
                    try:
                        results.setdefault(peer.name, []).extend(asyncio.run(drive(server.port, arrivals)))
                    except (OSError, EOFError) as error:
                        say(f"{peer.name}: {error}")
                        sound &= peer.name != "indrik"
            # An answer without a queue takes what half of indrik's requests take at the most.
            fast_s = quantiles(results["indrik"], n=100)[24]
            results.setdefault("one queue (simulated)", []).extend(simulate(arrivals, fast_s))
        print(f"mixed: {rate} requests/s, 5 % of them sleep 200 ms; latency of the others")
        for name, latencies in sorted(results.items(), key=lambda item: mean(item[1])):
            row = figures(latencies)
            outcome.append({"rate": rate, "server": name, **row})
            print(f"{name:24}" + "".join(f"  {key[:-3]} {value:8.2f} ms" for key, value in row.items()), flush=True)
        print()
    path = environment.results / f"mixed-{time.strftime('%Y%m%d-%H%M%S')}.json"
    path.write_text(json.dumps(outcome, indent=1) + "\n")
    print(f"written to {path}")
    return 0 if sound else 1


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Latency of fast requests among slow ones.")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="rounds per server and rate (default 3)")
    parser.add_argument("--seconds", type=int, default=8, metavar="S", help="length of a round (default 8)")
    parser.add_argument("--wheel", type=Path, metavar="PATH", help="default: the newest of target/wheels")
    parser.add_argument("--env", type=Path, default=CHECKOUT / ".bench", metavar="FOLDER", help="the bench's folder")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
