"""What stands in the book."""

from django.db import models


class Entry(models.Model):
    author = models.CharField(max_length=100)
    text = models.TextField()
