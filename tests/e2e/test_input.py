"""wsgi.input: the same file whether the body is in memory, in a spool file, or still with the client."""

import hashlib
import random

import pytest
from harness import wait_for
from wire import Truncated, chunk, compose

SETTINGS = {
    "memory": "body_memory = 10_000_000\n",
    "spool": "body_memory = 1000\n",
    "stream": "request_buffering = False\n",
}


@pytest.fixture(scope="module", params=SETTINGS)
def reads(module_stage, request):
    with module_stage.serve("reads", settings=SETTINGS[request.param]) as server:
        yield server


@pytest.fixture(scope="module")
def stream(module_stage):
    with module_stage.serve("reads", settings=SETTINGS["stream"]) as server:
        yield server


# The same as io.BytesIO.


def short_lines(chance):
    return b"".join(chance.randbytes(chance.randrange(60)) + b"\n" for _ in range(3000))


def long_lines(chance):
    """Longer than any buffer, so that each crosses several."""
    return b"\n".join(b"x" * chance.randrange(200_000) for _ in range(5))


def no_lines(chance):
    return b"y" * chance.randrange(100_000, 300_000)


def only_line_ends(_):
    return b"\n" * 5000


def few_bytes(_):
    return b"two\nlines"


BODIES = [short_lines, long_lines, no_lines, only_line_ends, few_bytes]


@pytest.mark.parametrize("framing", ["length", "chunked"])
@pytest.mark.parametrize("make", BODIES, ids=lambda make: make.__name__)
def test_reading_is_as_from_a_file_in_memory(reads, make, framing):
    for seed in range(6):
        chance = random.Random(seed)
        body = make(chance)
        (reads.folder / "body.bin").write_bytes(body)
        seen = reads.request("POST", f"/compare?{seed}", body=body if framing == "length" else pieces(body, chance))
        assert seen.json()["difference"] is None, f"seed {seed}"
        assert seen.json()["calls"] >= 30


def test_a_request_without_a_body_is_an_empty_file(reads):
    (reads.folder / "body.bin").write_bytes(b"")
    with reads.connect() as wire:
        for seed in range(6):
            assert wire.get(f"/compare?{seed}").json()["difference"] is None


def test_a_body_that_is_asked_for_is_the_same_file(reads):
    body = short_lines(random.Random(1))
    (reads.folder / "body.bin").write_bytes(body)
    head = {"Expect": "100-continue", "Content-Length": str(len(body)), "Connection": "close"}
    with reads.connect() as wire:
        wire.send(compose("POST", "/compare?1", head))
        response = wire.response()
        wire.send(body)
        if response.status == 100:
            response = wire.response()
        assert response.json()["difference"] is None


@pytest.mark.parametrize("kind", SETTINGS)
def test_a_large_body_is_read_at_once(serve, kind):
    body = random.Random(1).randbytes(3_000_001)
    with serve("uploads", settings=SETTINGS[kind]) as server, server.connect() as wire:
        for how in ("read", "read_none", "readline", "read_pieces", "nothing"):
            seen = wire.request("POST", f"/?{how}", body=body).json()
            wanted = b"" if how == "nothing" else body
            assert seen["sha256"] == hashlib.sha256(wanted).hexdigest()


def pieces(body, chance):
    """The body in chunks of any size."""
    made = []
    while body:
        size = chance.choice((1, 100, 4096, 70_000))
        made.append(body[:size])
        body = body[size:]
    return made


# Threads and signals.


def test_two_threads_that_read_get_each_record_once(reads):
    records = [b"record %08d\n" % number for number in range(5000)]
    assert {len(record) for record in records} == {16}
    seen = reads.request("POST", "/shared", body=b"".join(records)).json()
    assert seen["failures"] == []
    assert seen["records"] == [record.decode() for record in records]


def test_what_has_come_can_be_read_before_the_rest(serve):
    with serve("reads", settings=SETTINGS["stream"]) as server, server.connect() as wire:
        wire.send(compose("POST", "/first", {"Content-Length": "10"}) + b"early")
        first = server.folder / "first"
        wait_for(lambda: first.exists() and first.read_bytes(), "the first read")
        assert b"early".startswith(first.read_bytes())
        wire.send(b" late")
        assert b"early late".decode().endswith(wire.response().json())


@pytest.mark.parametrize(
    ("path", "want"),
    [
        ("/alarm", {"raised": True, "body": "before and after"}),
        ("/nested", {"seen": ["RuntimeError"], "body": "before and after"}),
    ],
)
def test_a_signal_in_the_middle_of_a_read_loses_nothing(serve, path, want):
    with serve("reads", settings=SETTINGS["stream"]) as server, server.connect() as wire:
        wire.send(compose("POST", path, {"Content-Length": "16"}) + b"before")
        wait_for((server.folder / "rang").exists, "the signal")
        wire.send(b" and after")
        assert wire.response().json() == want


