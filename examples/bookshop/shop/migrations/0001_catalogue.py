"""The first tables: authors, books, reviews."""

# Written by makemigrations, hence:
# ruff: noqa: I001, RUF012

import django.core.validators
import django.db.models.deletion
import django.utils.timezone
import shop.covers
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Author",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=120, unique=True)),
                ("about", models.TextField(blank=True)),
            ],
            options={
                "ordering": ("name",),
            },
        ),
        migrations.CreateModel(
            name="Book",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("title", models.CharField(max_length=200)),
                ("slug", models.SlugField(max_length=200, unique=True)),
                (
                    "isbn",
                    models.CharField(
                        max_length=13,
                        unique=True,
                        validators=[
                            django.core.validators.RegexValidator(
                                "\\A[0-9]{13}\\Z", "Thirteen digits, without hyphens."
                            )
                        ],
                        verbose_name="ISBN",
                    ),
                ),
                (
                    "genre",
                    models.CharField(
                        choices=[
                            ("novel", "Novels"),
                            ("mystery", "Mysteries"),
                            ("history", "History"),
                            ("science", "Science"),
                            ("travel", "Travel"),
                            ("poetry", "Poetry"),
                            ("kitchen", "Kitchen"),
                            ("craft", "Craft"),
                        ],
                        db_index=True,
                        max_length=12,
                    ),
                ),
                (
                    "price",
                    models.DecimalField(
                        decimal_places=2, max_digits=7, validators=[django.core.validators.MinValueValidator(0)]
                    ),
                ),
                ("published", models.DateField()),
                ("stock", models.PositiveIntegerField(default=0)),
                ("description", models.TextField()),
                (
                    "cover",
                    models.FileField(
                        blank=True, upload_to=shop.covers.cover_name, validators=[shop.covers.validate_cover]
                    ),
                ),
                (
                    "author",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="books", to="shop.author"
                    ),
                ),
            ],
            options={
                "ordering": ("title", "pk"),
            },
        ),
        migrations.CreateModel(
            name="Review",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("reader", models.CharField(max_length=60)),
                (
                    "stars",
                    models.PositiveSmallIntegerField(
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(5),
                        ]
                    ),
                ),
                ("text", models.TextField(max_length=2000)),
                ("created", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                (
                    "book",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="reviews", to="shop.book"
                    ),
                ),
            ],
            options={
                "ordering": ("-created", "-pk"),
            },
        ),
    ]
