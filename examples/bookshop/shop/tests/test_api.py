"""The catalogue for machines: JSON and CSV."""

import csv

from shop.models import Book
from shop.tests.case import ShopTestCase


class ApiTest(ShopTestCase):
    def test_following_next_visits_every_book_once(self) -> None:
        url, seen = "/api/books/", []
        while url:
            page = self.client.get(url).json()
            self.assertEqual((page["count"], page["pages"]), (200, 10))
            seen += [book["isbn"] for book in page["results"]]
            url = page["next"]
        self.assertEqual(len(seen), 200)
        self.assertEqual(set(seen), set(Book.objects.values_list("isbn", flat=True)))

    def test_a_search_keeps_its_words_in_the_links(self) -> None:
        page = self.client.get("/api/books/", {"q": "the & of"}).json()
        self.assertEqual(page["count"], Book.objects.search("the & of").count())
        page = self.client.get("/api/books/", {"q": "the"}).json()
        self.assertEqual((page["next"], page["previous"]), ("/api/books/?q=the&page=2", None))

    def test_a_page_that_does_not_exist_is_404(self) -> None:
        for page in ("0", "11", "x"):
            self.assertEqual(self.client.get("/api/books/", {"page": page}).status_code, 404, page)

    def test_one_book_by_isbn_with_and_without_hyphens(self) -> None:
        isbn = self.book.isbn
        plain = self.client.get(f"/api/books/{isbn}/").json()
        self.assertEqual((plain["title"], plain["price"]), (self.book.title, str(self.book.price)))
        self.assertEqual((plain["rating"], plain["reviews"]), (None, 0))
        self.assertEqual(self.client.get(f"/api/books/{isbn[:3]}-{isbn[3:]}/").json(), plain)
        self.assertEqual(self.client.get("/api/books/0000000000000/").status_code, 404)


class ExportTest(ShopTestCase):
    def test_the_export_streams_a_head_and_every_book(self) -> None:
        response = self.client.get("/export/books.csv")
        self.assertTrue(response.streaming)
        self.assertNotIn("Content-Length", response)
        self.assertEqual(response["Content-Type"], "text/csv; charset=utf-8")
        rows = list(csv.DictReader(response.getvalue().decode().splitlines()))
        self.assertEqual(len(rows), 200)
        mine = next(row for row in rows if row["isbn"] == self.book.isbn)
        self.assertEqual((mine["title"], mine["author"]), (self.book.title, self.book.author.name))

    def test_rows_leave_one_by_one(self) -> None:
        pieces = list(self.client.get("/export/books.csv").streaming_content)
        self.assertEqual(len(pieces), 201)
        self.assertTrue(pieces[0].startswith(b"isbn,title,"))
