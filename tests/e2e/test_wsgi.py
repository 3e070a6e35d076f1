"""PEP 3333 as applications see it: environ, start_response, bodies in both directions, and applications gone wrong."""

import base64
import contextlib
import hashlib
import json

import pytest
from harness import wait_for
from wire import Ended, Truncated, compose


@pytest.fixture(scope="module")
def echo(module_stage):
    with module_stage.serve("echo", env={"A_SECRET_OF_THE_PROCESS": "1"}) as server:
        yield server


@pytest.fixture(scope="module")
def validated(module_stage):
    with module_stage.serve("validated") as server:
        yield server
        assert "without being closed" not in server.log
        assert "AssertionError" not in server.log


@pytest.fixture(scope="module")
def calls(module_stage):
    with module_stage.serve("calls") as server:
        yield server


@pytest.fixture(scope="module")
def uploads(module_stage):
    with module_stage.serve("uploads") as server:
        yield server


# environ.


def test_environ_of_a_plain_request(echo):
    with echo.connect() as wire:
        seen = wire.get("/a%20b/%2F%C3%A9?x=1&y=%20#part").json()
        port = wire.port
    assert seen["is_plain_dict"]
    environ = seen["environ"]
    want = {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/a b//\u00c3\u00a9",
        "QUERY_STRING": "x=1&y=%20",
        "RAW_URI": "/a%20b/%2F%C3%A9?x=1&y=%20#part",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": str(echo.port),
        "REMOTE_ADDR": "127.0.0.1",
        "REMOTE_PORT": str(port),
        "HTTP_HOST": "localhost",
        "wsgi.version": [1, 0],
        "wsgi.url_scheme": "http",
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
    }
    assert {key: environ.get(key) for key in want} == want
    assert environ["SERVER_SOFTWARE"].startswith("gunicorn/")
    for key in ("wsgi.input", "wsgi.errors", "wsgi.file_wrapper"):
        assert key in seen["types"]
    # Only what the request brought: no empty defaults.
    assert not {"CONTENT_TYPE", "CONTENT_LENGTH"} & set(environ)


def test_every_variable_of_a_request_is_text(echo):
    types = echo.get("/", {"X-Text": "\u00e9"}).json()["types"]
    variables = {key: kind for key, kind in types.items() if key.isupper()}
    assert set(variables.values()) == {"str"}


def test_nothing_of_the_environment_leaks(echo):
    seen = echo.get("/").json()["types"]
    assert not {"A_SECRET_OF_THE_PROCESS", "PATH", "HOME", "PYTHONPATH"} & set(seen)


def test_header_fields_become_variables(echo):
    fields = [
        ("Content-Type", "text/plain; charset=x"),
        ("X-Mixed-Case", " padded\t"),
        ("X-Twice", "1"),
        ("x-twice", "2"),
        ("X-Latin", "\u00e9"),
        ("X-Empty", ""),
        ("Under_Score", "dropped"),
    ]
    with echo.connect() as wire:
        environ = wire.request("POST", "/", fields, b"12345").json()["environ"]
    assert environ["CONTENT_TYPE"] == "text/plain; charset=x"
    assert environ["CONTENT_LENGTH"] == "5"
    assert environ["HTTP_X_MIXED_CASE"] == "padded"
    assert environ["HTTP_X_TWICE"] == "1,2"
    assert environ["HTTP_X_LATIN"] == "\u00e9"
    assert environ["HTTP_X_EMPTY"] == ""
    assert not {"HTTP_CONTENT_TYPE", "HTTP_CONTENT_LENGTH", "HTTP_UNDER_SCORE"} & set(environ)


def test_one_request_leaves_nothing_for_the_next_on_its_connection(echo):
    with echo.connect() as wire:
        first = wire.request("POST", "/first?query", {"X-First": "1", "Content-Type": "text/plain"}, b"body").json()
        second = wire.get("/second").json()
    assert first["environ"]["HTTP_X_FIRST"] == "1"
    assert not {"HTTP_X_FIRST", "CONTENT_TYPE", "CONTENT_LENGTH"} & set(second["environ"])
    assert second["environ"]["QUERY_STRING"] == ""
    assert second["body"] == ""


@pytest.mark.parametrize(
    ("method", "target", "path", "query"),
    [
        ("GET", "/", "/", ""),
        ("GET", "//a//b", "//a//b", ""),
        ("GET", "/%00%0A", "/\0\n", ""),
        ("GET", "/?", "/", ""),
        ("GET", "/?a?b", "/", "a?b"),
        ("GET", "http://localhost/absolute?q", "/absolute", "q"),
        ("GET", "http://localhost", "/", ""),
        ("OPTIONS", "*", "*", ""),
        ("PATCH", "/100%", "/100%", ""),
        ("GET", "/%zz", "/%zz", ""),
    ],
)
def test_every_form_of_target(echo, method, target, path, query):
    environ = echo.request(method, target).json()["environ"]
    assert environ["REQUEST_METHOD"] == method
    assert environ["RAW_URI"] == target
    assert (environ["PATH_INFO"], environ["QUERY_STRING"]) == (path, query)


