"""Programs that start the server from Python subclass these."""

import os
import sys
import traceback

from gunicorn.arbiter import Arbiter
from gunicorn.config import Config, get_default_config_file


class BaseApplication:
    """Overridden: ``load_config``, which calls ``self.cfg.set``, and ``load``, which returns the application."""

    def __init__(self, usage=None, prog=None):
        self.usage = usage
        self.cfg = None
        self.callable = None
        self.prog = prog
        self.logger = None
        self.do_load_config()

    def do_load_config(self):
        """Loads the settings; ends the program if one is wrong."""
        try:
            self.load_default_config()
            self.load_config()
            self.cfg.validate()
        except Exception as error:
            print(f"\nError: {error}", file=sys.stderr, flush=True)
            sys.exit(1)

    def load_default_config(self):
        self.cfg = Config(self.usage, prog=self.prog)

    def init(self, parser, opts, args):
        raise NotImplementedError

    def load(self):
        raise NotImplementedError

    def load_config(self):
        raise NotImplementedError

    def reload(self):
        self.do_load_config()

    def wsgi(self):
        """The application, loaded once."""
        if self.callable is None:
            self.callable = self.load()
        return self.callable

    def run(self):
        """Starts indrik. Does not return."""
        Arbiter(self).run()


class Application(BaseApplication):
    """Reads the command line and a settings file."""

    def chdir(self):
        os.chdir(self.cfg.chdir)
        if self.cfg.chdir not in sys.path:
            sys.path.insert(0, self.cfg.chdir)

    def load_config_from_module_name_or_filename(self, location):
        """Applies a settings file: ``PATH``, ``file:PATH`` or ``python:MODULE``."""
        from indrik import _indrik

        try:
            names = _indrik.run_settings_file(location)
        except Exception as error:
            print(error, file=sys.stderr, flush=True)
            sys.exit(1)
        for name, value in names.items():
            if name in self.cfg.settings:
                try:
                    self.cfg.set(name, value)
                except Exception:
                    print(f"Invalid value for {name}: {value}\n", file=sys.stderr, flush=True)
                    raise
        return names

    def load_config_from_file(self, filename):
        return self.load_config_from_module_name_or_filename(location=filename)

    def load_config(self):
        parser = self.cfg.parser()
        args = parser.parse_args()
        given = self.init(parser, args, args.args)
        self.chdir()
        for name, value in (given or {}).items():
            self.cfg.set(name.lower(), value)
        from_env = parser.parse_args(self.cfg.get_cmd_args_from_env())
        location = args.config or from_env.config or get_default_config_file()
        if location:
            self.load_config_from_file(location)
        for options in (from_env, args):
            for name, value in vars(options).items():
                if value is not None and name in self.cfg.settings:
                    self.cfg.set(name.lower(), value)
        self.chdir()

    def run(self):
        if self.cfg.print_config:
            print(self.cfg)
        if self.cfg.print_config or self.cfg.check_config:
            try:
                self.load()
            except Exception:
                print("\nError while loading the application:\n", file=sys.stderr)
                traceback.print_exc()
                sys.stderr.flush()
                sys.exit(1)
            sys.exit(0)
        super().run()
