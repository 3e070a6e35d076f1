"""Watches files and calls back when one has changed. Source: Gunicorn setting ``reload``."""

import glob
import os
import re
import sys
import threading
import time

COMPILED_EXT_RE = re.compile(r"py[co]$")


class Reloader(threading.Thread):
    """Looks at the time of change of every module's file, and of the extra ones, once in ``interval`` seconds."""

    def __init__(self, extra_files=None, interval=1, callback=None):
        super().__init__(daemon=True)
        self._extra_files = set(extra_files or ())
        self._interval = interval
        self._callback = callback
        self._seen = {}

    def add_extra_file(self, filename):
        self._extra_files.add(filename)

    def get_files(self):
        """The files that are watched at this moment."""
        modules = [getattr(module, "__file__", None) for module in tuple(sys.modules.values())]
        files = {COMPILED_EXT_RE.sub("py", file) for file in modules if isinstance(file, str)}
        for entry in self._extra_files:
            files.update(glob.glob(entry, recursive=True) if any(letter in entry for letter in "*?[") else [entry])
        return files

    def start(self):
        # What changes from now on counts, however late the thread comes to look.
        self._changed()
        super().start()

    def run(self):
        while True:
            time.sleep(self._interval)
            for file in self._changed():
                if self._callback:
                    self._callback(file)

    def _changed(self):
        """Files that have changed since the last look."""
        changed = []
        for file in self.get_files():
            try:
                at = os.stat(file).st_mtime
            except OSError:
                continue
            if at > self._seen.setdefault(file, at):
                self._seen[file] = at
                changed.append(file)
        return changed


InotifyReloader = Reloader
preferred_reloader = Reloader
reloader_engines = {"auto": Reloader, "poll": Reloader, "inotify": Reloader}
