"""The table of scenarios: which application, which request, how many connections, workers and threads.

A new scenario is one row in `SCENARIOS`; a new kind of answer is one function that says what is wrong with a body.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
BOOKSHOP = HERE.parent / "examples" / "bookshop"


@dataclass(frozen=True)
class Scenario:
    """One thing that is measured.

    `folder`: where `application` (`module:name`) is imported from. `path`: what is fetched with GET.
    `wrong`: takes the body of a 200, returns what is wrong with it, or `None`.
    `headers`: sent besides Host; a Host among them replaces the one of the address.
    `connections`: kept alive at once. `workers`, `threads`: asked of each server.
    `django`: the folder is a Django project; its requirements and its stock of books are prepared first.
    `floor`: an answer that NGINX can give from its configuration, so it takes part.
    `upload`: bytes of a body that goes with each request, which is then a POST.
    `logged`: with an access log. `idle`: connections that are open beside the load. Only indrik takes part in both.
    """

    name: str
    title: str
    folder: Path
    application: str
    path: str
    wrong: Callable[[bytes], str | None]
    headers: tuple[tuple[str, str], ...] = ()
    connections: int = 16
    workers: int = 1
    threads: int = 1
    django: bool = False
    floor: bool = False
    upload: int = 0
    logged: bool = False
    idle: int = 0

    @property
    def is_own(self) -> bool:
        """Measures indrik against itself."""
        return self.logged or self.idle > 0


def hello(body: bytes) -> str | None:
    return None if body == b"Hello, World!\n" else f"body is {body[:40]!r}"


def large(body: bytes) -> str | None:
    return None if len(body) == 1 << 20 else f"body has {len(body)} bytes"


def uploaded(body: bytes) -> str | None:
    return None if body == b"65536" else f"body is {body[:40]!r}"


def book_json(body: bytes) -> str | None:
    try:
        answer = json.loads(body)
    except ValueError as error:
        return f"body is not JSON: {error}"
    lists = [answer] if isinstance(answer, list) else [value for value in answer.values() if isinstance(value, list)]
    return None if any(lists) else "JSON without a list of books"


def book_page(body: bytes) -> str | None:
    if not body.rstrip().endswith(b"</html>"):
        return "the page does not end in </html>"
    return None if body.count(b"<a ") >= 10 else "the page lists no books"


# What Firefox sends for a page, after NGINX: 12 fields, 1.0 KiB.
BROWSER_HEADERS = (
    ("Host", "shop.example.org"),
    ("X-Real-IP", "203.0.113.57"),
    ("X-Forwarded-For", "203.0.113.57"),
    ("X-Forwarded-Proto", "https"),
    ("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"),
    ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"),
    ("Accept-Language", "en-GB,en;q=0.7,cs;q=0.3"),
    ("Accept-Encoding", "gzip, deflate, br, zstd"),
    ("Referer", "https://shop.example.org/catalogue/fiction/?sort=published&page=3"),
    (
        "Cookie",
        "sessionid=4k2v9x1m7q3w8e5r6t0y2u4i6o8p1a3s; csrftoken=Zx8Cv7Bn6Mq5We4Rt3Yu2Io1Pa0Sd9Fg;"
        " consent=functional%2Cstatistics; _visit=GA1.2.1428571428.1718000000; theme=dark",
    ),
    ("Upgrade-Insecure-Requests", "1"),
    ("Cache-Control", "max-age=0"),
)

SCENARIOS = (
    Scenario(
        "hello",
        "hello: GET /, a 14-byte answer",
        HERE / "apps",
        "hello:application",
        "/",
        hello,
        floor=True,
    ),
    Scenario(
        "browser",
        "browser: the same answer; 12 header fields with cookies, as NGINX forwards them",
        HERE / "apps",
        "hello:application",
        "/",
        hello,
        headers=BROWSER_HEADERS,
        floor=True,
    ),
    Scenario(
        "close",
        "close: a new connection for each request",
        HERE / "apps",
        "hello:application",
        "/",
        hello,
        headers=(("Connection", "close"),),
        floor=True,
    ),
    Scenario(
        "hello-4t",
        "hello with 4 threads",
        HERE / "apps",
        "hello:application",
        "/",
        hello,
        threads=4,
    ),
    Scenario(
        "hello-logged",
        "hello with the access log, default format, to a file",
        HERE / "apps",
        "hello:application",
        "/",
        hello,
        logged=True,
    ),
    Scenario(
        "hello-idle",
        "hello beside 10,000 idle connections",
        HERE / "apps",
        "hello:application",
        "/",
        hello,
        idle=10_000,
    ),
    Scenario(
        "large",
        "large: an answer of 1 MiB",
        HERE / "apps",
        "bodies:application",
        "/large",
        large,
    ),
    Scenario(
        "upload",
        "upload: a request body of 64 KiB",
        HERE / "apps",
        "bodies:application",
        "/upload",
        uploaded,
        upload=65_536,
    ),
    Scenario(
        "nap",
        "nap: the application sleeps 10 ms; ideal 3,200 requests/s and 20 ms",
        HERE / "apps",
        "bodies:application",
        "/nap",
        hello,
        connections=64,
        threads=32,
    ),
    Scenario(
        "bookshop-json",
        "bookshop JSON: GET /api/books/ (Django, SQLite)",
        BOOKSHOP,
        "bookshop.wsgi:application",
        "/api/books/",
        book_json,
        django=True,
    ),
    Scenario(
        "bookshop-list",
        "bookshop list page: GET / (Django, SQLite, templates)",
        BOOKSHOP,
        "bookshop.wsgi:application",
        "/",
        book_page,
        django=True,
    ),
    Scenario(
        "bookshop-json-4t",
        "bookshop JSON with 4 threads",
        BOOKSHOP,
        "bookshop.wsgi:application",
        "/api/books/",
        book_json,
        threads=4,
        django=True,
    ),
    Scenario(
        "bookshop-list-4t",
        "bookshop list page with 4 threads",
        BOOKSHOP,
        "bookshop.wsgi:application",
        "/",
        book_page,
        threads=4,
        django=True,
    ),
)


def chosen(names: list[str] | None) -> list[Scenario]:
    """The scenarios of these names, in the order of the table; all for `None`. An unknown name ends the program."""
    known = [scenario.name for scenario in SCENARIOS]
    for name in names or []:
        if name not in known:
            sys.exit(f"error: no scenario named {name!r}\nhint: one of {', '.join(known)}")
    return [scenario for scenario in SCENARIOS if names is None or scenario.name in names]
