"""HTTP/1.1 on the wire: persistence, framing, limits, refusals, and clients that are slow, rude or gone."""

import re

import pytest
from harness import wait_for
from wire import Wire, chunk, compose

MEBIBYTE = 1 << 20


@pytest.fixture(scope="module")
def echo(module_stage):
    """One worker, one thread, shared by all tests that only ask."""
    with module_stage.serve("echo") as server:
        server.booted(1)
        yield server


@pytest.fixture(scope="module")
def big(module_stage):
    with module_stage.serve("big") as server:
        yield server


@pytest.fixture(scope="module")
def statuses(module_stage):
    with module_stage.serve("statuses") as server:
        yield server


# Persistence.


def test_a_connection_is_kept(echo):
    with echo.connect() as wire:
        for number in range(5):
            response = wire.get(f"/{number}")
            assert response.status == 200 and response.keeps_open
            assert response.header("Connection") == "keep-alive"
            assert response.json()["environ"]["PATH_INFO"] == f"/{number}"


@pytest.mark.parametrize("value", ["close", "Close", "close, foo", "foo,close"])
def test_a_client_may_ask_to_close(echo, value):
    with echo.connect() as wire:
        response = wire.get("/", {"Connection": value})
        assert response.header("Connection") == "close"
        assert wire.has_ended()


def test_http_1_0_closes(echo):
    with echo.connect() as wire:
        response = wire.get("/", version="HTTP/1.0")
        assert response.version == "HTTP/1.0"
        assert not response.keeps_open
        assert wire.has_ended()


def test_http_1_0_may_ask_to_keep_the_connection(echo):
    with echo.connect() as wire:
        for _ in range(2):
            response = wire.get("/", {"Connection": "keep-alive"}, version="HTTP/1.0")
            assert response.version == "HTTP/1.0"
            assert response.header("Connection") == "keep-alive"


def test_http_1_0_without_a_length_is_delimited_by_the_end(big):
    with big.connect() as wire:
        response = wire.get("/generator?200000", {"Connection": "keep-alive"}, version="HTTP/1.0")
        assert response.framing == "close"
        assert len(response.body) == 200000


def test_a_later_minor_version_is_answered_as_1_1(echo):
    with echo.connect() as wire:
        assert wire.get("/", version="HTTP/1.2").version == "HTTP/1.1"


def test_keep_alive_0_closes_after_each_answer(serve):
    with serve("hello", "--keep-alive", "0") as server, server.connect() as wire:
        assert not wire.get("/").keeps_open
        assert wire.has_ended()


def test_an_idle_connection_is_closed_after_the_keep_alive_time(serve):
    with serve("hello", "--keep-alive", "1") as server, server.connect() as wire:
        assert wire.get("/").keeps_open
        assert wire.has_ended()


def test_pipelined_requests_are_answered_in_order(echo):
    with echo.connect() as wire:
        wire.send(b"".join(compose("POST", f"/{number}", body=b"x" * number) for number in range(10)))
        for number in range(10):
            seen = wire.response().json()
            assert seen["environ"]["PATH_INFO"] == f"/{number}"
            assert seen["body"] == "x" * number


def test_a_pipelined_request_behind_a_refused_one_is_not_answered(echo):
    with echo.connect() as wire:
        wire.send(b"GET / HTTP/9.9\r\n\r\n" + compose("GET", "/"))
        assert wire.response().status == 400
        assert wire.has_ended()


def test_a_half_closed_client_still_gets_its_answer(echo):
    with echo.connect() as wire:
        wire.send(compose("POST", "/", body=b"last words"))
        wire.finish_sending()
        assert wire.response().json()["body"] == "last words"


def test_leading_empty_line_is_ignored(echo):
    with echo.connect() as wire:
        wire.send(b"\r\n" + compose("GET", "/"))
        assert wire.response().status == 200


# What an answer looks like.


