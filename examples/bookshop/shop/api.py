"""The catalogue for machines: JSON by pages or by ISBN, and the whole of it as a streamed CSV file."""

import csv
from collections.abc import Iterator

from django.core.paginator import InvalidPage, Paginator
from django.http import HttpRequest, JsonResponse, StreamingHttpResponse
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_safe

from shop.models import Book

PAGE_LEN = 20
CSV_COLUMNS = ["isbn", "title", "author", "genre", "price", "published", "stock"]


@require_safe
def book_list(request: HttpRequest) -> JsonResponse:
    """One page of books as JSON. `q` searches; a `page` that does not exist is a 404."""
    text = request.GET.get("q", "").strip()
    paginator = Paginator(Book.objects.search(text).select_related("author").rated().order_by("title", "pk"), PAGE_LEN)
    try:
        page = paginator.page(request.GET.get("page", 1))
    except InvalidPage:
        return JsonResponse({"error": "no such page"}, status=404)

    def link(number: int) -> str:
        query = {"q": text, "page": number} if text else {"page": number}
        return f"{reverse('shop:api-books')}?{urlencode(query)}"

    return JsonResponse(
        {
            "count": paginator.count,
            "page": page.number,
            "pages": paginator.num_pages,
            "next": link(page.next_page_number()) if page.has_next() else None,
            "previous": link(page.previous_page_number()) if page.has_previous() else None,
            "results": [as_json(book) for book in page],
        }
    )


@require_safe
def book(_request: HttpRequest, isbn: str) -> JsonResponse:
    """One book as JSON, with its description; the ISBN may be written with hyphens."""
    found = Book.objects.select_related("author").rated().filter(isbn=isbn.replace("-", "")).first()
    if found is None:
        return JsonResponse({"error": "no such book"}, status=404)
    return JsonResponse({**as_json(found), "description": found.description})


@require_safe
def export_csv(_request: HttpRequest) -> StreamingHttpResponse:
    """All books as CSV. Rows leave as the database yields them; the length is not known beforehand."""
    response = StreamingHttpResponse(csv_rows(), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="books.csv"'
    return response


def csv_rows() -> Iterator[str]:
    writer = csv.writer(Line())
    yield writer.writerow(CSV_COLUMNS)
    for found in Book.objects.select_related("author").order_by("isbn").iterator(chunk_size=50):
        yield writer.writerow(
            [found.isbn, found.title, found.author.name, found.genre, found.price, found.published, found.stock]
        )


class Line:
    """The least that csv.writer takes for a file: `writerow` then returns the finished line."""

    def write(self, line: str) -> str:
        return line


def as_json(found: Book) -> dict:
    """What the list and the single book have in common. The price is a string: JSON has no decimals."""
    return {
        "isbn": found.isbn,
        "title": found.title,
        "author": found.author.name,
        "genre": found.genre,
        "price": str(found.price),
        "published": found.published.isoformat(),
        "stock": found.stock,
        "rating": round(found.rating, 2) if found.rating is not None else None,
        "reviews": found.review_count,
        "url": found.get_absolute_url(),
    }
