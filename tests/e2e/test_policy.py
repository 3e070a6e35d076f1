"""What counts as a request, switch by switch; and what a flood of bad ones does to the log."""

import re

import pytest
from wire import compose

HOST = "Host: a\r\n"


def ask(server, head):
    """Sends these bytes as a whole request; the answer, behind which the connection must be in step or closed."""
    with server.connect() as wire:
        wire.send(head.encode("latin-1"))
        response = wire.response()
        if response.keeps_open:
            assert wire.get("/pid").status == 200
        else:
            assert wire.has_ended()
        return response


# The switch, a request that needs it, and what the application sees then.
SWITCHES = {
    "folded field": (
        "permit_obsolete_folding",
        f"GET / HTTP/1.1\r\n{HOST}X: a\r\n b\r\n\r\n",
        {"HTTP_X": "a b"},
    ),
    "field folded twice, with tabs": (
        "permit_obsolete_folding",
        f"GET / HTTP/1.1\r\n{HOST}X: a\r\n\t b\r\n  c\r\nY: d\r\n\r\n",
        {"HTTP_X": "a b c", "HTTP_Y": "d"},
    ),
    "blank before the colon": (
        "strip_header_spaces",
        f"GET / HTTP/1.1\r\n{HOST}X : a\r\n\r\n",
        {"HTTP_X": "a"},
    ),
    "tab before the colon": (
        "strip_header_spaces",
        f"GET / HTTP/1.1\r\n{HOST}X\t: a\r\n\r\n",
        {"HTTP_X": "a"},
    ),
    "lower-case method": (
        "permit_unconventional_http_method",
        f"get / HTTP/1.1\r\n{HOST}\r\n",
        {"REQUEST_METHOD": "get"},
    ),
    "method with a hash": (
        "permit_unconventional_http_method",
        f"GET#1 / HTTP/1.1\r\n{HOST}\r\n",
        {"REQUEST_METHOD": "GET#1"},
    ),
    "short method": (
        "permit_unconventional_http_method",
        f"GO / HTTP/1.1\r\n{HOST}\r\n",
        {"REQUEST_METHOD": "GO"},
    ),
    "long method": (
        "permit_unconventional_http_method",
        f"{'A' * 21} / HTTP/1.1\r\n{HOST}\r\n",
        {"REQUEST_METHOD": "A" * 21},
    ),
    "version 2": ("permit_unconventional_http_version", f"GET / HTTP/2.0\r\n{HOST}\r\n", {"PATH_INFO": "/"}),
    "version 3.7": ("permit_unconventional_http_version", f"GET / HTTP/3.7\r\n{HOST}\r\n", {"PATH_INFO": "/"}),
    "version 0.9": ("permit_unconventional_http_version", f"GET / HTTP/0.9\r\n{HOST}\r\n", {"PATH_INFO": "/"}),
}


@pytest.mark.parametrize("case", SWITCHES)
@pytest.mark.parametrize("value", ["unset", "False"])
def test_switched_off_it_is_refused(shared, case, value):
    switch, head, _ = SWITCHES[case]
    server = shared("echo", settings="" if value == "unset" else f"{switch} = False\n")
    assert ask(server, head).status == 400


@pytest.mark.parametrize("case", SWITCHES)
@pytest.mark.parametrize("way", ["settings file", "command line"])
def test_switched_on_it_is_taken(shared, case, way):
    switch, head, seen = SWITCHES[case]
    if way == "settings file":
        server = shared("echo", settings=f"{switch} = True\n")
    else:
        server = shared("echo", f"--{switch.replace('_', '-')}")
    response = ask(server, head)
    assert response.status == 200, response.body
    environ = response.json()["environ"]
    assert {name: environ[name] for name in seen} == seen


ALL = "".join(f"{switch} = True\n" for switch in sorted({switch for switch, _, _ in SWITCHES.values()}))

