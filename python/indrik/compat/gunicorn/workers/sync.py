"""The worker of one thread."""

from gunicorn.workers import base


class StopWaiting(Exception):
    """Raised by Gunicorn's own loop; here by nobody."""


class SyncWorker(base.Worker):
    """What hooks get with one thread."""
