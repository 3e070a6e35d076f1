"""Importable, and empty: indrik does this in the master."""


def __getattr__(name):
    raise AttributeError(f"module 'gunicorn.systemd' is indrik's stand-in and has no attribute {name!r}")
