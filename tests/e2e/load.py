"""Constant load from a few clients, which notice every request that does not get its answer.

Half of the clients keep their connection, half open a new one for each request. A kept connection is given up only
when an answer said so; any other end, and any status but 200, is a failure.
"""

from __future__ import annotations

import threading

from harness import DEADLINE, wait_for
from wire import Address, Ended, Truncated, Wire


class Load:
    """Runs while the `with` block runs. `answers` counts by body; `failures` tells each request that was lost."""

    def __init__(self, address: Address, target: str = "/pid", kept: int = 4, fresh: int = 4) -> None:
        self.address = address
        self.target = target
        self.answers: dict[str, int] = {}
        self.failures: list[str] = []
        self._lock = threading.Lock()
        self._ends = threading.Event()
        self._clients = [threading.Thread(target=self._keep, daemon=True) for _ in range(kept)]
        self._clients += [threading.Thread(target=self._renew, daemon=True) for _ in range(fresh)]

    def __enter__(self) -> Load:
        for client in self._clients:
            client.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        for client in self._clients:
            client.join(DEADLINE)

    @property
    def clients(self) -> int:
        return len(self._clients)

    @property
    def total(self) -> int:
        with self._lock:
            return sum(self.answers.values())

    def wait_more(self, count: int) -> None:
        """Waits until that many more requests have been answered."""
        goal = self.total + count
        wait_for(lambda: self.total >= goal, f"{count} more answers under load (failures: {self.failures[:5]})")

    def wait_answer_of(self, pids: set[int]) -> None:
        """Waits until one of these workers has answered; which of them does is the kernel's choice."""
        bodies = {str(pid) for pid in pids}
        wait_for(lambda: bodies & set(self.answers), f"an answer of {bodies} under load (there are {self.answers})")

    @property
    def busiest(self) -> int:
        """The worker that has answered most."""
        with self._lock:
            return int(max(self.answers, key=lambda body: self.answers[body]))

    def _keep(self) -> None:
        wire = None
        while not self._ends.is_set():
            try:
                if wire is None:
                    wire = Wire(self.address)
                if not self._ask(wire):
                    wire.close()
                    wire = None
            except (OSError, Ended, Truncated) as failure:
                self._fail("kept connection", failure)
                if wire is not None:
                    wire.close()
                wire = None
        if wire is not None:
            wire.close()

    def _renew(self) -> None:
        while not self._ends.is_set():
            try:
                with Wire(self.address) as wire:
                    self._ask(wire, close=True)
            except (OSError, Ended, Truncated) as failure:
                self._fail("new connection", failure)

    def _ask(self, wire: Wire, close: bool = False) -> bool:
        response = wire.get(self.target, {"Connection": "close"} if close else {})
        with self._lock:
            if response.status == 200:
                self.answers[response.text] = self.answers.get(response.text, 0) + 1
            else:
                self.failures.append(f"status {response.status}")
        return response.keeps_open

    def _fail(self, kind: str, failure: Exception) -> None:
        with self._lock:
            self.failures.append(f"{kind}: {type(failure).__name__}: {failure}")
        # A refused connection comes back at once: without a pause its reports would fill the memory.
        self._ends.wait(0.01)
