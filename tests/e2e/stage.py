"""What a test starts: servers, and programs that run to their own end, each in a folder of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness import Program, Server


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
