"""Gunicorn's workers, by name. indrik has workers of its own; hooks get objects of these classes."""

SUPPORTED_WORKERS = {
    "sync": "gunicorn.workers.sync.SyncWorker",
    "gthread": "gunicorn.workers.gthread.ThreadWorker",
}
