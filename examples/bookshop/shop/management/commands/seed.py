"""`manage.py seed`: fills the shop with an invented catalogue and makes the demonstration's admin user.

May be run again at any time: books that are there already stay as they are, edited or not.
"""

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand
from django.db import transaction
from django.db.models import Q
from django.utils.text import slugify

from shop.catalogue import BookDraft, catalogue
from shop.models import Author, Book, Review

ADMIN_NAME = "admin"
# Printed on every page of the shop. Fit for a demonstration on your own machine, and for nothing else.
ADMIN_PASSWORD = "bookshop"


class Command(BaseCommand):
    help = "Adds the invented catalogue (about 200 books) and the demo user admin/bookshop where they are missing."

    def handle(self, *_args, **_options) -> None:
        with transaction.atomic():
            added = add_books()
            made_admin = add_admin()
        self.stdout.write(f"{added} books added, {Book.objects.count()} in the shop")
        if made_admin:
            self.stdout.write(f"admin user made: {ADMIN_NAME} / {ADMIN_PASSWORD} (for this demonstration only)")


def add_books() -> int:
    """Adds the books of the catalogue whose ISBN or slug is not taken, with their reviews; returns how many."""
    present = set(Book.objects.values_list("isbn", flat=True))
    slugs = set(Book.objects.values_list("slug", flat=True))
    drafts = [d for d in catalogue() if d.isbn not in present and slugify(d.title) not in slugs]
    names = {draft.author for draft in drafts}
    Author.objects.bulk_create([Author(name=name) for name in sorted(names)], ignore_conflicts=True)
    authors = Author.objects.in_bulk(names, field_name="name")
    books = Book.objects.bulk_create([as_book(draft, authors[draft.author]) for draft in drafts])
    Review.objects.bulk_create(
        Review(book=book, reader=review.reader, stars=review.stars, text=review.text, created=review.created)
        for book, draft in zip(books, drafts, strict=True)
        for review in draft.reviews
    )
    return len(books)


def as_book(draft: BookDraft, author: Author) -> Book:
    return Book(
        title=draft.title,
        slug=slugify(draft.title),
        isbn=draft.isbn,
        author=author,
        genre=draft.genre,
        price=draft.price,
        published=draft.published,
        stock=draft.stock,
        description=draft.description,
    )


def add_admin() -> bool:
    """Makes the demo's admin unless there is a superuser, or somebody of that name; tells whether it did."""
    users = get_user_model().objects
    if users.filter(Q(is_superuser=True) | Q(username=ADMIN_NAME)).exists():
        return False
    users.create_superuser(ADMIN_NAME, password=ADMIN_PASSWORD)
    return True
