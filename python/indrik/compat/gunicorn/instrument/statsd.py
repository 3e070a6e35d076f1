"""Metrics in the format of statsd, one datagram for each."""

import logging
import socket

from gunicorn.glogging import Logger

METRIC_VAR = "metric"
VALUE_VAR = "value"
MTYPE_VAR = "mtype"
GAUGE_TYPE = "gauge"
COUNTER_TYPE = "counter"
HISTOGRAM_TYPE = "histogram"
TIMER_TYPE = "timer"


class Statsd(Logger):
    """A logger that counts what it logs, and sends what is logged with ``extra=`` a metric, its value and its type."""

    def __init__(self, cfg):
        self.prefix = f"{cfg.statsd_prefix.rstrip('.')}." if cfg.statsd_prefix else ""
        self.sock = None
        if cfg.statsd_host is not None:
            is_path = isinstance(cfg.statsd_host, str)
            try:
                self.sock = socket.socket(socket.AF_UNIX if is_path else socket.AF_INET, socket.SOCK_DGRAM)
                self.sock.connect(cfg.statsd_host)
            except OSError:
                self.sock = None
        self.dogstatsd_tags = cfg.dogstatsd_tags
        super().__init__(cfg)

    def critical(self, msg, *args, **kwargs):
        super().critical(msg, *args, **kwargs)
        self.increment("gunicorn.log.critical", 1)

    def error(self, msg, *args, **kwargs):
        super().error(msg, *args, **kwargs)
        self.increment("gunicorn.log.error", 1)

    def warning(self, msg, *args, **kwargs):
        super().warning(msg, *args, **kwargs)
        self.increment("gunicorn.log.warning", 1)

    def exception(self, msg, *args, **kwargs):
        super().exception(msg, *args, **kwargs)
        self.increment("gunicorn.log.exception", 1)

    def info(self, msg, *args, **kwargs):
        self.log(logging.INFO, msg, *args, **kwargs)

    def debug(self, msg, *args, **kwargs):
        self.log(logging.DEBUG, msg, *args, **kwargs)

    def log(self, lvl, msg, *args, **kwargs):
        """Sends the metric that ``extra`` holds, and logs the message if there is one."""
        try:
            extra = kwargs.get("extra") or {}
            metric, value, kind = extra.get(METRIC_VAR), extra.get(VALUE_VAR), extra.get(MTYPE_VAR)
            if metric and value is not None and kind:
                senders = {
                    GAUGE_TYPE: self.gauge,
                    COUNTER_TYPE: self.increment,
                    HISTOGRAM_TYPE: self.histogram,
                    TIMER_TYPE: self.timer,
                }
                if kind in senders:
                    senders[kind](metric, value)
            if msg:
                super().log(lvl, msg, *args, **kwargs)
        except Exception:
            super().warning("Failed to log to statsd", exc_info=True)

    def access(self, resp, req, environ, request_time):
        """Writes the access line, and sends the metrics of the request."""
        super().access(resp, req, environ, request_time)
        status = resp.status
        if isinstance(status, bytes):
            status = status.decode()
        if isinstance(status, str):
            status = int(status.split(None, 1)[0])
        seconds = request_time.days * 86400 + request_time.seconds
        self.timer("gunicorn.request.duration", seconds * 1000 + request_time.microseconds / 1000)
        self.increment("gunicorn.requests", 1)
        if status is not None:
            self.increment(f"gunicorn.request.status.{status}", 1)

    def gauge(self, name, value):
        self._sock_send(f"{self.prefix}{name}:{value}|g")

    def increment(self, name, value, sampling_rate=1.0):
        self._sock_send(f"{self.prefix}{name}:{value}|c|@{sampling_rate}")

    def decrement(self, name, value, sampling_rate=1.0):
        self._sock_send(f"{self.prefix}{name}:-{value}|c|@{sampling_rate}")

    def timer(self, name, value):
        self._sock_send(f"{self.prefix}{name}:{value}|ms")

    def histogram(self, name, value):
        self._sock_send(f"{self.prefix}{name}:{value}|h")

    def _sock_send(self, message):
        try:
            if isinstance(message, str):
                message = message.encode("ascii")
            if self.dogstatsd_tags:
                message += b"|#" + self.dogstatsd_tags.encode("ascii")
            if self.sock:
                self.sock.send(message)
        except ConnectionRefusedError:
            # Nobody listens at the moment: metrics are lost, as datagrams may be.
            pass
        except Exception:
            Logger.warning(self, "Error sending message to statsd", exc_info=True)
