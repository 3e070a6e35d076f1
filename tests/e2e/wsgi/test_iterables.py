"""What applications return, and write(): the bytes on the wire, who is called how often, and what is said when it goes
wrong, in every mode."""

import json

import pytest
from contract import ACCESS_LOG, Mark, access_lines, fresh_tag, notes, wait_notes
from harness import wait_for
from wire import Truncated, compose

WORDS = b"one two three"
SORTS_OF_MANY = [
    "list",
    "tuple",
    "generator",
    "iterator",
    "map",
    "chain",
    "keys",
    "deque",
    "file",
    "callable",
    "sequence",
    "iterable",
    "list_subclass",
    "tuple_subclass",
    "growing",
    "lies_0",
    "lies_1",
    "lies_7",
    "lies_negative",
    "lies_huge",
    "lies_text",
    "len_raises",
    "bytes_subclass_items",
    "empty_between",
]
# Of a plain list or tuple the server may add up the lengths before it sends anything.
PLAIN_SORTS = ["list", "tuple", "bytes_subclass_items", "empty_between"]
SORTS_OF_ONE = ["list_of_one", "tuple_of_one", "bytes_subclass"]
SORTS_OF_NOTHING = ["nothing_list", "nothing_tuple", "nothing_generator", "nothing_but_empty", "nothing_lies"]

# Each with what the log must say of it.
EXCEPTIONS = {
    "ValueError": "ValueError: of the application",
    "KeyError": "KeyError: 'of the application'",
    "OSError": "OSError: [Errno 5] of the application",
    "BrokenPipeError": "BrokenPipeError: of the application",
    "MemoryError": "MemoryError",
    "RecursionError": "RecursionError: of the application",
    "SystemExit": "SystemExit: 3",
    "SystemExit_nothing": "SystemExit",
    "KeyboardInterrupt": "KeyboardInterrupt",
    "GeneratorExit": "GeneratorExit",
    "CancelledError": "CancelledError",
    "OwnBaseException": "OwnBaseException: of the application",
    "surrogate": "ValueError: lone ",
    "Unspeakable": "Unspeakable",
}

# What the interpreter or the server itself raises to end something; these are tried in every place.
ENDING = ["ValueError", "SystemExit", "KeyboardInterrupt", "GeneratorExit"]


def places(*names):
    """Every exception in the first of these places, and those that mean an end in the others."""
    first, *others = names
    return [(first, error) for error in EXCEPTIONS] + [(name, error) for name in others for error in ENDING]


@pytest.fixture
def server(served):
    return served("iterables", settings=ACCESS_LOG)


@pytest.fixture
def mark(server):
    return Mark(server)


def expect_same_worker(server, pids):
    assert {int(server.get("/pid").text)} == pids


# Every sort of iterable.


@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/1.0"])
@pytest.mark.parametrize("sort", [*SORTS_OF_MANY, *SORTS_OF_ONE])
def test_any_iterable_of_bytestrings_is_a_body(server, sort, version):
    """PEP 3333, Specification Details: the application returns an iterable yielding zero or more bytestrings. Handling
    the Content-Length Header: chunks only for clients that know them."""
    with server.connect() as wire:
        for _ in range(2 if version == "HTTP/1.1" else 1):
            response = wire.get(f"/sort/{sort}", version=version)
            assert (response.status, response.body) == (200, WORDS)
            if sort in SORTS_OF_ONE:
                assert response.header("Content-Length") == str(len(WORDS))
            elif sort in PLAIN_SORTS and response.framing == "length":
                assert response.header("Content-Length") == str(len(WORDS))
            else:
                assert response.framing == ("chunked" if version == "HTTP/1.1" else "close")


@pytest.mark.parametrize("sort", SORTS_OF_NOTHING)
def test_an_iterable_may_be_empty(server, sort):
    """PEP 3333, Specification Details: zero or more bytestrings. The start_response() Callable: the headers go out when
    the iterable is exhausted."""
    with server.connect() as wire:
        for _ in range(2):
            response = wire.get(f"/sort/{sort}")
            assert (response.status, response.framing, response.body) == (200, "length", b"")


def test_a_chunk_is_sent_for_each_bytestring(server):
    """PEP 3333, Handling the Content-Length Header: a chunk for each bytestring that the iterable yields."""
    with server.connect() as wire:
        assert wire.get("/sort/generator").chunks == [b"one ", b"two ", b"three"]
        assert wire.get("/write_then_items").chunks == [b"one ", b"two ", b"three"]


