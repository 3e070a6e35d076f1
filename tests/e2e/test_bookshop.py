"""A real Django project, the bookshop of the examples, through both doors: everything that a visitor can do there."""

import csv
import io
import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from doors import way_in
from shop import GIF, PROJECT, Visitor, variables

REVIEW = {"reader": "Wilhelm\u00eene", "stars": "4", "text": "Read it in one go & then again."}


@pytest.fixture(params=["module", "binary"])
def bookshop(request, serve, shop_data):
    """The bookshop with two workers; `bookshop(...)` passes further arguments."""

    def start(*arguments):
        options = way_in(request.param)
        options["env"] = {**options["env"], **variables(shop_data)}
        return serve("bookshop.wsgi:application", "--chdir", str(PROJECT), "--workers", "2", *arguments, **options)

    return start


def first_book(visitor):
    """The path of some book."""
    found = re.search(r'href="(/books/[\w-]+/)"', visitor.get("/").text)
    assert found, "no book on the first page"
    return found[1]


def test_pages_search_and_pagination(bookshop):
    with bookshop() as server, Visitor(server.address) as visitor:
        first, second = visitor.get("/"), visitor.get("/?page=2")
        for page in (first, second):
            assert page.status == 200
            assert page.header("Content-Type") == "text/html; charset=utf-8"
            assert page.framing == "length"
        books = [set(re.findall(r'href="(/books/[\w-]+/)"', page.text)) for page in (first, second)]
        assert all(books) and not books[0] & books[1]
        book = visitor.get(books[1].pop())
        assert book.status == 200
        title = re.search(r"<h1>([^<]+)</h1>", book.text)[1]
        word = max(re.findall(r"\w+", title), key=len)
        found = visitor.get(f"/?q={word}")
        assert found.status == 200 and title in found.text
        assert visitor.get("/books/there-is-no-such-book/").status == 404
        assert visitor.get("/healthz").status == 200


def test_static_files(bookshop):
    with bookshop() as server, Visitor(server.address) as visitor:
        path = re.search(r'href="(/static/[^"]+\.css)"', visitor.get("/").text)[1]
        style = visitor.get(path)
        assert style.status == 200
        assert style.header("Content-Type").startswith("text/css")
        again = visitor.get(path, {"If-Modified-Since": style.header("Last-Modified")})
        assert again.status == 304
        assert visitor.get("/static/no-such-file.css").status == 404


def test_a_review_needs_its_token_and_appears(bookshop):
    with bookshop() as server, Visitor(server.address) as visitor:
        book = first_book(visitor)
        assert visitor.post(f"{book}reviews/", REVIEW).status == 403
        response = visitor.post(f"{book}reviews/", REVIEW, page=book)
        assert response.status == 302
        assert response.header("Location") == f"{book}#reviews"
        # The message was put into a cookie or the session by one worker and is read by whichever comes next.
        page = visitor.get(book).text
        assert "Thank you, Wilhelm\u00eene" in page
        assert "Read it in one go &amp; then again." in page
        assert "Thank you, Wilhelm\u00eene" not in visitor.get(book).text


def test_a_cover_upload_comes_back_as_it_went(bookshop):
    picture = GIF + bytes(range(256)) * 2048
    with bookshop() as server, Visitor(server.address) as visitor:
        book = first_book(visitor)
        response = visitor.upload(f"{book}cover/upload/", "cover", picture, page=book)
        assert response.status == 302
        cover = visitor.get(f"{book}cover/")
        assert cover.header("Content-Type") == "image/gif"
        assert cover.header("Content-Length") == str(len(picture))
        assert cover.body == picture
        assert visitor.get(f"{book}cover/", {"If-None-Match": cover.header("ETag")}).status == 304


def test_the_export_is_streamed_and_complete(bookshop):
    with bookshop() as server, Visitor(server.address) as visitor:
        export = visitor.get("/export/books.csv")
        assert export.framing == "chunked" and len(export.chunks) > 10
        rows = list(csv.DictReader(io.StringIO(export.text)))
        assert len(rows) == visitor.get("/api/books/").json()["count"] > 100
        assert len({row["isbn"] for row in rows}) == len(rows)


def test_the_api_answers_in_json(bookshop):
    with bookshop() as server, Visitor(server.address) as visitor:
        page = visitor.get("/api/books/?page=2").json()
        assert page["page"] == 2 and page["results"]
        book = page["results"][0]
        assert visitor.get(f"/api/books/{book['isbn']}/").json()["title"] == book["title"]
        assert visitor.get("/api/books/0000000000000/").status == 404
        assert visitor.get("/api/books/?page=999").status == 404


def test_a_session_is_known_to_every_worker(bookshop):
    with bookshop() as server, Visitor(server.address) as visitor:
        server_pids = set()
        book = next(
            path
            for path in sorted(set(re.findall(r'href="(/books/[\w-]+/)"', visitor.get("/").text)))
            if "Add to basket" in visitor.get(path).text
        )
        slug = book.split("/")[2]
        assert visitor.post(f"/basket/add/{slug}/", {}, page=book).status == 302
        for _ in range(50):
            with Visitor(server.address) as again:
                again.cookies = dict(visitor.cookies)
                assert book in again.get("/basket/").text
                server_pids.add(again.get("/whoami/").json()["pid"])
            if len(server_pids) == 2:
                break


def test_the_admin_lets_the_demo_user_in(bookshop):
    with bookshop() as server, Visitor(server.address) as visitor:
        assert visitor.get("/admin/").status == 302
        login = "/admin/login/?next=/admin/"
        refused = visitor.post(login, {"username": "admin", "password": "wrong"}, page=login)
        assert refused.status == 200 and "sessionid" not in visitor.cookies
        response = visitor.post(login, {"username": "admin", "password": "bookshop"}, page=login)
        assert (response.status, response.header("Location")) == (302, "/admin/")
        assert "Log out" in visitor.get("/admin/").text
        assert visitor.get("/admin/shop/book/").status == 200


def test_whoami_tells_what_the_server_is_like(bookshop):
    with bookshop("--threads", "2") as server, Visitor(server.address) as visitor:
        seen = visitor.get("/whoami/").json()
        assert (seen["scheme"], seen["is_secure"], seen["remote_addr"]) == ("http", False, "127.0.0.1")
        assert seen["multithread"] and seen["multiprocess"]
        assert visitor.get("/whoami/", {"X-Forwarded-Proto": "https"}).json()["is_secure"] is True
        assert visitor.get("/whoami/", {"Host": "evil.example"}).status == 400


@pytest.mark.parametrize("threads", ["1", "4"])
def test_many_visitors_at_once(bookshop, threads):
    def visit(number):
        with Visitor(server.address) as visitor:
            book = first_book(visitor)
            review = {**REVIEW, "reader": f"reader {number}"}
            return visitor.post(f"{book}reviews/", review, page=book).status, visitor.get(book).status

    with bookshop("--threads", threads) as server, ThreadPoolExecutor(8) as pool:
        assert set(pool.map(visit, range(12))) == {(302, 200)}
        with Visitor(server.address) as visitor:
            page = visitor.get(first_book(visitor)).text
        assert all(f"reader {number}<" in page for number in range(12))
        assert "Traceback" not in server.log
