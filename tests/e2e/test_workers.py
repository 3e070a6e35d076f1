"""Workers over their lifetime: recycled, hung, crashed, threaded; and what is said about each."""

import contextlib
import time

import pytest
from harness import wait_for
from load import Load
from wire import Ended, Truncated, compose


def order(server):
    try:
        return (server.folder / "order.log").read_text().splitlines()
    except FileNotFoundError:
        return []


def send_all(server, names):
    wires = [server.connect() for _ in names]
    for wire, name in zip(wires, names, strict=True):
        wire.send(compose("GET", f"/hold?{name}", {"Connection": "close"}))
    return wires


def test_max_requests_recycles_without_a_failed_request(serve):
    with serve("hello", "--workers", "2", "--threads", "2", "--max-requests", "100") as server:
        first = server.booted(2)
        with Load(server.address) as load:
            load.wait_more(600)
            wait_for(lambda: len(load.answers) > 4, f"more than four workers (saw {len(load.answers)})")
        assert load.failures == []
        assert server.workers(2) != first
        assert server.log_has("Autorestarting worker after current request.")
        # It is an ordinary end: nothing to report as a fault.
        assert "[ERROR]" not in server.log and "[WARNING]" not in server.log


def test_a_hung_worker_is_killed_and_the_others_go_on(serve):
    with serve("gate", "--workers", "2", "--timeout", "1") as server:
        old = server.booted(2)
        with server.connect() as hung:
            hung.send(compose("GET", "/hold?a"))
            # Only then: a connection that the same worker has accepted before is lost with it.
            wait_for((server.folder / "a.entered").exists, "the request to be in the application")
            with Load(server.address, kept=0, fresh=2) as load:
                server.wait_log("[CRITICAL] WORKER TIMEOUT (pid:")
                # A worker that can still speak may say so; one that cannot is just gone.
                with contextlib.suppress(Ended, Truncated):
                    assert hung.response().status in (500, 504)
                wait_for(lambda: len(server.children() - old) == 1, "a replacement")
                load.wait_more(20)
            assert load.failures == []
        new = server.workers(2)
        (killed,) = old - new
        assert server.log_has(f"WORKER TIMEOUT (pid:{killed})")
        assert server.log.count("WORKER TIMEOUT") == 1
        assert not server.log_has("Perhaps out of memory?")


def test_an_idle_worker_is_not_taken_for_a_hung_one(serve):
    with serve("slow", "--timeout", "1") as server, server.connect() as silent:
        pids = server.booted(1)
        # The one place where time itself is the fact: three timeouts in which nobody asks for anything.
        time.sleep(3)
        assert server.children() == pids
        assert not server.log_has("WORKER TIMEOUT")
        silent.send(compose("GET", "/pid"))
        assert int(silent.response().text) in pids


def test_timeout_0_never_kills(serve):
    with serve("slow", "--timeout", "0") as server:
        pids = server.booted(1)
        assert server.get("/?1.5").status == 200
        assert server.children() == pids


def test_long_requests_on_threads_are_not_killed(serve):
    with serve("slow", "--timeout", "1", "--threads", "2") as server:
        pids = server.booted(1)
        assert server.get("/?2.5").status == 200
        assert server.children() == pids
        assert not server.log_has("WORKER TIMEOUT")


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("/signal/9", "[ERROR] Worker (pid:{pid}) was sent SIGKILL! "),
        ("/signal/11", "[ERROR] Worker (pid:{pid}) was sent SIGSEGV! It has crashed. Requests lost: GET /signal/11 ("),
        ("/exit/7", "[ERROR] Worker (pid:{pid}) exited with code 7. Requests lost: GET /exit/7 ("),
    ],
)
def test_a_crashed_worker_is_replaced_and_its_end_is_told(serve, path, line):
    with serve("dying") as server:
        (old,) = server.booted(1)
        with server.connect() as wire, pytest.raises(Ended):
            wire.get(path)
        server.wait_log(line.format(pid=old))
        server.booted(1, without={old})


