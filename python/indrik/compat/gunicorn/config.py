"""The settings as an object, with Gunicorn's names and shapes. What a setting takes, indrik's own table says."""

import copy
import os
import re
import sys

from gunicorn import __version__, util

from indrik import _indrik


def _nothing(*_):
    """No hook."""


def _log_request(worker, req):
    worker.log.debug("%s %s", req.method, req.path)


class Setting:
    """One setting and its value."""

    def __init__(self, order, name, section, flags, default):
        self.order = order
        self.name = name
        self.section = section
        self.cli = flags or None
        self.default = default
        self.value = default
        self.short = self.desc = ""

    def get(self):
        return self.value

    def set(self, val):
        """Checks the value as indrik does, and keeps it."""
        self.value = _indrik.accept(self.name, val)

    def copy(self):
        return copy.copy(self)

    def __lt__(self, other):
        return self.section == other.section and self.order < other.order

    def __repr__(self):
        return f"<Setting {self.name} with value {self.value!r}>"


def make_settings(ignore=None):
    """All settings with their defaults, by name."""
    ignore = ignore or ()
    made = {}
    for order, (name, section, flags, default) in enumerate(_indrik.settings()):
        if name not in ignore:
            made[name] = Setting(order, name, section, flags, default)
    return made


class Config:
    """All settings. Reading ``cfg.workers`` gives the value; ``cfg.set("workers", 2)`` sets it."""

    def __init__(self, usage=None, prog=None):
        self.settings = make_settings()
        self.usage = usage
        self.prog = prog or os.path.basename(sys.argv[0])
        self.env_orig = os.environ.copy()
        self._given = {}
        self._hooks = {}

    @classmethod
    def _of(cls, values, objects, given):
        """The settings as they are in force. ``objects``: functions, classes and dicts that stand behind names."""
        self = cls()
        for name, value in values.items():
            self.settings[name].value = objects.get(name, value)
        self._given = dict.fromkeys(given)
        return self

    def __str__(self):
        width = max(map(len, self.settings))
        lines = []
        for name in sorted(self.settings):
            value = self.settings[name].value
            if callable(value):
                value = f"<{value.__qualname__}()>"
            lines.append(f"{name:{width}} = {value}")
        return "\n".join(lines)

    def __getattr__(self, name):
        if name in ("settings", "_hooks") or name not in self.settings:
            raise AttributeError(f"No configuration setting for: {name}")
        setting = self.settings[name]
        if setting.section == "Hooks":
            return self._hook(name, setting.value)
        return setting.value

    def __setattr__(self, name, value):
        if name != "settings" and name in self.__dict__.get("settings", ()):
            raise AttributeError("Invalid access!")
        super().__setattr__(name, value)

    def set(self, name, value):
        """Sets one setting. Raises AttributeError for an unknown name, ValueError or TypeError for a wrong value."""
        if name not in self.settings:
            raise AttributeError(f"No configuration setting for: {name}")
        self.settings[name].set(value)
        self._given[name] = value
        self._hooks.pop(name, None)

    def validate(self):
        """Nothing: the server checks when it starts."""

    def _hook(self, name, function):
        known = self._hooks.get(name)
        if known is None:
            known = self._hooks[name] = self._callable(name, function)
        return known

    @staticmethod
    def _callable(name, function):
        if not callable(function):
            return _log_request if name == "pre_request" else _nothing
        if name == "post_request":
            arity = util.get_arity(function)
            if arity == 3:
                return lambda worker, req, environ, resp: function(worker, req, environ)
            if arity == 2:
                return lambda worker, req, environ, resp: function(worker, req)
        return function

    def _has_hook(self, name):
        return callable(self.settings[name].value)

    def get_cmd_args_from_env(self):
        import shlex

        return shlex.split(self.env_orig.get("GUNICORN_CMD_ARGS", ""))

    def parser(self):
        """A parser of Gunicorn's command line, for programs that add options of their own."""
        import argparse

        parser = argparse.ArgumentParser(usage=self.usage, prog=self.prog)
        parser.add_argument("-v", "--version", action="version", version=f"%(prog)s (version {__version__})\n")
        parser.add_argument("args", nargs="*", help=argparse.SUPPRESS)
        for setting in sorted(self.settings.values(), key=lambda setting: setting.order):
            if setting.cli:
                kind = {"default": None, "dest": setting.name}
                if isinstance(setting.default, bool):
                    kind |= {"action": "store_const", "const": not setting.default}
                elif isinstance(setting.default, list):
                    kind |= {"action": "append"}
                parser.add_argument(*setting.cli, **kind)
        return parser

    @property
    def worker_class_str(self):
        uri = self.settings["worker_class"].value
        if not isinstance(uri, str):
            return uri.__name__
        is_sync = uri.endswith("SyncWorker") or uri == "sync"
        return "gthread" if is_sync and self.threads > 1 else uri

    @property
    def worker_class(self):
        uri = self.settings["worker_class"].value
        if isinstance(uri, str) and self.worker_class_str == "gthread":
            uri = "gthread"
        return util.load_class(uri)

    @property
    def logger_class(self):
        uri = self.settings["logger_class"].value
        is_ours = uri in ("simple", "gunicorn.glogging.Logger") or getattr(uri, "__module__", "") == "gunicorn.glogging"
        if is_ours and self.statsd_host is not None:
            uri = "gunicorn.instrument.statsd.Statsd"
        made = util.load_class(uri, default="gunicorn.glogging.Logger", section="gunicorn.loggers")
        if hasattr(made, "install"):
            made.install()
        return made

    @property
    def statsd_host(self):
        value = self.settings["statsd_host"].value
        if not isinstance(value, str):
            return value or None
        number = re.fullmatch(r"unix:(\d+)", value)
        return ("unix", int(number[1])) if number else util.parse_address(value, default_port="8125")

    @property
    def syslog_prefix(self):
        return self.settings["syslog_prefix"].value

    @property
    def statsd_prefix(self):
        return self.settings["statsd_prefix"].value or ""

    @property
    def dogstatsd_tags(self):
        return self.settings["dogstatsd_tags"].value or ""

    @property
    def address(self):
        return [util.parse_address(util.bytes_to_str(bind)) for bind in self.settings["bind"].value]

    @property
    def user(self):
        return self.uid

    @property
    def group(self):
        return self.gid

    @property
    def uid(self):
        value = self.settings["user"].value
        if isinstance(value, str):
            import pwd

            return pwd.getpwnam(value).pw_uid
        return os.geteuid() if value is None else value

    @property
    def gid(self):
        value = self.settings["group"].value
        if isinstance(value, str):
            import grp

            return grp.getgrnam(value).gr_gid
        return os.getegid() if value is None else value

    @property
    def proc_name(self):
        return self.settings["proc_name"].value or self.default_proc_name

    @property
    def is_ssl(self):
        return self.certfile or self.keyfile

    @property
    def ssl_options(self):
        return {name: setting.value for name, setting in self.settings.items() if setting.section == "TLS"}

    @property
    def env(self):
        return dict(pair.split("=", 1) for pair in self.settings["raw_env"].value or ())

    @property
    def paste_global_conf(self):
        pairs = (re.split(r"(?<!\\)=", pair, maxsplit=1) for pair in self.settings["raw_paste_global_conf"].value or ())
        return {key.replace("\\=", "="): value.replace("\\=", "=") for key, value in pairs}

    def forwarded_allow_networks(self):
        import ipaddress

        return [ipaddress.ip_network(peer) for peer in self.forwarded_allow_ips if peer != "*"]

    def proxy_allow_networks(self):
        import ipaddress

        return [ipaddress.ip_network(peer) for peer in self.proxy_allow_ips if peer != "*"]


def get_default_config_file():
    """The settings file in the working directory, if there is one."""
    for name in ("indrik.conf.py", "gunicorn.conf.py"):
        path = os.path.join(os.path.abspath(os.getcwd()), name)
        if os.path.exists(path):
            return path
    return None


def __getattr__(name):
    if name == "KNOWN_SETTINGS":
        return list(make_settings().values())
    raise AttributeError(f"module 'gunicorn.config' is indrik's stand-in and has no attribute {name!r}")
