"""The pages: list, book, basket, and the small posts that change something and send the visitor back."""

from django.contrib import messages
from django.core.paginator import Paginator
from django.db import transaction
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import cache_control
from django.views.decorators.http import condition, require_GET, require_POST, require_safe

from shop import basket
from shop.covers import HEAD_LEN, image_type
from shop.forms import CoverForm, ReviewForm
from shop.models import Book, Genre

PAGE_LEN = 24
SORTS = {
    "newest": ("Newest first", ["-published", "pk"]),
    "title": ("Title", ["title", "pk"]),
    "price": ("Lowest price", ["price", "title", "pk"]),
    "rating": ("Best rated", ["-rating", "-review_count", "title", "pk"]),
}


@require_safe
def book_list(request: HttpRequest) -> HttpResponse:
    """`q` searches, `genre` and `sort` choose, `page` turns; whatever is out of range shows the nearest page."""
    text = request.GET.get("q", "").strip()
    genre = request.GET.get("genre", "")
    sort = request.GET.get("sort", "")
    sort = sort if sort in SORTS else "newest"
    books = Book.objects.search(text).select_related("author").rated().order_by(*SORTS[sort][1])
    if genre in Genre.values:
        books = books.filter(genre=genre)
    else:
        genre = ""
    page = Paginator(books, PAGE_LEN).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "page_numbers": page.paginator.get_elided_page_range(page.number, on_each_side=2, on_ends=1),
        "q": text,
        "genre": genre,
        "genres": Genre.choices,
        "sort": sort,
        "sorts": [(key, label) for key, (label, _order) in SORTS.items()],
        "recent": basket.recent_books(request),
    }
    return render(request, "shop/book_list.html", context)


@require_safe
def book(request: HttpRequest, slug: str) -> HttpResponse:
    found = find(slug)
    basket.remember(request, found)
    return book_page(request, found)


@require_POST
def add_review(request: HttpRequest, slug: str) -> HttpResponse:
    found = find(slug)
    form = ReviewForm(request.POST)
    if not form.is_valid():
        return book_page(request, found, review_form=form, status=400)
    form.instance.book = found
    form.save()
    messages.success(request, f"Thank you, {form.instance.reader}. Your review is on the page.")
    return redirect(f"{found.get_absolute_url()}#reviews")


@require_POST
def upload_cover(request: HttpRequest, slug: str) -> HttpResponse:
    found = find(slug)
    form = CoverForm(request.POST, request.FILES)
    if not form.is_valid():
        return book_page(request, found, cover_form=form, status=400)
    with transaction.atomic():
        # Read again under the write lock: of two uploads at once, the later one must find and remove the earlier file.
        current = Book.objects.get(pk=found.pk)
        old_name = current.cover.name
        current.cover = form.cleaned_data["cover"]
        current.save(update_fields=["cover"])
        if old_name:
            transaction.on_commit(lambda: current.cover.storage.delete(old_name))
    messages.success(request, "The book has a new cover.")
    return redirect(found)


def cover_etag(_request: HttpRequest, slug: str) -> str | None:
    name = Book.objects.filter(slug=slug).values_list("cover", flat=True).first()
    return f'"{name.rpartition("-")[2]}"' if name else None


@require_GET
@cache_control(public=True, no_cache=True)
@condition(etag_func=cover_etag)
def cover(_request: HttpRequest, slug: str) -> FileResponse:
    """The uploaded cover, straight from the file; 404 without one."""
    found = get_object_or_404(Book, slug=slug)
    if not found.cover:
        raise Http404("this book has no cover")
    try:
        file = found.cover.storage.open(found.cover.name)
    except FileNotFoundError as error:
        raise Http404("the cover's file is gone") from error
    content_type = image_type(file.read(HEAD_LEN)) or "application/octet-stream"
    file.seek(0)
    return FileResponse(file, content_type=content_type)


@require_safe
def basket_page(request: HttpRequest) -> HttpResponse:
    lines, total = basket.lines(request)
    return render(request, "shop/basket.html", {"lines": lines, "total": total})


@require_POST
def add_to_basket(request: HttpRequest, slug: str) -> HttpResponse:
    found = find(slug)
    if basket.add(request, found):
        messages.success(request, f"“{found.title}” is in your basket.")
    else:
        messages.error(request, f"“{found.title}” is out of stock.")
    return redirect(found)


@require_POST
def remove_from_basket(request: HttpRequest, slug: str) -> HttpResponse:
    basket.remove(request, find(slug))
    return redirect("shop:basket")


def find(slug: str) -> Book:
    return get_object_or_404(Book.objects.select_related("author").rated(), slug=slug)


def book_page(
    request: HttpRequest,
    found: Book,
    review_form: ReviewForm | None = None,
    cover_form: CoverForm | None = None,
    status: int = 200,
) -> HttpResponse:
    """The page of one book, with fresh forms unless a refused one is to be shown again."""
    context = {
        "book": found,
        "reviews": found.reviews.all()[:50],
        "review_form": review_form or ReviewForm(),
        "cover_form": cover_form or CoverForm(),
        "recent": basket.recent_books(request, besides=found),
    }
    return render(request, "shop/book.html", context, status=status)
