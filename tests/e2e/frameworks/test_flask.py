"""Flask as its users have it: forms with files, uploads beyond what stays in memory, streams, files sent."""

import hashlib
import io
import random
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from harness import wait_for
from modes import base, serving

MEBIBYTE = 1 << 20
LARGE = random.Random(4).randbytes(5 * MEBIBYTE)
SENT = random.Random(5).randbytes(3 * MEBIBYTE)

# A body of more than 64 KiB goes to a file, an answer of more than 64 KiB does not wait for its client in memory.
server = serving("flask_app:application", "--body-memory", "65536", "--response-high-water", "65536")


@pytest.fixture
def client(server):
    with requests.Session() as session:
        session.trust_env = False
        yield session


@pytest.fixture
def sent(server):
    path = server.folder / "sent.bin"
    if not path.exists():
        path.write_bytes(SENT)
    return path


def described(data):
    return {"length": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def pieces(data, size=50_000):
    for start in range(0, len(data), size):
        yield data[start : start + size]


def test_a_form_with_several_files_arrives_as_it_went(server, client):
    files = [
        ("one", ("hello.txt", b"hello", "text/plain")),
        ("many", ("first.bin", LARGE, "application/octet-stream")),
        ("many", ("zw\u00f6lf \u2603.bin", LARGE[:1000], "image/png")),
        ("none", ("empty", b"", "text/plain")),
    ]
    for _ in range(3):
        response = client.post(f"{base(server)}/upload", files=files, data={"title": "\u00fcber & co", "empty": ""})
        assert response.status_code == 200
        answer = response.json()
        assert answer["fields"] == {"title": "\u00fcber & co", "empty": ""}
        assert answer["files"] == [
            {"field": field, "name": name, "type": kind, **described(data)} for field, (name, data, kind) in files
        ]


@pytest.mark.parametrize("size", [0, 1, 65536, 65537, len(LARGE)])
def test_a_body_arrives_whole_with_a_length_and_in_chunks(server, client, size):
    body = LARGE[:size]
    assert client.post(f"{base(server)}/raw", data=body).json() == described(body)
    # A generator has no length: requests sends it chunked, and the framework trusts wsgi.input_terminated.
    assert client.post(f"{base(server)}/raw", data=pieces(body)).json() == described(body)
    assert client.post(f"{base(server)}/raw", data=io.BytesIO(body)).json() == described(body)


def test_uploads_at_once_do_not_mix(server):
    bodies = [random.Random(number).randbytes(200_000 + number) for number in range(12)]

    def post(body):
        return requests.post(f"{base(server)}/raw", data=body, timeout=30).json()

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(post, bodies)) == [described(body) for body in bodies]


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_a_view_may_refuse_or_ignore_a_body(server, client, framing):
    # Less than the server drains for the sake of the connection, more than the view takes.
    body = LARGE[:50_000]

    def post(path):
        return client.post(f"{base(server)}{path}", data=body if framing == "length" else pieces(body, 7_000))

    for _ in range(2):
        assert post("/small").status_code == 413
        assert (post("/ignore").status_code, post("/ignore").text) == (200, "ignored")
        assert post("/raw").json() == described(body)


def test_events_arrive_one_by_one(server, client, tmp_path):
    name = tmp_path.name
    with client.get(f"{base(server)}/events", params={"name": name, "count": 4}, stream=True) as response:
        assert response.headers["Transfer-Encoding"] == "chunked"
        lines = response.iter_lines(chunk_size=1)
        for number in range(4):
            # The next one is not made before this one has been seen here.
            assert next(lines) == f"data: {name} {number}".encode()
            assert next(lines) == b""
            (server.folder / f"{name}-{number + 1}").touch()
        assert list(lines) == []
    assert client.get(f"{base(server)}/memory").status_code == 200


def test_the_generator_of_a_client_that_left_is_closed_with_its_request_at_hand(server, tmp_path):
    name = tmp_path.name
    with requests.get(f"{base(server)}/endless", params={"name": name}, stream=True, timeout=30) as response:
        assert len(response.raw.read(200_000)) == 200_000
    noted = server.folder / name
    wait_for(lambda: noted.exists() and noted.read_text() == "closed /endless", "the generator's end")
    assert requests.get(f"{base(server)}/memory", timeout=30).status_code == 200


def test_a_file_is_sent_whole_in_ranges_or_not_at_all(server, client, sent):
    url = f"{base(server)}/file"
    whole = client.get(url)
    assert whole.content == SENT
    assert whole.headers["Content-Length"] == str(len(SENT))
    assert "Transfer-Encoding" not in whole.headers
    part = client.get(url, headers={"Range": "bytes=1000-70999"})
    assert (part.status_code, part.content) == (206, SENT[1000:71000])
    assert part.headers["Content-Range"] == f"bytes 1000-70999/{len(SENT)}"
    tail = client.get(url, headers={"Range": "bytes=-5"})
    assert (tail.status_code, tail.content) == (206, SENT[-5:])
    assert client.get(url, headers={"Range": f"bytes={len(SENT)}-"}).status_code == 416
    again = client.get(url, headers={"If-None-Match": whole.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    head = client.head(url)
    assert (head.status_code, head.headers["Content-Length"], head.content) == (200, str(len(SENT)), b"")
    named = client.get(url, params={"name": ""})
    assert named.headers["Content-Disposition"] == "attachment; filename=sent.bin" and named.content == SENT


def test_a_file_without_a_descriptor_is_sent_too(server, client):
    assert client.get(f"{base(server)}/memory").content == bytes(range(256)) * 1000


def test_a_session_lives_in_its_cookie_and_survives_a_redirect(server, client):
    assert [client.get(f"{base(server)}/visits").text for _ in range(3)] == ["1", "2", "3"]
    response = client.get(f"{base(server)}/away")
    assert (response.text, [step.status_code for step in response.history]) == ("4", [302])


def test_what_a_thread_keeps_is_there_at_its_next_request(server):
    def ask(_):
        return requests.get(f"{base(server)}/thread", timeout=30).json()

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(ask, range(40)))
    threads = {answer["ident"] for answer in answers}
    one_thread = server.command[server.command.index("--threads") + 1] == "1"
    assert len(threads) == 1 if one_thread else len(threads) <= 4
    assert all(answer["main"] is one_thread for answer in answers)
    for ident in threads:
        # No request of the thread found an empty thread-local but the first.
        seen = sorted(answer["seen"] for answer in answers if answer["ident"] == ident)
        assert seen == list(range(seen[0], seen[0] + len(seen)))


def test_an_async_view_answers(server, client):
    assert [client.get(f"{base(server)}/later").text for _ in range(3)] == ["later"] * 3