def test_bytes_are_sent_as_they_are(server):
    """PEP 3333, Specification Details: bytestrings are binary; line endings are not altered."""
    assert server.get("/all_bytes").body == bytes(range(256)) + b"\n\r\r\n\n\0\r\n"


def test_no_other_attribute_of_the_iterable_is_used(server):
    """PEP 3333, Specification Details: servers must not directly use other attributes of the iterable."""
    server.get("/attributes")
    assert server.get("/spied").body == WORDS
    used = wait_for(lambda: server.get("/attributes").json(), "the iterable to be used")
    assert set(used) <= {"close", "__iter__", "__len__"}


@pytest.mark.parametrize("kind", ["str", "bytearray", "memoryview", "int", "none", "list"])
def test_anything_but_bytes_is_an_error(server, mark, kind):
    """PEP 3333, Unicode Issues: values that the application yields must be of type bytes."""
    pids = server.workers(1)
    for path in ("wrong_only", "wrong_first"):
        tag = fresh_tag()
        with server.connect() as wire:
            assert wire.get(f"/{path}/{kind}?{tag}").status == 500
            assert wire.has_ended()
        if path == "wrong_first":
            assert wait_notes(server, "closed.log", tag) == ["closed"]
    mark.wait("TypeError", count=2)
    tag = fresh_tag()
    with server.connect() as wire:
        with pytest.raises(Truncated) as cut:
            wire.get(f"/wrong_second/{kind}?{tag}")
        assert (cut.value.response.status, cut.value.response.body) == (200, b"first")
    mark.wait("TypeError", count=3)
    assert access_lines(server, tag) == ["200 5"]
    assert notes(server, "closed.log", tag) == ["closed"] and len(mark.reports()) == 3
    expect_same_worker(server, pids)


@pytest.mark.parametrize("kind", ["str", "bytearray", "memoryview", "bytes", "int", "none", "type"])
def test_what_is_no_iterable_of_bytestrings_is_an_error(server, mark, kind):
    """PEP 3333, Specification Details: the application must always return an iterable yielding bytestrings."""
    pids = server.workers(1)
    assert server.get(f"/wrong_object/{kind}").status == 500
    mark.wait("TypeError")
    assert len(mark.reports()) == 1
    expect_same_worker(server, pids)


# Blocks are sent when they are made.


@pytest.mark.parametrize(
    ("version", "headers"),
    [("HTTP/1.1", {}), ("HTTP/1.1", {"X-Length": "24"}), ("HTTP/1.0", {})],
    ids=["chunked", "length", "until close"],
)
@pytest.mark.parametrize("way", ["item", "write"])
def test_no_block_is_held_back(server, way, version, headers):
    """PEP 3333, Buffering and Streaming: servers must not delay the transmission of any block. Specification Details:
    each is transmitted before the next is asked for. The write() Callable: the same holds before write() returns."""
    tag = fresh_tag()
    with server.connect() as wire:
        wire.send(compose("GET", f"/ticked/{way}?{tag}", headers, version=version))
        head = wire.head()
        is_chunked = head.header("Transfer-Encoding") == "chunked"
        assert is_chunked == (version == "HTTP/1.1" and not headers)
        for number in range(3):
            if number:
                assert wire.is_quiet()
                (server.folder / f"{tag}{number}").touch()
            event = f"event {number}\n".encode()
            assert (wire.chunk() if is_chunked else wire.take(len(event))) == event


# write().


@pytest.mark.parametrize(
    "name",
    [
        "write_then_items",
        "write_then_list_of_one",
        "write_empty_then_list_of_one",
        "write_only",
        "write_between_items",
        "write_then_file",
    ],
)
def test_what_is_written_comes_before_what_is_returned(server, name):
    """PEP 3333, The write() Callable: bytestrings that the iterable yields are transmitted after all that were passed
    to write(), and are treated normally."""
    with server.connect() as wire:
        for _ in range(2):
            response = wire.get(f"/{name}")
            assert (response.status, response.body) == (200, WORDS)
            assert response.keeps_open


# Content-Length.


