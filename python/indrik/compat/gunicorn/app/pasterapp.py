"""Applications from PasteDeploy files."""

import configparser
import os


def get_wsgi_app(config_uri, name=None, defaults=None):
    """The application that a file describes. Raises ImportError if PasteDeploy is not installed."""
    from paste.deploy import loadapp

    uri = config_uri if ":" in config_uri else f"config:{config_uri}"
    return loadapp(uri, name=name, relative_to=os.getcwd(), global_conf=defaults)


def has_logging_config(config_file):
    """Does the file configure Python's logging, too?"""
    parser = configparser.ConfigParser(interpolation=None)
    parser.read([config_file])
    return parser.has_section("loggers")


def serve(app, global_conf, **local_conf):
    """What a section ``[server:main]`` with ``use = egg:gunicorn#main`` calls."""
    from gunicorn.app.wsgiapp import WSGIApplication
    from gunicorn.config import get_default_config_file

    file = global_conf["__file__"]
    settings_file = local_conf.pop("config", None)
    host, port = local_conf.pop("host", ""), local_conf.pop("port", "")
    if host and port:
        local_conf["bind"] = f"{host}:{port}"
    elif host:
        local_conf["bind"] = host.split(",")

    class PasterServerApplication(WSGIApplication):
        def load_config(self):
            self.cfg.set("default_proc_name", file)
            if has_logging_config(file):
                self.cfg.set("logconfig", file)
            location = settings_file or get_default_config_file()
            if location:
                self.load_config_from_file(location)
            for name, value in local_conf.items():
                if value is not None:
                    self.cfg.set(name.lower(), value)

        def load(self):
            return app

    PasterServerApplication().run()
