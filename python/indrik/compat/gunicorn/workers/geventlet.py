"""For annotations; no such worker runs here."""

from gunicorn.workers.base_async import AsyncWorker


class EventletWorker(AsyncWorker):
    """Gunicorn's former worker on eventlet."""
