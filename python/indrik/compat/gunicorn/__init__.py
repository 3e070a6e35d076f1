"""indrik's stand-in for the package ``gunicorn``."""

from indrik import _indrik

version_info = (27, 0, 1)
__version__ = ".".join(map(str, version_info))
# A settings file may set both: the header `Server`, and `SERVER_SOFTWARE` in the environ.
SERVER = "indrik"
SERVER_SOFTWARE = f"gunicorn/27 (compatible; indrik/{_indrik.__version__})"


def __getattr__(name):
    raise AttributeError(f"module 'gunicorn' is indrik's stand-in and has no attribute {name!r}")
