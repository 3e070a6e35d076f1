"""The master, as hooks see it."""

import os
import signal
import sys
import time

from gunicorn.errors import HaltServer  # noqa: F401


class Arbiter:
    """One object in the master, inherited by every worker. Hooks may keep attributes of their own on it."""

    WORKER_BOOT_ERROR = 3
    APP_LOAD_ERROR = 4
    START_CTX = {}
    LISTENERS = []
    WORKERS = {}

    def __init__(self, app):
        self.app = app
        self.cfg = app.cfg
        self.log = None
        self.timeout = self.cfg.timeout
        self.pid = None
        self.pidfile = None
        self.systemd = False
        self.worker_age = 0
        self.reexec_pid = 0
        self.master_pid = 0
        self.master_name = "Master"
        self.LISTENERS = []
        self.WORKERS = {}
        self.start_time = time.time()
        self._num_workers = self.cfg.workers
        self._stats = {"start_time": self.start_time, "workers_spawned": 0, "workers_killed": 0, "reloads": 0}

    @property
    def address(self):
        return self.cfg.address

    @property
    def proc_name(self):
        return self.cfg.proc_name

    @property
    def worker_class(self):
        return self.cfg.worker_class

    @property
    def num_workers(self):
        return self._num_workers

    @num_workers.setter
    def num_workers(self, number):
        """Asks the master, by its own signals, for more or fewer workers; before it listens, it only takes note."""
        if not self.LISTENERS:
            self._num_workers = number
            return
        kind = signal.SIGTTIN if number > self._num_workers else signal.SIGTTOU
        if self.pid == os.getpid():
            for _ in range(abs(number - self._num_workers)):
                os.kill(self.pid, kind)

    def run(self):
        """Starts indrik with the application of this object. Does not return."""
        from indrik import _indrik

        sys.exit(_indrik.embed(self.app, sys.argv))

    def kill_worker(self, pid, sig):
        """Sends a signal to a worker."""
        try:
            os.kill(pid, sig)
        except ProcessLookupError:
            pass

    def kill_workers(self, sig):
        """Sends a signal to all workers."""
        for pid in list(self.WORKERS):
            self.kill_worker(pid, sig)

    def reload(self):
        """Reads the settings again, as HUP does."""
        os.kill(self.pid, signal.SIGHUP)

    def wakeup(self):
        """Nothing: the master wakes by itself."""

    def __getattr__(self, name):
        raise AttributeError(f"the server is indrik's stand-in for Gunicorn's Arbiter and has no attribute {name!r}")
