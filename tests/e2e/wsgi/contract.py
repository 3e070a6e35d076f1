"""What the tests of the WSGI contract share: the modes, a mark in a log, and names for requests."""

from __future__ import annotations

import itertools
import json
import re
from typing import Any

from harness import Server, wait_for

# The three ways in which an application is run.
MODES = {
    "one thread": "threads = 1\n",
    "four threads": "threads = 4\n",
    "unbuffered": "request_buffering = False\n",
}

# One line per request that names it, and says what was answered and how many bytes of a body were sent.
ACCESS_LOG = "accesslog = 'access.log'\naccess_log_format = '%(r)s %(s)s %(B)s'\n"

_numbers = itertools.count(1)


def fresh_tag() -> str:
    """A name that no other request of this run has; it stands in the query string."""
    return f"tag{next(_numbers)}."


class Mark:
    """What the error log has said since this was made."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.start = len(server.log)

    @property
    def text(self) -> str:
        return self.server.log[self.start :]

    def wait(self, text: str, count: int = 1) -> str:
        wait_for(lambda: self.text.count(text) >= count, f"{count} x {text!r} in the error log")
        return self.text

    def reports(self) -> list[str]:
        """The entries of level ERROR, each with the lines that belong to it."""
        entries = re.split(r"(?m)^(?=\[\d{4}-\d\d-\d\d )", self.text)
        return [entry for entry in entries if "[ERROR]" in entry.partition("\n")[0]]


def access_lines(server: Server, tag: str) -> list[str]:
    """`STATUS BYTES` for each line of the access log about that request, once it and the line of a later one are there.

    Another thread may answer the later one while the application still has to end the first.
    """
    last = fresh_tag()
    server.get(f"/pid?{last}")
    path = server.folder / "access.log"

    def written() -> str | None:
        text = path.read_text() if path.exists() else ""
        return text if last in text and tag in text else None

    lines = wait_for(written, "the access lines of this request and of a later one").splitlines()
    return [line.rpartition("HTTP/1.1 ")[2] for line in lines if tag in line]


def notes(server: Server, name: str, tag: str) -> list[Any]:
    """What the application has put down under that tag in one of its files, a JSON value each."""
    path = server.folder / name
    lines = path.read_text().splitlines() if path.exists() else []
    return [json.loads(line.partition(" ")[2]) for line in lines if line.partition(" ")[0] == tag]


def wait_notes(server: Server, name: str, tag: str, count: int = 1) -> list[Any]:
    """Waits until there are that many, and returns them."""
    wait_for(lambda: len(notes(server, name, tag)) >= count, f"{count} notes of {tag!r} in {name}")
    return notes(server, name, tag)
