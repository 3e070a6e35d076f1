"""Each test of the WSGI contract is run in every mode."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from contract import MODES
from harness import Server


@pytest.fixture(scope="module", params=MODES)
def mode(request: pytest.FixtureRequest) -> str:
    """The settings of one mode."""
    return MODES[request.param]


@pytest.fixture(scope="module")
def served(shared: Callable[..., Server], mode: str) -> Callable[..., Server]:
    """A server of this mode for tests that only ask: one of each kind in a module."""

    def started(application: str, *arguments: str, settings: str = "") -> Server:
        return shared(application, *arguments, settings=mode + settings)

    return started


@pytest.fixture
def fresh(serve: Callable[..., Server], mode: str) -> Callable[..., Server]:
    """A server of this mode for one test, to be entered as a context manager."""

    def started(application: str | None, *arguments: str, settings: str = "", **options: Any) -> Server:
        return serve(application, *arguments, settings=mode + settings, **options)

    return started
