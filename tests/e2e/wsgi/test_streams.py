"""wsgi.input and wsgi.errors, Expect, and inbound chunks, in every mode."""

import re

import pytest
from contract import Mark, fresh_tag
from harness import wait_for
from wire import compose

BODY = b"abcdef\ngh\nijklmnopqrstuvwxyz\nthe\nlast lines\n\nhave\nno end"
THREADS, LINES = 8, 200


@pytest.fixture
def server(served):
    return served("streams")


@pytest.fixture
def mark(server):
    return Mark(server)


def errors(mark):
    """What the lines of level ERROR say."""
    return [line.partition("[ERROR] ")[2] for line in mark.text.split("\n") if "[ERROR] " in line]


def framed(body, framing):
    return body if framing == "length" else [body[:1], body[1:20], body[20:]]


# wsgi.input.


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_every_method_reads_as_that_of_a_file(server, framing):
    """PEP 3333, Input and Error Streams: read, readline, readlines and iteration, with the semantics of the Python
    Library Reference; servers should support the size of readline. Unicode Issues: values read are of type bytes."""
    with server.connect() as wire:
        seen = wire.request("POST", "/ways", (), framed(BODY, framing)).json()
        assert wire.get("/pid").status == 200
    assert {kind for kind, _ in seen} == {"bytes"}
    texts = [text for _, text in seen]
    assert texts[:6] == ["", "abc", "de", "f\n", "gh\n", "ijklmnopqrstuvwxyz\n"]
    # Short reads give what is there, which is anything but nothing.
    assert 1 <= len(texts[6]) <= 4 and 1 <= len(texts[7]) <= 5
    assert "".join(texts) == BODY.decode()


@pytest.mark.parametrize("framing", ["length", "chunked"])
@pytest.mark.parametrize(
    "how", ["read", "read_all", "read_more", "readline", "readline_more", "readlines", "iteration", "read1"]
)
def test_behind_the_end_is_nothing_whatever_the_client_has_sent_since(server, how, framing):
    """PEP 3333, Input and Error Streams: servers should allow read() without an argument, simulate an end of file
    behind Content-Length, and return empty bytestrings from an exhausted stream."""
    request = compose("POST", f"/end?{how}", (), framed(BODY, framing))
    with server.connect() as wire:
        wire.send(request * 3)
        for _ in range(3):
            assert wire.response().json() == [BODY.decode(), [["bytes", ""]]]


@pytest.mark.parametrize("how", ["read", "read_more", "readline", "readlines", "iteration", "read1"])
@pytest.mark.parametrize(("method", "body"), [("GET", None), ("POST", b""), ("PUT", [])])
def test_an_empty_stream_gives_nothing(server, how, method, body):
    """PEP 3333, Input and Error Streams: empty bytestrings from any attempt to read from an empty stream."""
    with server.connect() as wire:
        wire.send(compose(method, f"/end?{how}", (), body) + compose("GET", "/pid"))
        assert wire.response().json() == ["", [["bytes", ""]]]
        assert wire.response().status == 200


def test_the_stream_says_what_it_is_and_may_be_closed(server):
    """PEP 3333, Input and Error Streams: applications must not close the streams. Those that do harm nobody."""
    with server.connect() as wire:
        for _ in range(2):
            assert wire.request("POST", "/nature", (), BODY).json() == {
                "readable": True,
                "seekable": False,
                "writable": False,
                "closed": [None, None],
                "body": BODY.decode(),
            }


def test_the_stream_can_be_wrapped_by_the_standard_library(server):
    """PEP 3333, environ Variables: wsgi.input is a file-like object."""
    text = "eins\nzw\u00f6lf\r\n\u65e5\u672c\nend"
    assert server.request("POST", "/buffered", (), text.encode()).json() == text.splitlines(keepends=True)


def test_wrong_arguments_are_refused_and_take_nothing(server):
    """PEP 3333, Input and Error Streams: the semantics of the Python Library Reference."""
    assert server.request("POST", "/wrong", (), BODY).json() == [[], BODY.decode()]


# What the server does itself.


def test_inbound_chunks_are_taken_apart(server):
    """PEP 3333, Other HTTP Features: servers must handle inbound hop-by-hop headers, such as Transfer-Encoding."""
    wire_bytes = compose("POST", "/end?read", {"Transfer-Encoding": "chunked"})
    with server.connect() as wire:
        wire.send(
            wire_bytes + b"3;ext=1\r\none\r\nA\r\n two three\r\n0\r\nX-Trailer: 1\r\n\r\n" + compose("GET", "/pid")
        )
        assert wire.response().json() == ["one two three", [["bytes", ""]]]
        assert wire.response().status == 200