@pytest.mark.parametrize(
    ("name", "pulled"), [("beyond_length", ["one ", "two three"]), ("exactly_the_length", ["one ", "two"])]
)
def test_no_more_is_sent_or_asked_for_than_content_length_says(server, name, pulled):
    """PEP 3333, Handling the Content-Length Header: the server should not transmit more than it says, and should stop
    iterating when enough has been sent."""
    tag = fresh_tag()
    with server.connect() as wire:
        response = wire.get(f"/{name}?{tag}")
        assert (response.header("Content-Length"), response.body) == ("7", b"one two")
        assert wait_notes(server, "closed.log", tag) == ["closed"]
        if response.keeps_open:
            assert wire.get("/pid").status == 200
        else:
            assert wire.has_ended()
    assert access_lines(server, tag) == ["200 7"]
    # One more may be asked for to see whether there is one.
    assert notes(server, "pulled.log", tag)[: len(pulled)] == pulled
    assert len(notes(server, "pulled.log", tag)) <= len(pulled) + 1


def test_writing_beyond_content_length_raises(server, mark):
    """PEP 3333, Handling the Content-Length Header: raise an error if the application tries to write() past it."""
    tag = fresh_tag()
    with server.connect() as wire:
        assert wire.get(f"/write_beyond_length?{tag}").body == b"one two"
    assert access_lines(server, tag) == ["200 7"]
    assert len(notes(server, "closed.log", tag)) == 1, "write() has raised nothing"


@pytest.mark.parametrize("name", ["short_of_length", "short_writes"])
def test_less_than_content_length_says_closes_the_connection_and_is_logged(server, mark, name):
    """PEP 3333, Handling the Content-Length Header: the server should close the connection and log the error."""
    tag = fresh_tag()
    with server.connect() as wire:
        with pytest.raises(Truncated) as cut:
            wire.get(f"/{name}?{tag}")
        assert cut.value.response.body == b"one two"
        assert wire.has_ended()
    assert access_lines(server, tag) == ["200 7"]
    (report,) = mark.reports()
    assert "93 bytes shorter than its Content-Length" in report


# close().


@pytest.mark.parametrize(
    ("method", "said", "status"),
    [
        ("POST", {}, 200),
        ("POST", {"items": []}, 200),
        ("POST", {"items": ["", ""]}, 200),
        ("POST", {"items": ["one"]}, 200),
        ("HEAD", {}, 200),
        ("HEAD", {"headers": [["Content-Length", "7"]]}, 200),
        ("POST", {"status": "204 No Content", "items": []}, 204),
        ("POST", {"status": "304 Not Modified"}, 304),
        ("POST", {"headers": [["Content-Length", "7"]]}, 200),
        ("POST", {"headers": [["Content-Length", "3"]]}, 200),
        ("POST", {"headers": [["Content-Length", "0"]]}, 200),
        ("POST", {"status": None}, 500),
    ],
)
def test_close_is_called_once_however_the_answer_is_framed(server, method, said, status):
    """PEP 3333, Specification Details: close() must be called upon completion of the request."""
    tag = fresh_tag()
    response = server.request(method, f"/counted?{tag}", (), json.dumps(said).encode())
    assert response.status == status
    wait_notes(server, "closed.log", tag)
    server.get("/pid")
    assert notes(server, "closed.log", tag) == ["closed"]


@pytest.mark.parametrize("name", ["not_iterable", "raises_in_iter/ValueError"])
def test_close_is_called_once_when_the_iteration_cannot_begin(server, mark, name):
    """PEP 3333, Specification Details: close() must be called also if the request ended early by an error."""
    tag = fresh_tag()
    assert server.get(f"/{name}?{tag}").status == 500
    assert [line.split()[0] for line in access_lines(server, tag)] == ["500"]
    assert notes(server, "closed.log", tag) == ["closed"] and len(mark.reports()) == 1


def test_close_of_a_file_is_called_once(server):
    """PEP 3333, Optional Platform-Specific File Handling: the wrapper's close() invokes that of the file."""
    tag = fresh_tag()
    assert server.get(f"/file_with_close?{tag}").body == b"one two"
    assert set(wait_notes(server, "closed.log", tag)) == {"closed"}


@pytest.mark.parametrize("name", ["endless", "generator_with_finally", "endless_writes"])
def test_close_is_called_once_when_the_client_has_gone(server, mark, name):
    """PEP 3333, Specification Details: close() must be called also after an early disconnect of the browser."""
    pids = server.workers(1)
    tag = fresh_tag()
    with server.connect() as wire:
        wire.send(compose("GET", f"/{name}?{tag}"))
        wire.take(100_000)
    wait_notes(server, "closed.log", tag)
    assert [line.split()[0] for line in access_lines(server, tag)] == ["200"]
    assert len(notes(server, "closed.log", tag)) == 1
    assert mark.reports() == []
    expect_same_worker(server, pids)


