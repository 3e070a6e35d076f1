"""What the shop keeps: authors, their books, and what readers say about them."""

import zlib

from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.urls import reverse
from django.utils import timezone

from shop.covers import cover_name, validate_cover


class Author(models.Model):
    name = models.CharField(max_length=120, unique=True)
    about = models.TextField(blank=True)

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class Genre(models.TextChoices):
    NOVEL = "novel", "Novels"
    MYSTERY = "mystery", "Mysteries"
    HISTORY = "history", "History"
    SCIENCE = "science", "Science"
    TRAVEL = "travel", "Travel"
    POETRY = "poetry", "Poetry"
    KITCHEN = "kitchen", "Kitchen"
    CRAFT = "craft", "Craft"


class BookQuerySet(models.QuerySet):
    def search(self, text: str) -> "BookQuerySet":
        """Books in which every word of `text` occurs: in title, author, description or ISBN (hyphens ignored)."""
        found = self
        for word in text.split():
            match = (
                models.Q(title__icontains=word)
                | models.Q(author__name__icontains=word)
                | models.Q(description__icontains=word)
            )
            digits = word.replace("-", "")
            if digits.isdigit():
                match |= models.Q(isbn__contains=digits)
            found = found.filter(match)
        return found

    def rated(self) -> "BookQuerySet":
        """Adds `rating` (1 to 5, None without reviews) and `review_count`."""
        return self.annotate(rating=models.Avg("reviews__stars"), review_count=models.Count("reviews"))


class Book(models.Model):
    title = models.CharField(max_length=200)
    slug = models.SlugField(max_length=200, unique=True)
    isbn = models.CharField(
        "ISBN",
        max_length=13,
        unique=True,
        validators=[RegexValidator(r"\A[0-9]{13}\Z", "Thirteen digits, without hyphens.")],
    )
    author = models.ForeignKey(Author, on_delete=models.PROTECT, related_name="books")
    genre = models.CharField(max_length=12, choices=Genre, db_index=True)
    price = models.DecimalField(max_digits=7, decimal_places=2, validators=[MinValueValidator(0)])
    published = models.DateField()
    stock = models.PositiveIntegerField(default=0)
    description = models.TextField()
    cover = models.FileField(upload_to=cover_name, validators=[validate_cover], blank=True)

    objects = BookQuerySet.as_manager()

    class Meta:
        ordering = ("title", "pk")

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        return reverse("shop:book", args=[self.slug])

    @property
    def jacket(self) -> str:
        """CSS classes of the drawn jacket that a book without an uploaded cover wears; always the same for a title."""
        number = zlib.crc32(self.title.encode())
        return f"ink-{number % 8} motif-{number // 8 % 4}"

    @property
    def cover_tag(self) -> str:
        """Changes with every upload; empty without a cover."""
        return self.cover.name.rpartition("-")[2] if self.cover else ""


class Review(models.Model):
    book = models.ForeignKey(Book, on_delete=models.CASCADE, related_name="reviews")
    reader = models.CharField(max_length=60)
    stars = models.PositiveSmallIntegerField(validators=[MinValueValidator(1), MaxValueValidator(5)])
    text = models.TextField(max_length=2000)
    created = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ("-created", "-pk")

    def __str__(self) -> str:
        return f"{self.reader} on {self.book}: {self.stars}/5"
