"""The pages that visitors walk through: list, search, book, basket, and those for operators."""

import io

from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.urls import reverse

from shop.catalogue import catalogue, isbn13
from shop.models import Book, Review
from shop.tests.case import ShopTestCase


class ListTest(ShopTestCase):
    def titles(self, **query: str) -> list[str]:
        return [book.title for book in self.client.get("/", query).context["page"]]

    def test_the_first_page_shows_24_of_200_books(self) -> None:
        response = self.client.get("/")
        self.assertContains(response, 'class="card"', count=24)
        self.assertContains(response, "200 books, page 1 of 9")

    def test_all_pages_together_show_every_book_once(self) -> None:
        for sort in ("newest", "title", "price", "rating"):
            seen = [title for page in range(1, 10) for title in self.titles(page=str(page), sort=sort)]
            self.assertEqual(len(seen), 200)
            self.assertEqual(set(seen), set(Book.objects.values_list("title", flat=True)), sort)

    def test_a_page_out_of_range_shows_the_nearest(self) -> None:
        for asked, shown in (("0", 9), ("99", 9), ("-1", 9), ("words", 1)):
            self.assertEqual(self.client.get("/", {"page": asked}).context["page"].number, shown, asked)

    def test_every_word_of_a_search_must_occur(self) -> None:
        found = self.titles(q="lighthouse quiet")
        both = Book.objects.search("lighthouse").search("quiet")
        self.assertEqual(sorted(found), sorted(book.title for book in both))
        self.assertLess(both.count(), Book.objects.search("lighthouse").count())

    def test_a_search_finds_authors_and_isbns_with_hyphens(self) -> None:
        isbn = self.book.isbn
        self.assertEqual(self.titles(q=f"{isbn[:3]}-{isbn[3:]}"), [self.book.title])
        self.assertIn(
            self.book, self.client.get("/", {"q": self.book.author.name}).context["page"].paginator.object_list
        )

    def test_a_search_without_result_says_so_and_escapes_what_was_typed(self) -> None:
        response = self.client.get("/", {"q": "<script>nothing</script>"})
        self.assertContains(response, "Nothing on the shelves")
        self.assertNotContains(response, "<script>")

    def test_page_links_keep_the_search(self) -> None:
        response = self.client.get("/", {"q": "the", "genre": "novel"})
        self.assertContains(response, "?q=the&amp;genre=novel&amp;page=2")

    def test_the_shelves_can_be_read_by_genre(self) -> None:
        page = self.client.get("/", {"genre": "poetry"}).context["page"]
        self.assertEqual({book.genre for book in page}, {"poetry"})
        self.assertEqual(page.paginator.count, 25)


class BookTest(ShopTestCase):
    def test_a_book_has_a_page_and_an_unknown_one_is_404(self) -> None:
        self.assertContains(self.client.get(self.book.get_absolute_url()), self.book.isbn)
        self.assertContains(self.client.get("/books/no-such-book/"), "Not on any shelf", status_code=404)

    def test_books_looked_at_are_remembered_latest_first(self) -> None:
        books = list(Book.objects.order_by("pk")[:8])
        for book in books:
            self.client.get(book.get_absolute_url())
        self.assertEqual(self.client.get("/").context["recent"], books[:1:-1])


class BasketTest(ShopTestCase):
    def test_copies_add_up_and_can_be_removed(self) -> None:
        for _ in range(2):
            self.client.post(reverse("shop:add-to-basket", args=[self.book.slug]))
        page = self.client.get(reverse("shop:basket"))
        self.assertEqual(page.context["total"], 2 * self.book.price)
        self.assertEqual(page.context["basket_count"], 2)
        self.client.post(reverse("shop:remove-from-basket", args=[self.book.slug]))
        self.assertContains(self.client.get(reverse("shop:basket")), "Still empty")

    def test_a_sold_out_book_does_not_enter_the_basket(self) -> None:
        sold_out = Book.objects.filter(stock=0).first()
        response = self.client.post(reverse("shop:add-to-basket", args=[sold_out.slug]), follow=True)
        self.assertContains(response, "is out of stock")
        self.assertEqual(response.context["basket_count"], 0)


class SeedTest(ShopTestCase):
    def test_a_second_seed_changes_nothing_and_keeps_edits(self) -> None:
        Book.objects.filter(pk=self.book.pk).update(title="Edited by hand")
        reviews = Review.objects.count()
        call_command("seed", stdout=io.StringIO())
        self.assertEqual(Book.objects.count(), 200)
        self.assertEqual(Review.objects.count(), reviews)
        self.assertEqual(Book.objects.get(pk=self.book.pk).title, "Edited by hand")
        self.assertEqual(get_user_model().objects.count(), 1)

    def test_a_book_that_was_deleted_comes_back(self) -> None:
        self.book.delete()
        call_command("seed", stdout=io.StringIO())
        self.assertEqual(Book.objects.count(), 200)

    def test_the_catalogue_is_always_the_same(self) -> None:
        self.assertEqual(catalogue(), catalogue())

    def test_a_check_digit_is_that_of_the_standard(self) -> None:
        self.assertEqual(isbn13("978030640615"), "9780306406157")


class OpsTest(ShopTestCase):
    def test_healthz_says_ok(self) -> None:
        response = self.client.get("/healthz")
        self.assertEqual((response.status_code, response.content), (200, b"ok\n"))

    def test_whoami_tells_the_scheme_that_the_server_saw(self) -> None:
        for secure, scheme in ((False, "http"), (True, "https")):
            answer = self.client.get("/whoami/", secure=secure).json()
            self.assertEqual((answer["scheme"], answer["is_secure"]), (scheme, secure))
            self.assertEqual(answer["remote_addr"], "127.0.0.1")

    def test_a_forwarded_scheme_alone_is_not_believed(self) -> None:
        answer = self.client.get("/whoami/", headers={"X-Forwarded-Proto": "https"}).json()
        self.assertEqual((answer["scheme"], answer["x_forwarded_proto"]), ("http", "https"))

    def test_the_admin_opens_for_the_demo_user_and_filters(self) -> None:
        self.assertTrue(self.client.login(username="admin", password="bookshop"))
        self.assertContains(self.client.get("/admin/"), "Back office")
        sold_out = self.client.get("/admin/shop/book/", {"stock_level": "none"}).context["cl"].queryset
        self.assertEqual(set(sold_out), set(Book.objects.filter(stock=0)))

    def test_the_footer_tells_where_the_admin_is(self) -> None:
        self.assertContains(self.client.get("/"), "<code>admin</code> / <code>bookshop</code>")
