"""Bodies of requests: in memory and in files, limited, announced, streamed, cut, and when there is no room for them."""

import contextlib
import hashlib
import os
import random
import re
import resource
import shutil
import socket
from pathlib import Path

import pytest
from harness import wait_for
from wire import Ended, Truncated, Wire, chunk, compose

MEBIBYTE = 1 << 20
GIBIBYTE = 1 << 30
# Bodies up to this many bytes are held in memory by the servers of this module.
MEMORY = 100_000


@pytest.fixture
def spool(tmp_path):
    """The folder that bodies are spooled to; nothing in it is ever visible."""
    folder = tmp_path / "spool"
    folder.mkdir()
    return folder


@pytest.fixture
def served(serve, spool):
    """A server that spools what is above `MEMORY`, with more settings as keywords."""

    def start(*arguments, **settings):
        chosen = {"body_memory": MEMORY, "tmp_upload_dir": str(spool), **settings}
        text = "".join(f"{name} = {value!r}\n" for name, value in chosen.items())
        return serve("bodies", *arguments, settings=text)

    return start


def content(size):
    """Bytes in which a lost, doubled or swapped piece shows; with a request among them that must never be served."""
    smuggled = compose("GET", "/smuggled")
    return (smuggled + random.Random(size).randbytes(max(0, size - len(smuggled))))[:size]


def pieces(body, size=10_007):
    return [body[start : start + size] for start in range(0, len(body), size)]


def expect_body(response, body):
    assert response.status == 200, response.body
    assert response.json() == {"length": len(body), "sha256": hashlib.sha256(body).hexdigest()}


def calls(server):
    return lines(server.folder / "calls.log")


def lines(path):
    return path.read_text().splitlines() if path.exists() else []


def spooled(pid, folder):
    """Descriptors of files without a name that lie in the folder."""
    found = []
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            target = str(entry.readlink())
            if target.startswith(f"{folder}/") and target.endswith(" (deleted)"):
                found.append(target)
    return found


