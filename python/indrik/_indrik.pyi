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
