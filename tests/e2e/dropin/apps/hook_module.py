"""What settings files of the corpus name by dotted strings."""

from gunicorn.glogging import Logger


def initialize(server):
    server.log.info("initialized by name")


class SafeLogger(Logger):
    def setup(self, cfg):
        super().setup(cfg)
        self._set_handler(self.access_log, cfg.accesslog, fmt=__import__("logging").Formatter("safe %(message)s"))
