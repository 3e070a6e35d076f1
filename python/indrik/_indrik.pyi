from collections.abc import Sequence

__version__: str

def main(argv: Sequence[str]) -> int:
    """Run the program with these words, the program's name first; return its exit code."""
