"""What operators and scripts read: the error log's lines, the access log's formats, and that neither is forged."""

import base64
import os
import re

import pytest
from harness import wait_for
from wire import Truncated

ERROR_LINE = re.compile(
    r"\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4}\] \[\d+\] \[(DEBUG|INFO|WARNING|ERROR|CRITICAL)\] \S.*"
)


@pytest.fixture
def access(serve):
    """Serves with that access-log format; `lines(n)` waits for as many lines."""

    def start(application="hello", *arguments, access_format=None):
        if access_format is not None:
            arguments = (*arguments, "--access-logformat", access_format)
        server = serve(application, "--access-logfile", "access.log", *arguments)

        def lines(count):
            path = server.folder / "access.log"

            def enough():
                text = path.read_bytes() if path.exists() else b""
                found = text.decode("latin-1").split("\n")
                return found[:-1] if len(found) > count else None

            found = wait_for(enough, f"{count} lines in the access log")
            assert len(found) == count, found
            return found

        return server, lines

    return start


# The error log.


def test_every_line_of_a_quiet_life_has_the_same_form(serve):
    with serve("hello", "--workers", "2") as server:
        pids = server.booted(2)
    lines = server.log.splitlines()
    for line in lines:
        assert ERROR_LINE.fullmatch(line), line
    assert lines[0].partition("Starting ")[2].startswith("indrik ")
    assert lines[-1].endswith("[INFO] Shutting down: Master")
    assert any(line.endswith("[INFO] Handling signal: term") for line in lines)
    for pid in pids:
        # A worker speaks for itself: its own pid stands in the brackets.
        assert any(f"[{pid}] [INFO] Worker exiting (pid: {pid})" in line for line in lines)
        assert any(f"[{pid}] [INFO] Booting worker with pid: {pid}" in line for line in lines)


@pytest.mark.parametrize(
    ("level", "shown", "hidden"),
    [
        ("debug", ["DEBUG", "INFO"], []),
        ("info", ["INFO"], ["DEBUG"]),
        ("WARNING", ["WARNING", "ERROR"], ["DEBUG", "INFO"]),
        ("error", ["ERROR"], ["DEBUG", "INFO", "WARNING"]),
    ],
)
def test_the_log_level_hides_what_is_below_it(serve, short_folder, level, shown, hidden):
    path = str(short_folder / "s.sock")
    with serve("wrong", "--log-level", level, bind=f"unix:{path}", address=path) as server:
        with server.connect() as wire:
            wire.send(b"nonsense\r\n\r\n")
            assert wire.response().status == 400
        assert server.get("/raises_before").status == 500
        server.wait_log("[ERROR]")
        log = server.log
    for word in shown:
        assert f"[{word}]" in log
    for word in hidden:
        assert f"[{word}]" not in log


def test_the_error_log_may_be_a_file_and_is_appended_to(serve, stage):
    path = stage.write("error.log", "an old line\n")
    with serve("hello", "--error-logfile", "error.log", log="error.log") as server:
        assert server.get("/").status == 200
        assert server.err == ""
    text = path.read_text()
    assert text.startswith("an old line\n") and "Shutting down: Master" in text


def test_log_file_is_the_same_flag(serve):
    with serve("hello", "--log-file=error.log", log="error.log") as server:
        assert server.get("/").status == 200


def test_an_error_log_that_cannot_be_opened_is_an_error(run):
    ran = run("--bind", "127.0.0.1:0", "--error-logfile", "/nowhere/at/all.log", "hello").expect(1)
    assert "/nowhere/at/all.log" in ran.err


def test_the_error_log_cannot_be_forged(serve):
    with serve("hello") as server:
        with server.connect() as wire:
            wire.send(b"GET /\r[ERROR] forged \x1b[31m HTTP/1.1\r\nHost: a\r\n\r\n")
            assert wire.response().status == 400
        log = server.wait_log("Invalid request")
    (line,) = [line for line in log.splitlines() if "Invalid request" in line]
    assert "\x1b" not in log and "\r" not in log
    assert ERROR_LINE.fullmatch(line)


def test_a_request_that_fails_is_reported_once(serve):
    with serve("wrong") as server:
        server.get("/raises_before?secret=1")
        server.wait_log("Error handling request GET /raises_before")
        server.get("/pid")
        assert server.log.count("Error handling request") == 1
        assert server.log.count("Traceback") == 1


# The access log.


def test_there_is_none_unless_asked_for(serve):
    with serve("hello") as server:
        server.get("/some/path")
        assert "/some/path" not in server.out + server.err


def test_the_default_format(access):
    server, lines = access()
    with server:
        server.get("/books?q=a%20b", {"Referer": "http://a/", "User-Agent": "test/1"})
        (line,) = lines(1)
    assert re.fullmatch(
        r"127\.0\.0\.1 - - \[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\] "
        r'"GET /books\?q=a%20b HTTP/1\.1" 200 5 "http://a/" "test/1"',
        line,
    )


def test_a_dash_means_stdout(serve):
    with serve("hello", "--access-logfile", "-") as server:
        server.get("/to/stdout")
        wait_for(lambda: '"GET /to/stdout HTTP/1.1" 200 5 ' in server.out, "a line on stdout")
        assert "/to/stdout" not in server.err


def test_what_is_missing_is_a_dash(access):
    server, lines = access(access_format='%(l)s %(u)s "%(f)s" "%(a)s" %({nothing}i)s %({nothing}o)s %({nothing}e)s')
    with server:
        server.get("/")
        assert lines(1) == ['- - "-" "-" - - -']


