"""Falcon: strict about PEP 3333, reads bodies through buffers of its own, and hands files to wsgi.file_wrapper."""

import hashlib
import random

import httpx
import pytest
from modes import base, serving

SENT = random.Random(8).randbytes(2_000_000)
BODY = random.Random(9).randbytes(1_500_000)

server = serving("falcon_app:application", "--body-memory", "65536")


@pytest.fixture
def client(server):
    (server.folder / "sent.bin").write_bytes(SENT)
    with httpx.Client(base_url=base(server), trust_env=False, timeout=30) as client:
        yield client


def described(data):
    return {"length": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def pieces(data, size=30_000):
    for start in range(0, len(data), size):
        yield data[start : start + size]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_media_come_back(client, method):
    value = {"list": [1, 2.5, None, True], "text": "\u2603" * 30_000}
    assert client.request(method, "/media", json=value).json() == value
    assert client.request(method, "/media", data={"a": "1", "b": "\u00fc"}).json() == {"a": "1", "b": "\u00fc"}


def test_a_wrong_or_missing_document_is_the_clients_mistake(client):
    headers = {"Content-Type": "application/json"}
    assert client.post("/media", content=b"{", headers=headers).status_code == 400
    assert client.post("/media", content=b"", headers=headers).status_code == 400
    assert client.post("/media", content=b"x", headers={"Content-Type": "x/y"}).status_code == 415
    assert client.get("/media").status_code == 405


def test_parts_of_a_form_are_read_one_by_one(client):
    files = [("a", ("a.bin", BODY, "application/octet-stream")), ("b", ("b.txt", b"b", "text/plain"))]
    for _ in range(2):
        assert client.post("/parts", files=files).json() == [
            {"name": field, "filename": name, "type": kind, **described(data)} for field, (name, data, kind) in files
        ]


@pytest.mark.parametrize("size", [0, 1, 65536, len(BODY)])
def test_a_body_is_read_to_its_end_and_not_beyond(client, size):
    body = BODY[:size]
    assert client.post("/body", content=body).json() == described(body)
    assert client.post("/body?bounded=true", content=body).json() == described(body)
    assert client.post("/body", content=pieces(body)).json() == described(body)


def test_a_file_goes_through_the_file_wrapper(client):
    for _ in range(3):
        answer = client.get("/file")
        assert (answer.headers["Content-Length"], answer.content) == (str(len(SENT)), SENT)
    with client.stream("GET", "/file") as answer:
        # Left after the first bytes, the rest not wanted: this connection is closed, the next one is fine.
        assert next(answer.iter_raw(1000)) == SENT[:1000]
    assert client.get("/file").content == SENT


def test_a_generator_is_sent_in_chunks(client):
    answer = client.get("/stream")
    assert answer.headers["Transfer-Encoding"] == "chunked"
    assert answer.text == "".join(f"{number}\n" for number in range(1000))


def test_the_request_is_what_the_client_sent(server, client):
    answer = client.get("/environment?x=1&y=%C3%BC", headers={"Cookie": "a=1; b=2", "Accept": "text/plain"})
    assert answer.json() == {
        "uri": f"{base(server)}/environment?x=1&y=%C3%BC",
        "path": "/environment",
        "query": {"x": "1", "y": "\u00fc"},
        "host": "127.0.0.1",
        "port": server.port,
        "scheme": "http",
        "remote": "127.0.0.1",
        "cookies": {"a": "1", "b": "2"},
        "accept": "text/plain",
        "length": None,
    }


def test_answers_without_a_body(client):
    gone = client.delete("/environment")
    assert (gone.status_code, gone.content) == (204, b"") and "Content-Length" not in gone.headers
    head = client.head("/environment")
    assert (head.status_code, head.headers["Content-Length"], head.content) == (200, "12345", b"")
    assert client.options("/environment").headers["Allow"].split(", ") == ["DELETE", "GET", "HEAD"]
    teapot = client.get("/teapot")
    assert (teapot.status_code, teapot.reason_phrase, teapot.headers["X-Tea"]) == (418, "I'm a teapot", "yes")
    assert client.get("/nothing").status_code == 404
