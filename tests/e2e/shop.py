"""The bookshop example as the tests use it: its data made ready once, and a visitor with cookies."""

from __future__ import annotations

import os
import re
import secrets
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlencode

from harness import ROOT, SETTINGS_VARIABLES
from wire import Address, Response, Wire

PROJECT = ROOT / "examples" / "bookshop"

# One transparent pixel; what follows its end is ignored by decoders, so it can be made as large as a test needs.
GIF = bytes.fromhex("47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b")


def prepare(data: Path) -> None:
    """Makes the database with its books and the collected static files below `data`."""
    data.mkdir(parents=True, exist_ok=True)
    for command in (["migrate", "--verbosity", "0"], ["seed"], ["collectstatic", "--noinput", "--verbosity", "0"]):
        subprocess.run(
            [sys.executable, "manage.py", *command],
            cwd=PROJECT,
            env=variables(data, whole=True),
            check=True,
            stdout=subprocess.DEVNULL,
            timeout=50,
        )


def variables(data: Path, whole: bool = False) -> dict[str, str]:
    """The environment of a bookshop with its data there; `whole` adds that of the tests, without settings of ours."""
    own = {"BOOKSHOP_DATA": str(data), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(PROJECT)}
    around = {name: value for name, value in os.environ.items() if name not in SETTINGS_VARIABLES} if whole else {}
    return {**around, **own}


class Visitor:
    """A browser without a window: one kept connection, cookies, forms with their token, no automatic redirects."""

    def __init__(self, address: Address, host: str = "localhost") -> None:
        self.address = address
        self.host = host
        self.cookies: dict[str, str] = {}
        self._wire: Wire | None = None

    def __enter__(self) -> Visitor:
        return self

    def __exit__(self, *_: object) -> None:
        self._drop()

    def get(self, target: str, headers: dict[str, str] | None = None) -> Response:
        return self._send("GET", target, headers or {}, None)

    def post(self, target: str, fields: dict[str, str], page: str | None = None) -> Response:
        """Posts a form as it stands on `page`: with that page's CSRF token. Without a page there is no token."""
        if page is not None:
            fields = {**fields, "csrfmiddlewaretoken": self.token(page)}
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return self._send("POST", target, headers, urlencode(fields).encode())

    def upload(self, target: str, field: str, content: bytes, page: str) -> Response:
        """Posts a multipart form with one file in it."""
        boundary = secrets.token_hex(16)
        parts = [
            ('name="csrfmiddlewaretoken"', self.token(page).encode()),
            (f'name="{field}"; filename="cover.gif"\r\nContent-Type: image/gif', content),
        ]
        body = b"".join(
            f"--{boundary}\r\nContent-Disposition: form-data; {head}\r\n\r\n".encode() + value + b"\r\n"
            for head, value in parts
        )
        headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        return self._send("POST", target, headers, body + f"--{boundary}--\r\n".encode())

    def token(self, page: str) -> str:
        response = self.get(page)
        found = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', response.text)
        assert found, f"no form with a token on {page} (status {response.status})"
        return found[1]

    def _send(self, method: str, target: str, headers: dict[str, str], body: bytes | None) -> Response:
        fields = {"Host": self.host, **headers}
        if self.cookies:
            fields["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        if self._wire is None:
            self._wire = Wire(self.address)
        response = self._wire.request(method, target, fields, body)
        for cookie in response.all("Set-Cookie"):
            name, _, value = cookie.partition(";")[0].partition("=")
            self.cookies[name] = value
        if not response.keeps_open:
            self._drop()
        return response

    def _drop(self) -> None:
        if self._wire is not None:
            self._wire.close()
        self._wire = None
