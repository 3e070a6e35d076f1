"""Names of Gunicorn's parser errors. Nothing raises them here: indrik's parser answers by itself."""


class ParseException(Exception):
    """What a client sent is no request."""


def __getattr__(name):
    if name[:1].isupper():
        return type(name, (ParseException,), {"__module__": __name__})
    raise AttributeError(f"module 'gunicorn.http.errors' is indrik's stand-in and has no attribute {name!r}")