def test_every_atom(access):
    form = (
        "%(h)s|%(m)s|%(U)s|%(q)s|%(H)s|%(s)s|%(B)s|%(b)s|%(T)s|%(D)s|%(M)s|%(L)s|%(p)s|"
        "%({x-thing}i)s|%({content-type}o)s|%({REQUEST_METHOD}e)s|%(r)s|%%"
    )
    server, lines = access(access_format=form)
    with server:
        (pid,) = server.booted(1)
        server.get("/a%20b?c=d", {"X-Thing": "thing"})
        got = lines(2)[-1].split("|")
    assert got[:8] == ["127.0.0.1", "GET", "/a b", "c=d", "HTTP/1.1", "200", "5", "5"]
    seconds, micros, millis, decimal = got[8:12]
    assert seconds == "0" and micros.isdigit() and millis.isdigit() and re.fullmatch(r"\d+\.\d{6}", decimal)
    assert int(millis) == int(micros) // 1000
    assert got[12:] == [f"<{pid}>", "thing", "text/plain", "GET", "GET /a%20b?c=d HTTP/1.1", "%"]


def test_the_user_of_basic_auth_is_named(access):
    server, lines = access(access_format="%(u)s")
    with server:
        server.get("/", {"Authorization": "Basic " + base64.b64encode(b"ada:secret").decode()})
        assert lines(1) == ["ada"]


@pytest.mark.parametrize(
    ("target", "fields", "form"),
    [
        ("/%0A6.6.6.6 - - forged".replace(" ", "%20"), {}, "%(U)s"),
        ("/%0D%0Aforged", {}, "%({PATH_INFO}e)s"),
        ("/", {"Authorization": "Basic " + base64.b64encode(b"a\nforged\x1b[31m:b").decode()}, "%(u)s"),
        ("/", {"User-Agent": 'a" 200 0 "forged'}, '"%(a)s"'),
        ("/", {"User-Agent": "a\x85forged\x9b"}, '"%(a)s"'),
        ("/", {"Referer": 'back\\slash"'}, '"%(f)s"'),
    ],
)
def test_no_request_can_forge_a_line(access, target, fields, form):
    server, lines = access(access_format=f"start {form} end")
    with server:
        server.get(target, fields)
        (line,) = lines(1)
    assert line.startswith("start ") and line.endswith(" end")
    assert not re.search(r"[\x00-\x1f\x7f-\x9f]", line)
    if form.startswith('"'):
        value = line[len('start "') : -len('" end')]
        assert not re.search(r'(?<!\\)(\\\\)*"', value)


@pytest.mark.parametrize(
    ("path", "status"),
    [("/pid", 200), ("/raises_before", 500), ("/silent", 500), ("/raises_midway", 200), ("/short_body", 200)],
)
def test_every_request_has_exactly_one_line(access, path, status):
    server, lines = access("wrong", access_format="%(U)s %(s)s")
    with server:
        with server.connect() as wire:
            try:
                wire.get(path)
            except Truncated:
                assert status == 200
        server.get("/last")
        assert lines(2) == [f"{path} {status}", "/last 200"]


def test_the_bytes_of_a_body_are_counted_as_sent(access):
    server, lines = access("big", access_format="%(m)s %(B)s")
    with server:
        server.get("/generator?200000")
        server.request("HEAD", "/list?200000")
        assert lines(2) == ["GET 200000", "HEAD 0"]


def test_kept_and_pipelined_requests_have_a_line_each(access):
    server, lines = access(access_format="%(r)s")
    with server, server.connect() as wire:
        wire.send(b"".join(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % number for number in range(5)))
        for _ in range(5):
            assert wire.response().status == 200
        assert lines(5) == [f"GET /{number} HTTP/1.1" for number in range(5)]


def test_lines_of_several_workers_are_whole(access):
    server, lines = access("hello", "--workers", "2", "--threads", "2", access_format="%(r)s%({x}i)s end")
    with server:
        wires = [server.connect() for _ in range(8)]
        for _ in range(20):
            for wire in wires:
                wire.send(b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 3000 + b"\r\n\r\n")
            for wire in wires:
                assert wire.response().status == 200
        for wire in wires:
            wire.close()
        assert set(lines(160)) == {"GET / HTTP/1.1" + "x" * 3000 + " end"}


def test_the_line_is_written_before_the_next_request_waits(access):
    # A line must not sit in a buffer while nothing happens.
    server, lines = access(access_format="%(r)s")
    with server, server.connect() as wire:
        wire.get("/first")
        assert lines(1) == ["GET /first HTTP/1.1"]


def test_the_access_log_belongs_to_whoever_started_it(access):
    server, lines = access()
    with server:
        server.get("/")
        lines(1)
        assert (server.folder / "access.log").stat().st_uid == os.geteuid()


@pytest.mark.parametrize("given", ["/skipped,/st at", "['/skipped', '/st at']"])
def test_paths_that_are_skipped_have_no_access_line(access, stage, given):
    text = repr(given) if given.startswith("/") else given
    stage.write("skip.py", f"access_log_skip = {text}\n")
    server, lines = access("hello", "--config", "skip.py", access_format="%(U)s %(s)s")
    with server:
        for target in ["/skipped", "/skipped/deep?a=b", "/st%20at", "/skip", "/seen?/skipped"]:
            assert server.get(target).status == 200
        assert lines(2) == ["/skip 200", "/seen 200"]
