"""What visitors leave behind: reviews and covers."""

from pathlib import Path

from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from shop.covers import MAX_COVER_LEN
from shop.models import Book, Review
from shop.tests.case import GIF, ShopTestCase

REVIEW = {"reader": "Wilhelmîne", "stars": "4", "text": "Read it in one go & then again."}


class ReviewTest(ShopTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.url = reverse("shop:add-review", args=[self.book.slug])

    def test_a_review_appears_on_the_page_with_thanks(self) -> None:
        response = self.client.post(self.url, REVIEW, follow=True)
        self.assertRedirects(response, f"{self.book.get_absolute_url()}#reviews")
        self.assertContains(response, "Thank you, Wilhelmîne")
        self.assertContains(response, "Read it in one go &amp; then again.")
        # Messages are shown once.
        self.assertNotContains(self.client.get(self.book.get_absolute_url()), "Thank you")

    def test_a_review_without_a_csrf_token_is_refused(self) -> None:
        strict = Client(enforce_csrf_checks=True)
        self.assertEqual(strict.post(self.url, REVIEW).status_code, 403)
        self.assertFalse(Review.objects.filter(reader="Wilhelmîne").exists())

    def test_a_review_with_the_token_of_the_page_is_taken(self) -> None:
        strict = Client(enforce_csrf_checks=True)
        page = strict.get(self.book.get_absolute_url())
        token = page.context["csrf_token"]
        response = strict.post(self.url, {**REVIEW, "csrfmiddlewaretoken": str(token)})
        self.assertEqual(response.status_code, 302)
        self.assertTrue(Review.objects.filter(book=self.book, reader="Wilhelmîne", stars=4).exists())

    def test_a_bad_review_is_shown_again_with_the_reason(self) -> None:
        for change in ({"stars": "6"}, {"text": ""}, {"reader": "x" * 61}, {"text": "x" * 2001}):
            response = self.client.post(self.url, REVIEW | change)
            self.assertContains(response, "errorlist", status_code=400)
        self.assertFalse(self.book.reviews.exists())

    def test_a_review_is_only_taken_by_post(self) -> None:
        self.assertEqual(self.client.get(self.url).status_code, 405)


class CoverTest(ShopTestCase):
    def upload(self, content: bytes, name: str = "cover.gif", content_type: str = "image/gif"):
        url = reverse("shop:upload-cover", args=[self.book.slug])
        return self.client.post(url, {"cover": SimpleUploadedFile(name, content, content_type)}, follow=True)

    def served(self, **headers: str):
        return self.client.get(reverse("shop:cover", args=[self.book.slug]), headers=headers)

    def stored(self) -> list[Path]:
        return [path for path in Path(settings.MEDIA_ROOT).rglob("*") if path.is_file()]

    def test_an_uploaded_cover_is_on_the_page_and_served_as_it_came(self) -> None:
        response = self.upload(GIF)
        self.assertContains(response, "The book has a new cover.")
        self.assertContains(response, reverse("shop:cover", args=[self.book.slug]) + "?v=")
        cover = self.served()
        self.assertEqual(cover.getvalue(), GIF)
        self.assertEqual((cover["Content-Type"], cover["Content-Length"]), ("image/gif", str(len(GIF))))

    def test_a_cover_of_exactly_1_mib_is_taken_and_one_byte_more_is_not(self) -> None:
        self.assertEqual(self.upload(GIF + bytes(MAX_COVER_LEN - len(GIF))).status_code, 200)
        self.assertEqual(len(self.served().getvalue()), MAX_COVER_LEN)
        response = self.upload(GIF + bytes(MAX_COVER_LEN - len(GIF) + 1))
        self.assertContains(response, "larger than 1 MiB", status_code=400)

    def test_what_is_no_picture_is_refused_whatever_it_calls_itself(self) -> None:
        for content in (b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"<html>GIF89a", b"GIF8", b"\x00" * 40):
            self.assertContains(self.upload(content), "This is not a PNG", status_code=400)
        self.assertContains(self.upload(b""), "errorlist", status_code=400)
        self.assertEqual(self.stored(), [])

    def test_the_first_bytes_decide_the_type_not_the_name(self) -> None:
        self.upload(b"\x89PNG\r\n\x1a\n" + bytes(20), "../../evil.html", "text/html")
        cover = self.served()
        self.assertEqual((cover["Content-Type"], cover["X-Content-Type-Options"]), ("image/png", "nosniff"))
        self.assertEqual([path.parent.name for path in self.stored()], ["covers"])
        self.assertNotIn("evil", self.stored()[0].name)
        cover.close()

    def test_a_new_cover_replaces_the_old_file(self) -> None:
        with self.captureOnCommitCallbacks(execute=True):
            self.upload(GIF)
            self.upload(GIF + b"second")
        self.assertEqual([path.read_bytes() for path in self.stored()], [GIF + b"second"])

    def test_a_browser_that_has_the_cover_is_told_so(self) -> None:
        self.upload(GIF)
        first = self.served()
        first.close()
        self.assertEqual(self.served(**{"If-None-Match": first["ETag"]}).status_code, 304)
        self.upload(GIF)
        again = self.served(**{"If-None-Match": first["ETag"]})
        self.assertEqual(again.getvalue(), GIF)

    def test_a_book_without_cover_has_none_to_serve(self) -> None:
        self.assertEqual(self.served().status_code, 404)
        Book.objects.filter(pk=self.book.pk).update(cover="covers/gone-1")
        self.assertEqual(self.served().status_code, 404)
