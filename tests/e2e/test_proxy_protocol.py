"""The PROXY protocol, versions 1 and 2: whom the application sees behind a balancer that speaks it, and who may."""

import contextlib
import ipaddress
import re
import struct

import pytest
from harness import wait_for
from wire import Ended, compose

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
CLIENT, BALANCER = ("203.0.113.7", 41000), ("192.0.2.1", 443)
CLIENT_6, BALANCER_6 = ("2001:db8::7", 41000), ("2001:db8::1", 443)

LOCAL, PROXY = 0x20, 0x21
UNSPEC, TCP4, UDP4, TCP6, UNIX = 0x00, 0x11, 0x12, 0x21, 0x31


def version_1(source=CLIENT, destination=BALANCER, protocol="TCP4"):
    return f"PROXY {protocol} {source[0]} {destination[0]} {source[1]} {destination[1]}\r\n".encode()


def version_2(source=CLIENT, destination=BALANCER, command=PROXY, family=TCP4, more=b""):
    """`more`: what stands behind the addresses, which is to be skipped."""
    addresses = b""
    if source is not None:
        addresses = b"".join(ipaddress.ip_address(host).packed for host, _ in (source, destination))
        addresses += struct.pack("!HH", source[1], destination[1])
    return SIGNATURE + bytes([command, family]) + struct.pack("!H", len(addresses + more)) + addresses + more


TLV = b"\x04\x00\x03abc" + b"\x02\x00\x0bexample.org"

# By name: the header, then what the application is to see of it.
GOOD = {
    "v1 TCP4": ("v1", version_1(), "TCP4", CLIENT, BALANCER),
    "v1 TCP6": ("v1", version_1(CLIENT_6, BALANCER_6, "TCP6"), "TCP6", CLIENT_6, BALANCER_6),
    "v1 lowest and highest port": (
        "v1",
        version_1(("203.0.113.7", 0), ("192.0.2.1", 65535)),
        "TCP4",
        ("203.0.113.7", 0),
        ("192.0.2.1", 65535),
    ),
    "v2 TCP4": ("v2", version_2(), "TCP4", CLIENT, BALANCER),
    "v2 TCP6": ("v2", version_2(CLIENT_6, BALANCER_6, family=TCP6), "TCP6", CLIENT_6, BALANCER_6),
    "v2 with TLVs": ("v2", version_2(more=TLV), "TCP4", CLIENT, BALANCER),
}

