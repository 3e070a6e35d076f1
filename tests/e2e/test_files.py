"""wsgi.file_wrapper: the right bytes of every kind of file, whether the server sends it or reads it in blocks."""

import os

import pytest
from harness import wait_for
from wire import Truncated

CONTENT = bytes(range(256)) * 120
SIZE = len(CONTENT)
BACKWARDS = b"".join(CONTENT[start : start + 1000][::-1] for start in range(0, SIZE, 1000))
UPDATED = CONTENT[:100] + b"fresh" + CONTENT[105:]


@pytest.fixture(scope="module")
def files(module_stage):
    with module_stage.serve("sendable") as server:
        (server.folder / "sent.bin").write_bytes(CONTENT)
        yield server


def closings(server, path):
    """Where the file stood at each close() of that path."""
    closed = server.folder / "closed.log"
    lines = closed.read_text().splitlines() if closed.exists() else []
    return [line.split()[1] for line in lines if line.split()[0] == path]


# By the server itself: the length is known, and the file stays where the application left it.


@pytest.mark.parametrize(
    ("path", "want", "position"),
    [
        ("/whole", CONTENT, 0),
        ("/read_before", CONTENT[1000:], 1000),
        ("/sought", CONTENT[5000:], 5000),
        ("/unbuffered", CONTENT[100:], 100),
        ("/updated", UPDATED[50:], 50),
        ("/appended", b"and new and newer", 4),
        ("/named_temporary", CONTENT[100:], 100),
        ("/temporary", CONTENT[100:], 100),
        ("/django_file", CONTENT[100:], 100),
        ("/django_temporary", CONTENT[100:], 100),
    ],
)
def test_a_plain_file_is_sent_from_where_it_stands(files, path, want, position):
    before = len(closings(files, path))
    with files.connect() as wire:
        for _ in range(2):
            response = wire.get(path)
            assert response.framing == "length"
            assert response.body == want
        assert wire.get("/pid").status == 200
    wait_for(lambda: len(closings(files, path)) == before + 2, "close() of both files")
    assert closings(files, path)[before:] == [str(position)] * 2


def test_a_file_goes_to_an_old_client_too(files):
    with files.connect() as wire:
        response = wire.request("GET", "/sought", version="HTTP/1.0")
    assert (response.header("Content-Length"), response.body) == (str(SIZE - 5000), CONTENT[5000:])


def test_head_tells_the_length_of_a_file(files):
    with files.connect() as wire:
        assert wire.request("HEAD", "/sought").header("Content-Length") == str(SIZE - 5000)
        assert wire.request("HEAD", "/sought?7").header("Content-Length") == "7"
        assert wire.get("/sought").body == CONTENT[5000:]


@pytest.mark.parametrize(("path", "status"), [("/no_content", 204), ("/not_modified", 304)])
def test_an_answer_without_a_body_sends_nothing_of_a_file(files, path, status):
    with files.connect() as wire:
        response = wire.get(path)
        assert (response.status, response.header("Content-Length")) == (status, None)
        assert wire.get("/sought").body == CONTENT[5000:]
    wait_for(lambda: closings(files, path), "close() of the file")


@pytest.mark.parametrize("length", [0, 1, 5000, SIZE - 5000])
def test_no_more_of_a_file_is_sent_than_content_length_says(files, length):
    before = files.log.count("[ERROR]")
    with files.connect() as wire:
        for _ in range(2):
            response = wire.get(f"/sought?{length}")
            assert (response.framing, response.body) == ("length", CONTENT[5000:][:length])
    assert files.log.count("[ERROR]") == before


def test_a_file_shorter_than_content_length_closes_the_connection(serve):
    with serve("sendable") as server:
        (server.folder / "sent.bin").write_bytes(CONTENT)
        with server.connect() as wire:
            with pytest.raises(Truncated) as cut:
                wire.get(f"/sought?{SIZE}")
            assert cut.value.response.body == CONTENT[5000:]
        log = server.wait_log("The response body is 5000 bytes shorter than its Content-Length")
        assert "[ERROR]" in log and "Traceback" not in log
        assert server.get("/pid").status == 200
        assert closings(server, "/sought") == ["5000"]


