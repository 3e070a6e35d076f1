"""Gunicorn's applications: how programs start the server from Python."""
