"""What the shop's tests share: a seeded shop, uploads in a folder of their own, static files without collectstatic."""

import io
import shutil
import tempfile

from django.core.management import call_command
from django.test import TestCase, override_settings

from shop.models import Book

# The smallest complete GIF that decoders agree on: one transparent pixel.
GIF = bytes.fromhex("47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b")


@override_settings(
    STORAGES={
        "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    },
    # The demo user's password is hashed once per class; the real hasher takes a second on purpose.
    PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
)
class ShopTestCase(TestCase):
    @classmethod
    def setUpTestData(cls) -> None:
        call_command("seed", stdout=io.StringIO())
        cls.book = Book.objects.filter(stock__gt=2, reviews=None).order_by("pk").first()

    def setUp(self) -> None:
        media = tempfile.mkdtemp(prefix="bookshop-test-")
        self.addCleanup(shutil.rmtree, media)
        override = override_settings(MEDIA_ROOT=media)
        override.enable()
        self.addCleanup(override.disable)
