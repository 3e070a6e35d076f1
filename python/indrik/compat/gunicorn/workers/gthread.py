"""The worker of several threads."""

from gunicorn.workers import base


class ThreadWorker(base.Worker):
    """What hooks get with several threads."""
