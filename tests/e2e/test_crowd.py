"""Any number of slow, silent and rude clients against one worker with one thread: nobody else may notice."""

import re
import resource
from pathlib import Path

import pytest
from crowd import Crowd, Idle, Reader, Stopped, Uploader, allow_descriptors, everyone
from harness import default_program, is_alive, wait_for
from wire import Ended, Truncated, Wire, compose

MEBIBYTE = 1 << 20
# So that what a test sees is never a timeout of the server's, however busy the machine is.
PATIENT = (
    *("--header-timeout", "600", "--body-timeout", "600", "--write-timeout", "600", "--keep-alive", "600"),
    *("--workers", "1", "--threads", "1"),
)


def with_descriptors(limit):
    """The program under such a limit on descriptors: `-Sn 256` or `-n 100`, as the shell's `ulimit` takes it."""
    return ["sh", "-c", f'ulimit {limit} && exec "$@"', "sh", *default_program()]


def soft_limit(pid):
    (line,) = re.findall(r"Max open files +(\d+)", Path(f"/proc/{pid}/limits").read_text())
    return int(line)


def resident(pid):
    """MiB of memory that the process really has."""
    return int(re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())[1]) >> 10


def number_of_sockets(pid):
    links = []
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            links.append(str(entry.readlink()))
        except FileNotFoundError:
            continue  # closed while we were looking
    return sum(link.startswith("socket:") for link in links)


def serve_normally(server, count=200, **options):
    """So many requests, each on a connection of its own."""
    for _ in range(count):
        with Wire(server.address, **options) as wire:
            assert wire.get("/", {"Connection": "close"}).text == "hello"


# The great crowd.


@pytest.mark.timeout(300)
def test_a_crowd_within_the_limit_costs_nobody_a_request(serve):
    options = {"program": with_descriptors("-Sn 256")}
    with serve("crowded", "--worker-connections", "3000", *PATIENT, **options) as server:
        (worker,) = server.workers()
        before = resident(worker)
        with Crowd(server.address) as crowd:
            for kind in everyone():
                crowd.add(kind)
            wait_for(lambda: number_of_sockets(worker) > 2250, "the whole crowd to be accepted")
            with server.connect() as kept:
                for _ in range(50):
                    assert kept.get("/").text == "hello"
                    serve_normally(server, 4)
                assert kept.get("/").keeps_open
            assert resident(worker) < before + 256
            # Nobody was sent away to make that possible.
            assert crowd.outcomes() == {"open": 2250}
            crowd.finish(120)
            assert crowd.outcomes() == {"answered": 2250}
        serve_normally(server, 5)
        assert server.workers() == {worker}
        assert "Traceback" not in server.log and "WORKER TIMEOUT" not in server.log


@pytest.mark.timeout(300)
def test_a_crowd_above_the_limit_gives_way_but_not_those_who_carry_a_request(serve):
    options = {"program": with_descriptors("-Sn 256")}
    with serve("crowded", *PATIENT, **options) as server, Crowd(server.address) as crowd:
        (worker,) = server.workers()
        for kind in everyone():
            # Not all at once: a request that is still on its way to a new connection would be lost with it.
            for start in range(0, len(kind), 100):
                crowd.add(kind[start : start + 100])
        serve_normally(server)
        # 250 carry a request, so at most 750 others have room: all that are idle go before any that is on its way.
        wait_for(lambda: not crowd.outcomes(Idle).get("open"), "the idle ones to be sent away")
        wait_for(lambda: crowd.outcomes(Stopped).get("open", 0) <= 750, "the oldest ones to be sent away")
        assert crowd.outcomes(Idle) == {"closed": 1000}
        assert set(crowd.outcomes(Stopped)) == {"open", "408"}
        assert crowd.outcomes(Stopped)["open"] > 700
        ages = [member.outcome for member in crowd.of(Stopped)]
        # A few may be passed over because their first byte is read just when it would be their turn.
        assert ages[:200].count("408") >= 195 and ages[-650:].count("408") <= 5
        assert crowd.outcomes(Reader) == {"open": 200}
        assert crowd.outcomes(Uploader) == {"open": 50}
        crowd.finish(120)
        assert crowd.outcomes(Reader) == {"answered": 200}
        assert crowd.outcomes(Uploader) == {"answered": 50}
        assert set(crowd.outcomes(Stopped)) == {"answered", "408"}
        assert server.workers() == {worker}


