"""Fixtures of the end-to-end suite, and the logs of a failing test in its report."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from harness import Server
from shop import prepare
from stage import Ran, Stage


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path)
    yield stage
    stage.end()


@pytest.fixture
def serve(stage: Stage) -> Callable[..., Server]:
    """Starts servers: `with serve("hello", "--workers", "2") as server:`."""
    return stage.serve


@pytest.fixture
def run(stage: Stage) -> Callable[..., Ran]:
    """Runs the program to its own end: `run("--version").expect(0)`."""
    return stage.run


@pytest.fixture(scope="module")
def module_stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """For servers that the tests of one module share because none of them changes anything."""
    stage = Stage(tmp_path_factory.mktemp("module"))
    yield stage
    stage.end()


@pytest.fixture(scope="module")
def shared(module_stage: Stage) -> Iterator[Callable[..., Server]]:
    """Running servers for tests that only ask: `shared("echo", "--threads", "2")` starts each kind once a module."""
    running: dict[tuple[object, ...], Server] = {}
    with contextlib.ExitStack() as stack:

        def started(*arguments: str, **options: Any) -> Server:
            kind = (*arguments, *sorted(options.items()))
            if kind not in running:
                running[kind] = stack.enter_context(module_stage.serve(*arguments, **options))
            return running[kind]

        yield started


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """A folder whose path is short enough for a unix socket, which has room for 107 bytes."""
    folder = tempfile.mkdtemp(prefix="indrik-")
    yield Path(folder)
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def prepared_shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("bookshop") / "data"
    prepare(data)
    return data


@pytest.fixture
def shop_data(prepared_shop: Path, tmp_path: Path) -> Path:
    """The bookshop's data, ready, and nobody else's."""
    return Path(shutil.copytree(prepared_shop, tmp_path / "data"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        for value in getattr(item, "funcargs", {}).values():
            if isinstance(value, Stage):
                for number, program in enumerate(value.programs):
                    for name, text in program.report().items():
                        report.sections.append((f"program {number}: {name}", text))
    return report
