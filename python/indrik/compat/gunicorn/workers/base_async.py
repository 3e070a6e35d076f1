"""For annotations; no such worker runs here."""

from gunicorn.workers import base


class AsyncWorker(base.Worker):
    """Gunicorn's base of workers with an event loop."""
