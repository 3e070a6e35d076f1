"""httpbin, which answers with what it was asked, and the clients everybody uses: sessions of requests and httpx."""

import base64
import io
import json
import random
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
import requests
from harness import wait_for
from modes import base, serving

BODY = random.Random(10).randbytes(700_000)

# The port of the client tells how many connections a session used.
LOG = ("--access-logfile", "access.log", "--access-logformat", "%({REMOTE_PORT}e)s %(m)s %(U)s %(s)s %(B)s")

server = serving("httpbin:app", "--body-memory", "65536", *LOG)


class Client:
    """What both clients have in common, under one name."""

    def __init__(self, kind, url):
        self.url = url
        if kind == "requests":
            self.session = requests.Session()
            self.session.trust_env = False
            self.options = {"timeout": 30}
        else:
            self.session = httpx.Client(trust_env=False, follow_redirects=True, timeout=30)
            self.options = {}
        self.kind = kind

    def ask(self, method, path, **options):
        if self.kind == "httpx" and isinstance(options.get("data"), bytes):
            options["content"] = options.pop("data")
        return self.session.request(method, self.url + path, **self.options, **options)

    def get(self, path, **options):
        return self.ask("GET", path, **options)

    def post_chunked(self, path, data, size=30_000):
        """A generator has no length, so it goes in chunks."""
        pieces = (data[start : start + size] for start in range(0, len(data), size))
        name = "data" if self.kind == "requests" else "content"
        return self.session.post(self.url + path, **{name: pieces}, **self.options)

    def steps(self, response):
        return [step.status_code for step in response.history]

    def auth(self, scheme, user, password):
        if scheme == "basic":
            return (user, password)
        return (
            requests.auth.HTTPDigestAuth(user, password)
            if self.kind == "requests"
            else httpx.DigestAuth(user, password)
        )


@pytest.fixture(params=["requests", "httpx"])
def client(request, server):
    client = Client(request.param, base(server))
    with client.session:
        yield client


def raw(value):
    """httpbin shows bytes that are not text as a data URL."""
    return base64.b64decode(value.partition(",")[2])


def test_every_method_arrives_with_its_query_and_headers(client):
    fields = {"X-One": "1", "X-Long": "y" * 4000, "Accept": "text/x"}
    query = {"a": ["1", "2"], "b": "\u00fc &"}
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        answer = client.ask(method, f"/{method.lower()}", params=query, headers=fields).json()
        assert answer["args"] == query
        assert {name: answer["headers"][name] for name in fields} == fields
        assert answer["headers"]["Host"] == client.url.removeprefix("http://")
        assert answer["origin"] == "127.0.0.1"
        assert answer["url"].startswith(f"{client.url}/{method.lower()}?")


