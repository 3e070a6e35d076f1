"""Every plain test application inside `wsgiref.validate`, which sees what crosses the border in both directions: it
raises when the server breaks PEP 3333 in environ, streams, start_response, iteration or close()."""

import pytest
from contract import Mark
from harness import APPS

LINES = b"a line\nanother\nand no end"

# Requests to each application that keeps the contract: method, target, body, status.
PLAIN = {
    "background": [("GET", "/look", None, 200)],
    "big": [
        ("GET", "/list?100000", None, 200),
        ("GET", "/generator?200000", None, 200),
        ("HEAD", "/list?9", None, 200),
    ],
    "bodies": [("POST", "/read", LINES, 200), ("POST", "/count", [LINES], 200), ("POST", "/ignore", LINES, 200)],
    "busy": [("GET", "/", None, 200), ("GET", "/large?9", None, 200), ("POST", "/upload", LINES, 200)],
    "calls": [
        (method, f"/{name}", None, status)
        for method in ("GET", "HEAD")
        for name, status in (
            ("write", 200),
            ("write_with_length", 200),
            ("replaced", 503),
            ("late_start", 202),
            ("replaced_after_empty", 503),
            ("errors", 200),
        )
    ],
    "closing": [("GET", f"/{name}", None, 200) for name in ("several", "sized", "empty", "empty_pieces", "pid")],
    "crowded": [("GET", "/list?100", None, 200), ("GET", "/generator?100", None, 200), ("POST", "/upload", LINES, 200)],
    "dying": [("GET", "/", None, 200)],
    "echo": [
        ("GET", "/a?b", None, 200),
        ("HEAD", "/", None, 200),
        ("POST", "/", LINES, 200),
        ("PUT", "/", [LINES], 200),
    ],
    "environs": [("GET", "/dump", None, 200), ("POST", "/dump?a", LINES, 200), ("GET", "/count", None, 200)],
    "files": [("GET", f"/{name}", None, 200) for name in ("whole", "offset", "length", "memory")],
    "forking": [("GET", "/pid", None, 200)],
    "gate": [("GET", "/", None, 200), ("POST", "/refuse", LINES, 403)],
    "hello": [(method, "/", None, 200) for method in ("GET", "HEAD", "OPTIONS", "DELETE")],
    "hinting": [("GET", "/", None, 200)],
    "iterables": [
        *(("GET", f"/sort/{name}", None, 200) for name in ("list", "generator", "sequence", "nothing_list", "growing")),
        *(("GET", f"/{name}", None, 200) for name in ("write_then_items", "write_only", "all_bytes", "counted")),
        *(("GET", f"/{name}", None, 200) for name in ("wrapper_is_an_iterable", "wrapper_of_a_reader")),
    ],
    "keeper": [("GET", "/", None, 200), ("GET", "/large", None, 200), ("GET", "/errors", None, 200)],
    "process": [("GET", "/", None, 200)],
    "reads": [("POST", "/careless", LINES, 200), ("POST", "/shared", LINES, 200), ("POST", "/wrapping", [LINES], 200)],
    "sendable": [("GET", f"/{name}", None, 200) for name in ("whole", "sought", "compressed", "in_memory", "iterated")],
    "slow": [("GET", "/?0", None, 200)],
    "socket_user": [("GET", "/look", None, 200)],
    "starting": [("GET", "/arguments", None, 200), ("GET", "/late_start", None, 202), ("GET", "/twice", None, 201)],
    "statuses": [
        ("GET", f"/{status}?{what}", None, status) for status in (200, 404, 503) for what in ("", "body+length")
    ],
    "stream": [("GET", "/?3", None, 200), ("HEAD", "/?3", None, 200)],
    "streams": [
        *(("POST", f"/say?{how}", LINES, 200) for how in ("write", "writelines", "print")),
        ("POST", "/nothing", LINES, 200),
    ],
    "threads": [("GET", "/", None, 200)],
    "uploads": [
        ("POST", f"/?{how}", body, 200)
        for body in (LINES, [LINES], b"")
        for how in ("read", "read_pieces", "readline", "readline_sized", "readlines", "iteration", "mixed")
    ],
    "wrong": [("GET", "/pid", None, 200)],
}

# What is no application that can be asked, or is no application of its own.
NOT_PLAIN = {
    "broken_exit",
    "broken_import",
    "broken_raising",
    "factory",  # its applications are made by calls
    "growing",  # counts its objects, of which the referee makes some
    "parting",  # is told what to do by its environment
    "referee",
    "slow_import",  # is `hello`
    "validated",  # has the referee in it
}


def test_every_application_is_known_here():
    """PEP 3333, Specification Overview: both sides are needed, so each application is asked below."""
    names = {path.stem for path in APPS.glob("*.py")}
    assert names == set(PLAIN) | NOT_PLAIN


@pytest.mark.parametrize("name", PLAIN)
def test_the_referee_has_nothing_to_say(fresh, name):
    """PEP 3333, Specification Details: both sides keep the contract."""
    with fresh(f'referee:around("{name}")') as server:
        (server.folder / "sent.bin").write_bytes(bytes(range(256)) * 100)
        mark = Mark(server)
        for method, target, body, status in PLAIN[name]:
            # The referee wants a type where there is a body.
            fields = {"Content-Type": "text/plain"} if body is not None else {}
            with server.connect() as wire:
                # Twice, since a connection's second request is put together in another way.
                for _ in range(2):
                    response = wire.request(method, target, fields, body)
                    while response.status == 103:
                        response = wire.response(method)
                    assert response.status == status, f"{method} {target}\n{mark.text}"
                    if not response.keeps_open:
                        break
        server.stop()
        # It also says so when an iterable was not closed, but nobody hears its exception then.
        assert "Traceback" not in server.log and "without being closed" not in server.log
        assert "Warning" not in server.log
