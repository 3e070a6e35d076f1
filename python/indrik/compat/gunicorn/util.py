"""What settings files and applications use of ``gunicorn.util``."""

import fcntl
import importlib
import os
import re
import sys
import time

from gunicorn.errors import AppImportError


def load_class(uri, default="gunicorn.workers.sync.SyncWorker", section="gunicorn.workers"):
    """The class that a dotted name, ``egg:DIST#NAME`` or a short name means; a class is returned as it is."""
    if isinstance(uri, type):
        return uri
    if uri.startswith("egg:"):
        from importlib.metadata import distribution

        dist, _, name = uri[len("egg:") :].partition("#")
        for point in distribution(dist).entry_points:
            if point.group == section and point.name == (name or "sync"):
                return point.load()
        raise RuntimeError(f"class uri {uri!r} invalid or not found")
    known = {
        "sync": "gunicorn.workers.sync.SyncWorker",
        "gthread": "gunicorn.workers.gthread.ThreadWorker",
        "simple": "gunicorn.glogging.Logger",
    }
    module, _, name = known.get(uri, uri).rpartition(".")
    if not module:
        raise RuntimeError(f"class uri {uri!r} invalid or not found")
    try:
        return getattr(importlib.import_module(module), name)
    except Exception as error:
        raise RuntimeError(f"class uri {uri!r} invalid or not found: {error}") from error


def import_app(module):
    """The application that ``MODULE:NAME`` means, also ``MODULE:FACTORY(ARGUMENTS)``."""
    import ast

    name, _, expression = module.partition(":")
    loaded = importlib.import_module(name)
    expression = expression or "application"
    node = ast.parse(expression, mode="eval").body
    if isinstance(node, ast.Call):
        if not isinstance(node.func, ast.Name):
            raise AppImportError(f"Function reference must be a simple name: {expression!r}")
        args = [ast.literal_eval(arg) for arg in node.args]
        kwargs = {keyword.arg: ast.literal_eval(keyword.value) for keyword in node.keywords}
        app = getattr(loaded, node.func.id)(*args, **kwargs)
    else:
        app = loaded
        for part in expression.split("."):
            try:
                app = getattr(app, part)
            except AttributeError:
                raise AppImportError(f"Failed to find attribute {part!r} in {name!r}.") from None
    if not callable(app):
        raise AppImportError("Application object must be callable.")
    return app


def parse_address(netloc, default_port="8000"):
    """``(HOST, PORT)``, a path, or a descriptor's number."""
    if re.match(r"unix:(//)?", netloc):
        return re.split(r"unix:(//)?", netloc)[-1]
    if netloc.startswith("fd://"):
        try:
            return int(netloc[len("fd://") :])
        except ValueError:
            raise RuntimeError(f"{netloc[len('fd://') :]!r} is not a valid file descriptor.") from None
    if netloc.startswith("tcp://"):
        netloc = netloc[len("tcp://") :]
    host, port = netloc, default_port
    if "[" in netloc and "]" in netloc:
        host, rest = netloc.split("]")[0][1:].lower(), netloc.split("]")[1]
        port = rest.split(":", 1)[1] if ":" in rest else default_port
    elif ":" in netloc:
        host, port = netloc.split(":", 1)
    elif not netloc:
        host = "0.0.0.0"
    try:
        return host.lower(), int(port)
    except ValueError:
        raise RuntimeError(f"{port!r} is not a valid port number.") from None


def get_arity(function):
    """How many positional parameters a function has."""
    import inspect

    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(1 for parameter in inspect.signature(function).parameters.values() if parameter.kind in kinds)


def check_is_writable(path):
    """Raises RuntimeError if the file cannot be written."""
    try:
        with open(path, "a"):
            pass
    except OSError as error:
        raise RuntimeError(f"Error: '{path}' isn't writable [{error!r}]") from error


def close_on_exec(fd):
    """Keeps a descriptor from programs that are executed."""
    fcntl.fcntl(fd, fcntl.F_SETFD, fcntl.fcntl(fd, fcntl.F_GETFD) | fcntl.FD_CLOEXEC)


def set_non_blocking(fd):
    """Makes a descriptor one that does not block."""
    os.set_blocking(fd, False)


def getcwd():
    """The working directory, as ``$PWD`` spells it where that is the same."""
    try:
        here, spelled = os.stat("."), os.stat(os.environ["PWD"])
        if (here.st_ino, here.st_dev) == (spelled.st_ino, spelled.st_dev):
            return os.environ["PWD"]
    except (KeyError, OSError):
        pass
    return os.getcwd()


def http_date(timestamp=None):
    """A date as HTTP writes it."""
    import email.utils

    return email.utils.formatdate(time.time() if timestamp is None else timestamp, localtime=False, usegmt=True)


def is_ipv6(address):
    """Is it an address of IPv6?"""
    import ipaddress

    try:
        return ipaddress.ip_address(address).version == 6
    except ValueError:
        return False


def bytes_to_str(value):
    """Text from bytes of latin-1; text as it is."""
    return value if isinstance(value, str) else str(value, "latin1")


def to_bytestring(value, encoding="utf8"):
    """Bytes from text; bytes as they are."""
    return value if isinstance(value, bytes) else value.encode(encoding)


def is_glob_pattern(path):
    """Does it stand for any number of files?"""
    return any(letter in path for letter in "*?[")


def make_fail_app(message):
    """An application that answers every request with 500 and the message."""
    body = to_bytestring(message)

    def app(environ, start_response):
        start_response(
            "500 Internal Server Error", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))]
        )
        return [body]

    app.message = message
    return app


def warn(message):
    """Prints a warning that nobody overlooks."""
    print(f"!!!\n!!! WARNING: {message}!!!\n", file=sys.stderr, flush=True)


def __getattr__(name):
    raise AttributeError(f"module 'gunicorn.util' is indrik's stand-in and has no attribute {name!r}")
