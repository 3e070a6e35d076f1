"""The worker's heartbeat."""

from gunicorn.workers.base import WorkerTmp

__all__ = ["WorkerTmp"]