def test_the_head_of_an_answer(echo):
    response = echo.get("/")
    assert (response.version, response.status, response.reason) == ("HTTP/1.1", 200, "OK")
    assert [name for name, _ in response.headers] == ["Server", "Date", "Connection", "Content-Type", "Content-Length"]
    assert response.header("Server") == "indrik"
    assert re.fullmatch(r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT", response.header("Date"))


@pytest.mark.parametrize("path", ["/list", "/generator"])
@pytest.mark.parametrize("size", [0, 1, 65536, 8 * MEBIBYTE])
def test_large_answers_come_whole(big, path, size):
    response = big.get(f"{path}?{size}")
    if size > 0:
        assert response.framing == ("length" if path == "/list" else "chunked")
    assert len(response.body) == size
    assert response.body == b"".join(b"%015d\n" % line for line in range((size + 15) // 16))[:size]


def test_an_item_in_a_list_gets_its_length(big):
    response = big.get("/pid")
    assert response.framing == "length"


def test_each_event_of_a_stream_is_sent_when_it_is_made(serve):
    with serve("stream") as server, server.connect() as wire:
        wire.send(compose("GET", "/ticked?5"))
        assert wire.head().header("Transfer-Encoding") == "chunked"
        for number in range(5):
            assert wire.chunk() == f"event {number}\n".encode()
            (server.folder / f"tick-{number + 1}").touch()
        assert wire.chunk() == b""


@pytest.mark.parametrize("path", ["/list", "/generator"])
def test_head_has_no_body_and_the_next_answer_is_in_step(big, path):
    with big.connect() as wire:
        response = wire.request("HEAD", f"{path}?5000")
        assert response.status == 200
        if path == "/list":
            assert response.header("Content-Length") == "5000"
        assert wire.get("/list?10").body == b"000000000000000\n"[:10]


@pytest.mark.parametrize("status", [204, 304])
@pytest.mark.parametrize("query", ["", "body", "length", "body+length"])
def test_204_and_304_have_no_body_and_the_next_answer_is_in_step(statuses, status, query):
    with statuses.connect() as wire:
        response = wire.get(f"/{status}?{query}")
        assert response.status == status
        assert response.header("Transfer-Encoding") is None
        if status == 204:
            assert response.header("Content-Length") is None
        elif "length" in query:
            assert response.header("Content-Length") == "4"
        assert wire.get("/200?body").body == b"body"


# Bodies of requests.


@pytest.mark.parametrize("size", [0, 1, 4096, 65536, MEBIBYTE])
@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_uploads_arrive_whole(serve, size, framing):
    body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    with serve("uploads") as server, server.connect() as wire:
        for _ in range(2):
            pieces = [body[start : start + 10_000] for start in range(0, size, 10_000)]
            seen = wire.request("POST", "/", body=body if framing == "length" else pieces).json()
            assert seen["length"] == size


def test_chunks_may_have_extensions_and_trailers(echo):
    with echo.connect() as wire:
        wire.send(compose("POST", "/", {"Transfer-Encoding": "chunked"}))
        wire.send(b'5;name=value;other="quoted"\r\nhello\r\n6 ;x\r\n world\r\n0\r\nX-Trailer: dropped\r\n\r\n')
        seen = wire.response().json()
        assert seen["body"] == "hello world"
        assert "HTTP_X_TRAILER" not in seen["environ"]
        assert wire.get("/").status == 200


def test_a_body_that_comes_byte_by_byte_arrives_whole(echo):
    with echo.connect() as wire:
        for byte in compose("POST", "/", body=[b"some", b"thing"]):
            wire.send(bytes([byte]))
        assert wire.response().json()["body"] == "something"


def test_an_unread_body_does_not_become_the_next_request(serve):
    with serve("gate") as server, server.connect() as wire:
        wire.send(compose("POST", "/refuse", body=compose("GET", "/smuggled")))
        response = wire.response()
        assert response.status == 403
        if response.keeps_open:
            assert wire.get("/pid").status == 200
        assert wire.is_quiet() or wire.has_ended()


def test_a_body_above_the_limit_is_refused_before_it_is_sent(serve):
    with serve("uploads", "--limit-request-body", str(MEBIBYTE)) as server, server.connect() as wire:
        wire.send(compose("POST", "/", {"Content-Length": str(MEBIBYTE + 1)}))
        assert wire.response().status == 413
        assert wire.has_ended()
        assert server.get("/").status == 200


def test_a_chunked_body_above_the_limit_is_refused(serve):
    with serve("uploads", "--limit-request-body", "1000") as server, server.connect() as wire:
        wire.send(compose("POST", "/", {"Transfer-Encoding": "chunked"}) + chunk(b"x" * 600) + chunk(b"x" * 600))
        assert wire.response().status == 413
        assert wire.has_ended()
        assert server.request("POST", "/", body=[b"x" * 500, b"x" * 500]).json()["length"] == 1000


def test_a_cut_upload_never_reaches_the_application(serve):
    with serve("gate") as server:
        with server.connect() as wire:
            wire.send(compose("POST", "/hold?cut", {"Content-Length": "10"}) + b"half")
        with server.connect() as wire:
            wire.send(compose("POST", "/hold?cut", {"Transfer-Encoding": "chunked"}) + b"5\r\nhal")
        assert server.get("/pid").status == 200
        assert not (server.folder / "cut.entered").exists()


# Expect.


def test_100_continue_goes_out_at_the_first_read(serve):
    with serve("gate", "--threads", "2") as server, server.connect() as wire:
        wire.send(compose("POST", "/upload?a", {"Content-Length": "5", "Expect": "100-continue"}))
        wait_for((server.folder / "a.entered").exists, "the request to be in the application")
        assert wire.is_quiet()
        (server.folder / "a.open").touch()
        assert wire.response().status == 100
        wire.send(b"hello")
        response = wire.response()
        assert (response.status, response.text) == (200, "5")


def test_100_continue_never_goes_out_if_the_application_does_not_read(serve):
    with serve("gate") as server, server.connect() as wire:
        wire.send(compose("POST", "/refuse", {"Content-Length": "5", "Expect": "100-continue"}))
        response = wire.response()
        assert response.status == 403
        # Whether the body comes now is the client's choice, so nobody can tell where the next request begins.
        assert not response.keeps_open
        assert server.get("/pid").status == 200


def test_100_continue_is_not_sent_to_http_1_0(echo):
    with echo.connect() as wire:
        wire.send(compose("POST", "/", {"Expect": "100-continue"}, b"hello", version="HTTP/1.0"))
        assert wire.response().status == 200


def test_a_body_that_did_not_wait_for_100_is_taken(echo):
    with echo.connect() as wire:
        wire.send(compose("POST", "/", {"Expect": "100-continue"}, b"hello"))
        response = wire.response()
        if response.status == 100:
            response = wire.response()
        assert response.json()["body"] == "hello"


# Refusals. The worker must survive each of them.

HOST = "Host: a\r\n"

REFUSED = {
    "no version": ("GET /\r\n\r\n", 400),
    "no target": ("GET HTTP/1.1\r\n\r\n", 400),
    "two blanks": (f"GET  / HTTP/1.1\r\n{HOST}\r\n", 400),
    "blank in target": (f"GET /a b HTTP/1.1\r\n{HOST}\r\n", 400),
    "lower-case method": (f"get / HTTP/1.1\r\n{HOST}\r\n", 400),
    "method not a token": (f"G(T / HTTP/1.1\r\n{HOST}\r\n", 400),
    "relative target": (f"GET index.html HTTP/1.1\r\n{HOST}\r\n", 400),
    "asterisk for GET": (f"GET * HTTP/1.1\r\n{HOST}\r\n", 400),
    "8-bit in target": (f"GET /\xff HTTP/1.1\r\n{HOST}\r\n", 400),
    "lower-case protocol": (f"GET / http/1.1\r\n{HOST}\r\n", 400),
    "two-digit version": (f"GET / HTTP/1.10\r\n{HOST}\r\n", 400),
    "HTTP/0.9": (f"GET / HTTP/0.9\r\n{HOST}\r\n", 400),
    "bare LF": (f"GET / HTTP/1.1\n{HOST}\r\n", 400),
    "bare LF in headers": ("GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n", 400),
    "two empty lines before": (f"\r\n\r\nGET / HTTP/1.1\r\n{HOST}\r\n", 400),
    "header without colon": (f"GET / HTTP/1.1\r\n{HOST}nonsense\r\n\r\n", 400),
    "header without name": (f"GET / HTTP/1.1\r\n{HOST}: value\r\n\r\n", 400),
    "blank before colon": (f"GET / HTTP/1.1\r\n{HOST}X : value\r\n\r\n", 400),
    "folded header": (f"GET / HTTP/1.1\r\n{HOST}X: a\r\n b\r\n\r\n", 400),
    "NUL in value": (f"GET / HTTP/1.1\r\n{HOST}X: a\0b\r\n\r\n", 400),
    "bare CR in value": (f"GET / HTTP/1.1\r\n{HOST}X: a\rb\r\n\r\n", 400),
    "no Host": ("GET / HTTP/1.1\r\n\r\n", 400),
    "two Hosts": (f"GET / HTTP/1.1\r\n{HOST}{HOST}\r\n", 400),
    "bad Host": ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
    "Host against target": (f"GET http://b/ HTTP/1.1\r\n{HOST}\r\n", 400),
    "two lengths": (f"POST / HTTP/1.1\r\n{HOST}Content-Length: 1\r\nContent-Length: 1\r\n\r\nx", 400),
    "list of lengths": (f"POST / HTTP/1.1\r\n{HOST}Content-Length: 1, 1\r\n\r\nx", 400),
    "signed length": (f"POST / HTTP/1.1\r\n{HOST}Content-Length: +1\r\n\r\nx", 400),
    "empty length": (f"POST / HTTP/1.1\r\n{HOST}Content-Length:\r\n\r\n", 400),
    "endless length": (f"POST / HTTP/1.1\r\n{HOST}Content-Length: {'9' * 30}\r\n\r\n", 400),
    "both framings": (
        f"POST / HTTP/1.1\r\n{HOST}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    "chunked in HTTP/1.0": (f"POST / HTTP/1.0\r\n{HOST}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "chunked twice": (f"POST / HTTP/1.1\r\n{HOST}Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 400),
    "chunked not last": (f"POST / HTTP/1.1\r\n{HOST}Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", 400),
    "unknown coding": (f"POST / HTTP/1.1\r\n{HOST}Transfer-Encoding: zstd, chunked\r\n\r\n0\r\n\r\n", 501),
    "gzip coding": (f"POST / HTTP/1.1\r\n{HOST}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
    "chunk size not hex": (f"POST / HTTP/1.1\r\n{HOST}Transfer-Encoding: chunked\r\n\r\n0x1\r\nx\r\n0\r\n\r\n", 400),
    "chunk without CRLF": (f"POST / HTTP/1.1\r\n{HOST}Transfer-Encoding: chunked\r\n\r\n1\r\nxx\r\n0\r\n\r\n", 400),
    "forbidden trailer": (f"POST / HTTP/1.1\r\n{HOST}Transfer-Encoding: chunked\r\n\r\n0\r\nHost: b\r\n\r\n", 400),
    "long target": (f"GET /{'a' * 4100} HTTP/1.1\r\n{HOST}\r\n", 414),
    "large field": (f"GET / HTTP/1.1\r\n{HOST}X: {'a' * 8200}\r\n\r\n", 431),
    "many fields": ("GET / HTTP/1.1\r\n" + HOST + "".join(f"X-{n}: 1\r\n" for n in range(100)) + "\r\n", 431),
    "unknown expectation": (f"GET / HTTP/1.1\r\n{HOST}Expect: a miracle\r\n\r\n", 417),
}

REASONS = {
    400: "Bad Request",
    414: "URI Too Long",
    417: "Expectation Failed",
    431: "Request Header Fields Too Large",
    501: "Not Implemented",
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_malformed_request_is_refused_and_the_worker_lives(echo, case):
    data, status = REFUSED[case]
    pids = echo.workers(1)
    with echo.connect() as wire:
        wire.send(data.encode("latin-1"))
        response = wire.response()
        assert (response.status, response.reason) == (status, REASONS[status])
        assert response.header("Connection") == "close"
        assert response.header("Content-Type") == "text/html"
        assert wire.has_ended()
    assert {int(echo.get("/pid").text)} == pids


def test_a_refusal_is_logged_with_its_reason(serve):
    with serve("hello") as server:
        with server.connect() as wire:
            wire.send(b"get / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert wire.response().status == 400
        log = server.wait_log("Invalid request from ip=127.0.0.1: ")
        (line,) = [line for line in log.splitlines() if "Invalid request" in line]
        assert "[WARNING]" in line


def test_a_refusal_of_head_has_no_body(echo):
    with echo.connect() as wire:
        wire.send(b"HEAD / HTTP/1.1\r\nHost: a\r\nExpect: a miracle\r\n\r\n")
        assert wire.head().status == 417
        assert wire.rest() == b""


def test_the_limits_are_settings(serve):
    limits = ("--limit-request-line", "50", "--limit-request-fields", "3", "--limit-request-field_size", "30")
    with serve("hello", *limits) as server:
        assert server.get("/" + "a" * 50).status == 414
        assert server.get("/", {"X": "a" * 30}).status == 431
        assert server.get("/", {"A": "1", "B": "1"}).status == 431
        assert server.get("/", {"A": "1"}).status == 200


@pytest.mark.parametrize(
    "greeting",
    [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 20, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
    ids=["TLS", "HTTP/2"],
)
def test_a_client_that_speaks_another_protocol_is_cut(echo, greeting):
    with echo.connect() as wire:
        wire.send(greeting)
        answer = wire.rest()
    assert answer == b"" or answer.startswith(b"HTTP/1.1 400 ")
    assert echo.get("/").status == 200


# Slow, rude and absent clients, all against one worker with one thread.


@pytest.mark.parametrize(
    "part", [b"G", b"GET / HTTP/1.1\r\nHo", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe"]
)
def test_clients_that_stop_half_way_hold_up_nobody(echo, part):
    slow = [echo.connect() for _ in range(20)]
    try:
        for wire in slow:
            wire.send(part)
        for _ in range(20):
            assert echo.get("/").status == 200
    finally:
        for wire in slow:
            wire.close()
    assert echo.get("/").status == 200


def test_a_sender_of_single_bytes_holds_up_nobody(echo):
    with echo.connect() as slow:
        for byte in compose("POST", "/slow", body=b"hello"):
            slow.send(bytes([byte]))
            if byte % 8 == 0:
                assert echo.get("/").status == 200
        assert slow.response().json()["body"] == "hello"


def test_silent_and_idle_connections_hold_up_nobody(echo):
    silent = [echo.connect() for _ in range(50)]
    idle = [echo.connect() for _ in range(50)]
    try:
        for wire in idle:
            assert wire.get("/").keeps_open
        for _ in range(20):
            assert echo.get("/").status == 200
        for wire in silent + idle:
            assert wire.get("/").status == 200
    finally:
        for wire in silent + idle:
            wire.close()


def test_clients_that_never_read_hold_up_nobody(big):
    rude = [big.connect(receive_buffer=4096) for _ in range(5)]
    try:
        for wire in rude:
            wire.send(compose("GET", f"/list?{8 * MEBIBYTE}"))
            wire.take(100)  # the answer has begun
        for _ in range(20):
            assert big.get("/list?10").status == 200
    finally:
        for wire in rude:
            wire.close()
    assert big.get("/list?10").status == 200


def test_a_slow_reader_gets_everything_in_the_end(big):
    with Wire(big.address, receive_buffer=4096) as wire:
        wire.send(compose("GET", f"/list?{4 * MEBIBYTE}"))
        wire.head()
        first = wire.take(1000)
        assert big.get("/list?10").status == 200
        rest = wire.take(4 * MEBIBYTE - 1000)
    assert first + rest == b"".join(b"%015d\n" % line for line in range(4 * MEBIBYTE // 16))


def test_malformed_requests_of_clients_that_never_close_hold_up_nobody(echo):
    rude = [echo.connect() for _ in range(10)]
    try:
        for wire in rude:
            wire.send(b"nonsense\r\n\r\n")
        for _ in range(5):
            assert echo.get("/").status == 200
        for wire in rude:
            assert wire.response().status == 400
    finally:
        for wire in rude:
            wire.close()


def test_clients_that_leave_do_no_harm(serve):
    with serve("gate") as server:
        pids = server.booted(1)
        gone = server.connect()
        gone.send(compose("GET", "/hold?a"))
        wait_for((server.folder / "a.entered").exists, "the request to be in the application")
        gone.close()
        (server.folder / "a.open").touch()
        assert server.get("/pid").status == 200
        assert server.children() == pids
        assert "Traceback" not in server.log