# Room at the limit, seen closely.


def test_the_oldest_idle_connection_makes_room_first(serve):
    with serve("crowded", "--worker-connections", "3", *PATIENT) as server:
        with server.connect() as first, server.connect() as second:
            assert first.get("/").keeps_open
            assert second.get("/").keeps_open
            with server.connect() as begun, server.connect() as third:
                begun.send(b"G")
                assert third.get("/").keeps_open
                assert first.has_ended()
                with server.connect() as fourth:
                    assert fourth.get("/").keeps_open
                    assert second.has_ended()
                    assert third.is_quiet()
                begun.send(compose("GET", "/")[1:])
                assert begun.response().text == "hello"


def test_a_connection_that_was_used_since_is_not_the_oldest(serve):
    with serve("crowded", "--worker-connections", "2", *PATIENT) as server:
        with server.connect() as first, server.connect() as second:
            assert first.get("/").keeps_open
            assert second.get("/").keeps_open
            assert first.get("/").keeps_open
            with server.connect() as third:
                assert third.get("/").keeps_open
                assert second.has_ended()
                assert first.is_quiet()


def test_without_idle_ones_the_oldest_incomplete_head_is_answered_with_408(serve):
    with serve("crowded", "--worker-connections", "2", *PATIENT) as server:
        with server.connect() as first, server.connect() as second:
            first.send(b"GET / HTTP/1.1\r\nHo")
            second.send(b"GET / HTTP/1.1\r\nHo")
            with server.connect() as third:
                assert third.get("/").status == 200
                response = first.response()
                assert (response.status, response.keeps_open) == (408, False)
                assert first.has_ended()
                assert second.is_quiet()
            second.send(b"st: a\r\n\r\n")
            assert second.response().text == "hello"


def test_when_all_carry_a_request_the_next_one_waits_and_nobody_is_cut(serve):
    with serve("gate", "--worker-connections", "2", "--threads", "2") as server:
        with server.connect() as first, server.connect() as second, server.connect() as third:
            for name, wire in (("a", first), ("b", second)):
                wire.send(compose("GET", f"/hold?{name}", {"Connection": "close"}))
                wait_for((server.folder / f"{name}.entered").exists, f"{name} to be in the application")
            third.send(compose("GET", "/pid"))
            assert third.is_quiet()
            (server.folder / "a.open").touch()
            assert first.response().status == 200
            assert third.response().status == 200
            assert second.is_quiet()
            (server.folder / "b.open").touch()
            assert second.response().status == 200


# Descriptors.


def test_the_server_raises_its_own_limit_on_descriptors(serve):
    with serve("crowded", "--worker-connections", "3000", program=with_descriptors("-Sn 256")) as server:
        (worker,) = server.workers()
        assert server.get("/").status == 200
        assert soft_limit(worker) >= 3000 + 1024
        assert "[WARNING]" not in server.log


def test_a_hard_limit_that_is_too_low_is_said_at_start(serve):
    with serve("crowded", "--worker-connections", "3000", program=with_descriptors("-n 300")) as server:
        (worker,) = server.workers()
        assert server.get("/").status == 200
        assert soft_limit(worker) == 300
        warnings = [line for line in server.log.splitlines() if "[WARNING]" in line]
        assert len(warnings) == 1
        assert "worker_connections" in warnings[0] and "300" in warnings[0]


@pytest.mark.timeout(180)
def test_without_descriptors_service_goes_on_and_is_reported_once(serve):
    with serve("crowded", *PATIENT) as server, Crowd(server.address) as crowd:
        serve_normally(server, 1)
        (worker,) = server.workers()
        # Taken away behind its back: a worker that starts with so few takes fewer connections.
        resource.prlimit(worker, resource.RLIMIT_NOFILE, (100, 100))
        crowd.add([Idle() for _ in range(60)])
        # The last ones may wait in the queue of the listener; to themselves they look accepted.
        for _ in range(3):
            crowd.add([Stopped() for _ in range(40)])
        # Those in the queue come first, and accepting pauses whenever descriptors are short.
        serve_normally(server, 20, timeout=40)
        assert set(crowd.outcomes(Idle)) <= {"open", "closed"}
        assert set(crowd.outcomes(Stopped)) <= {"open", "408"}
        lines = [line for line in server.log.splitlines() if "Too many open files" in line or "EMFILE" in line]
        assert 1 <= len(lines) <= 2
        assert server.workers() == {worker}


