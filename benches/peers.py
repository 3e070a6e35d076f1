"""The table of peers: what to install for each, and the command that starts it.

A new server is one row in `PEERS`. Commands are built here and run by `measure.Server`; nothing is started here.
Every peer gets one address on 127.0.0.1, no access log, and the workers and threads that the scenario asks for.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Serve:
    """What a server is asked to serve: `application` as `module:name`, `scratch` a folder that is its own."""

    application: str
    port: int
    workers: int
    threads: int
    programs: Path
    scratch: Path
    connections: int = 1000
    logged: bool = False

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"


@dataclass(frozen=True)
class Peer:
    """One server under measurement.

    `distributions`: what pip installs; the first one's version is shown. Empty: a program of the system.
    `package` and `witness`: the Debian package that it needs besides, and a path or program that shows it is there.
    `single`: it knows neither threads nor workers, so a scenario that wants more than one leaves it out.
    `floor`: no Python in it, so it takes part only where a scenario has a floor.
    """

    name: str
    command: Callable[[Serve], list[str]]
    distributions: tuple[str, ...] = ()
    package: str = ""
    witness: str = ""
    single: bool = False
    floor: bool = False
    note: str = ""


def indrik(serve: Serve) -> list[str]:
    return [
        f"{serve.programs}/indrik",
        f"--bind={serve.address}",
        f"--workers={serve.workers}",
        f"--threads={serve.threads}",
        f"--worker-connections={serve.connections}",
        *([f"--access-logfile={serve.scratch}/access.log"] if serve.logged else []),
        serve.application,
    ]


def transport(serve: Serve) -> list[str]:
    """Built by `cargo build --release --example transport`."""
    return [str(HERE.parent / "target" / "release" / "examples" / "transport"), str(serve.port)]


def gunicorn(worker_class: str) -> Callable[[Serve], list[str]]:
    def command(serve: Serve) -> list[str]:
        return [
            f"{serve.programs}/gunicorn",
            f"--bind={serve.address}",
            f"--workers={serve.workers}",
            f"--threads={serve.threads}",
            f"--worker-class={worker_class}",
            # It would lie in the home folder, where two servers on one machine meet.
            "--no-control-socket",
            serve.application,
        ]

    return command


def granian(serve: Serve) -> list[str]:
    return [
        f"{serve.programs}/granian",
        "--interface=wsgi",
        "--host=127.0.0.1",
        f"--port={serve.port}",
        f"--workers={serve.workers}",
        f"--blocking-threads={serve.threads}",
        "--no-ws",
        serve.application,
    ]


def uwsgi(serve: Serve) -> list[str]:
    return [
        f"{serve.programs}/uwsgi",
        # `http11-socket` keeps connections alive, but a process then serves one of them until it ends: 15 of 16 starve.
        f"--http-socket={serve.address}",
        # It closes after each answer without saying so, and wrk would count errors.
        "--add-header=Connection: close",
        f"--wsgi={serve.application}",
        "--master",
        f"--processes={serve.workers}",
        f"--threads={serve.threads}",
        "--listen=128",
        "--single-interpreter",
        "--need-app",
        "--disable-logging",
        "--die-on-term",
    ]


def waitress(serve: Serve) -> list[str]:
    return [
        f"{serve.programs}/waitress-serve",
        f"--listen={serve.address}",
        f"--threads={serve.threads}",
        serve.application,
    ]


def launched(name: str) -> Callable[[Serve], list[str]]:
    def command(serve: Serve) -> list[str]:
        return [
            f"{serve.programs}/python",
            str(HERE / "launch.py"),
            name,
            serve.application,
            str(serve.port),
            str(serve.threads),
        ]

    return command


def nginx(serve: Serve) -> list[str]:
    """Writes its configuration, which holds the answer of apps/hello.py, into `serve.scratch`."""
    temporary = "\n".join(
        f"  {kind}_temp_path {serve.scratch}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    configuration = serve.scratch / "nginx.conf"
    configuration.write_text(
        f"""daemon off;
worker_processes {serve.workers};
pid {serve.scratch}/nginx.pid;
error_log stderr;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  keepalive_requests 1000000000;
{temporary}
  server {{
    listen {serve.address};
    default_type "text/plain; charset=utf-8";
    location / {{ return 200 "Hello, World!\\n"; }}
  }}
}}
""",
        encoding="ascii",
    )
    return ["nginx", "-p", str(serve.scratch), "-e", "stderr", "-c", str(configuration)]


# Only the yardstick is pinned; the others are measured as pip finds them, and the version stands in the table.
PEERS = (
    Peer("indrik", indrik, ("indrik",)),
    Peer(
        "gunicorn-sync",
        gunicorn("sync"),
        ("gunicorn==27.0.1",),
        note="gunicorn's sync worker closes after each answer, so it pays for a new connection per request.",
    ),
    Peer("gunicorn-gthread", gunicorn("gthread"), ("gunicorn==27.0.1",)),
    Peer("waitress", waitress, ("waitress",)),
    Peer("cheroot", launched("cheroot"), ("cheroot",)),
    Peer("bjoern", launched("bjoern"), ("bjoern",), package="libev-dev", witness="/usr/include/ev.h", single=True),
    Peer(
        "fastwsgi",
        launched("fastwsgi"),
        # It imports pkg_resources, which newer setuptools no longer have.
        ("fastwsgi", "setuptools<81"),
        single=True,
        note="fastwsgi never calls close() on Django's response (PEP 3333 requires it), which is about 12 % of a Django"
        " request that all others pay: do not compare its bookshop rows.",
    ),
    Peer("granian", granian, ("granian",)),
    Peer(
        "uwsgi",
        uwsgi,
        ("pyuwsgi",),
        note="uWSGI's http-socket closes after each answer, so it pays for a new connection per request.",
    ),
    Peer(
        "transport",
        transport,
        witness=str(HERE.parent / "target" / "release" / "examples" / "transport"),
        floor=True,
        note="transport is indrik's worker with an application in Rust that greets: what indrik costs without Python.",
    ),
    Peer(
        "nginx",
        nginx,
        package="nginx",
        witness="nginx",
        floor=True,
        note="nginx answers from its configuration (`return 200`), without Python: the floor.",
    ),
)


def chosen(names: list[str] | None) -> list[Peer]:
    """The peers of these names, in the order of the table; all of them for `None`. An unknown name ends the program."""
    known = [peer.name for peer in PEERS]
    for name in names or []:
        if name not in known:
            sys.exit(f"error: no peer named {name!r}\nhint: one of {', '.join(known)}")
    return [peer for peer in PEERS if names is None or peer.name in names]