def test_the_target_says_which_host(echo):
    environ = echo.get("http://localhost:99/", {"Host": "localhost:99"}).json()["environ"]
    assert environ["HTTP_HOST"] == "localhost:99"


def test_a_unix_peer_has_no_address(serve, short_folder):
    with serve("echo", bind=f"unix:{short_folder / 's.sock'}") as server:
        environ = server.get("/", {"Host": "shop.example:8080"}).json()["environ"]
    assert environ["REMOTE_ADDR"] == "" and "REMOTE_PORT" not in environ
    assert (environ["SERVER_NAME"], environ["SERVER_PORT"]) == ("shop.example", "8080")


@pytest.mark.parametrize(
    ("field", "scheme"),
    [
        (("X-Forwarded-Proto", "https"), "https"),
        (("X-Forwarded-Proto", "http"), "http"),
        (("X-Forwarded-Ssl", "on"), "https"),
    ],
)
def test_a_proxy_on_this_machine_is_believed_about_the_scheme(echo, field, scheme):
    assert echo.get("/", [field]).json()["environ"]["wsgi.url_scheme"] == scheme


def test_scheme_fields_that_disagree_are_refused(echo):
    response = echo.get("/", [("X-Forwarded-Proto", "https"), ("X-Forwarded-Ssl", "off")])
    assert response.status == 400


def test_a_mount_point_is_taken_off_the_path(serve):
    with serve("echo", "--env", "SCRIPT_NAME=/shop") as server:
        environ = server.get("/shop/books").json()["environ"]
        assert (environ["SCRIPT_NAME"], environ["PATH_INFO"]) == ("/shop", "/books")
        assert server.get("/elsewhere").status == 500


def test_environ_tells_the_truth_about_processes_and_threads(serve):
    with serve("echo", "--workers", "2", "--threads", "2") as server:
        environ = server.get("/").json()["environ"]
    assert environ["wsgi.multithread"] is True
    assert environ["wsgi.multiprocess"] is True


# The referee of the standard library.


@pytest.mark.parametrize(
    ("method", "body"),
    [("GET", None), ("HEAD", None), ("POST", b"with a length"), ("POST", [b"in ", b"chunks"]), ("PUT", b"")],
    ids=["GET", "HEAD", "POST with length", "POST chunked", "PUT empty"],
)
def test_the_validator_has_nothing_to_say(validated, method, body):
    # The referee wants Content-Type where there is a body, and knows no trailing words in a method.
    with validated.connect() as wire:
        for _ in range(2):
            response = wire.request(method, "/path?query=1", {"Content-Type": "text/plain"}, body)
            assert response.status == 200
            sent = b"".join(body) if isinstance(body, list) else body or b""
            assert response.body == (b"" if method == "HEAD" else b"received " + sent)


# start_response and what comes after it.


def test_write_comes_before_the_iterable(calls):
    response = calls.get("/write")
    assert response.body == b"one two three"


def test_write_obeys_the_length(calls):
    response = calls.get("/write_with_length")
    assert (response.framing, response.body) == ("length", b"one two")


def test_exc_info_replaces_headers_that_were_not_sent(calls):
    response = calls.get("/replaced")
    assert (response.status, response.body) == (503, b"replaced")
    assert response.header("X-First") is None and response.header("X-Second") == "1"


def test_exc_info_after_the_first_bytes_cuts_the_answer(calls):
    with calls.connect() as wire, pytest.raises(Truncated) as cut:
        wire.get("/too_late")
    assert cut.value.response.body == b"first"
    calls.wait_log("found out too late")


def test_start_response_may_come_with_the_first_item(calls):
    response = calls.get("/late_start")
    assert (response.status, response.body) == (202, b"late")


def test_headers_wait_for_the_first_bytes(calls):
    response = calls.get("/replaced_after_empty")
    assert (response.status, response.body) == (503, b"replaced")


def test_hop_by_hop_fields_of_the_application_are_removed(calls):
    response = calls.get("/hop_by_hop")
    assert response.body == b"clean"
    names = [name.lower() for name, _ in response.headers]
    assert not {"keep-alive", "proxy-authenticate", "te", "upgrade"} & set(names)
    assert response.all("Transfer-Encoding") in ([], ["chunked"])
    assert response.all("X-End") == ["1", "2"]