def memory(pid, name):
    """`VmRSS` or `VmHWM` of a process, in bytes."""
    return int(re.search(rf"{name}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())[1]) << 10


# They arrive as they were sent.

SIZES = [0, 1, MEMORY - 1, MEMORY, MEMORY + 1, 10 * MEMORY]


@pytest.mark.parametrize("framing", ["length", "chunked"])
@pytest.mark.parametrize("way", [(), ("--threads", "2"), ("--no-request-buffering",)], ids=["one", "two", "streamed"])
def test_bodies_of_every_size_arrive_byte_for_byte(served, spool, framing, way):
    with served(*way) as server, server.connect() as wire:
        (worker,) = server.workers()
        for size in [*SIZES, *reversed(SIZES)]:
            body = content(size)
            expect_body(wire.request("POST", "/read", body=body if framing == "length" else pieces(body)), body)
            assert list(spool.iterdir()) == []
        assert wire.get("/pid").text == str(worker)
        wait_for(lambda: not spooled(worker, spool), "the spooled files to be closed")
        assert set(calls(server)) == {"/read", "/pid"}


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_pipelined_bodies_of_every_size_stay_apart(served, framing):
    bodies = [content(size) for size in SIZES]
    with served() as server, server.connect() as wire:
        sent = b"".join(compose("POST", "/read", body=b if framing == "length" else pieces(b)) for b in bodies)
        wire.send(sent)
        for body in bodies:
            expect_body(wire.response(), body)


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_a_large_body_lies_in_a_file_without_a_name_while_it_comes(served, spool, framing):
    body = content(10 * MEMORY)
    sent = compose("POST", "/read", body=body if framing == "length" else pieces(body))
    with served() as server, server.connect() as wire:
        (worker,) = server.workers()
        wire.send(sent[: 3 * MEMORY])
        wait_for(lambda: spooled(worker, spool), "a file without a name")
        assert list(spool.iterdir()) == []
        assert server.get("/pid").status == 200
        wire.send(sent[3 * MEMORY :])
        expect_body(wire.response(), body)
        wait_for(lambda: not spooled(worker, spool), "the file to be closed")


def test_the_file_of_a_client_that_leaves_is_closed(served, spool):
    with served() as server:
        (worker,) = server.workers()
        with server.connect() as wire:
            wire.send(compose("POST", "/read", {"Content-Length": str(10 * MEMORY)}) + bytes(3 * MEMORY))
            wait_for(lambda: spooled(worker, spool), "a file without a name")
        wait_for(lambda: not spooled(worker, spool), "the file to be closed")
        assert server.get("/pid").status == 200
        assert calls(server) == ["/pid"]


def test_a_small_body_makes_no_file(served, spool):
    with served() as server, server.connect() as wire:
        (worker,) = server.workers()
        wire.send(compose("POST", "/read", {"Content-Length": str(MEMORY)}) + bytes(MEMORY - 1))
        assert server.get("/pid").status == 200
        assert spooled(worker, spool) == []
        wire.send(b"\0")
        expect_body(wire.response(), bytes(MEMORY))


def test_above_buffer_memory_small_bodies_are_spooled_too(served, spool):
    size = MEMORY - 1000
    with served(buffer_memory=2 * MEMORY) as server, contextlib.ExitStack() as stack:
        (worker,) = server.workers()
        wires = [stack.enter_context(server.connect()) for _ in range(8)]
        for wire in wires:
            wire.send(compose("POST", "/read", {"Content-Length": str(size)}) + content(size)[:-10])
        wait_for(lambda: spooled(worker, spool), "a file without a name")
        for wire in wires:
            wire.send(content(size)[-10:])
        for wire in wires:
            expect_body(wire.response(), content(size))
        wait_for(lambda: not spooled(worker, spool), "the files to be closed")
        # With the memory free again nothing is spooled any more.
        wires[0].send(compose("POST", "/read", {"Content-Length": str(size)}) + content(size)[:-10])
        assert server.get("/pid").status == 200
        assert spooled(worker, spool) == []
        wires[0].send(content(size)[-10:])
        expect_body(wires[0].response(), content(size))


# limit_request_body.

LIMITS = [1000, MEMORY, 2 * MEMORY]


@pytest.mark.parametrize("way", [(), ("--no-request-buffering",)], ids=["buffered", "streamed"])
@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_a_body_of_exactly_the_limit_is_taken(served, limit, framing, way):
    body = content(limit)
    with served(*way, limit_request_body=limit) as server:
        sent = body if framing == "length" else pieces(body, 999)
        expect_body(server.request("POST", "/read", body=sent), body)


@pytest.mark.parametrize("way", [(), ("--no-request-buffering",)], ids=["buffered", "streamed"])
@pytest.mark.parametrize("limit", LIMITS)
def test_a_length_above_the_limit_is_refused_before_the_body_comes(served, limit, way):
    with served(*way, limit_request_body=limit) as server, server.connect() as wire:
        wire.send(compose("POST", "/read", {"Content-Length": str(limit + 1)}))
        response = wire.response()
        assert (response.status, response.keeps_open) == (413, False)
        assert wire.has_ended()
        assert server.get("/pid").status == 200
        assert calls(server) == ["/pid"]


@pytest.mark.parametrize("limit", LIMITS)
def test_chunks_above_the_limit_are_refused_when_they_come(served, limit):
    with served(limit_request_body=limit) as server, server.connect() as wire:
        wire.send(compose("POST", "/read", {"Transfer-Encoding": "chunked"}) + chunk(bytes(limit)))
        assert server.get("/pid").status == 200
        assert wire.is_quiet()
        wire.send(chunk(b"x"))
        response = wire.response()
        assert (response.status, response.keeps_open) == (413, False)
        assert wire.has_ended()
        assert calls(server) == ["/pid"]


def test_streamed_chunks_above_the_limit_are_an_error_of_the_read(served):
    with served("--no-request-buffering", limit_request_body=1000) as server, server.connect() as wire:
        wire.send(compose("POST", "/stream", {"Transfer-Encoding": "chunked"}) + chunk(bytes(1000)))
        wait_for((server.folder / "begun").exists, "the application to run")
        wire.send(chunk(b"x"))
        assert wire.response().status == 413
        assert wire.has_ended()
        first, again = lines(server.folder / "outcome.log")
        assert first.endswith(" is an OSError") and again == f"again {first}"


def test_without_a_limit_a_body_may_be_large(served):
    body = content(20 * MEBIBYTE)
    with served() as server:
        expect_body(server.request("POST", "/read", body=body), body)


# Expect.


@pytest.mark.parametrize("way", [(), ("--no-request-buffering",)], ids=["buffered", "streamed"])
@pytest.mark.parametrize("size", [1, MEMORY, 10 * MEMORY])
@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_an_announced_body_comes_after_100_continue(served, spool, size, framing, way):
    body = content(size)
    with served(*way) as server, server.connect() as wire:
        (worker,) = server.workers()
        for _ in range(2):
            fields = {"Expect": "100-continue"}
            if framing == "length":
                fields["Content-Length"] = str(size)
                sent = body
            else:
                fields["Transfer-Encoding"] = "chunked"
                sent = b"".join(map(chunk, pieces(body))) + chunk(b"")
            wire.send(compose("POST", "/read", fields))
            assert wire.response().status == 100
            if size > MEMORY and not way:
                wire.send(sent[: 3 * MEMORY])
                wait_for(lambda: spooled(worker, spool), "a file without a name")
                wire.send(sent[3 * MEMORY :])
            else:
                wire.send(sent)
            response = wire.response()
            expect_body(response, body)
            assert response.keeps_open
        wait_for(lambda: not spooled(worker, spool), "the file to be closed")


@pytest.mark.parametrize("way", [(), ("--no-request-buffering",)], ids=["buffered", "streamed"])
def test_413_comes_in_place_of_100_when_the_length_says_so(served, way):
    with served(*way, limit_request_body=1000) as server, server.connect() as wire:
        wire.send(compose("POST", "/read", {"Content-Length": "1001", "Expect": "100-continue"}))
        response = wire.response()
        assert (response.status, response.keeps_open) == (413, False)
        assert wire.has_ended()
        assert calls(server) == []


def test_announced_chunks_above_the_limit_are_refused_when_they_come(served):
    with served(limit_request_body=1000) as server, server.connect() as wire:
        wire.send(compose("POST", "/read", {"Transfer-Encoding": "chunked", "Expect": "100-continue"}))
        assert wire.response().status == 100
        wire.send(chunk(bytes(600)) + chunk(bytes(600)))
        assert wire.response().status == 413
        assert wire.has_ended()


@pytest.mark.parametrize("way", [(), ("--no-request-buffering",)], ids=["buffered", "streamed"])
def test_an_announced_body_that_nobody_reads_is_not_asked_for(served, way):
    with served(*way) as server, server.connect() as wire:
        wire.send(compose("POST", "/ignore", {"Content-Length": str(MEMORY), "Expect": "100-continue"}))
        response = wire.response()
        assert (response.status, response.text, response.keeps_open) == (200, "ignored", False)
        assert wire.has_ended()


# Cut short.


@pytest.mark.parametrize("size", [100, 10 * MEMORY])
@pytest.mark.parametrize("framing", ["length", "chunked"])
@pytest.mark.parametrize("end", ["close", "half-close", "reset"])
def test_an_upload_that_is_cut_never_reaches_the_application(served, spool, size, framing, end):
    body = content(size)
    sent = compose("POST", "/read", body=body if framing == "length" else [body])
    with served() as server:
        (worker,) = server.workers()
        with server.connect() as wire:
            wire.send(sent[: -size // 2])
            if end == "half-close":
                wire.finish_sending()
                # What is said to such a client does not matter, but it must be the end.
                with contextlib.suppress(Ended, Truncated):
                    assert wire.response().status in (400, 408)
                assert wire.has_ended()
            if end == "reset":
                wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        assert server.get("/pid").status == 200
        wait_for(lambda: not spooled(worker, spool), "the file to be closed")
        assert calls(server) == ["/pid"]
        assert "Traceback" not in server.log


@pytest.mark.parametrize("framing", ["length", "chunked"])
@pytest.mark.parametrize("end", ["close", "half-close"])
def test_a_streamed_upload_that_is_cut_raises_client_disconnected(served, framing, end):
    body = content(5000)
    sent = compose("POST", "/stream", body=body if framing == "length" else [body])
    with served("--no-request-buffering") as server:
        with server.connect() as wire:
            wire.send(sent[:-2500])
            wait_for((server.folder / "begun").exists, "the application to run")
            if end == "half-close":
                wire.finish_sending()
                wire.rest()
        outcome = server.folder / "outcome.log"
        wait_for(lambda: len(lines(outcome)) == 2, "the end of the read")
        name = "indrik.ClientDisconnected is an OSError"
        assert lines(outcome) == [name, f"again {name}"]
        assert server.get("/pid").status == 200


def test_an_announced_upload_that_is_cut_raises_client_disconnected(served):
    with served() as server:
        with server.connect() as wire:
            wire.send(compose("POST", "/stream", {"Content-Length": "5000", "Expect": "100-continue"}))
            assert wire.response().status == 100
            wire.send(bytes(2500))
        outcome = server.folder / "outcome.log"
        wait_for(lambda: len(lines(outcome)) == 2, "the end of the read")
        assert lines(outcome)[0] == "indrik.ClientDisconnected is an OSError"
        assert server.get("/pid").status == 200


# Without buffering.


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_unbuffered_the_application_runs_before_the_body_is_complete(served, framing):
    body = content(10 * MEMORY)
    sent = compose("POST", "/stream", body=body if framing == "length" else pieces(body))
    with served("--no-request-buffering") as server, server.connect() as wire:
        wire.send(sent[:1000])
        wait_for((server.folder / "begun").exists, "the application to run")
        assert wire.is_quiet()
        wire.send(sent[1000:])
        expect_body(wire.response(), body)
        assert wire.get("/pid").status == 200


def test_unbuffered_nothing_is_spooled(served, spool):
    body = content(20 * MEMORY)
    with served("--no-request-buffering") as server, server.connect() as wire:
        (worker,) = server.workers()
        wire.send(compose("POST", "/stream", {"Content-Length": str(len(body))}) + body[: 10 * MEMORY])
        wait_for((server.folder / "begun").exists, "the application to run")
        assert spooled(worker, spool) == []
        wire.send(body[10 * MEMORY :])
        expect_body(wire.response(), body)


@pytest.mark.parametrize("way", [(), ("--no-request-buffering",)], ids=["buffered", "streamed"])
def test_a_small_unread_body_is_passed_over_and_the_connection_kept(served, way):
    with served(*way) as server, server.connect() as wire:
        for body in (content(1000), pieces(content(1000), 100)):
            wire.send(compose("POST", "/ignore", body=body) + compose("GET", "/pid"))
            response = wire.response()
            assert (response.text, response.keeps_open) == ("ignored", True)
            assert wire.response().status == 200
        assert calls(server) == ["/ignore", "/pid"] * 2


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_a_large_unread_body_never_becomes_the_next_request(served, framing):
    # It holds nothing but requests, so that wherever the server took up again it would find one.
    unread = compose("GET", "/smuggled") * 4000
    fields = {"Content-Length": "1000000000"} if framing == "length" else {"Transfer-Encoding": "chunked"}
    with served("--no-request-buffering") as server:
        with server.connect() as wire:
            wire.send(compose("POST", "/ignore", fields))
            if framing == "chunked":
                wire.send(b"3b9aca00\r\n")
            assert wire.response().text == "ignored"
            # It may be sent on for a while, but the connection has no future.
            with contextlib.suppress(ConnectionError):
                for _ in range(100):
                    wire.send(unread)
            assert wire.rest() == b""
        assert server.get("/pid").status == 200
        assert calls(server) == ["/ignore", "/pid"]


def test_a_malformed_chunk_in_a_streamed_body_is_an_error_of_the_read_and_the_end(served):
    with served("--no-request-buffering") as server, server.connect() as wire:
        wire.send(compose("POST", "/stream", {"Transfer-Encoding": "chunked"}) + chunk(b"good"))
        wait_for((server.folder / "begun").exists, "the application to run")
        wire.send(b"nonsense\r\n" + compose("GET", "/smuggled"))
        assert wire.response().status == 400
        assert wire.has_ended()
        assert all(line.endswith(" is an OSError") for line in lines(server.folder / "outcome.log"))
        assert calls(server) == ["/stream"]


def test_unbuffered_with_threads_a_slow_upload_holds_up_nobody(served):
    with served("--no-request-buffering", "--threads", "2") as server, server.connect() as slow:
        slow.send(compose("POST", "/stream", {"Content-Length": "1000"}) + bytes(10))
        wait_for((server.folder / "begun").exists, "the application to run")
        for _ in range(10):
            assert server.get("/pid").status == 200
        slow.send(bytes(990))
        expect_body(slow.response(), bytes(1000))


# No room.


def expect_no_room(server, spool, worker):
    """A body that would have to be spooled is refused, the reason logged, and the worker lives."""
    before = server.log.count("[ERROR]")
    with server.connect() as wire:
        # Enough to find out, and little enough to lie in the sockets' buffers if the server reads no more.
        wire.send(compose("POST", "/read", {"Content-Length": str(10 * MEMORY)}) + bytes(2 * MEMORY))
        response = wire.response()
        assert response.status in (500, 507)
        assert not response.keeps_open
        assert wire.has_ended()
    errors = [line for line in server.log.splitlines() if "[ERROR]" in line]
    assert len(errors) == before + 1
    assert str(spool) in errors[-1]
    assert server.get("/pid").text == str(worker)
    # What needs no file is served as ever.
    expect_body(server.request("POST", "/read", body=content(MEMORY)), content(MEMORY))


def test_a_spool_folder_that_vanishes_is_named_and_the_worker_lives(served, spool):
    with served() as server:
        (worker,) = server.workers()
        shutil.rmtree(spool)
        expect_no_room(server, spool, worker)
        assert set(calls(server)) == {"/read", "/pid"}
        spool.mkdir()
        body = content(10 * MEMORY)
        expect_body(server.request("POST", "/read", body=body), body)


def test_a_full_disk_is_said_and_the_worker_lives(served, spool):
    # No file may grow beyond this size: the nearest thing to a full disk that a test may have. The log stays below it.
    with served() as server:
        (worker,) = server.workers()
        usual = resource.prlimit(worker, resource.RLIMIT_FSIZE, (MEMORY // 2, resource.RLIM_INFINITY))
        expect_no_room(server, spool, worker)
        wait_for(lambda: not spooled(worker, spool), "the file to be closed")
        resource.prlimit(worker, resource.RLIMIT_FSIZE, usual)
        body = content(10 * MEMORY)
        expect_body(server.request("POST", "/read", body=body), body)


def test_without_room_an_announced_body_is_an_oserror_of_the_read(served, spool):
    with served() as server:
        (worker,) = server.workers()
        shutil.rmtree(spool)
        with server.connect() as wire:
            wire.send(compose("POST", "/stream", {"Content-Length": str(10 * MEMORY), "Expect": "100-continue"}))
            response = wire.response()
            if response.status == 100:
                wire.send(bytes(2 * MEMORY))
                response = wire.response()
            assert response.status in (500, 507)
            assert wire.has_ended()
        assert str(spool) in server.log
        assert server.get("/pid").text == str(worker)


# Very large.


@pytest.mark.timeout(240)
def test_an_upload_of_2_gib_does_not_pass_through_memory(served, spool):
    free = shutil.disk_usage(spool).free
    if free < 3 * GIBIBYTE:
        pytest.skip(f"needs 3 GiB in {spool}, there are {free / GIBIBYTE:.1f}")
    with served("--timeout", "120") as server, Wire(server.address, timeout=120) as wire:
        (worker,) = server.workers()
        assert server.get("/pid").status == 200
        before = memory(worker, "VmRSS")
        wire.send(compose("POST", "/count", {"Content-Length": str(2 * GIBIBYTE)}))
        piece = bytes(MEBIBYTE)
        for number in range(2048):
            wire.send(piece)
            if number == 1024:
                assert spooled(worker, spool)
                assert server.get("/pid").text == str(worker)
        assert wire.response().text == str(2 * GIBIBYTE)
        assert memory(worker, "VmHWM") < before + 64 * MEBIBYTE


@pytest.mark.timeout(120)
def test_a_file_of_1_gib_to_a_slow_reader_leaves_the_thread_free(served):
    with served() as server, server.connect(receive_buffer=4096) as slow:
        (worker,) = server.workers()
        with (server.folder / "large.bin").open("wb") as file:
            os.truncate(file.fileno(), GIBIBYTE)
        assert server.get("/pid").status == 200
        before = memory(worker, "VmRSS")
        slow.send(compose("GET", "/file"))
        response = slow.head()
        assert response.header("Content-Length") == str(GIBIBYTE)
        for _ in range(10):
            assert server.get("/pid").text == str(worker)
        assert slow.take(MEBIBYTE) == bytes(MEBIBYTE)
        assert server.get("/pid").text == str(worker)
        assert memory(worker, "VmHWM") < before + 64 * MEBIBYTE


@pytest.mark.timeout(120)
def test_a_file_of_1_gib_comes_whole_and_the_connection_is_kept(served):
    with served() as server, Wire(server.address, timeout=60) as wire:
        with (server.folder / "large.bin").open("wb") as file:
            os.truncate(file.fileno(), GIBIBYTE)
        wire.send(compose("GET", "/file"))
        assert wire.head().header("Content-Length") == str(GIBIBYTE)
        missing = GIBIBYTE
        while missing:
            missing -= len(wire.take(min(missing, 16 * MEBIBYTE)))
        assert wire.get("/pid").status == 200