def test_head_and_options_have_no_body(client):
    whole = client.get("/bytes/1000", params={"seed": 1})
    head = client.ask("HEAD", "/bytes/1000", params={"seed": 1})
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["Content-Length"] == whole.headers["Content-Length"] == "1000"
    options = client.ask("OPTIONS", "/get")
    assert set(options.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"} and options.content == b""


def test_forms_files_and_documents_come_back(client):
    form = client.ask("POST", "/post", data={"a": "1", "b": "\u2603"}).json()
    assert form["form"] == {"a": "1", "b": "\u2603"}
    value = {"list": [1, None, "\u2603"]}
    assert client.ask("POST", "/post", json=value).json()["json"] == value
    files = {"one": ("one.txt", b"text"), "two": ("two.bin", BODY)}
    answer = client.ask("POST", "/post", data={"a": "1"}, files=files).json()
    assert answer["form"] == {"a": "1"}
    assert answer["files"]["one"] == "text" and raw(answer["files"]["two"]) == BODY


def test_bodies_come_back_with_a_length_and_in_chunks(client):
    for size in (1, 65536, len(BODY)):
        body = b"\xff" + BODY[1:size]
        assert raw(client.ask("PUT", "/put", data=body).json()["data"]) == body
        answer = client.post_chunked("/post", body).json()
        assert raw(answer["data"]) == body
        # As in Gunicorn: the application sees that it came in chunks, and wsgi.input ends by itself.
        assert answer["headers"]["Transfer-Encoding"] == "chunked" and "Content-Length" not in answer["headers"]


def test_every_status_arrives_and_the_next_request_too(client):
    for status in (200, 201, 202, 204, 205, 304, 400, 401, 404, 409, 418, 429, 500, 503):
        assert client.get(f"/status/{status}").status_code == status
        assert client.get(f"/status/{status}").status_code == status
        assert client.get("/get").status_code == 200


def test_redirects_are_followed_to_their_end(client):
    for way in ("redirect", "absolute-redirect", "relative-redirect"):
        answer = client.get(f"/{way}/4")
        assert (answer.status_code, str(answer.url), client.steps(answer)) == (200, f"{client.url}/get", [302] * 4)
    # The body goes twice, and the first time nobody reads it.
    answer = client.ask("POST", "/redirect-to", params={"url": "/post", "status_code": "307"}, data={"a": "1"})
    assert client.steps(answer) == [307] and answer.json()["form"] == {"a": "1"}


def test_cookies_are_kept_through_the_session(client):
    assert client.get("/cookies/set", params={"a": "1", "b": "two"}).json() == {"cookies": {"a": "1", "b": "two"}}
    assert client.get("/cookies").json() == {"cookies": {"a": "1", "b": "two"}}
    assert client.get("/cookies/delete", params={"a": ""}).json() == {"cookies": {"b": "two"}}


def test_a_login_opens_what_was_closed(client):
    for scheme, path in (("basic", "/basic-auth/eve/secret"), ("digest", "/digest-auth/auth/eve/secret")):
        assert client.get(path).status_code == 401
        assert client.get(path, auth=client.auth(scheme, "eve", "wrong")).status_code == 401
        assert client.get(path, auth=client.auth(scheme, "eve", "secret")).json()["user"] == "eve"


def test_compressed_answers_are_read(client):
    assert client.get("/gzip").json()["gzipped"] is True
    assert client.get("/deflate").json()["deflated"] is True


def test_streams_are_read_to_their_end(client):
    lines = client.get("/stream/50").text.splitlines()
    assert [json.loads(line)["id"] for line in lines] == list(range(50))
    streamed = client.get("/stream-bytes/300000", params={"seed": 1, "chunk_size": 1000})
    # httpbin sends at most 102400 bytes.
    assert streamed.headers["Transfer-Encoding"] == "chunked" and len(streamed.content) == 102_400
    dripped = client.get("/drip", params={"duration": 0.2, "numbytes": 5, "code": 200})
    assert (dripped.content, dripped.headers["Content-Length"]) == (b"*****", "5")


def test_ranges_and_conditions_are_kept(client):
    part = client.get("/range/1000", headers={"Range": "bytes=10-35"})
    assert (part.status_code, part.text) == (206, "klmnopqrstuvwxyzabcdefghij")
    assert part.headers["Content-Range"] == "bytes 10-35/1000"
    assert client.get("/range/1000", headers={"Range": "bytes=2000-"}).status_code == 416
    assert client.get("/etag/x", headers={"If-None-Match": "x"}).status_code == 304
    assert client.get("/etag/x", headers={"If-Match": "y"}).status_code == 412
    assert client.get("/cache", headers={"If-Modified-Since": "Sun, 06 Nov 1994 08:49:37 GMT"}).status_code == 304


def test_answers_carry_the_headers_that_were_asked_for(client):
    answer = client.get("/response-headers", params={"X-Own": "a b", "Server": "httpbin", "X-Two": ["1", "2"]})
    assert (answer.headers["X-Own"], answer.headers["X-Two"]) == ("a b", "1, 2")
    assert client.get("/encoding/utf8").text.count("\u2200") > 0
    assert client.get("/image/png").content.startswith(b"\x89PNG")
    assert client.get("/anything/\u00fc%2F\u2603").json()["url"].startswith(f"{client.url}/anything/")


def test_a_session_keeps_its_connection(server, client):
    marker = f"/anything/{client.kind}-{random.random()}"
    for number in range(30):
        # All sorts of answers: with a length, in chunks, empty, an error of the application, a body that nobody read.
        path = ["/get", "/stream/3", "/status/204", "/status/500", "/status/404"][number % 5]
        assert client.get(path).status_code in (200, 204, 500, 404)
        assert client.ask("POST", marker, data=b"x" * 100).status_code == 200
    access = server.folder / "access.log"
    mine = wait_for(
        lambda: (
            lines if len(lines := [line for line in access.read_text().splitlines() if marker in line]) == 30 else None
        ),
        "30 lines in the access log",
    )
    assert len({line.split()[0] for line in mine}) == 1


def test_many_sessions_at_once_do_not_mix(server):
    def visit(number):
        with httpx.Client(base_url=base(server), trust_env=False, timeout=30) as session:
            session.get("/cookies/set", params={"me": str(number)})
            for _ in range(5):
                assert session.get("/cookies").json() == {"cookies": {"me": str(number)}}
                body = random.Random(number).randbytes(20_000)
                files = {"f": ("f", io.BytesIO(b"\xff" + body))}
                assert raw(session.post("/post", files=files).json()["files"]["f"]) == b"\xff" + body
        return number

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(visit, range(12))) == list(range(12))