# What no switch lets in.
NEVER = {
    "method that is no token": f"G(T / HTTP/1.1\r\n{HOST}\r\n",
    "empty method": f" / HTTP/1.1\r\n{HOST}\r\n",
    "protocol in lower case": f"GET / http/1.1\r\n{HOST}\r\n",
    "version of two digits": f"GET / HTTP/1.10\r\n{HOST}\r\n",
    "no version": "GET /\r\n\r\n",
    "first field folded": "GET / HTTP/1.1\r\n Host: a\r\n\r\n",
    "blank in a name": f"GET / HTTP/1.1\r\n{HOST}X Y: a\r\n\r\n",
    "empty name": f"GET / HTTP/1.1\r\n{HOST}: a\r\n\r\n",
    "bare LF in a folded field": f"GET / HTTP/1.1\r\n{HOST}X: a\n b\r\n\r\n",
    "two lengths, one with a blank": f"POST / HTTP/1.1\r\n{HOST}Content-Length: 1\r\nContent-Length : 2\r\n\r\nxx",
    "both framings, one with a blank": (
        f"POST / HTTP/1.1\r\n{HOST}Content-Length: 5\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n"
    ),
    "folded length": f"POST / HTTP/1.1\r\n{HOST}Content-Length: 1\r\n 2\r\n\r\nxxxxxxxxxxxx",
    "length in a folded line beside chunked": (
        f"POST / HTTP/1.1\r\n{HOST}Transfer-Encoding: chunked\r\nContent-Length:\r\n 5\r\n\r\n0\r\n\r\n"
    ),
    "chunked before 1.1": f"POST / HTTP/1.0\r\n{HOST}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "no Host": "GET / HTTP/1.1\r\n\r\n",
    "two Hosts, one with a blank": f"GET / HTTP/1.1\r\n{HOST}Host : b\r\n\r\n",
}


@pytest.mark.parametrize("case", NEVER)
def test_with_all_switches_on_what_could_smuggle_is_refused(shared, case):
    server = shared("echo", settings=ALL)
    assert ask(server, NEVER[case]).status == 400
    assert server.get("/").status == 200


def test_folding_does_not_get_around_the_size_of_a_field(shared):
    server = shared("echo", "--limit-request-field_size", "200", settings="permit_obsolete_folding = True\n")
    folded = "X: " + "a" * 90 + "\r\n " + "b" * 90 + "\r\n"
    assert ask(server, f"GET / HTTP/1.1\r\n{HOST}{folded}\r\n").status == 200
    longer = folded + " " + "c" * 90 + "\r\n"
    assert ask(server, f"GET / HTTP/1.1\r\n{HOST}{longer}\r\n").status == 431


# casefold_http_method.

BOTH = "casefold_http_method = True\npermit_unconventional_http_method = True\n"


@pytest.mark.parametrize("method", ["get", "Get", "post"])
def test_a_method_is_made_upper_case_if_both_switches_are_on(shared, method):
    environ = ask(shared("echo", settings=BOTH), f"{method} / HTTP/1.1\r\n{HOST}\r\n").json()["environ"]
    assert environ["REQUEST_METHOD"] == method.upper()


def test_casefolding_alone_lets_no_lower_case_in(shared):
    server = shared("echo", settings="casefold_http_method = True\n")
    assert ask(server, f"get / HTTP/1.1\r\n{HOST}\r\n").status == 400
    assert ask(server, f"GET / HTTP/1.1\r\n{HOST}\r\n").status == 200


def test_head_in_lower_case_is_head_once_it_is_casefolded(shared):
    with shared("echo", settings=BOTH).connect() as wire:
        wire.send(f"head / HTTP/1.1\r\n{HOST}\r\n".encode())
        assert wire.head().status == 200
        # No body came, or this would not be in step.
        assert wire.get("/pid").status == 200


def test_head_in_lower_case_is_another_method_if_it_is_not_casefolded(shared):
    response = ask(
        shared("echo", settings="permit_unconventional_http_method = True\n"), f"head / HTTP/1.1\r\n{HOST}\r\n"
    )
    assert response.json()["environ"]["REQUEST_METHOD"] == "head"


# Limits, each at its last byte.


def request_of_line(length):
    """A request whose first line has that many bytes, CRLF not among them."""
    return f"GET /{'a' * (length - len('GET / HTTP/1.1'))} HTTP/1.1\r\n{HOST}\r\n"


@pytest.mark.parametrize(
    ("setting", "most"), [(None, 4094), ("100", 100), ("8191", 8191), ("0", 65536), ("65536", 65536), ("999999", 65536)]
)
def test_the_longest_request_line(shared, setting, most):
    server = shared("echo", *(("--limit-request-line", setting) if setting else ()))
    assert ask(server, request_of_line(most)).status == 200
    response = ask(server, request_of_line(most + 1))
    assert (response.status, response.reason) == (414, "URI Too Long")


@pytest.mark.parametrize(("setting", "most"), [(None, 100), ("3", 3), ("1000", 1000)])
def test_the_most_fields(shared, setting, most):
    server = shared("echo", *(("--limit-request-fields", setting) if setting else ()))
    fields = "".join(f"X-{number}: 1\r\n" for number in range(most - 1))
    assert ask(server, f"GET / HTTP/1.1\r\n{HOST}{fields}\r\n").status == 200
    assert ask(server, f"GET / HTTP/1.1\r\n{HOST}{fields}Y: 1\r\n\r\n").status == 431


