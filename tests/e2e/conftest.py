"""Fixtures of the end-to-end suite, and the logs of a failing test in its report."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from harness import Program, Server
from shop import prepare


class Stage:
    """All programs that one test (or one module) starts; each gets a folder of its own below `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.programs: list[Program] = []

    def serve(self, application: str | None = "hello", *arguments: str, **options: Any) -> Server:
        """A `Server`, to be entered as a context manager."""
        server = Server(self._next(), application, *arguments, **options)
        self.programs.append(server)
        return server

    def run(self, *arguments: str, **options: Any) -> Ran:
        """Runs the program to its own end."""
        files = options.pop("files", {})
        program = Program(self._next(), *arguments, **options)
        self.programs.append(program)
        for name, text in files.items():
            (program.folder / name).write_text(text)
        code = program.run()
        return Ran(code, program)

    def write(self, name: str, text: str) -> Path:
        """Puts a file into the folder of the program that is started next."""
        folder = self.folder / str(len(self.programs))
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
        return folder / name

    def _next(self) -> Path:
        return self.folder / str(len(self.programs))

    def end(self) -> None:
        for program in self.programs:
            program.kill()


class Ran:
    """How a program ended, and what it said."""

    def __init__(self, code: int, program: Program) -> None:
        self.code = code
        self.pid = program.pid
        self.folder = program.folder
        self.out = program.out
        self.err = program.err

    def expect(self, code: int, *texts: str) -> Ran:
        """Asserts the exit code, each text on stderr, and that no part of us broke down."""
        assert self.code == code, f"exit code {self.code}, expected {code}"
        for text in texts:
            assert text in self.err, f"{text!r} is not on stderr"
        assert "panicked" not in self.err
        return self

    @property
    def settings(self) -> dict[str, str]:
        """What `--print-config` printed, without the sources."""
        lines = (line.partition("=") for line in self.out.splitlines() if " = " in line)
        return {name.strip(): value.rpartition("  # ")[0].strip() or value.strip() for name, _, value in lines}


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
