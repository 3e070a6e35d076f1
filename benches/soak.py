"""Ten million requests, and every answer must be that of its request: `make soak`, or `python3 benches/soak.py --help`.

Clients send batches of pipelined requests, each with a number of its own, and compare what comes back; some naps make
workers hand over and pass on, some bodies travel, and connections are closed at random, also in the middle of a batch.
Each mode (one thread, four threads) gets half of the requests; two workers serve. At the end the workers are the same,
they have not grown, and nothing but the closed connections is missing.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
MODES = {"one thread": ["--threads", "1"], "four threads": ["--threads", "4"]}
CLIENTS = 4
BATCH = 64
CONNECTIONS = 8  # of each client
MOST_GROWTH = 8 * 1024  # KiB that a worker may have more at the end than after the first tenth


def main() -> int:
    """Exit status: 0 if every answer was right."""
    options = arguments()
    faults = 0
    for name, flags in MODES.items():
        faults += soak(name, flags, options.requests // len(MODES), options.seed)
    return 1 if faults else 0


def soak(name: str, flags: list[str], requests: int, seed: int) -> int:
    with Served(flags) as server:
        workers = server.workers()
        started = time.monotonic()
        with multiprocessing.Pool(CLIENTS) as pool:
            run(pool, server.port, requests // 10, seed)
            before = {pid: resident(pid) for pid in workers}
            results = run(pool, server.port, requests - requests // 10, seed + CLIENTS)
        wrong = [text for result in results for text in result[1]]
        answered = sum(result[0] for result in results)
        if server.workers() != workers:
            wrong.append(f"workers were {sorted(workers)} and are {sorted(server.workers())}")
        growth = {pid: resident(pid) - before[pid] for pid in workers if pid in server.workers()}
        wrong += [f"worker {pid} has grown by {more} KiB" for pid, more in growth.items() if more > MOST_GROWTH]
        wrong += [line for line in server.log().splitlines() if "[ERROR]" in line or "panicked" in line][:5]
        seconds = time.monotonic() - started
        print(
            f"{name}: {answered:,} answers compared in {seconds:.0f} s; growth {list(growth.values())} KiB", flush=True
        )
        for text in wrong[:20]:
            print(f"  wrong: {text}", flush=True)
        return len(wrong)


def run(pool: multiprocessing.pool.Pool, port: int, requests: int, seed: int) -> list[tuple[int, list[str]]]:
    return pool.starmap(client, [(port, requests // CLIENTS, seed + index) for index in range(CLIENTS)])


def client(port: int, requests: int, seed: int) -> tuple[int, list[str]]:
    """How many answers were compared, and what was wrong with some."""
    chance = random.Random(seed)
    connections = [Connection(port) for _ in range(CONNECTIONS)]
    number, answered, wrong = seed * 1_000_000_000, 0, []
    while answered < requests and len(wrong) < 10:
        for index, connection in enumerate(connections):
            wanted = []
            for _ in range(BATCH):
                number += 1
                wanted.append(connection.queue(number, chance))
            connection.send()
            if chance.random() < 0.02:
                # In the middle of things: whatever is on its way is nobody's.
                connection.close()
                connections[index] = Connection(port)
                continue
            connection.wanted = wanted
        for connection in connections:
            for want in connection.wanted:
                got = connection.answer()
                answered += 1
                if got != want:
                    wrong.append(f"answer {got!r} where {want!r} was due")
            connection.wanted = []
    for connection in connections:
        connection.close()
    return answered, wrong


class Connection:
    """One connection with what was sent on it and not answered."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.out = bytearray()
        self.received = b""
        self.wanted: list[bytes] = []

    def queue(self, number: int, chance: random.Random) -> bytes:
        """Adds one request; the answer that is due for it."""
        kind = chance.random()
        if kind < 0.01:
            body = bytes([number % 256]) * chance.randrange(1, 3000)
            self.out += b"POST /sum?%d HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % (number, len(body)) + body
            return b"%d %d" % (number, sum(body))
        path = b"nap" if kind < 0.011 else b""
        self.out += b"GET /%s?%d HTTP/1.1\r\nHost: a\r\n\r\n" % (path, number)
        return b"%d" % number

    def send(self) -> None:
        self.socket.sendall(self.out)
        self.out.clear()

    def answer(self) -> bytes:
        while (end := self.received.find(b"\r\n\r\n")) < 0:
            self._receive()
        head = self.received[:end]
        found = re.search(rb"Content-Length: (\d+)", head)
        length = int(found[1]) if found else 0
        while len(self.received) < end + 4 + length:
            self._receive()
        body = self.received[end + 4 : end + 4 + length]
        self.received = self.received[end + 4 + length :]
        return body if head.startswith(b"HTTP/1.1 200 ") else head

    def _receive(self) -> None:
        data = self.socket.recv(1 << 18)
        if not data:
            raise ConnectionError("the server closed a connection that it had promised to keep")
        self.received += data

    def close(self) -> None:
        self.socket.close()


class Served:
    """The server while the `with` block runs."""

    def __init__(self, flags: list[str]) -> None:
        command = [sys.executable, "-m", "indrik", "numbered", "--workers", "2", "--bind", "127.0.0.1:0", *flags]
        self.path = Path(f"/tmp/indrik-soak-{os.getpid()}.log")
        with open(self.path, "wb") as log:
            self.process = subprocess.Popen(command, cwd=HERE / "apps", stderr=log)

    def __enter__(self) -> Served:
        end = time.monotonic() + 30
        while len(self.workers()) < 2 or "Booting" not in self.log():
            if time.monotonic() > end or self.process.poll() is not None:
                raise SystemExit(f"the server does not start:\n{self.log()}")
            time.sleep(0.05)
        found = re.search(r"Listening at: http://127\.0\.0\.1:(\d+)", self.log())
        assert found, self.log()
        self.port = int(found[1])
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(60)
        self.path.unlink()

    def workers(self) -> set[int]:
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return {int(pid) for pid in path.read_text().split()} if path.exists() else set()

    def log(self) -> str:
        return self.path.read_text()


def resident(pid: int) -> int:
    """KiB."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) if found else 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Compares the answers to many requests with what is due.")
    parser.add_argument("--requests", type=int, default=10_000_000, metavar="N", help="in all (default 10,000,000)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of the clients' chances (default 1)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
