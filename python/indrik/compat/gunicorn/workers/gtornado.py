"""For annotations; no such worker runs here."""

from gunicorn.workers.base import Worker


class TornadoWorker(Worker):
    """Gunicorn's worker on tornado."""
