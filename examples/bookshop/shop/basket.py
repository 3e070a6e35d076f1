"""What a visitor's session remembers: the basket, and the books looked at last.

The basket is `{book id as text: copies}`, because a session is stored as JSON and JSON has no other keys.
"""

from decimal import Decimal

from django.http import HttpRequest

from shop.models import Book

MAX_COPIES = 20
RECENT_COUNT = 6


def add(request: HttpRequest, book: Book) -> int:
    """Puts one more copy of `book` into the basket; returns how many are in it, never above stock or `MAX_COPIES`."""
    basket = request.session.get("basket", {})
    copies = min(basket.get(str(book.pk), 0) + 1, book.stock, MAX_COPIES)
    if copies:
        basket[str(book.pk)] = copies
        request.session["basket"] = basket
    return copies


def remove(request: HttpRequest, book: Book) -> None:
    """Takes all copies of `book` out of the basket."""
    basket = request.session.get("basket", {})
    if basket.pop(str(book.pk), None) is not None:
        request.session["basket"] = basket


def lines(request: HttpRequest) -> tuple[list[dict], Decimal]:
    """The basket's lines (book, copies, cost) in order of title, and what they cost together."""
    basket = request.session.get("basket", {})
    found = [
        {"book": book, "copies": basket[str(book.pk)], "cost": book.price * basket[str(book.pk)]}
        for book in Book.objects.select_related("author").filter(pk__in=basket)
    ]
    return found, sum((line["cost"] for line in found), Decimal(0))


def basket_count(request: HttpRequest) -> dict:
    """Context processor: the number beside the basket in the page's header."""
    session = getattr(request, "session", None)
    return {"basket_count": sum(session.get("basket", {}).values()) if session is not None else 0}


def remember(request: HttpRequest, book: Book) -> None:
    """Notes that `book` was looked at. The same book twice in a row writes nothing."""
    recent = request.session.get("recent", [])
    if recent[:1] != [book.pk]:
        request.session["recent"] = [book.pk, *(pk for pk in recent if pk != book.pk)][:RECENT_COUNT]


def recent_books(request: HttpRequest, besides: Book | None = None) -> list[Book]:
    """The books looked at last, latest first, without `besides`."""
    wanted = [pk for pk in request.session.get("recent", []) if besides is None or pk != besides.pk]
    if not wanted:
        return []
    books = Book.objects.select_related("author").in_bulk(wanted)
    return [books[pk] for pk in wanted if pk in books]
