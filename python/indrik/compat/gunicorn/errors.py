"""Exceptions of Gunicorn's that others raise and catch."""


class HaltServer(BaseException):
    """Raised to end the server."""

    def __init__(self, reason, exit_status=1):
        super().__init__(reason, exit_status)
        self.reason = reason
        self.exit_status = exit_status

    def __str__(self):
        return f"<HaltServer {self.reason!r} {self.exit_status}>"


class ConfigError(Exception):
    """A setting is wrong."""


class AppImportError(Exception):
    """There is no application where one should be."""


def __getattr__(name):
    raise AttributeError(f"module 'gunicorn.errors' is indrik's stand-in and has no attribute {name!r}")
