"""For annotations; no such worker runs here."""

from gunicorn.workers.base_async import AsyncWorker


class GeventWorker(AsyncWorker):
    """Gunicorn's worker on gevent."""


class GeventPyWSGIWorker(GeventWorker):
    """Gunicorn's worker on gevent's own server."""
