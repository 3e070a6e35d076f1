"""A corpus of settings files, written as people write them, each run by indrik and by Gunicorn itself.

What a user sees must be the same: answers, log lines, what the hooks noted and in which order, exit codes. Each file
says in comments how it is visited:

- `app`: the application (`-`: none is named); `get`: targets, one after the other; `headers`: of every request
- `env`, `args`: besides the usual; `needs`: a module without which the file cannot run
- `signals`: sent after the requests; `stop`: the signal that ends it; `ends`: the exit code of one that ends by itself
- `files`: logs to compare; `wait`: what the hooks must have noted; `server`: the header
- `logs`: why the error logs differ
"""

from __future__ import annotations

import importlib.util
import re
import signal
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from harness import Server, wait_for

CORPUS = sorted((Path(__file__).parent / "corpus").glob("*.py"))
APPS = Path(__file__).parent / "apps"
GUNICORN = (sys.executable, "-m", "gunicorn")
INDRIK = (sys.executable, "-m", "indrik")

# Lines that name the product, or that only one of the two has.
ONLY_GUNICORN = ("Control socket listening at",)


class Case:
    """One settings file and how it is visited."""

    def __init__(self, path: Path) -> None:
        self.text = path.read_text()
        self.said = dict(re.findall(r"^# (\w+): (.*)$", self.text, re.MULTILINE))

    def words(self, name: str, default: str = "") -> list[str]:
        return self.said.get(name, default).split()

    def pairs(self, name: str) -> dict[str, str]:
        return dict(word.split("=", 1) for word in self.words(name))


class Seen:
    """What a user saw of one run."""

    def __init__(self) -> None:
        self.answers: list[Any] = []
        self.code: int | None = None
        self.log: list[str] = []
        self.out: list[str] = []
        self.notes: list[str] = []
        self.files: dict[str, list[str]] = {}


def plain(text: str) -> list[str]:
    """Lines without what differs from run to run, and without the product's name."""
    lines = []
    # Of a traceback counts what was raised, not by which way it came.
    text = re.sub(r"^  (File .*|  .*)\n", "", text, flags=re.MULTILINE)
    for line in text.splitlines():
        line = re.sub(r"\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4}\]", "[time]", line)
        line = re.sub(r"\[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\]", "[time]", line)
        line = re.sub(r"\b\d{3,7}\b(?=[\])]|$|\))|(?<=pid: )\d+|(?<=pid:)\d+|(?<=127\.0\.0\.1:)\d+", "N", line)
        line = re.sub(r"Starting (gunicorn|indrik) [\d.]+", "Starting SERVER", line)
        if not any(text in line for text in ONLY_GUNICORN):
            lines.append(line)
    return lines


def run(case: Case, folder: Path, program: tuple[str, ...]) -> Seen:
    seen = Seen()
    application = case.said.get("app", "visited")
    env = {"PYTHONPATH": str(APPS), "HOME": str(folder), **case.pairs("env")}
    server = Server(
        folder,
        None if application == "-" else application,
        *case.words("args"),
        bind=None,
        settings=case.text,
        env=env,
        program=program,
    )
    if "files" in case.said and "errorlog" in case.text:
        error_log = re.search(r'^errorlog = "([^"-][^"]*)"', case.text, re.MULTILINE)
        server.log_path = folder / error_log[1] if error_log else server.log_path
    if "ends" in case.said:
        try:
            seen.code = server.run()
        finally:
            server.kill()
    else:
        with server:
            visit(case, server, seen, folder)
            server.signal(getattr(signal, f"SIG{case.said.get('stop', 'TERM')}"))
            seen.code = server.wait()
            server.expect_nobody_left()
    seen.log, seen.out = plain(server.err), plain(server.out)
    notes = folder / "hooks.txt"
    seen.notes = notes.read_text().splitlines() if notes.exists() else []
    for path in sorted(folder.glob("logs/*.log")) + sorted(folder.glob("all.log")):
        seen.files[path.name] = plain(path.read_text())
    return seen


def visit(case: Case, server: Server, seen: Seen, folder: Path) -> None:
    for target in case.words("get", "/ /environ"):
        response = server.get(target, case.pairs("headers"))
        name = response.header("Server")
        fields = [response.header(field) for field in ("Content-Type", "Content-Length", "X-Shop")]
        if "server" in case.said:
            assert name == case.said["server"]
        # The page of an error is each server's own.
        text = response.text if response.status < 500 else None
        seen.answers.append((target, response.status, text, fields if response.status < 500 else None))
    for name in case.words("signals"):
        workers = server.children()
        count = server.log.count("Booting worker")
        server.signal(getattr(signal, f"SIG{name}"))
        if name == "HUP":
            server.wait_log("Booting worker", count + len(workers))
            wait_for(lambda before=workers: not server.children() & before, "new workers")
        else:
            size = len(workers) + {"TTIN": 1, "TTOU": -1}[name]
            server.workers(size)
        seen.answers.append((name, server.get("/").text))
    if "wait" in case.said:
        notes = folder / "hooks.txt"
        wait_for(lambda: notes.exists() and case.said["wait"] in notes.read_text(), case.said["wait"])


@pytest.mark.parametrize("path", CORPUS, ids=[path.stem for path in CORPUS])
def test_both_servers_show_the_same(path: Path, tmp_path: Path) -> None:
    case = Case(path)
    for module in case.words("needs"):
        if importlib.util.find_spec(module.partition(".")[0]) is None:
            pytest.skip(f"{module} is not installed")
    theirs = run(case, tmp_path / "gunicorn", GUNICORN)
    ours = run(case, tmp_path / "indrik", INDRIK)
    assert ours.answers == theirs.answers
    if "ends" in case.said:
        assert ours.code == theirs.code == int(case.said["ends"])
        return
    assert ours.code == theirs.code
    assert ours.notes == theirs.notes
    assert Counter(ours.out) == Counter(theirs.out)
    assert ours.files.keys() == theirs.files.keys()
    for name, lines in theirs.files.items():
        assert Counter(ours.files[name]) == Counter(lines), name
    if "logs" not in case.said:
        # Lines of several processes may come in another order.
        assert Counter(ours.log) == Counter(theirs.log)