@pytest.mark.timeout(180)
def test_with_few_descriptors_from_the_start_some_are_left_for_the_application(serve):
    with serve("crowded", *PATIENT, program=with_descriptors("-n 100")) as server, Crowd(server.address) as crowd:
        (worker,) = server.workers()
        for _ in range(10):
            crowd.add([Stopped() for _ in range(40)])
            serve_normally(server, 2)
        assert number_of_sockets(worker) < 70
        assert "Too many open files" not in server.log
        assert server.workers() == {worker}


# Clients that do not close, and clients that do not read.


def test_malformed_requests_of_clients_that_stay_do_not_delay_the_next_one(serve):
    with serve("crowded", *PATIENT) as server:
        rude = [server.connect() for _ in range(5)]
        try:
            for wire in rude:
                wire.send(b"nonsense\r\n\r\n")
            # If each took its lingering close of 2 s on the thread, this would take longer than its client waits.
            for _ in range(10):
                with Wire(server.address, timeout=6) as wire:
                    assert wire.get("/").text == "hello"
            for wire in rude:
                assert wire.response().status == 400
                assert wire.has_ended()
            serve_normally(server, 5)
        finally:
            for wire in rude:
                wire.close()


def test_a_slow_reader_of_a_generator_frees_the_thread_while_its_answer_has_room(serve):
    size = 5 * MEBIBYTE
    with serve("crowded", *PATIENT) as server, server.connect(receive_buffer=4096) as slow:
        slow.send(compose("GET", f"/noted_generator?{size}"))
        head = slow.head()
        assert head.status == 200
        serve_normally(server, 5)
        assert (server.folder / "ended.log").read_text() == "generator\n"
        assert slow.take(size) == b"".join(b"%015d\n" % line for line in range(size // 16))
        assert slow.get("/").text == "hello"


@pytest.mark.parametrize("spool", [0, MEBIBYTE])
def test_a_slow_reader_beyond_that_room_holds_the_thread_until_write_timeout_at_most(serve, spool):
    room = f"response_high_water = 65536\nresponse_spool = {spool}\n"
    arguments = ("--write-timeout", "2", "--timeout", "1")
    with serve("crowded", *arguments, settings=room) as server:
        pids = server.workers()
        with server.connect(receive_buffer=4096) as slow:
            slow.send(compose("GET", f"/noted_generator?{64 * MEBIBYTE}"))
            assert slow.head().status == 200
            serve_normally(server, 3)
            assert (server.folder / "ended.log").read_text() == "generator\n"
            with pytest.raises((Truncated, Ended)):
                slow.take(64 * MEBIBYTE)
        # Waiting for a client is not application time.
        assert server.workers() == pids
        assert "WORKER TIMEOUT" not in server.log


def test_a_reader_that_takes_its_time_beyond_that_room_gets_everything(serve):
    size = 5 * MEBIBYTE
    room = "response_high_water = 65536\nresponse_spool = 200000\n"
    with serve("crowded", *PATIENT, settings=room) as server, server.connect(receive_buffer=4096) as slow:
        slow.send(compose("GET", f"/generator?{size}"))
        slow.head()
        pieces = []
        for _ in range(10):
            pieces.append(slow.take(100_000))
        pieces.append(slow.take(size - 1_000_000))
        assert b"".join(pieces) == b"".join(b"%015d\n" % line for line in range(size // 16))


def test_clients_that_leave_in_the_middle_leave_nothing_behind(serve):
    allow_descriptors()
    with serve("crowded", *PATIENT) as server:
        (worker,) = server.workers()
        assert server.get("/").status == 200
        before = number_of_sockets(worker)
        with Crowd(server.address) as crowd:
            for kind in everyone(stopped=50, idle=50, readers=20, uploaders=20):
                crowd.add(kind)
            serve_normally(server, 5)
        wait_for(lambda: number_of_sockets(worker) <= before, "all connections to be closed")
        assert is_alive(worker)
        serve_normally(server, 5)
