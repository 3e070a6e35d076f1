"""The ways into the program: the wheel's module and script, and the binary that cargo builds."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

from harness import ROOT, default_program


def module() -> list[str]:
    return [sys.executable, "-m", "indrik"]


def script() -> list[str]:
    path = Path(sysconfig.get_path("scripts"), "indrik")
    assert path.exists(), f"{path} is missing: install the wheel into {sys.prefix}"
    return [str(path)]


def binary() -> list[str]:
    """A missing binary is a failure, not a skip: it is half of what is delivered."""
    path = Path(os.environ.get("INDRIK_BINARY") or ROOT / "target" / "release" / "indrik")
    assert path.exists(), f"{path} is missing: run `cargo build --release`, or name it in INDRIK_BINARY"
    return [str(path)]


DOORS = {"module": module, "script": script, "binary": binary}


def way_in(door: str) -> dict[str, object]:
    """Options for `serve` and `run` that enter by that door; the module's may be replaced by INDRIK_PROGRAM."""
    program = default_program() if door == "module" else DOORS[door]()
    return {"program": program, "env": environment(door)}


def environment(door: str) -> dict[str, str]:
    """The binary has to be told which virtual environment to use; the wheel lives in it."""
    return {"VIRTUAL_ENV": sys.prefix} if door == "binary" else {}


def other_pythons() -> dict[str, str]:
    """Interpreters on this machine, from 3.10 up, of other versions than the one that runs the tests."""
    home = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    paths = [*home.glob("versions/*/bin/python3")]
    for folder in os.get_exec_path():
        paths += Path(folder).glob("python3.[0-9]*")
    own = f"{sys.version_info[0]}.{sys.version_info[1]}"
    found: dict[str, str] = {}
    for path in sorted(paths):
        if "-config" in path.name:
            continue
        asked = subprocess.run(
            [path, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
            capture_output=True,
            text=True,
            check=False,
            timeout=20,
        )
        version = asked.stdout.strip()
        if asked.returncode == 0 and version != own and tuple(map(int, version.split("."))) >= (3, 10):
            found.setdefault(version, str(path))
    return found
