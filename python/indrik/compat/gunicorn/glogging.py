"""Gunicorn's logger: the class that ``logger_class`` may name a subclass of.

indrik writes its logs itself. It uses this class where a settings file asks for one: a subclass, a configuration of
Python's logging, syslog, statsd. The loggers ``gunicorn.error`` and ``gunicorn.access`` are set up by it
always, because applications copy their handlers.
"""

import base64
import binascii
import json
import logging
import os
import socket
import sys
import threading
import time
import traceback

from gunicorn import util

SYSLOG_FACILITIES = {
    "auth": 4,
    "authpriv": 10,
    "cron": 9,
    "daemon": 3,
    "ftp": 11,
    "kern": 0,
    "lpr": 6,
    "mail": 2,
    "news": 7,
    "security": 4,
    "syslog": 5,
    "user": 1,
    "uucp": 8,
    **{f"local{number}": 16 + number for number in range(8)},
}

CONFIG_DEFAULTS = {
    "version": 1,
    "disable_existing_loggers": False,
    "root": {"level": "INFO", "handlers": ["console"]},
    "loggers": {
        "gunicorn.error": {
            "level": "INFO",
            "handlers": ["error_console"],
            "propagate": True,
            "qualname": "gunicorn.error",
        },
        "gunicorn.access": {
            "level": "INFO",
            "handlers": ["console"],
            "propagate": True,
            "qualname": "gunicorn.access",
        },
    },
    "handlers": {
        "console": {"class": "logging.StreamHandler", "formatter": "generic", "stream": "ext://sys.stdout"},
        "error_console": {"class": "logging.StreamHandler", "formatter": "generic", "stream": "ext://sys.stderr"},
    },
    "formatters": {
        "generic": {
            "format": "%(asctime)s [%(process)d] [%(levelname)s] %(message)s",
            "datefmt": "[%Y-%m-%d %H:%M:%S %z]",
            "class": "logging.Formatter",
        }
    },
}

# What could begin a line of its own, or move the cursor of a terminal.
_ESCAPES = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))} | {ord('"'): '\\"'}


def loggers():
    """All loggers there are."""
    return [logging.getLogger(name) for name in list(logging.root.manager.loggerDict)]


class SafeAtoms(dict):
    """Values of an access line: what is missing is ``-``, and no value can forge a line."""

    def __init__(self, atoms):
        super().__init__(
            (key, value.translate(_ESCAPES) if isinstance(value, str) else value) for key, value in atoms.items()
        )

    def __getitem__(self, key):
        return self.get(key.lower() if key.startswith("{") else key, "-")


def parse_syslog_address(address):
    """``(socket type, address)`` as Python's SysLogHandler takes them."""
    if address.startswith("unix://"):
        path, _, kind = address[len("unix://") :].partition("#")
        return (socket.SOCK_DGRAM if kind == "dgram" else None), path
    for scheme, kind in (("udp://", socket.SOCK_DGRAM), ("tcp://", socket.SOCK_STREAM)):
        if address.startswith(scheme):
            host, port = util.parse_address(address[len(scheme) :] or "localhost", default_port="514")
            return kind, (host, port)
    raise RuntimeError("invalid syslog address")