def test_a_body_that_waits_is_asked_for_when_it_is_read(server):
    """PEP 3333, HTTP 1.1 Expect/Continue: transparent support, here by a stream that sends 100 at the first read."""
    with server.connect() as wire:
        wire.send(compose("POST", "/end?readline", {"Expect": "100-continue", "Content-Length": str(len(BODY))}))
        interim = wire.head()
        assert (interim.status, interim.headers) == (100, [])
        wire.send(BODY)
        assert wire.response().json() == [BODY.decode(), [["bytes", ""]]]
        assert wire.get("/pid").status == 200


def test_a_body_that_waits_is_not_asked_for_when_nobody_reads_it(server):
    """PEP 3333, HTTP 1.1 Expect/Continue: 100 is sent if and when the application first attempts to read."""
    with server.connect() as wire:
        wire.send(compose("POST", "/nothing", {"Expect": "100-continue", "Content-Length": str(len(BODY))}))
        assert wire.response().status == 200


def test_an_old_client_is_never_told_to_continue(server):
    """PEP 3333, HTTP 1.1 Expect/Continue: these restrictions do not apply for HTTP 1.0 requests."""
    with server.connect() as wire:
        head = {"Expect": "100-continue", "Content-Length": str(len(BODY))}
        wire.send(compose("POST", "/end?read", head, version="HTTP/1.0") + BODY)
        response = wire.response()
        assert (response.status, response.json()) == (200, [BODY.decode(), [["bytes", ""]]])


# wsgi.errors.


@pytest.mark.parametrize("way", ["write", "writelines", "generator", "pieces", "at once", "print"])
def test_every_line_that_is_written_is_a_line_of_the_error_log(server, mark, way):
    """PEP 3333, Input and Error Streams: write, writelines and flush must be supported. environ Variables: wsgi.errors
    is a text stream; applications use a line feed as line ending."""
    tag = fresh_tag()
    lines = [f"{tag}{number} with some text" for number in range(5)]
    seen = server.request("POST", f"/say?{way.replace(' ', '%20')}", (), "\n".join([*lines, ""]).encode())
    assert seen.status == 200 and seen.json()[1] is None
    mark.wait(lines[-1])
    logged = [line for line in mark.text.splitlines() if tag in line]
    assert [line.partition("[ERROR] ")[2] for line in logged] == lines
    assert all(re.match(r"\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4}\] \[\d+\] \[ERROR\] ", line) for line in logged)


def test_write_tells_how_many_characters_it_took(server):
    """PEP 3333, Input and Error Streams: the semantics of the Python Library Reference."""
    assert server.request("POST", "/say?write", (), "caf\u00e9 \U0001f600\n\u65e5\n".encode()).json() == [[7, 2], None]


def test_an_unfinished_line_is_logged_at_flush(server, mark):
    """PEP 3333, Input and Error Streams: who needs the output to be written calls flush()."""
    tag = fresh_tag()
    server.get(f"/say_unfinished_and_flush?{tag}")
    assert f"[ERROR] {tag}" in mark.wait(tag)


def test_an_unfinished_line_does_not_outlast_its_request(server, mark):
    """PEP 3333, Input and Error Streams: output may be buffered. Not for longer than the request, or the last words of
    an application would be lost, or begin the line of another."""
    tag, other = fresh_tag(), fresh_tag()
    server.get(f"/say_unfinished?{tag}")
    server.get(f"/say_unfinished_and_flush?{other}")
    mark.wait(other)
    assert errors(mark) == [tag, other]


def test_any_text_can_be_logged(server, mark):
    """PEP 3333, environ Variables: the error stream should accept and log arbitrary unicode without raising."""
    assert server.get("/say_anything").status == 200
    (line,) = [line for line in mark.wait(" end").split("\n") if "begin" in line]
    assert "\u00e9 \u65e5 \U0001f600" in line


def test_anything_but_text_is_refused(server):
    """PEP 3333, Input and Error Streams: write(str)."""
    assert server.get("/say_wrong").json() == []


@pytest.mark.parametrize("way", ["write", "writelines", "print", "pieces"])
def test_lines_of_many_threads_stay_whole(server, mark, way):
    """PEP 3333, environ Variables: wsgi.errors takes error output; it is one stream for all threads of a worker."""
    assert server.get(f"/say_on_threads?{way}").status == 200
    want = {f"thread {thread} line {number} {'x' * 50} end" for thread in range(THREADS) for number in range(LINES)}

    def logged():
        found = errors(mark)
        return found if sum(len(line) for line in found) >= sum(map(len, want)) else None

    found = wait_for(logged, "all that was written")
    assert sorted(found) == sorted(want)
    for thread in range(THREADS):
        numbers = [int(line.split()[3]) for line in found if line.startswith(f"thread {thread} ")]
        assert numbers == list(range(LINES))
