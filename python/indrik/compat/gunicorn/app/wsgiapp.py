"""The command line as a class."""

import os
import sys

from gunicorn import util
from gunicorn.app.base import Application
from gunicorn.errors import ConfigError


class WSGIApplication(Application):
    """An application that the command line names."""

    app_uri = None

    def init(self, parser, opts, args):
        if opts.paste:
            from gunicorn.app.pasterapp import has_logging_config

            self.app_uri = os.path.abspath(opts.paste)
            file = self.app_uri.split("#")[0]
            if not os.path.exists(file):
                raise ConfigError(f"{file!r} not found")
            self.cfg.set("default_proc_name", file)
            if has_logging_config(file):
                self.cfg.set("logconfig", file)
        elif args:
            self.cfg.set("default_proc_name", args[0])
            self.app_uri = args[0]

    def load_config(self):
        super().load_config()
        if self.app_uri is None:
            self.app_uri = self.cfg.wsgi_app
        if self.app_uri is None:
            raise ConfigError("No application module specified.")

    def load_wsgiapp(self):
        return util.import_app(self.app_uri)

    def load_pasteapp(self):
        from gunicorn.app.pasterapp import get_wsgi_app

        return get_wsgi_app(self.app_uri, defaults=self.cfg.paste_global_conf)

    def load(self):
        return self.load_wsgiapp() if self.cfg.paste is None else self.load_pasteapp()


def run(prog=None):
    """The command line of indrik, as the console script runs it."""
    from indrik import _indrik

    sys.exit(_indrik.main(sys.argv))


if __name__ == "__main__":
    run()