def test_wsgi_errors_lands_in_the_error_log(calls):
    assert calls.get("/errors").status == 200
    for text in ("a line of the application", "a second line", "a third line", "a print to wsgi.errors"):
        calls.wait_log(text)


def test_wsgi_errors_lands_in_an_error_log_that_is_a_file(serve):
    with serve("calls", "--error-logfile", "error.log", log="error.log") as server:
        assert server.get("/errors").status == 200
        server.wait_log("a line of the application")


# close().


def expect_closed(server, name):
    """That iterable was closed once: when the one of a later request has been, no more can come."""
    assert server.get("/pid").status == 200
    path = server.folder / "closed.log"
    wait_for(lambda: path.exists() and "pid\n" in path.read_text(), "close() of a later request")
    assert path.read_text().split() == [name, "pid"]


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("several", 200),
        ("sized", 200),
        ("empty", 200),
        ("empty_pieces", 200),
        ("unstarted", 500),
        ("text", 500),
        ("raises", None),
        ("close_raises", None),
    ],
)
def test_close_is_called_once(serve, name, status):
    with serve("closing") as server:
        with server.connect() as wire:
            try:
                response = wire.get(f"/{name}")
                assert status in (None, response.status)
            except Truncated:
                assert status is None
        expect_closed(server, name)


def test_close_is_called_when_there_is_no_body_to_send(serve):
    with serve("closing") as server:
        assert server.request("HEAD", "/several").status == 200
        expect_closed(server, "several")


def test_close_is_called_when_the_client_has_left(serve):
    with serve("closing") as server:
        with server.connect() as wire:
            wire.send(compose("GET", "/endless"))
            wire.take(100_000)
        wait_for((server.folder / "closed.log").exists, "close() to be called")
        expect_closed(server, "endless")


def test_an_exception_in_close_does_not_spoil_the_answer(serve):
    with serve("closing") as server:
        with server.connect() as wire:
            assert wire.get("/close_raises").body == b"one"
        server.wait_log("in close()")
        assert server.get("/pid").status == 200


# Files.


@pytest.mark.parametrize(
    ("path", "start", "length"),
    [("/whole", 0, None), ("/offset", 1000, None), ("/length", 0, 5000), ("/memory", 0, None)],
)
def test_file_wrapper(serve, path, start, length):
    content = bytes(range(256)) * 1200
    with serve("files") as server:
        (server.folder / "sent.bin").write_bytes(content)
        with server.connect() as wire:
            for _ in range(2):
                response = wire.get(path)
                assert response.body == content[start:][:length]
                if length is not None:
                    assert response.framing == "length"
        if path == "/memory":
            closed = server.folder / "closed.log"
            wait_for(lambda: closed.exists() and closed.read_text() == "file\nfile\n", "both files to be closed")


def test_file_wrapper_and_head(serve):
    with serve("files") as server:
        (server.folder / "sent.bin").write_bytes(bytes(10_000))
        with server.connect() as wire:
            assert wire.request("HEAD", "/length").header("Content-Length") == "5000"
            assert wire.get("/length").body == bytes(5000)


# wsgi.input.

LINES = b"first line\nsecond\r\nthird, which is longer than seven bytes\n\nlast without an end"


@pytest.mark.parametrize("framing", ["length", "chunked"])
@pytest.mark.parametrize(
    ("how", "pieces"),
    [
        ("read", 1),
        ("read_all", 1),
        ("read_none", 2),
        ("read_pieces", 1),
        ("readline", 5),
        ("readline_sized", None),
        ("readlines", 5),
        ("iteration", 5),
        ("mixed", None),
    ],
)
def test_every_way_to_read_the_body(uploads, how, pieces, framing):
    body = LINES if framing == "length" else [LINES[:3], LINES[3:30], LINES[30:]]
    seen = uploads.request("POST", f"/?{how}", body=body).json()
    assert seen["length"] == len(LINES)
    assert seen["sha256"] == hashlib.sha256(LINES).hexdigest()
    assert pieces in (None, seen["pieces"])
    assert seen["after_the_end"] == ""


@pytest.mark.parametrize("how", ["read", "read_pieces", "readline", "iteration", "nothing"])
def test_a_request_without_a_body_reads_as_empty(uploads, how):
    with uploads.connect() as wire:
        seen = wire.get(f"/?{how}").json()
        assert (seen["length"], seen["after_the_end"]) == (0, "")
        assert wire.get("/").status == 200


def test_a_body_of_many_pieces_is_read_right(uploads):
    body = bytes(range(256)) * 1024
    seen = uploads.request("POST", "/?read_pieces", body=body).json()
    assert seen["sha256"] == hashlib.sha256(body).hexdigest()


# Applications gone wrong: the outcome, one report in the log, and the worker lives.


