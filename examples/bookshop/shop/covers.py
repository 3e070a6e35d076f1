"""Uploaded cover images: what is accepted, and under which name it is kept.

Nothing that the uploader says is believed: neither the file name nor the declared type. The first bytes decide, at the
upload and again when the file is served. SVG is left out because it may carry scripts.
"""

import secrets

from django.core.exceptions import ValidationError
from django.core.files import File

# Bytes. Enough for a jacket at print-like quality, small enough for a demonstration that anybody may write to.
MAX_COVER_LEN = 1024 * 1024
# Longest signature that `image_type` looks at.
HEAD_LEN = 12


def image_type(head: bytes) -> str | None:
    """The media type of an image that begins with `head` (at least `HEAD_LEN` bytes), or None if we do not take it."""
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "image/webp"
    return None


def validate_cover(cover: File) -> None:
    """Raises ValidationError for a file above `MAX_COVER_LEN` or of a type that `image_type` does not know."""
    if cover.size > MAX_COVER_LEN:
        raise ValidationError("The picture is larger than 1 MiB.", code="too_large")
    cover.seek(0)
    head = cover.read(HEAD_LEN)
    cover.seek(0)
    if image_type(head) is None:
        raise ValidationError("This is not a PNG, JPEG, GIF or WebP picture.", code="not_an_image")


def cover_name(book, _uploaded_as: str) -> str:
    """A fresh name under MEDIA_ROOT for a cover of `book`: no part of it comes from the uploader."""
    return f"covers/{book.isbn}-{secrets.token_hex(6)}"
