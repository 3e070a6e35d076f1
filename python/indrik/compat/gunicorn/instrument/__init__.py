"""Gunicorn's instruments."""
