"""The modes in which every framework is served, and the servers that the tests of one module share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from harness import Server

APPS = Path(__file__).resolve().parent / "apps"

MODES = {
    "one thread": ("--threads", "1"),
    "four threads": ("--threads", "4"),
    "unbuffered": ("--threads", "4", "--no-request-buffering"),
}

# Not even a framework that catches everything hides a mistake from its log.
COMPLAINTS = ("Traceback", "[ERROR]", "[WARNING]")


def framework(*paths: Path) -> dict[str, str]:
    """Environment of a program that is to find the applications of this folder, and modules in `paths`."""
    return {"PYTHONPATH": ":".join(map(str, (APPS, *paths)))}


def serving(application: str, *arguments: str) -> Any:
    """A fixture: the application in each mode, started once a module. At the end its log must be free of complaints."""

    @pytest.fixture(scope="module", params=MODES.values(), ids=MODES)
    def server(request: pytest.FixtureRequest, module_stage: Any) -> Iterator[Server]:
        with module_stage.serve(application, *arguments, *request.param, env=framework()) as running:
            yield running
            expect_no_complaint(running)

    return server


def expect_no_complaint(server: Server) -> None:
    log = server.log
    assert not [text for text in COMPLAINTS if text in log], log


def base(server: Server) -> str:
    return f"http://127.0.0.1:{server.port}"