@pytest.fixture(scope="module")
def wrong(module_stage):
    with module_stage.serve("wrong") as server:
        server.booted(1)
        yield server


@pytest.mark.parametrize(
    ("name", "report"),
    [
        ("silent", "start_response"),
        ("silent_and_empty", "start_response"),
        ("returns_none", "Error handling request GET /returns_none"),
        ("text_body", "Error handling request GET /text_body"),
        ("raises_before", "Error handling request GET /raises_before"),
        ("raises_after", "Error handling request GET /raises_after"),
        ("raises_first", "Error handling request GET /raises_first"),
        ("header_value_with_crlf", "Invalid response header from the application: 'X-Wrong'"),
        ("header_value_with_lf", "Invalid response header from the application: 'X-Wrong'"),
        ("header_name_with_crlf", "Invalid response header name from the application: "),
        ("header_not_text", "[ERROR]"),
        ("status_with_crlf", "Error handling request GET /status_with_crlf"),
        ("status_not_a_number", "Error handling request GET /status_not_a_number"),
        ("two_lengths", "ontent-"),
        ("length_not_digits", "ontent-"),
        ("starts_twice", "Response headers already set!"),
    ],
)
def test_an_application_that_fails_before_its_first_bytes_gets_a_500(wrong, name, report):
    pids = wrong.workers(1)
    before = len(wrong.log)
    with wrong.connect() as wire:
        response = wire.get(f"/{name}")
        assert (response.status, response.reason) == (500, "Internal Server Error")
        assert response.header("X-Injected") is None
        assert wire.has_ended()
    wait_for(lambda: "[ERROR]" in wrong.log[before:], "an ERROR in the log")
    wait_for(lambda: report in wrong.log[before:], f"{report!r} in the log")
    assert "\nX-Injected: 1" not in wrong.log[before:], "the log was forged"
    if name.startswith("header_value"):
        assert "X-Injected" not in wrong.log[before:], "a value was logged"
    assert {int(wrong.get("/pid").text)} == pids


def test_the_traceback_of_an_exception_is_logged(wrong):
    wrong.get("/raises_before")
    log = wrong.wait_log("ValueError: before start_response")
    assert "Traceback (most recent call last):" in log


@pytest.mark.parametrize(
    ("name", "report"),
    [
        ("raises_midway", "ValueError: midway"),
        ("raises_midway_of_length", "ValueError: midway"),
        ("text_body_midway", "Error handling request GET /text_body_midway"),
        ("short_body", "[ERROR]"),
    ],
)
def test_an_application_that_fails_midway_cuts_its_answer(wrong, name, report):
    pids = wrong.workers(1)
    before = len(wrong.log)
    with wrong.connect() as wire:
        with pytest.raises(Truncated) as cut:
            wire.get(f"/{name}")
        # The client can see that something is missing, and no second status line follows.
        assert cut.value.response.status == 200
        assert cut.value.response.body == (b"short" if name == "short_body" else b"first")
        assert wire.has_ended()
    wait_for(lambda: report in wrong.log[before:], f"{report!r} in the log")
    assert {int(wrong.get("/pid").text)} == pids


def test_a_body_longer_than_its_length_is_cut_and_the_connection_stays_in_step(wrong):
    with wrong.connect() as wire:
        assert wire.get("/long_body").body == b"right"
        # To close after such an answer is right as well.
        with contextlib.suppress(Ended):
            assert int(wire.get("/pid").text) in wrong.children()


@pytest.mark.parametrize("threads", ["1", "4"])
def test_a_failing_request_does_not_touch_its_neighbours(serve, threads):
    with serve("wrong", "--threads", threads) as server, server.connect() as wire:
        for _ in range(10):
            assert server.get("/raises_before").status == 500
            assert wire.get("/pid").status == 200


def test_basic_auth_reaches_the_application(echo):
    word = base64.b64encode(b"user:secret").decode()
    environ = echo.get("/", {"Authorization": f"Basic {word}"}).json()["environ"]
    assert environ["HTTP_AUTHORIZATION"] == f"Basic {word}"


def test_answers_of_threads_do_not_get_mixed_up(serve):
    with serve("echo", "--threads", "4") as server:
        wires = [server.connect() for _ in range(12)]
        try:
            for turn in range(10):
                for number, wire in enumerate(wires):
                    wire.send(compose("POST", f"/{turn}/{number}", body=f"{turn}-{number}".encode() * 100))
                for number, wire in enumerate(wires):
                    seen = json.loads(wire.response().body)
                    assert seen["environ"]["PATH_INFO"] == f"/{turn}/{number}"
                    assert seen["body"] == f"{turn}-{number}" * 100
        finally:
            for wire in wires:
                wire.close()
