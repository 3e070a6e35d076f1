"""Requests to the application `busy` that stay in it until they are let go."""

from __future__ import annotations

from harness import Server, wait_for
from wire import Wire, compose


def pid_of(wire: Wire) -> int:
    """The worker that owns this connection."""
    return int(wire.get("/pid").text)


def hold(server: Server, wire: Wire, name: str) -> None:
    """Sends a request that stays in the application until `leave`; returns once it is inside."""
    wire.send(compose("GET", f"/hold?{name}"))
    wait_for((server.folder / f"{name}.entered").exists, "the request to be in the application")


def leave(server: Server, name: str) -> None:
    """Lets the request of that name go."""
    (server.folder / f"{name}.open").touch()
