"""Logs and metrics that take their way through Python: syslog, statsd, logger classes, and what HUP makes of them."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from harness import Server, wait_for

APPS = {"PYTHONPATH": str(Path(__file__).parent / "apps")}


class Datagrams:
    """Everything that comes to a socket of datagrams or streams."""

    def __init__(self, listener: socket.socket) -> None:
        self.listener = listener
        self.texts: list[str] = []
        self.thread = threading.Thread(target=self._collect, daemon=True)
        self.thread.start()

    def _collect(self) -> None:
        try:
            while True:
                self.texts.append(self.listener.recv(65536).decode())
        except OSError:
            pass

    def wait(self, text: str) -> str:
        def found() -> str | None:
            return next((one for one in self.texts if text in one), None)

        return wait_for(found, f"{text!r} among {self.texts}")


@pytest.fixture
def udp() -> Iterator[tuple[Datagrams, int]]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))
        yield Datagrams(listener), listener.getsockname()[1]


def test_statsd_gets_every_metric(serve: Callable[..., Server], udp: tuple[Datagrams, int]) -> None:
    seen, port = udp
    options = ("--statsd-host", f"127.0.0.1:{port}", "--statsd-prefix", "shop.", "--dogstatsd-tags", "a:1,b:2")
    settings = (
        "def post_request(worker, req, environ, resp):\n"
        "    worker.log.info('', extra={'metric': 'own', 'value': 7, 'mtype': 'gauge'})\n"
    )
    with serve("visited", *options, "--enable-backlog-metric", settings=settings, env=APPS) as server:
        assert server.get("/").text == "hello"
        assert server.get("/boom").status == 500
        assert seen.wait("gunicorn.workers:1") == "shop.gunicorn.workers:1|g|#a:1,b:2"
        assert seen.wait("gunicorn.requests") == "shop.gunicorn.requests:1|c|@1.0|#a:1,b:2"
        assert seen.wait("status.200") == "shop.gunicorn.request.status.200:1|c|@1.0|#a:1,b:2"
        seen.wait("shop.gunicorn.request.status.500:1|c|@1.0")
        seen.wait("shop.gunicorn.request.duration:")
        seen.wait("shop.gunicorn.log.error:1|c|@1.0")
        seen.wait("shop.own:7|g|#a:1,b:2")
        seen.wait("shop.gunicorn.backlog:0|h")


def test_syslog_by_udp(serve: Callable[..., Server], udp: tuple[Datagrams, int]) -> None:
    seen, port = udp
    options = ("--log-syslog", "--log-syslog-to", f"udp://127.0.0.1:{port}", "--log-syslog-prefix", "shop")
    with serve("visited", *options, "--log-syslog-facility", "local0", env=APPS) as server:
        server.get("/nope")
        # local0 is 16, INFO is 6.
        assert seen.wait("Starting indrik").startswith("<134>gunicorn.shop.error: [")
        assert '"GET /nope HTTP/1.1" 404' in seen.wait("gunicorn.shop.access: [")


def test_syslog_by_unix_socket(serve: Callable[..., Server], short_folder: Path) -> None:
    path = short_folder / "log"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(path))
        seen = Datagrams(listener)
        options = ("--log-syslog", "--log-syslog-to", f"unix://{path}#dgram", "--disable-redirect-access-to-syslog")
        with serve("visited", *options, "--name", "a:b", env=APPS) as server:
            server.get("/nope")
            seen.wait("gunicorn.a.b.error: [")
    assert not any("/nope" in text for text in seen.texts)


def test_syslog_by_tcp(serve: Callable[..., Server]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        options = ("--log-syslog", "--log-syslog-to", f"tcp://127.0.0.1:{listener.getsockname()[1]}")
        with serve("visited", *options, env=APPS):
            connection, _ = listener.accept()
            with connection:
                Datagrams(connection).wait("gunicorn.visited.error: [")


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ("syslog = True\nsyslog_addr = 'http://x'\n", "invalid syslog address"),
        ("syslog = True\nsyslog_facility = 'nothing'\n", "unknown facility name"),
        ("logconfig = 'missing.ini'\n", "log config 'missing.ini' not found"),
        ("logconfig_json = 'missing.json'\n", "log config 'missing.json' not found"),
        ("logconfig_dict = {'handlers': {'x': {'class': 'no.such.Class'}}}\n", "no"),
        ("logger_class = 'no.such.Logger'\n", "class uri 'no.such.Logger' invalid or not found"),
    ],
)
def test_a_log_that_cannot_be_is_an_error_at_start(run: Callable, settings: str, text: str) -> None:
    ran = run("-c", "mine.py", "--bind", "127.0.0.1:0", "hello", files={"mine.py": settings})
    ran.expect(1, text)
    assert "Listening at" not in ran.err


def test_a_broken_log_configuration_at_hup_keeps_the_old_one(serve: Callable[..., Server]) -> None:
    good = "logconfig_dict = {'formatters': {'generic': {'format': 'old|%(message)s'}}}\n"
    with serve("visited", settings=good, env=APPS) as server:
        assert server.get("/").text == "hello"
        bad = good.replace("old|", "new|").replace("'}}}", "'}}, 'handlers': {'x': {'class': 'no'}}}")
        (server.folder / "server.conf.py").write_text(bad)
        server.signal(signal.SIGHUP)
        # The worker of the new generation says so, and then the master.
        server.wait_log("reloading the logger configuration failed, keeping the previous one", 2)
        assert server.get("/log").text == "logged"
        assert "new|" not in server.log
        (server.folder / "server.conf.py").write_text(good.replace("old|", "third|"))
        server.signal(signal.SIGHUP)

        def is_third() -> bool:
            server.get("/log")
            return "third|a warning of the application" in server.log

        wait_for(is_third, "a line in the new format")


def test_an_application_that_filters_the_access_log_is_heard(serve: Callable[..., Server], stage) -> None:
    text = (
        "import logging\nfrom visited import application\n"
        "class NoHealth(logging.Filter):\n"
        "    def filter(self, record):\n        return '/health' not in record.getMessage()\n"
        "logging.getLogger('gunicorn.access').addFilter(NoHealth())\n"
    )
    stage.write("filters.py", text)
    with serve("filters", "--access-logfile", "access.log", env=APPS) as server:
        server.get("/health")
        server.get("/nope")
        path = server.folder / "access.log"
        wait_for(lambda: "/nope" in path.read_text(), "the line of /nope")
        assert "/health" not in path.read_text()
        assert "the access log goes through Python" in server.log


def test_log_files_of_python_are_reopened(serve: Callable[..., Server]) -> None:
    settings = "import gunicorn.glogging\nclass Mine(gunicorn.glogging.Logger):\n    pass\nlogger_class = Mine\n"
    with serve("visited", "--access-logfile", "access.log", settings=settings, env=APPS) as server:
        server.get("/first")
        path = server.folder / "access.log"
        wait_for(lambda: "/first" in path.read_text(), "the line of /first")
        path.rename(server.folder / "access.log.1")
        server.signal(signal.SIGUSR1)
        wait_for(path.exists, "a new file")

        def lands() -> bool:
            server.get("/second")
            return "/second" in path.read_text()

        wait_for(lands, "a line in the new file")


def test_worker_abort_comes_up_in_the_running_request(serve: Callable[..., Server], stage) -> None:
    text = (
        "import time\n"
        "def application(environ, start_response):\n"
        "    try:\n        time.sleep(60)\n        body = b'slept'\n"
        "    except KeyError as error:\n        body = str(error).encode()\n"
        "    start_response('200 OK', [('Content-Length', str(len(body)))])\n"
        "    return [body]\n"
    )
    stage.write("sleeps.py", text)
    settings = "def worker_abort(worker):\n    raise KeyError('time is up')\n"
    with serve("sleeps", "--timeout", "1", settings=settings) as server:
        assert server.get("/").text == "'time is up'"


def test_a_changed_file_replaces_the_workers(serve: Callable[..., Server], stage) -> None:
    text = "def application(environ, start_response):\n    start_response('200 OK', [])\n    return [b'{}']\n"
    path = stage.write("changing.py", text.replace("{}", "old"))
    with serve("changing", "--reload") as server:
        assert server.get("/").text == "old"
        path.write_text(text.replace("{}", "new"))
        later = path.stat().st_mtime + 5
        os.utime(path, (later, later))
        server.wait_log("Worker reloading: ")

        def answers(want: str) -> bool:
            try:
                return want in server.get("/").text
            except OSError:
                return False

        wait_for(lambda: answers("new"), "the new application")
        path.write_text("import nothing_of_the_kind\n")
        os.utime(path, (later + 5, later + 5))
        wait_for(lambda: answers("No module named 'nothing_of_the_kind'"), "the traceback as an answer")
        path.write_text(text.replace("{}", "mended"))
        os.utime(path, (later + 10, later + 10))
        wait_for(lambda: answers("mended"), "the mended application")


SLEEPS = """
import time
def application(environ, start_response):
    try:
        if environ["PATH_INFO"] == "/sleep":
            time.sleep(60)
    except BaseException:
        pass
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]
"""


@pytest.mark.parametrize("threads", ["1", "2"])
def test_answers_that_the_server_gives_by_itself_are_in_pythons_access_log(
    serve: Callable[..., Server], stage, threads: str
) -> None:
    stage.write("sleeps.py", SLEEPS)
    settings = (
        "import gunicorn.glogging\n"
        "class Mine(gunicorn.glogging.Logger):\n    def now(self):\n        return 'mine'\n"
        "logger_class = Mine\n"
        "access_log_format = '%(h)s %(t)s %(r)s %(s)s %({x-mark}i)s %(U)s'\n"
    )
    options = ("--access-logfile", "-", "--threads", threads, "--limit-request-body", "5", "--request-timeout", "1")
    with serve("sleeps", *options, settings=settings) as server:
        assert server.request("POST", "/big?a", {"X-Mark": "here"}, b"too large").status == 413
        wait_for(lambda: "127.0.0.1 mine POST /big?a HTTP/1.1 413 here /big\n" in server.out, "the line of a refusal")
        assert server.get("/").text == "ok"
        assert server.get("/sleep").status == 504
        wait_for(lambda: "mine GET /sleep HTTP/1.1 504 - /sleep\n" in server.out, "the line of what was given up")
    assert [line.split()[-3] for line in server.out.splitlines()] == ["413", "200", "504"]


def test_statsd_counts_by_level(serve: Callable[..., Server], udp: tuple[Datagrams, int]) -> None:
    seen, port = udp
    settings = (
        "def post_request(worker, req, environ, resp):\n"
        "    worker.log.critical('bad')\n    worker.log.warning('hm')\n"
        "    try:\n        1 / 0\n    except ZeroDivisionError:\n        worker.log.exception('worse')\n"
    )
    with serve("visited", "--statsd-host", f"127.0.0.1:{port}", settings=settings, env=APPS) as server:
        server.get("/")
        seen.wait("gunicorn.log.critical:1|c|@1.0")
        seen.wait("gunicorn.log.warning:1|c|@1.0")
        seen.wait("gunicorn.log.exception:1|c|@1.0")
        server.wait_log("ZeroDivisionError")


def test_an_application_that_changes_the_error_log_gets_the_servers_lines(serve: Callable[..., Server], stage) -> None:
    text = (
        "import logging\nfrom visited import application\n"
        "handler = logging.FileHandler('mine.log')\n"
        "handler.setFormatter(logging.Formatter('mine %(levelname)s %(message)s'))\n"
        "logging.getLogger('gunicorn.error').addHandler(handler)\n"
    )
    stage.write("handlers.py", text)
    with serve("handlers", env=APPS) as server:
        assert server.get("/boom").status == 500
        server.wait_log("the error log goes through Python")
        path = server.folder / "mine.log"
        wait_for(lambda: "mine ERROR Error handling request" in path.read_text(), "the error in the application's file")
    assert "mine INFO Worker exiting" in path.read_text()
    assert server.log.count("Error handling request") == 1


OWN_CLASS = """
accesslog = "-"
access_log_skip = ["/hea"]
from gunicorn.glogging import Logger
class Own(Logger):
    pass
logger_class = Own
"""


def test_skipped_paths_have_no_line_in_pythons_access_log_either(serve: Callable[..., Server]) -> None:
    with serve("visited", settings=OWN_CLASS, env=APPS) as server:
        server.get("/health")
        server.get("/seen")
        wait_for(lambda: "/seen" in server.out, "the line of the access log")
        assert "/health" not in server.out


def test_a_worker_knows_at_its_end_how_many_requests_it_has_answered(serve: Callable[..., Server]) -> None:
    hook = "def worker_exit(server, worker):\n    worker.log.info('leaves after %s', worker.nr)\n"
    with serve("visited", settings=hook, env=APPS) as server:
        for _ in range(3):
            server.get("/")
        server.stop()
        assert server.log_has("leaves after 3")