def test_a_body_that_was_kept_reads_nothing_of_a_later_request(serve):
    with serve("reads", settings=SETTINGS["stream"]) as server:
        assert server.request("POST", "/keep", body=b"kept").json() == "kept"
        assert server.request("POST", "/read_kept", body=b"later").json() in ("pt", "the request has ended")


# Bodies that do not come.


def cut(wire, path, body=b"half"):
    wire.send(compose("POST", path, {"Content-Length": "10"}) + body)
    wire.finish_sending()
    return wire.response()


@pytest.mark.parametrize("how", ["read", "readline", "readlines", "read1"])
def test_an_upload_that_is_cut_raises_an_oserror_of_ours(stream, how):
    with stream.connect() as wire:
        seen = cut(wire, f"/report?{how}").json()
    assert seen["class"] == "indrik.ClientDisconnected"
    assert seen["is_disconnected"] and seen["copy"]
    assert "the client has gone" in seen["text"]
    assert seen["again"] == seen["text"]


def test_an_upload_with_a_broken_chunk_raises_an_oserror_of_ours(stream):
    with stream.connect() as wire:
        wire.send(compose("POST", "/report", {"Transfer-Encoding": "chunked"}) + chunk(b"good") + b"bad\n\n")
        seen = wire.response().json()
    assert seen["is_disconnected"] and "malformed" in seen["text"]


def test_an_upload_that_stops_raises_an_oserror_of_ours(serve):
    with serve("reads", settings=SETTINGS["stream"] + "body_timeout = 1\n") as server, server.connect() as wire:
        wire.send(compose("POST", "/report", {"Content-Length": "10"}) + b"half")
        seen = wire.response().json()
    assert seen["is_disconnected"] and "too slow" in seen["text"]


@pytest.mark.parametrize("path", ["/careless", "/wrapping"])
def test_a_cut_upload_that_nobody_caught_is_no_fault_of_the_application(serve, path):
    with serve("reads", "--log-level", "debug", settings=SETTINGS["stream"]) as server:
        with server.connect() as wire:
            assert cut(wire, path).status == 400
            assert wire.has_ended()
        server.wait_log("Ignored premature client disconnection")
        assert "Traceback" not in server.log and "[ERROR]" not in server.log and "[WARNING]" not in server.log


def test_a_cut_upload_cuts_an_answer_that_has_begun(serve):
    with serve("reads", settings=SETTINGS["stream"]) as server:
        with server.connect() as wire:
            with pytest.raises(Truncated) as truncated:
                cut(wire, "/begun")
            assert truncated.value.response.body == b"first"
        with server.connect() as wire:
            wire.send(compose("POST", "/begun", {"Transfer-Encoding": "chunked"}) + chunk(b"good") + b"bad\n\n")
            with pytest.raises(Truncated) as truncated:
                wire.response()
            assert truncated.value.response.body == b"first"
        log = server.wait_log("POST /begun: request body is malformed")
        assert "Traceback" not in log and "[ERROR]" not in log


@pytest.mark.parametrize(
    ("settings", "request_bytes", "status", "reason"),
    [
        (
            "",
            compose("POST", "/careless", {"Transfer-Encoding": "chunked"}) + chunk(b"good") + b"bad\n\n",
            400,
            "malformed",
        ),
        ("body_timeout = 1\n", compose("POST", "/careless", {"Content-Length": "10"}) + b"half", 408, "too slow"),
        (
            "limit_request_body = 10\n",
            compose("POST", "/careless", {"Transfer-Encoding": "chunked"}) + chunk(b"12345678") * 2,
            413,
            "larger than 10 bytes",
        ),
    ],
    ids=["malformed", "too slow", "too large"],
)
def test_an_upload_that_is_refused_is_answered_so_and_logged_once(serve, settings, request_bytes, status, reason):
    with serve("reads", settings=SETTINGS["stream"] + settings) as server:
        with server.connect() as wire:
            wire.send(request_bytes)
            assert wire.response().status == status
            assert wire.has_ended()
        log = server.wait_log("Invalid request from ip=127.0.0.1: POST /careless: request body ")
        assert "Traceback" not in log and "[ERROR]" not in log
        assert [reason in line for line in log.splitlines() if "[WARNING]" in line] == [True]


def test_an_upload_that_is_too_large_raises_as_a_full_file_does(serve):
    settings = SETTINGS["stream"] + "limit_request_body = 10\n"
    with serve("reads", settings=settings) as server, server.connect() as wire:
        wire.send(compose("POST", "/report", {"Transfer-Encoding": "chunked"}) + chunk(b"12345678") * 2 + chunk(b""))
        seen = wire.response().json()
    assert (seen["class"], seen["errno"]) == ("builtins.OSError", "EFBIG")
    assert "larger than 10 bytes" in seen["text"] and seen["again"] == seen["text"]


def test_an_application_may_answer_although_the_upload_was_cut(stream):
    with stream.connect() as wire:
        response = cut(wire, "/stubborn")
        assert (response.status, response.json()) == (200, "answered all the same")
        assert wire.has_ended()