# Those that name no client: health checks of the balancer itself, and what has no internet addresses.
NOBODY = {
    "v1 UNKNOWN": ("v1", b"PROXY UNKNOWN\r\n"),
    "v1 UNKNOWN with a rest": ("v1", b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n"),
    "v2 LOCAL": ("v2", version_2(None, None, LOCAL, UNSPEC)),
    "v2 LOCAL with addresses": ("v2", version_2(command=LOCAL)),
    "v2 UNSPEC": ("v2", version_2(None, None, PROXY, UNSPEC)),
    "v2 unix": ("v2", version_2(None, None, PROXY, UNIX, bytes(216))),
}

MALFORMED = {
    "v1 UDP4": ("v1", version_1(protocol="UDP4")),
    "v1 lower case": ("v1", b"PROXY tcp4 203.0.113.7 192.0.2.1 41000 443\r\n"),
    "v1 no address": ("v1", b"PROXY TCP4 203.0.113.999 192.0.2.1 41000 443\r\n"),
    "v1 address of the other family": ("v1", b"PROXY TCP4 2001:db8::7 192.0.2.1 41000 443\r\n"),
    "v1 port too high": ("v1", b"PROXY TCP4 203.0.113.7 192.0.2.1 65536 443\r\n"),
    "v1 signed port": ("v1", b"PROXY TCP4 203.0.113.7 192.0.2.1 +41000 443\r\n"),
    "v1 port with zeros in front": ("v1", b"PROXY TCP4 203.0.113.7 192.0.2.1 041000 443\r\n"),
    "v1 too few words": ("v1", b"PROXY TCP4 203.0.113.7 192.0.2.1 41000\r\n"),
    "v1 too many words": ("v1", b"PROXY TCP4 203.0.113.7 192.0.2.1 41000 443 1\r\n"),
    "v1 two blanks": ("v1", b"PROXY TCP4  203.0.113.7 192.0.2.1 41000 443\r\n"),
    "v1 bare LF": ("v1", b"PROXY TCP4 203.0.113.7 192.0.2.1 41000 443\n"),
    "v1 too long": ("v1", b"PROXY UNKNOWN " + b"x" * 100 + b"\r\n"),
    "v2 version 1": ("v2", version_2(command=0x11)),
    "v2 unknown command": ("v2", version_2(command=0x22)),
    "v2 unknown family": ("v2", version_2(family=0x41)),
    "v2 datagrams": ("v2", version_2(family=UDP4)),
    "v2 too short for its family": ("v2", SIGNATURE + bytes([PROXY, TCP4]) + b"\0\4" + bytes(4)),
}


def seen(response):
    assert response.status == 200, response.body
    return response.json()["environ"]


def expect_client(environ, protocol, client, balancer):
    assert (environ["REMOTE_ADDR"], environ["REMOTE_PORT"]) == (client[0], str(client[1]))
    assert environ["PROXY_PROTOCOL"] == protocol
    assert (environ["PROXY_ADDR"], environ["PROXY_PORT"]) == (balancer[0], str(balancer[1]))


def expect_peer(environ, wire):
    """The socket's own peer, and nothing that looks like a balancer's word."""
    assert (environ["REMOTE_ADDR"], environ["REMOTE_PORT"]) == ("127.0.0.1", str(wire.port))
    assert environ.get("PROXY_PROTOCOL") in (None, "UNKNOWN", "LOCAL", "UNSPEC", "UNIX")
    assert "PROXY_ADDR" not in environ and "PROXY_PORT" not in environ


def warnings(server):
    return [line for line in server.log.splitlines() if "[WARNING]" in line]


# Who the client is.


@pytest.mark.parametrize("threads", ["1", "2"])
@pytest.mark.parametrize("mode", ["its own", "auto"])
@pytest.mark.parametrize("case", GOOD)
def test_all_requests_of_a_connection_have_the_client_that_the_header_names(shared, case, mode, threads):
    version, header, protocol, client, balancer = GOOD[case]
    server = shared("echo", "--proxy-protocol", version if mode == "its own" else "auto", "--threads", threads)
    with server.connect() as wire:
        wire.send(header)
        for _ in range(3):
            expect_client(seen(wire.get("/")), protocol, client, balancer)
        wire.send(compose("GET", "/") * 3)
        for _ in range(3):
            expect_client(seen(wire.response()), protocol, client, balancer)
    with server.connect() as wire:
        expect_peer(seen(wire.get("/")), wire)


@pytest.mark.parametrize("case", NOBODY)
def test_a_header_that_names_nobody_keeps_the_peer(shared, case):
    version, header = NOBODY[case]
    with shared("echo", "--proxy-protocol", version).connect() as wire:
        wire.send(header + compose("GET", "/"))
        expect_peer(seen(wire.response()), wire)
        expect_peer(seen(wire.get("/")), wire)


@pytest.mark.parametrize("case", [*GOOD, *NOBODY])
def test_a_header_may_come_byte_by_byte(shared, case):
    version, header, *client = (GOOD | NOBODY)[case]
    with shared("echo", "--proxy-protocol", version).connect() as wire:
        for byte in header + compose("GET", "/"):
            wire.send(bytes([byte]))
        environ = seen(wire.response())
        if client:
            expect_client(environ, *client)
        else:
            expect_peer(environ, wire)


@pytest.mark.parametrize("case", GOOD)
def test_a_header_may_come_in_one_packet_with_several_requests(shared, case):
    version, header, *client = GOOD[case]
    with shared("echo", "--proxy-protocol", version).connect() as wire:
        wire.send(header + compose("POST", "/", body=b"first") + compose("GET", "/second"))
        first = wire.response().json()
        assert first["body"] == "first"
        expect_client(first["environ"], *client)
        second = seen(wire.response())
        assert second["PATH_INFO"] == "/second"
        expect_client(second, *client)


@pytest.mark.parametrize("mode", ["v1", "v2", "auto"])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "PROPFIND", "OPTIONS"])
def test_without_a_header_it_is_plain_http(shared, mode, method):
    with shared("echo", "--proxy-protocol", mode).connect() as wire:
        # The first byte alone must not be waited with: it may be a header's.
        request = compose(method, "/")
        wire.send(request[:1])
        wire.send(request[1:])
        expect_peer(seen(wire.response()), wire)


