"""What the server calls and with what: applications of every kind, and one that tells about its environ.

`application` has a path for each function below; each other name of this module is an application of one kind.
"""

import functools
import json
import os
import wsgiref.util

TEXT = ("Content-Type", "text/plain")


def application(environ, start_response):
    return PATHS[environ["PATH_INFO"]](environ, start_response)


def answer(start_response, value):
    body = json.dumps(value).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


def dump(environ, start_response):
    """Values that are text, numbers or tuples; the types of all; the URL that PEP 3333's algorithm makes of it."""
    plain = {key: value for key, value in environ.items() if isinstance(value, (str, int, tuple))}
    seen = {
        "environ": plain,
        "types": {key: f"{type(value).__module__}.{type(value).__qualname__}" for key, value in environ.items()},
        "is_dict": type(environ) is dict,
        "is_latin1": all(max(map(ord, value), default=0) < 256 for value in plain.values() if isinstance(value, str)),
        "url": wsgiref.util.request_uri(environ),
        "pid": os.getpid(),
    }
    return answer(start_response, seen)


def pid(environ, start_response):
    return answer(start_response, os.getpid())


def spoil(environ, start_response):
    """Does to its environ all that one can do to a dictionary."""
    environ["wsgi.version"] = environ["wsgi.errors"] = environ["wsgi.file_wrapper"] = None
    environ["SERVER_SOFTWARE"] = environ["spoiled"] = "spoiled"
    environ.setdefault("spoiled.too", "spoiled")
    environ.pop("REMOTE_ADDR")
    environ.clear()
    environ[1] = environ[None] = environ
    return answer(start_response, len(environ))


def count(environ, start_response):
    """How often this has been called in this process."""
    count.calls += 1
    return answer(start_response, count.calls)


count.calls = 0


def methods(environ, start_response):
    """Which methods of the two streams are there."""
    wanted = {
        "wsgi.input": ("read", "readline", "readlines", "__iter__"),
        "wsgi.errors": ("flush", "write", "writelines"),
    }
    missing = [
        f"{key}.{name}" for key, names in wanted.items() for name in names if not callable(getattr(environ[key], name))
    ]
    return answer(start_response, missing)


# The callable may be anything that can be called. Each tells how it was called.


def told(arguments, keywords=()):
    environ, start_response = arguments
    assert type(environ) is dict and callable(start_response)
    return answer(start_response, [len(arguments), len(keywords)])


def function(first, second):
    return told((first, second))


def any_arguments(*arguments, **keywords):
    return told(arguments, keywords)


def positional_only(first, second, /):
    return told((first, second))


def generator(first, second):
    yield from told((first, second))


class Class:
    """Its instances are the iterables."""

    def __init__(self, *arguments, **keywords):
        self.arguments, self.keywords = arguments, keywords

    def __iter__(self):
        yield from told(self.arguments, self.keywords)


class Callable:
    """Its instances, their methods, its static and its class methods are applications."""

    def __call__(self, *arguments, **keywords):
        return told(arguments, keywords)

    def method(self, *arguments, **keywords):
        return told(arguments, keywords)

    @staticmethod
    def static(*arguments, **keywords):
        return told(arguments, keywords)

    @classmethod
    def of_the_class(cls, *arguments, **keywords):
        return told(arguments, keywords)


class Secretive(Callable):
    """Can be called and nothing else."""

    def __getattribute__(self, name):
        raise AttributeError(name)


instance = Callable()
secretive = Secretive()
method = instance.method
static = Callable.static
of_the_class = Callable.of_the_class
partial = functools.partial(any_arguments)
nameless = lambda *arguments, **keywords: told(arguments, keywords)  # noqa: E731

PATHS = {f"/{made.__name__}": made for made in (dump, pid, spoil, count, methods)}
