"""Stands in for a service manager: hears what a service says of itself, and opens sockets for it."""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence

from harness import DEADLINE, default_program


class Manager:
    """Listens at `address`: a path, or an abstract name behind `@`, as NOTIFY_SOCKET has it."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.messages: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("\0" + address[1:] if address.startswith("@") else address)

    def __enter__(self) -> Manager:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def wait(self, line: str, seen: int = 0, deadline: float = DEADLINE) -> int:
        """Waits for a message with a line that begins so, behind the first `seen`; how many there are up to it."""
        end = time.monotonic() + deadline
        while True:
            for number, message in enumerate(self.messages[seen:], seen + 1):
                if any(one.startswith(line) for one in message.split("\n")):
                    return number
            self._socket.settimeout(max(end - time.monotonic(), 0.001))
            try:
                self.messages.append(self._socket.recv(4096).decode())
            except TimeoutError:
                raise AssertionError(f"waited in vain for {line!r}; heard {self.messages}") from None

    def drain(self) -> list[str]:
        """All that was said; the service has ended."""
        self._socket.setblocking(False)
        while True:
            try:
                self.messages.append(self._socket.recv(4096).decode())
            except BlockingIOError:
                return self.messages

    def lines(self) -> list[str]:
        """Every line that was said so far."""
        return [line for message in self.messages for line in message.split("\n")]


def activated(sockets: Sequence[socket.socket]) -> list[str]:
    """The program, started as systemd starts what listens at `sockets`: they are its descriptors from 3 on.

    A shell in between knows its own pid, which is the program's afterwards.
    """
    moves = " ".join(f"{number}<&{one.fileno()}" for number, one in enumerate(sockets, 10))
    finals = " ".join(f"{number - 7}<&{number}" for number in range(10, 10 + len(sockets)))
    closes = " ".join(f"{number}<&-" for number in range(10, 10 + len(sockets)))
    script = (
        f'exec {moves}; exec {finals} {closes}; LISTEN_PID=$$ LISTEN_FDS={len(sockets)} LISTEN_FDNAMES=web exec "$@"'
    )
    return ["bash", "-c", script, "sh", *default_program()]
