"""The staff's side of the shop."""

from typing import ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from shop.models import Author, Book, Review

admin.site.site_header = "Bookshop administration"
admin.site.site_title = "Bookshop"
admin.site.index_title = "Back office"

FEW = 3


class StockFilter(admin.SimpleListFilter):
    title = "stock"
    parameter_name = "stock_level"

    def lookups(self, _request: HttpRequest, _model_admin: admin.ModelAdmin) -> list[tuple[str, str]]:
        return [("none", "sold out"), ("few", f"{FEW} or fewer"), ("plenty", f"more than {FEW}")]

    def queryset(self, _request: HttpRequest, books: QuerySet) -> QuerySet:
        match self.value():
            case "none":
                return books.filter(stock=0)
            case "few":
                return books.filter(stock__gt=0, stock__lte=FEW)
            case "plenty":
                return books.filter(stock__gt=FEW)
            case _:
                return books


class ReviewInline(admin.TabularInline):
    model = Review
    extra = 0


@admin.register(Author)
class AuthorAdmin(admin.ModelAdmin):
    search_fields = ("name",)


@admin.register(Book)
class BookAdmin(admin.ModelAdmin):
    list_display = ("title", "author", "genre", "price", "published", "stock")
    list_editable = ("price", "stock")
    list_filter = ("genre", StockFilter, "published")
    list_select_related = ("author",)
    list_per_page = 50
    date_hierarchy = "published"
    search_fields = ("title", "isbn", "author__name")
    autocomplete_fields = ("author",)
    prepopulated_fields: ClassVar = {"slug": ["title"]}
    inlines = (ReviewInline,)


@admin.register(Review)
class ReviewAdmin(admin.ModelAdmin):
    list_display = ("book", "reader", "stars", "created")
    list_filter = ("stars", "created")
    list_select_related = ("book",)
    search_fields = ("reader", "text", "book__title")
    autocomplete_fields = ("book",)
