"""The body is ``environ["wsgi.input"]``."""


class Body:
    """For annotations only."""


def __getattr__(name):
    raise AttributeError(f"module 'gunicorn.http.body' is indrik's stand-in and has no attribute {name!r}")