def test_the_flag_without_a_value_takes_both_versions(serve):
    with serve("echo", "--proxy-protocol", "--threads", "1") as server:
        for header in (version_1(), version_2()):
            with server.connect() as wire:
                wire.send(header + compose("GET", "/"))
                expect_client(seen(wire.response()), "TCP4", CLIENT, BALANCER)


@pytest.mark.parametrize(("value", "taken"), [("True", True), ("False", False), ("'v1'", True), ("'off'", False)])
def test_the_settings_file_may_say_it_with_a_truth(serve, value, taken):
    with serve("echo", settings=f"proxy_protocol = {value}\n") as server, server.connect() as wire:
        wire.send(version_1() + compose("GET", "/"))
        assert wire.response().status == (200 if taken else 400)


def test_the_access_log_shows_the_client(serve):
    log = ("--access-logfile", "access.log", "--access-logformat", "%(h)s %(U)s")
    with serve("hello", "--proxy-protocol", "auto", *log) as server:
        with server.connect() as wire:
            wire.send(version_1() + compose("GET", "/first"))
            assert wire.response().status == 200
            assert wire.get("/second").status == 200
        with server.connect() as wire:
            wire.send(version_2(CLIENT_6, BALANCER_6, family=TCP6) + compose("GET", "/third"))
            assert wire.response().status == 200
        assert server.get("/fourth").status == 200
        path = server.folder / "access.log"
        lines = wait_for(lambda: path.exists() and path.read_text().count("\n") == 4 and path.read_text(), "the lines")
    assert lines.splitlines() == [
        "203.0.113.7 /first",
        "203.0.113.7 /second",
        "2001:db8::7 /third",
        "127.0.0.1 /fourth",
    ]


# Refusals.


@pytest.mark.parametrize("mode", ["its own", "auto"])
@pytest.mark.parametrize("case", MALFORMED)
def test_a_malformed_header_is_refused_with_400_and_one_warning(shared, case, mode):
    version, header = MALFORMED[case]
    server = shared("echo", "--proxy-protocol", version if mode == "its own" else "auto")
    with server.connect() as wire:
        wire.send(header + compose("GET", "/"))
        response = wire.response()
        assert (response.status, response.keeps_open) == (400, False)
        assert wire.has_ended()
    assert server.get("/pid").status == 200
    assert "Traceback" not in server.log


@pytest.mark.parametrize("case", ["v1 no address", "v2 unknown command"])
def test_a_malformed_header_is_logged_once_as_a_warning(serve, case):
    version, header = MALFORMED[case]
    with serve("echo", "--proxy-protocol", version) as server:
        with server.connect() as wire:
            wire.send(header)
            assert wire.response().status == 400
        server.wait_log("Invalid request from ip=127.0.0.1: ")
        (line,) = warnings(server)
        assert re.search("PROXY", line)
        assert "[ERROR]" not in server.log


def test_a_malformed_header_is_refused_though_it_comes_byte_by_byte(shared):
    with shared("echo", "--proxy-protocol", "auto").connect() as wire:
        with contextlib.suppress(ConnectionError):
            for byte in MALFORMED["v1 port too high"][1]:
                wire.send(bytes([byte]))
        assert wire.response().status == 400
        assert wire.has_ended()