class Logger:
    """Writes both logs through Python's logging."""

    LOG_LEVELS = {
        "critical": logging.CRITICAL,
        "error": logging.ERROR,
        "warning": logging.WARNING,
        "info": logging.INFO,
        "debug": logging.DEBUG,
    }
    loglevel = logging.INFO

    error_fmt = r"%(asctime)s [%(process)d] [%(levelname)s] %(message)s"
    datefmt = r"[%Y-%m-%d %H:%M:%S %z]"
    access_fmt = "%(message)s"
    syslog_fmt = "[%(process)d] %(message)s"
    atoms_wrapper_class = SafeAtoms

    def __init__(self, cfg):
        self.error_log = logging.getLogger("gunicorn.error")
        self.error_log.propagate = False
        self.access_log = logging.getLogger("gunicorn.access")
        self.access_log.propagate = False
        self.error_handlers = []
        self.access_handlers = []
        self.logfile = None
        self.lock = threading.Lock()
        self.cfg = cfg
        self.setup(cfg)

    def setup(self, cfg):
        """Sets both loggers up; called again by a reload."""
        self.cfg = cfg
        self.loglevel = self.LOG_LEVELS.get(cfg.loglevel.lower(), logging.INFO)
        self.error_log.setLevel(self.loglevel)
        self.access_log.setLevel(logging.INFO)
        for log in (self.error_log, self.access_log):
            for handler in list(log.handlers):
                if getattr(handler, "_gunicorn", False):
                    log.removeHandler(handler)
        if cfg.capture_output and cfg.errorlog not in ("-", None):
            self._capture()
        self._set_handler(self.error_log, cfg.errorlog, logging.Formatter(self.error_fmt, self.datefmt))
        if cfg.accesslog is not None:
            fmt = logging.Formatter(self.access_fmt)
            self._set_handler(self.access_log, cfg.accesslog, fmt=fmt, stream=sys.stdout)
        if cfg.syslog:
            self._set_syslog_handler(self.error_log, cfg, self.syslog_fmt, "error")
            if not cfg.disable_redirect_access_to_syslog:
                self._set_syslog_handler(self.access_log, cfg, self.syslog_fmt, "access")
        self._configure(cfg)

    def _configure(self, cfg):
        """Applies a configuration of Python's logging; a dict goes before JSON, and that before a file."""
        if not (cfg.logconfig_dict or cfg.logconfig_json or cfg.logconfig):
            return
        import logging.config

        if cfg.logconfig_dict or cfg.logconfig_json:
            try:
                if cfg.logconfig_dict:
                    given = cfg.logconfig_dict
                else:
                    with open(cfg.logconfig_json, encoding="utf-8") as file:
                        given = json.load(file)
                logging.config.dictConfig({**CONFIG_DEFAULTS, **given})
            except FileNotFoundError:
                raise RuntimeError(f"Error: log config '{cfg.logconfig_json}' not found") from None
            except (AttributeError, ImportError, ValueError, TypeError) as error:
                cause = f": {error.__cause__}" if error.__cause__ else ""
                raise RuntimeError(f"{error}{cause}") from error
        elif os.path.exists(cfg.logconfig):
            defaults = {**CONFIG_DEFAULTS, "__file__": cfg.logconfig, "here": os.path.dirname(cfg.logconfig)}
            logging.config.fileConfig(cfg.logconfig, defaults=defaults, disable_existing_loggers=False)
        else:
            raise RuntimeError(f"Error: log config '{cfg.logconfig}' not found")

    def critical(self, msg, *args, **kwargs):
        self.error_log.critical(msg, *args, **kwargs)

    def error(self, msg, *args, **kwargs):
        self.error_log.error(msg, *args, **kwargs)

    def warning(self, msg, *args, **kwargs):
        self.error_log.warning(msg, *args, **kwargs)

    def info(self, msg, *args, **kwargs):
        self.error_log.info(msg, *args, **kwargs)

    def debug(self, msg, *args, **kwargs):
        self.error_log.debug(msg, *args, **kwargs)

    def exception(self, msg, *args, **kwargs):
        self.error_log.exception(msg, *args, **kwargs)

    def log(self, lvl, msg, *args, **kwargs):
        if isinstance(lvl, str):
            lvl = self.LOG_LEVELS.get(lvl.lower(), logging.INFO)
        self.error_log.log(lvl, msg, *args, **kwargs)

    def atoms(self, resp, req, environ, request_time):
        """The values that an access line may show."""
        status = resp.status
        if isinstance(status, str):
            status = status.split(None, 1)[0]
        sent = getattr(resp, "sent", None)
        microseconds = (request_time.days * 86400 + request_time.seconds) * 1000000 + request_time.microseconds
        atoms = {
            "h": environ.get("REMOTE_ADDR", "-"),
            "l": "-",
            "u": self._get_user(environ) or "-",
            "t": self.now(),
            "r": f"{environ['REQUEST_METHOD']} {environ['RAW_URI']} {environ['SERVER_PROTOCOL']}",
            "s": status,
            "m": environ.get("REQUEST_METHOD"),
            "U": environ.get("PATH_INFO"),
            "q": environ.get("QUERY_STRING"),
            "H": environ.get("SERVER_PROTOCOL"),
            "b": "-" if sent is None else str(sent),
            "B": sent,
            "f": environ.get("HTTP_REFERER", "-"),
            "a": environ.get("HTTP_USER_AGENT", "-"),
            "T": microseconds // 1000000,
            "D": microseconds,
            "M": microseconds // 1000,
            "L": f"{microseconds // 1000000}.{microseconds % 1000000:06d}",
            "p": f"<{os.getpid()}>",
        }
        for letter, pairs in (("i", getattr(req, "headers", req)), ("o", resp.headers), ("e", environ)):
            pairs = pairs.items() if hasattr(pairs, "items") else pairs
            atoms.update((f"{{{name.lower()}}}{letter}", value) for name, value in pairs)
        return atoms

    @property
    def access_log_enabled(self):
        """Is there an access log?"""
        cfg = self.cfg
        return bool(
            cfg.accesslog
            or cfg.logconfig
            or cfg.logconfig_dict
            or cfg.logconfig_json
            or (cfg.syslog and not cfg.disable_redirect_access_to_syslog)
        )

    def access(self, resp, req, environ, request_time):
        """Writes the access line of a request; ``request_time`` is a timedelta."""
        if not self.access_log_enabled:
            return
        atoms = self.atoms_wrapper_class(self.atoms(resp, req, environ, request_time))
        try:
            self.access_log.info(self.cfg.access_log_format, atoms)
        except Exception:
            self.error(traceback.format_exc())

    def now(self):
        """The time as an access line shows it."""
        return time.strftime("[%d/%b/%Y:%H:%M:%S %z]")

    def reopen_files(self):
        """Opens all log files anew, after a rotation."""
        if self.cfg.capture_output and self.cfg.errorlog not in ("-", None):
            with self.lock:
                self._capture()
        for log in loggers():
            for handler in getattr(log, "handlers", []):
                if isinstance(handler, logging.FileHandler):
                    with handler.lock:
                        if handler.stream:
                            handler.close()
                            handler.stream = handler._open()

    def close_on_exec(self):
        """Keeps log files from programs that are executed."""
        for log in loggers():
            for handler in getattr(log, "handlers", []):
                if isinstance(handler, logging.FileHandler) and handler.stream:
                    util.close_on_exec(handler.stream.fileno())

    def _capture(self):
        for stream in sys.stdout, sys.stderr:
            stream.flush()
        if self.logfile is not None:
            self.logfile.close()
        self.logfile = open(self.cfg.errorlog, "a+")
        os.dup2(self.logfile.fileno(), 1)
        os.dup2(self.logfile.fileno(), 2)

    def _get_gunicorn_handler(self, log):
        return next((handler for handler in log.handlers if getattr(handler, "_gunicorn", False)), None)

    def _set_handler(self, log, output, fmt, stream=None):
        known = self._get_gunicorn_handler(log)
        if known:
            log.handlers.remove(known)
        if output is None:
            return
        if output == "-":
            handler = logging.StreamHandler(stream)
        else:
            util.check_is_writable(output)
            handler = logging.FileHandler(output)
            if os.geteuid() == 0 and os.path.isfile(handler.baseFilename):
                # What the workers will open anew is made over to them; /dev/null stays whose it is.
                try:
                    os.chown(handler.baseFilename, self.cfg.uid, self.cfg.gid)
                except OSError:
                    pass
        handler.setFormatter(fmt)
        handler._gunicorn = True
        log.addHandler(handler)

    def _set_syslog_handler(self, log, cfg, fmt, name):
        import logging.handlers

        prefix = cfg.syslog_prefix or cfg.proc_name.replace(":", ".")
        facility = SYSLOG_FACILITIES.get(cfg.syslog_facility.lower())
        if facility is None:
            raise RuntimeError("unknown facility name")
        kind, address = parse_syslog_address(cfg.syslog_addr)
        handler = logging.handlers.SysLogHandler(address=address, facility=facility, socktype=kind)
        handler.setFormatter(logging.Formatter(f"gunicorn.{prefix}.{name}: {fmt}"))
        handler._gunicorn = True
        log.addHandler(handler)

    def _get_user(self, environ):
        scheme, _, credentials = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
        if scheme.lower() != "basic":
            return None
        try:
            return base64.b64decode(credentials.strip()).split(b":", 1)[0].decode()
        except (binascii.Error, ValueError) as error:
            self.debug("Couldn't get username: %s", error)
            return None


def __getattr__(name):
    raise AttributeError(f"module 'gunicorn.glogging' is indrik's stand-in and has no attribute {name!r}")