def test_dropped_fields_count_too(shared):
    server = shared("echo", "--limit-request-fields", "3")
    assert ask(server, f"GET / HTTP/1.1\r\n{HOST}A_A: 1\r\nB_B: 1\r\n\r\n").status == 200
    assert ask(server, f"GET / HTTP/1.1\r\n{HOST}A_A: 1\r\nB_B: 1\r\nC_C: 1\r\n\r\n").status == 431


@pytest.mark.parametrize(("setting", "most"), [(None, 8190), ("200", 200), ("0", 8190)])
def test_the_longest_field(shared, setting, most):
    server = shared("echo", *(("--limit-request-field_size", setting) if setting else ()))
    # Name, colon, value and CRLF count.
    value = "a" * (most - len("X: \r\n"))
    assert ask(server, f"GET / HTTP/1.1\r\n{HOST}X: {value}\r\n\r\n").status == 200
    assert ask(server, f"GET / HTTP/1.1\r\n{HOST}X: {value}a\r\n\r\n").status == 431


def test_a_head_that_never_ends_is_refused_at_its_limit(shared):
    server = shared("echo", "--limit-request-fields", "3", "--limit-request-field_size", "200")
    with server.connect() as wire:
        wire.send(f"GET / HTTP/1.1\r\n{HOST}X: {'a' * 5000}".encode())
        assert wire.response().status == 431
        assert wire.has_ended()


# Other protocols.

GREETINGS = {
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9),
}


@pytest.mark.parametrize("switches", ["", ALL], ids=["strict", "all switches"])
@pytest.mark.parametrize("protocol", GREETINGS)
@pytest.mark.parametrize("pace", ["whole", "byte by byte"])
def test_another_protocol_is_closed_without_an_answer_and_named_in_the_log(serve, protocol, pace, switches):
    with serve("hello", settings=switches) as server:
        with server.connect() as wire:
            greeting = GREETINGS[protocol]
            if pace == "whole":
                wire.send(greeting)
            else:
                try:
                    for byte in greeting:
                        wire.send(bytes([byte]))
                except ConnectionError:
                    pass  # it has been recognised by its first bytes
            assert wire.rest() == b""
        server.wait_log("[WARNING]")
        (line,) = [line for line in server.log.splitlines() if "[WARNING]" in line and "ip=127.0.0.1" in line]
        assert protocol in line
        assert server.get("/").status == 200


# Floods.

BAD = {
    "method": b"get / HTTP/1.1\r\nHost: a\r\n\r\n",
    "host": b"GET / HTTP/1.1\r\n\r\n",
    "length": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
}


def reported(log):
    """How many bad requests a log tells of: those with a line of their own, and those that a summary counts."""
    own = re.findall(r"Invalid request from ip=", log)
    summed = re.findall(r"\b(\d+) more\b", log)
    return len(own) + sum(map(int, summed))


@pytest.mark.parametrize("kinds", [["method"], ["method", "host", "length"]], ids=["one kind", "three kinds"])
def test_a_flood_of_bad_requests_is_summed_up_in_the_log_and_counted_exactly(serve, kinds):
    with serve("hello", "--threads", "1") as server:
        for number in range(500):
            with server.connect() as wire:
                wire.send(BAD[kinds[number % len(kinds)]])
                assert wire.response().status == 400
        server.stop()
    lines = [line for line in server.log.splitlines() if "[WARNING]" in line]
    assert len(lines) <= 20 * len(kinds)
    assert reported(server.log) == 500


def test_a_flood_does_not_hide_a_bad_request_of_another_kind(serve):
    with serve("hello") as server:
        for _ in range(100):
            with server.connect() as wire:
                wire.send(BAD["method"])
                assert wire.response().status == 400
        with server.connect() as wire:
            wire.send(BAD["host"])
            assert wire.response().status == 400
        server.wait_log("Missing HTTP Header: 'Host'")


def test_a_flood_of_other_protocols_is_summed_up_too(serve):
    with serve("hello") as server:
        for _ in range(100):
            with server.connect() as wire:
                wire.send(GREETINGS["TLS"])
                assert wire.rest() == b""
        server.stop()
    assert len([line for line in server.log.splitlines() if "[WARNING]" in line]) <= 20
    assert reported(server.log) == 100


def test_what_is_refused_says_why_to_its_client(shared):
    with shared("echo").connect() as wire:
        wire.send(compose("GET", "/", {"X<script>": "1"}))
        response = wire.response()
        assert response.status == 400
        assert response.header("Content-Type") == "text/html"
        assert "<script>" not in response.text