def test_an_exit_with_a_boot_code_after_the_first_boot_does_not_stop_the_server(serve):
    with serve("dying", "--workers", "2") as server:
        old = server.booted(2)
        for code in (3, 4):
            with server.connect() as wire, pytest.raises(Ended):
                wire.get(f"/exit/{code}")
        server.wait_log("exited with code 4.")
        server.booted(2)
        assert len(server.children() & old) <= 1
        assert not server.log_has("Shutting down")


def test_four_threads_run_four_requests_at_once(serve):
    with serve("gate", "--threads", "4") as server:
        names = ["a", "b", "c", "d"]
        wires = send_all(server, names)
        for name in names:
            wait_for((server.folder / f"{name}.entered").exists, f"request {name} to run beside the others")
        # In the order of their opening, not of their arrival.
        for name, wire in reversed(list(zip(names, wires, strict=True))):
            (server.folder / f"{name}.open").touch()
            assert wire.response().status == 200
            wire.close()


def test_a_fifth_request_waits_for_one_of_four_threads(serve):
    with serve("gate", "--threads", "4") as server:
        names = ["a", "b", "c", "d", "e"]
        wires = send_all(server, names)
        wait_for(lambda: len(order(server)) == 4, "four requests to run")
        for name in names:
            (server.folder / f"{name}.open").touch()
        for wire in wires:
            assert wire.response().status == 200
            wire.close()
        lines = order(server)
        assert [line.split()[0] for line in lines[:4]] == ["enter"] * 4
        fifth = next(place for place, line in enumerate(lines) if place >= 4 and line.startswith("enter"))
        assert any(line.startswith("leave") for line in lines[:fifth])


def test_one_thread_runs_one_request_at_a_time(serve):
    with serve("gate") as server:
        names = ["a", "b", "c"]
        wires = send_all(server, names)
        for name in names:
            (server.folder / f"{name}.open").touch()
        for wire in wires:
            assert wire.response().status == 200
            wire.close()
        lines = order(server)
        assert len(lines) == 6
        for enter, leave in zip(lines[::2], lines[1::2], strict=True):
            assert enter.split()[0] == "enter" and leave == enter.replace("enter", "leave")


def test_a_held_request_does_not_hold_up_the_other_worker(serve):
    with serve("gate", "--workers", "2") as server:
        server.booted(2)
        (held,) = send_all(server, ["a"])
        wait_for((server.folder / "a.entered").exists, "the request to be in the application")
        for _ in range(20):
            assert server.get("/pid").status == 200
        (server.folder / "a.open").touch()
        assert held.response().status == 200
        held.close()


def test_one_thread_is_the_main_thread(serve):
    with serve("threads") as server:
        first, second = server.get("/").json(), server.get("/").json()
    assert first["is_main"] and second["is_main"]
    assert second["count"] == first["count"] + 1


def test_several_threads_are_few_and_live_long(serve):
    with serve("threads", "--threads", "3") as server:
        seen = [server.get("/").json() for _ in range(30)]
    assert not any(answer["is_main"] for answer in seen)
    assert len({answer["ident"] for answer in seen}) <= 3
    # What a thread-local holds is still there in the next request of that thread.
    by_thread: dict[int, list[int]] = {}
    for answer in seen:
        by_thread.setdefault(answer["ident"], []).append(answer["count"])
    for counts in by_thread.values():
        assert counts == list(range(1, len(counts) + 1))


def test_two_workers_run_two_requests_at_once(serve):
    with serve("gate", "--workers", "2") as server:
        server.booted(2)
        wires = []
        for name in ("a", "b"):
            wires += send_all(server, [name])
            wait_for((server.folder / f"{name}.entered").exists, f"request {name} to be in the application")
        for name in ("a", "b"):
            (server.folder / f"{name}.open").touch()
        assert {int(wire.response().text) for wire in wires} == server.children()
        for wire in wires:
            wire.close()
