from collections.abc import Sequence

__version__: str

class ClientDisconnected(OSError):
    """The client did not send the whole body of its request: it has gone, was too slow, or broke the protocol."""

def main(argv: Sequence[str]) -> int:
    """Run the program with these words, the program's name first; return its exit code."""
