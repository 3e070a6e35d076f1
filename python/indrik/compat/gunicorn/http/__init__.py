"""Gunicorn's requests and responses, as hooks see them."""

from gunicorn.http.message import Message, Request

__all__ = ["Message", "Request"]
