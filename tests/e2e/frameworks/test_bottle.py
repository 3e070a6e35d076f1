"""Bottle: a framework in one file that reads bodies, sends files and streams in its own way."""

import random

import pytest
import requests
from modes import MODES, base, framework, serving

SENT = random.Random(6).randbytes(2_000_000)
UPLOAD = random.Random(7).randbytes(1_500_000)

server = serving("bottle_app:application", "--body-memory", "65536")


@pytest.fixture
def client(server):
    (server.folder / "sent.bin").write_bytes(SENT)
    with requests.Session() as session:
        session.trust_env = False
        yield session


def test_paths_and_queries_arrive_decoded(server, client):
    answer = client.get(f"{base(server)}/greet/Zo%C3%AB%20%26%20co", params={"tone": "warm"})
    assert answer.text == "hello Zo\u00eb & co (warm)"
    assert answer.headers["Content-Length"] == str(len(answer.content))
    missing = client.get(f"{base(server)}/nothing")
    assert (missing.status_code, missing.text) == (404, "no such page: /nothing")
    assert client.post(f"{base(server)}/greet/a").status_code == 405


def test_forms_and_files_arrive(server, client):
    for _ in range(2):
        answer = client.post(
            f"{base(server)}/form",
            data={"title": "\u00fcber"},
            files={"large": ("large.bin", UPLOAD), "small": ("s.txt", b"small")},
        )
        assert answer.json() == {"fields": {"title": "\u00fcber"}, "files": {"large": "large.bin", "small": "s.txt"}}
        assert (server.folder / "saved-large").read_bytes() == UPLOAD
        assert (server.folder / "saved-small").read_bytes() == b"small"
    assert client.post(f"{base(server)}/form", data={"a": "1", "b": ""}).json()["fields"] == {"a": "1", "b": ""}


@pytest.mark.parametrize("size", [0, 1, 65536, len(UPLOAD)])
def test_a_body_comes_back_as_it_went(server, client, size):
    assert client.post(f"{base(server)}/body", data=UPLOAD[:size]).content == UPLOAD[:size]


def test_json_comes_back(server, client):
    value = {"list": [1, 2.5, None, True], "text": "\u2603"}
    assert client.put(f"{base(server)}/json", json=value).json() == value
    assert (
        client.put(f"{base(server)}/json", data=b"{", headers={"Content-Type": "application/json"}).status_code == 400
    )


def test_files_are_sent_whole_and_in_ranges(server, client):
    url = f"{base(server)}/file"
    whole = client.get(url)
    assert (whole.status_code, whole.content) == (200, SENT)
    part = client.get(url, headers={"Range": "bytes=100000-199999"})
    assert (part.status_code, part.content) == (206, SENT[100_000:200_000])
    assert client.head(url).headers["Content-Length"] == str(len(SENT))
    assert client.get(url, headers={"If-None-Match": whole.headers["ETag"]}).status_code == 304
    assert client.get(url, params={"as": "x.bin"}).headers["Content-Disposition"] == 'attachment; filename="x.bin"'


def test_a_generator_streams_and_may_change_its_mind(server, client):
    stream = client.get(f"{base(server)}/stream")
    assert stream.headers["Transfer-Encoding"] == "chunked"
    assert stream.text == "".join(f"line {number} \u2603\n" for number in range(5))
    moved = client.get(f"{base(server)}/early")
    assert moved.text == "hello redirected (None)" and moved.history[0].status_code in (302, 303)


def test_several_cookies_are_set_and_come_back(server, client):
    assert client.get(f"{base(server)}/who").status_code == 401
    assert client.get(f"{base(server)}/login").text == "in"
    assert set(client.cookies.keys()) == {"user", "plain"}
    assert client.get(f"{base(server)}/who").text == "Zo\u00eb"


def test_hooks_see_every_request(server, client):
    before = int(client.get(f"{base(server)}/greet/a").headers["X-Finished"])
    after = [int(client.get(f"{base(server)}/greet/a").headers["X-Finished"]) for _ in range(5)]
    assert after == [before + step for step in range(1, 6)]


@pytest.mark.parametrize("mode", MODES.values(), ids=MODES)
def test_a_view_that_fails_is_told_of_in_the_log_once(serve, mode):
    # Bottle catches it and writes the traceback to wsgi.errors itself.
    with serve("bottle_app:application", *mode, env=framework()) as server:
        assert server.get("/broken").status == 500
        server.wait_log("RuntimeError: on purpose")
        assert server.get("/greet/a").status == 200
        assert server.log.count("RuntimeError: on purpose") == 1
