from collections.abc import Sequence

__version__: str

class ClientDisconnected(OSError):
    """The client did not send the whole body of its request: it has gone, was too slow, or broke the protocol."""

class RequestTimeout(Exception):
    """The request has been running for longer than ``request_timeout`` and is about to be given up.

    Raised in the request itself with the setting ``request_interrupt``. One that ends soon after keeps its worker.
    """

def main(argv: Sequence[str]) -> int:
    """Run the program with these words, the program's name first; return its exit code."""

def embed(app: object, argv: Sequence[str]) -> int:
    """Serve the application of an object of the stand-in's ``BaseApplication``; return as ``main`` does."""

def settings() -> list[tuple[str, str, list[str], object]]:
    """The table of settings: name, section, options and default of each. For the stand-in."""

def accept(name: str, value: object) -> object:
    """The value in the shape that the setting gives it; raises ValueError. For the stand-in."""

def retire() -> None:
    """Let the worker leave when its requests are answered. For the stand-in."""

def run_settings_file(location: str) -> dict[str, object]:
    """Execute a settings file and give its names; raises RuntimeError. For the stand-in."""