@pytest.mark.parametrize("header", [version_1(), version_2()], ids=["v1", "v2"])
def test_switched_off_a_header_is_a_malformed_request(shared, header):
    with shared("echo").connect() as wire:
        wire.send(header + compose("GET", "/"))
        assert wire.response().status == 400
        assert wire.has_ended()


@pytest.mark.parametrize(("mode", "header"), [("v2", version_1()), ("v1", version_2())], ids=["v1", "v2"])
def test_a_header_of_the_other_version_is_a_malformed_request(shared, mode, header):
    with shared("echo", "--proxy-protocol", mode).connect() as wire:
        wire.send(header + compose("GET", "/"))
        assert wire.response().status == 400
        assert wire.has_ended()


@pytest.mark.parametrize("header", [version_1(), version_2()], ids=["v1", "v2"])
@pytest.mark.parametrize("place", ["at once", "later"])
def test_a_second_header_is_a_malformed_request(shared, header, place):
    with shared("echo", "--proxy-protocol", "auto").connect() as wire:
        wire.send(version_1())
        if place == "later":
            expect_client(seen(wire.get("/")), "TCP4", CLIENT, BALANCER)
        wire.send(header + compose("GET", "/"))
        assert wire.response().status == 400
        assert wire.has_ended()


def test_a_header_that_stops_half_way_has_the_time_of_a_head(serve):
    with serve("echo", "--proxy-protocol", "auto", "--header-timeout", "1") as server:
        with server.connect() as wire:
            wire.send(version_1()[:20])
            with contextlib.suppress(Ended):
                assert wire.response().status == 408
            assert wire.has_ended()
        with server.connect() as wire:
            wire.send(version_1() + b"GET")
            assert wire.response().status == 408
            assert wire.has_ended()


# Who may send one.


@pytest.mark.parametrize("allowed", ["127.0.0.1", "127.0.0.0/8", "*", "10.0.0.0/8,127.0.0.1"])
def test_a_peer_that_is_allowed_may_send_one(shared, allowed):
    with shared("echo", "--proxy-protocol", "auto", "--proxy-allow-from", allowed).connect() as wire:
        wire.send(version_1() + compose("GET", "/"))
        expect_client(seen(wire.response()), "TCP4", CLIENT, BALANCER)


@pytest.mark.parametrize("header", [version_1(), version_2(), b"PROXY UNKNOWN\r\n"], ids=["v1", "v2", "UNKNOWN"])
@pytest.mark.parametrize("allowed", ["10.0.0.0/8", ""])
def test_a_peer_that_is_not_allowed_is_answered_with_403(shared, header, allowed):
    server = shared("echo", "--proxy-protocol", "auto", "--proxy-allow-from", allowed)
    with server.connect() as wire:
        wire.send(header + compose("GET", "/"))
        response = wire.response()
        assert (response.status, response.reason, response.keeps_open) == (403, "Forbidden", False)
        assert wire.has_ended()
    # Plain HTTP is open to it.
    assert server.get("/pid").status == 200


@pytest.mark.parametrize("header", [version_1(), version_2()], ids=["v1", "v2"])
def test_a_unix_peer_may_always_send_one(serve, short_folder, header):
    path = str(short_folder / "s.sock")
    arguments = ("--proxy-protocol", "auto", "--proxy-allow-from", "10.0.0.0/8")
    with serve("echo", *arguments, bind=f"unix:{path}", address=path) as server:
        with server.connect() as wire:
            wire.send(header)
            for _ in range(2):
                expect_client(seen(wire.get("/")), "TCP4", CLIENT, BALANCER)
        with server.connect() as wire:
            wire.send(b"PROXY UNKNOWN\r\n" + compose("GET", "/"))
            assert seen(wire.response())["REMOTE_ADDR"] == ""
