"""Instructions per request, counted by callgrind: a figure that repeats well, to compare commits by.

`make instructions`, or `python3 benches/instructions.py`. Counts what one worker executes in user space for many
requests and for few, and divides the difference. Needs valgrind; as root on Debian it is installed.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from environment import install_package, present
from measure import free_port
from scenarios import BROWSER_HEADERS

HERE = Path(__file__).resolve().parent
CONNECTIONS = 8
FEW, MANY = 800, 2400


def main() -> int:
    if not present("valgrind"):
        install_package("valgrind", "valgrind")
    browser = "".join(f"{name}: {value}\r\n" for name, value in BROWSER_HEADERS)
    for name, head in {"hello": "Host: localhost\r\n", "browser": browser}.items():
        request = f"GET / HTTP/1.1\r\n{head}\r\n".encode()
        cost = (count(request, MANY) - count(request, FEW)) / (MANY - FEW)
        print(f"{name}: {cost:,.0f} instructions per request", flush=True)
    return 0


def count(request: bytes, requests: int) -> int:
    """Instructions that a worker executes in its life, in which it answers so many requests."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        # The title of the process overwrites its arguments, where valgrind would look for its own.
        options = f"--callgrind-out-file={folder}/%p"
        command = ["valgrind", "--tool=callgrind", sys.executable, "-m", "indrik", "hello", f"--bind=127.0.0.1:{port}"]
        server = subprocess.Popen(
            [*command, "--timeout=0"],
            cwd=HERE / "apps",
            env=os.environ | {"VALGRIND_OPTS": options},
            stderr=subprocess.DEVNULL,
        )
        try:
            load(port, request, requests)
        finally:
            server.terminate()
            server.wait(120)
        profiles = [path for path in Path(folder).iterdir() if path.name != str(server.pid)]
        totals = [re.search(r"^(?:totals|summary): (\d+)", path.read_text(), re.M) for path in profiles]
        return max(int(found[1]) for found in totals if found)


def load(port: int, request: bytes, requests: int) -> None:
    connections = [connect(port) for _ in range(CONNECTIONS)]
    for _ in range(requests // CONNECTIONS):
        for connection in connections:
            connection.sendall(request)
        for connection in connections:
            answer = connection.recv(65536)
            assert answer.startswith(b"HTTP/1.1 200"), answer
    for connection in connections:
        connection.close()


def connect(port: int) -> socket.socket:
    """Waits for the server, which is slow under valgrind."""
    end = time.monotonic() + 120
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=60)
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


if __name__ == "__main__":
    sys.exit(main())
