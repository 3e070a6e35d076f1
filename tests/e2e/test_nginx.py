"""Behind the real NGINX, as most installations are: the bookshop over a unix socket, by the examples' configuration."""

import csv
import io
import re
import signal

import pytest
from load import Load
from proxy import Nginx
from shop import GIF, PROJECT, Visitor, variables
from wire import Wire


@pytest.fixture
def behind(stage, serve, shop_data, short_folder):
    """The bookshop on a unix socket, and NGINX in front of it: the server and the proxy, both running."""
    server = serve(
        "bookshop.wsgi",
        "--chdir",
        str(PROJECT),
        "--workers",
        "2",
        "--access-logfile",
        "-",
        "--trusted-proxies",
        "unix",
        bind=f"unix:{short_folder / 'indrik.sock'}",
        env=variables(shop_data),
    )
    proxy = Nginx(stage.folder / "nginx", short_folder, shop_data / "static")
    stage.programs.append(proxy)
    with server, proxy:
        yield server, proxy


def test_pages_come_through(behind):
    _, proxy = behind
    with Visitor(proxy.address) as visitor:
        for path in ("/", "/?page=2", "/api/books/", "/healthz"):
            response = visitor.get(path)
            assert response.status == 200
            assert response.header("Server") == "nginx"
        assert visitor.get("/books/there-is-no-such-book/").status == 404
        assert visitor.get("/whoami/", {"Host": "evil.example"}).status == 400


def test_static_files_come_from_nginx(behind):
    server, proxy = behind
    with Visitor(proxy.address) as visitor:
        path = re.search(r'href="(/static/[^"]+\.css)"', visitor.get("/").text)[1]
        style = visitor.get(path)
        assert style.status == 200
        assert style.header("Content-Type") == "text/css"
        assert "max-age=315360000" in style.header("Cache-Control")
        visitor.get("/healthz")
    server.stop()
    assert re.search(r'^127\.0\.0\.1 - - .* "GET /healthz ', server.out, re.MULTILINE)
    assert path not in server.out


def test_a_cover_of_512_kib_comes_back_as_it_went(behind):
    _, proxy = behind
    picture = GIF + bytes(512 * 1024 - len(GIF))
    with Visitor(proxy.address) as visitor:
        book = re.search(r'href="(/books/[\w-]+/)"', visitor.get("/").text)[1]
        assert visitor.upload(f"{book}cover/upload/", "cover", picture, page=book).status == 302
        assert visitor.get(f"{book}cover/").body == picture


def test_the_export_comes_through_whole(behind):
    _, proxy = behind
    with Visitor(proxy.address) as visitor:
        export = visitor.get("/export/books.csv")
        assert export.framing == "chunked"
        rows = list(csv.DictReader(io.StringIO(export.text)))
        assert len(rows) == visitor.get("/api/books/").json()["count"]


def test_the_application_sees_the_scheme_and_the_address_of_the_client(behind):
    _, proxy = behind
    with Visitor(proxy.address) as visitor:
        plain = visitor.get("/whoami/").json()
        assert (plain["scheme"], plain["is_secure"]) == ("http", False)
        # As from a balancer on this machine that ends TLS.
        secure = visitor.get("/whoami/", {"X-Forwarded-Proto": "https"}).json()
        assert (secure["scheme"], secure["is_secure"]) == ("https", True)
        # What a client adds besides does not get through.
        assert visitor.get("/whoami/", {"X-Forwarded-Ssl": "on"}).json()["scheme"] == "http"
        assert plain["x_real_ip"] == "127.0.0.1"
        assert plain["remote_addr"] == "127.0.0.1"


def test_a_head_request_leaves_the_kept_connection_in_step(behind):
    _, proxy = behind
    with Wire(proxy.address) as wire:
        for _ in range(5):
            assert wire.request("HEAD", "/export/books.csv").status == 200
            assert wire.get("/healthz").text == "ok\n"


def test_a_reload_behind_nginx_loses_no_request(behind):
    server, proxy = behind
    old = server.workers(2)
    with Load(proxy.address, "/healthz", kept=2, fresh=2) as load:
        load.wait_more(20)
        server.signal(signal.SIGHUP)
        server.workers(2, without=old)
        load.wait_more(50)
    assert load.failures == []
