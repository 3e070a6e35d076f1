"""A worker, as hooks see it."""

import os
import sys
import time
from random import randint

from indrik import _indrik


class WorkerTmp:
    """The worker's heartbeat. indrik's workers report through shared memory."""

    def __init__(self):
        self._last = time.monotonic()

    def notify(self):
        self._last = time.monotonic()

    def last_update(self):
        return self._last


class Worker:
    """One object for each worker: made in the master before the fork, and kept there until ``child_exit``."""

    SIGNALS = []
    PIPE = []

    def __init__(self, age, ppid, sockets, app, timeout, cfg, log):
        self.age = age
        self.pid = "[booting]"
        self.ppid = ppid
        self.sockets = sockets
        self.app = app
        self.timeout = timeout
        self.cfg = cfg
        self.booted = False
        self.aborted = False
        self.reloader = None
        self.nr = 0
        self.max_requests = sys.maxsize
        if cfg.max_requests > 0:
            self.max_requests = cfg.max_requests + randint(0, cfg.max_requests_jitter)
        self.log = log
        self.tmp = WorkerTmp()
        self.wsgi = None
        self._alive = True
        self.tpool = None
        self.nr_conns = 0

    def __str__(self):
        return f"<Worker {self.pid}>"

    @property
    def alive(self):
        """False: the worker leaves after its current requests."""
        return self._alive

    @alive.setter
    def alive(self, alive):
        if self._alive and not alive and self.pid == os.getpid():
            _indrik.retire()
        self._alive = bool(alive)

    def notify(self):
        self.tmp.notify()

    def _count(self):
        """A request has begun, with hooks around it, which may change the limit at any time."""
        self.nr += 1
        if self.nr >= self.max_requests and self._alive:
            self.log.info("Autorestarting worker after current request.")
            self.alive = False

    def __getattr__(self, name):
        raise AttributeError(f"the worker is indrik's stand-in for one of Gunicorn's and has no attribute {name!r}")
