"""Large uploads through the real NGINX, configured as in the examples, in every combination of buffering."""

import contextlib
import hashlib
import random

import pytest
from proxy import Nginx
from wire import Wire, chunk, compose

MEBIBYTE = 1 << 20
BODY = random.Random(20).randbytes(20 * MEBIBYTE)


class Uploading(Nginx):
    """NGINX that lets large bodies through; `upstream` is the server's address in its words."""

    def __init__(self, *arguments, upstream, buffering):
        super().__init__(*arguments)
        self.changes = {
            "client_max_body_size 2m;": "client_max_body_size 64m;",
            "proxy_request_buffering on;": f"proxy_request_buffering {buffering};",
            f"server unix:{self.run_folder}/indrik.sock;": f"server {upstream};",
        }

    def _render(self):
        super()._render()
        path = self.folder / "nginx.conf"
        text = path.read_text()
        for old, new in self.changes.items():
            assert text.count(old) == 1, f"{old!r} is not in the example's configuration"
            text = text.replace(old, new)
        path.write_text(text)


@pytest.fixture
def behind(stage, serve, short_folder):
    """Starts the server on that kind of socket, and NGINX in front of it; both run until the test ends."""
    with contextlib.ExitStack() as running:

        def start(way, buffering, *arguments):
            bind = f"unix:{short_folder / 'indrik.sock'}" if way == "unix" else "127.0.0.1:0"
            server = running.enter_context(serve("bodies", *arguments, bind=bind))
            upstream = bind if way == "unix" else f"127.0.0.1:{server.port}"
            folder = stage.folder / "nginx"
            proxy = Uploading(folder, short_folder, short_folder, upstream=upstream, buffering=buffering)
            stage.programs.append(proxy)
            return server, running.enter_context(proxy)

        yield start


def expect_whole(response, body=BODY):
    assert response.status == 200, response.body
    assert response.json() == {"length": len(body), "sha256": hashlib.sha256(body).hexdigest()}


@pytest.mark.parametrize("way", ["tcp", "unix"])
@pytest.mark.parametrize("buffering", ["on", "off"])
@pytest.mark.parametrize("framing", ["length", "chunked"])
@pytest.mark.parametrize("arguments", [(), ("--no-request-buffering",)], ids=["buffered", "streamed"])
def test_an_upload_of_20_mib_comes_through_nginx_whole(behind, way, buffering, framing, arguments):
    server, proxy = behind(way, buffering, *arguments)
    with Wire(proxy.address, timeout=40) as wire:
        for _ in range(2):
            wire.send(compose("POST", "/read", {"Content-Type": "application/octet-stream"})[:-2])
            if framing == "length":
                wire.send(f"Content-Length: {len(BODY)}\r\n\r\n".encode())
                for start in range(0, len(BODY), MEBIBYTE):
                    wire.send(BODY[start : start + MEBIBYTE])
            else:
                wire.send(b"Transfer-Encoding: chunked\r\n\r\n")
                for start in range(0, len(BODY), 100_003):
                    wire.send(chunk(BODY[start : start + 100_003]))
                wire.send(chunk(b""))
            expect_whole(wire.response())
        assert wire.get("/pid").status == 200
    assert "[ERROR]" not in server.log and "[WARNING]" not in server.log


@pytest.mark.parametrize("buffering", ["on", "off"])
def test_an_upload_that_is_cut_in_front_of_nginx_never_reaches_the_application(behind, buffering):
    server, proxy = behind("tcp", buffering)
    with Wire(proxy.address) as wire:
        wire.send(compose("POST", "/read", {"Content-Length": str(len(BODY))}) + BODY[: 5 * MEBIBYTE])
    with Wire(proxy.address) as wire:
        assert wire.get("/pid").status == 200
    server.stop()
    assert (server.folder / "calls.log").read_text().splitlines() == ["/pid"]


@pytest.mark.parametrize("buffering", ["on", "off"])
def test_a_refusal_by_its_size_comes_back_through_nginx(behind, buffering):
    _, proxy = behind("unix", buffering, "--limit-request-body", str(MEBIBYTE))
    with Wire(proxy.address, timeout=40) as wire:
        wire.send(compose("POST", "/read", {"Content-Length": str(len(BODY))}))
        # Without buffering the head goes on at once, and the refusal comes before there is a body.
        if buffering == "on":
            wire.send(BODY)
        assert wire.response().status == 413
    with Wire(proxy.address) as wire:
        assert wire.get("/pid").status == 200
