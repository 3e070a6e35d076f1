"""The two forms that visitors fill in."""

from typing import ClassVar

from django import forms

from shop.covers import validate_cover
from shop.models import Review


class ReviewForm(forms.ModelForm):
    stars = forms.TypedChoiceField(
        label="Your rating",
        coerce=int,
        choices=[(n, f"{n} star" if n == 1 else f"{n} stars") for n in range(5, 0, -1)],
    )

    class Meta:
        model = Review
        fields = ("reader", "stars", "text")
        labels: ClassVar = {"reader": "Your name", "text": "Your review"}
        widgets: ClassVar = {"text": forms.Textarea(attrs={"rows": 4})}


class CoverForm(forms.Form):
    cover = forms.FileField(
        label="New cover",
        validators=[validate_cover],
        widget=forms.FileInput(attrs={"accept": "image/png,image/jpeg,image/gif,image/webp"}),
        help_text="PNG, JPEG, GIF or WebP, up to 1 MiB.",
    )
