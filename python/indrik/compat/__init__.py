"""``import gunicorn`` under indrik: thin stand-ins for Gunicorn's modules.

Settings files and applications import them for annotations, for a logger class, for the name of the server. While
indrik runs they come before an installed Gunicorn and before a file ``gunicorn.py`` of the project.
"""

import importlib.abc
import importlib.machinery
import os
import sys
from collections.abc import Mapping, Sequence
from types import ModuleType

_NAME = "gunicorn"


class _Loader(importlib.abc.InspectLoader):
    """Loads a stand-in from its source, wherever that lies."""

    def __init__(self, sources: Mapping[str, str]) -> None:
        self.sources = sources

    def path(self, fullname: str) -> str | None:
        """Path of the module's source below the folder of the stand-ins."""
        stem = "/".join(fullname.split(".")[1:])
        candidates = [f"{stem}/__init__.py", f"{stem}.py"] if stem else ["__init__.py"]
        return next((path for path in candidates if path in self.sources), None)

    def is_package(self, fullname: str) -> bool:
        return (self.path(fullname) or "").endswith("__init__.py")

    def get_source(self, fullname: str) -> str:
        path = self.path(fullname)
        if path is None:
            raise ImportError(f"indrik's stand-in for gunicorn has no module {fullname!r}", name=fullname)
        return self.sources[path]

    def get_filename(self, fullname: str) -> str:
        return os.path.join(_folder(), self.path(fullname) or "")

    def get_code(self, fullname: str):
        return self.source_to_code(self.get_source(fullname), self.get_filename(fullname))


class _Finder(importlib.abc.MetaPathFinder):
    """Answers for ``gunicorn`` and everything in it, before anybody else."""

    def __init__(self, loader: _Loader) -> None:
        self.loader = loader

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != _NAME and not fullname.startswith(f"{_NAME}."):
            return None
        if self.loader.path(fullname) is None:
            raise ModuleNotFoundError(f"indrik's stand-in for gunicorn has no module {fullname!r}", name=fullname)
        spec = importlib.machinery.ModuleSpec(
            fullname,
            self.loader,
            origin=self.loader.get_filename(fullname),
            is_package=self.loader.is_package(fullname),
        )
        spec.has_location = True
        return spec


class _Files(dict):
    """The sources as they are installed; read when they are asked for."""

    def __contains__(self, path: object) -> bool:
        return os.path.isfile(os.path.join(_folder(), str(path)))

    def __getitem__(self, path: str) -> str:
        with open(os.path.join(_folder(), path), encoding="utf-8") as file:
            return file.read()


def _folder() -> str:
    return os.path.join(os.path.dirname(__file__), _NAME)


def install(sources: Mapping[str, str] | None = None) -> None:
    """Makes ``import gunicorn`` give the stand-in from now on.

    ``sources``: path below the folder of the stand-ins to text, for a program that carries them inside; by default they
    are read from the installed package. A Gunicorn that was imported before is forgotten.
    """
    if any(isinstance(finder, _Finder) for finder in sys.meta_path):
        return
    for name in [name for name in sys.modules if name == _NAME or name.startswith(f"{_NAME}.")]:
        del sys.modules[name]
    sys.meta_path.insert(0, _Finder(_Loader(_Files() if sources is None else sources)))
    __import__(_NAME)