def test_a_file_that_is_cut_while_it_is_sent_closes_the_connection(serve):
    size = 64 * 1024 * 1024
    with serve("sendable") as server:
        path = server.folder / "sent.bin"
        path.touch()
        os.truncate(path, size)
        with server.connect(receive_buffer=4096) as wire:
            wire.send(b"GET /whole HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert wire.head().header("Content-Length") == str(size)
            wire.take(1000)
            os.truncate(path, 0)
            assert len(wire.rest()) < size - 1000
        assert server.get("/pid").status == 200
        wait_for(lambda: closings(server, "/whole"), "close() of the file")
        assert "Traceback" not in server.log


def test_a_client_that_leaves_in_the_middle_of_a_file_harms_nobody(serve):
    with serve("sendable") as server:
        path = server.folder / "sent.bin"
        path.touch()
        os.truncate(path, 64 * 1024 * 1024)
        with server.connect(receive_buffer=4096) as wire:
            wire.send(b"GET /whole HTTP/1.1\r\nHost: localhost\r\n\r\n")
            wire.take(1000)
        assert server.get("/pid").status == 200
        wait_for(lambda: closings(server, "/whole"), "close() of the file")
        assert "[ERROR]" not in server.log


@pytest.mark.parametrize("way", ["setting", "variable"])
def test_files_are_read_where_sending_them_is_switched_off(serve, way):
    options = {"env": {"SENDFILE": "no"}} if way == "variable" else {"settings": "sendfile = False\n"}
    with serve("sendable", **options) as server:
        (server.folder / "sent.bin").write_bytes(CONTENT)
        assert server.get("/sought").body == CONTENT[5000:]
        wait_for(lambda: closings(server, "/sought"), "close() of the file")
        assert closings(server, "/sought") == [str(SIZE)]


# In blocks: everything of which it is not known that its descriptor gives the same bytes.


@pytest.mark.parametrize(
    ("path", "want"),
    [
        ("/at_its_end", b""),
        ("/behind_its_end", b""),
        ("/empty", b""),
        ("/compressed", CONTENT),
        ("/pipe", CONTENT[:4000]),
        ("/spooled_temporary", CONTENT[100:]),
        ("/in_memory", CONTENT),
        ("/read_by_a_subclass", BACKWARDS),
        ("/buffered_subclass", BACKWARDS),
        ("/over_a_subclass", BACKWARDS),
        ("/read_replaced", BACKWARDS),
        ("/read_only_object", BACKWARDS),
        ("/iterated", CONTENT[1000:]),
        ("/indexed", CONTENT[1000:]),
        ("/written", b"written first, " + CONTENT),
        ("/passed_on", CONTENT),
        ("/inherited", b"of a subclass"),
    ],
)
def test_any_other_file_is_read(files, path, want):
    before = len(closings(files, path))
    with files.connect() as wire:
        for _ in range(2):
            assert wire.get(path).body == want
        assert wire.get("/pid").status == 200
    if path not in ("/read_only_object", "/passed_on"):
        wait_for(lambda: len(closings(files, path)) == before + 2, "close() of both files")


def test_a_file_of_the_kernel_is_read(files):
    assert files.get("/of_the_kernel").body.startswith(b"Name:")


def test_a_file_that_is_read_obeys_content_length(files):
    with files.connect() as wire:
        response = wire.get("/compressed?5000")
        assert (response.framing, response.body) == ("length", CONTENT[:5000])
        assert wire.get("/pid").status == 200


@pytest.mark.parametrize("path", ["/not_for_reading", "/closed", "/text"])
def test_a_file_that_gives_no_bytes_is_an_error_of_the_application(serve, path):
    with serve("sendable") as server:
        (server.folder / "sent.bin").write_bytes(CONTENT)
        assert server.get(path).status == 500
        server.wait_log(f"Error handling request GET {path}")
        assert server.get("/pid").status == 200