@pytest.mark.parametrize(("name", "error"), places("raises_in_close", "raises_in_close_of_none"))
def test_an_exception_in_close_spoils_nothing(server, mark, name, error):
    """PEP 3333, Error Handling: servers should trap and log any exception of an application. The answer is out."""
    pids = server.workers(1)
    tag = fresh_tag()
    with server.connect() as wire:
        response = wire.get(f"/{name}/{error}?{tag}")
        assert (response.status, response.body) == (200, b"one two" if name == "raises_in_close" else b"")
        assert wire.get("/pid").status == 200
    mark.wait(EXCEPTIONS[error])
    assert access_lines(server, tag) == [f"200 {len(response.body)}"]
    assert notes(server, "closed.log", tag) == ["closed"] and len(mark.reports()) == 1
    expect_same_worker(server, pids)


# Exceptions.


@pytest.mark.parametrize(
    ("name", "error"),
    [
        *places("raises_in_call", "raises_after_start", "raises_after_empty"),
        *places("raises_at_first"),
        # An iterator that raises it has come to its end; an application that does has failed.
        ("raises_in_call", "StopIteration"),
        ("raises_after_start", "StopIteration"),
    ],
)
def test_an_exception_before_the_first_bytes_is_a_500(server, mark, name, error):
    """PEP 3333, Error Handling: servers should trap and log any exception that aborts an application or the iteration
    of its return value."""
    pids = server.workers(1)
    tag = fresh_tag()
    with server.connect() as wire:
        response = wire.get(f"/{name}/{error}?{tag}")
        assert (response.status, response.reason) == (500, "Internal Server Error")
        assert wire.has_ended()
    mark.wait(EXCEPTIONS.get(error, "StopIteration: of the application"))
    assert [line.split()[0] for line in access_lines(server, tag)] == ["500"]
    (report,) = mark.reports()
    assert f"Error handling request GET /{name}/{error}" in report and "Traceback" in report
    is_iterated = name in ("raises_at_first", "raises_after_empty")
    assert notes(server, "closed.log", tag) == (["closed"] if is_iterated else [])
    expect_same_worker(server, pids)


@pytest.mark.parametrize(("name", "error"), places("raises_midway", "raises_midway_of_length", "raises_after_write"))
def test_an_exception_midway_cuts_the_answer(server, mark, name, error):
    """PEP 3333, Error Handling: the exception aborts the response. The client can see that something is missing; there
    is one report, and one access line with the bytes that were sent."""
    pids = server.workers(1)
    tag = fresh_tag()
    with server.connect() as wire:
        with pytest.raises(Truncated) as cut:
            wire.get(f"/{name}/{error}?{tag}")
        assert (cut.value.response.status, cut.value.response.body) == (200, b"first second")
        assert wire.has_ended()
    mark.wait(EXCEPTIONS[error])
    assert access_lines(server, tag) == ["200 12"]
    assert len(mark.reports()) == 1
    assert notes(server, "closed.log", tag) == ([] if name == "raises_after_write" else ["closed"])
    expect_same_worker(server, pids)


def test_the_bytes_of_an_error_page_are_counted(server):
    """Gunicorn setting `access_log_format`, atom `B`: the length of the answer's body, also if the server made it."""
    tag = fresh_tag()
    response = server.get(f"/raises_in_call/ValueError?{tag}")
    assert access_lines(server, tag) == [f"500 {len(response.body)}"]


# Files.


def test_a_file_wrapper_that_is_not_returned_sends_nothing(server):
    """PEP 3333, Optional Platform-Specific File Handling: the wrapper must not transmit anything until the server gets
    it as the application's return value."""
    assert server.get("/wrapper_is_only_made").body == b"something else"


def test_a_file_wrapper_is_an_iterable_that_can_be_closed(server):
    """PEP 3333, Optional Platform-Specific File Handling: the callable takes a file and optionally a block size, and
    must return an iterable, whose close() invokes the file's."""
    assert server.get("/wrapper_is_an_iterable").json() == {
        "items": ["one", "two"],
        "sized": ["one", "two"],
        "closed": 2,
        "sizes": [2],
        "has_sizes": True,
    }


def test_a_file_wrapper_needs_nothing_but_read(server):
    """PEP 3333, Optional Platform-Specific File Handling: a file-like object must have read(), and may have close()."""
    for _ in range(3):
        assert server.get("/wrapper_of_a_reader").body == WORDS
