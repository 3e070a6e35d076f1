"""The command line: ``python -m indrik`` and the console script ``indrik``."""

import sys

from indrik import _indrik


def main() -> int:
    """Run the server with the words of the command line; return the exit code of the process.

    Returns in the master when the server has stopped, and in each worker when that has finished.
    """
    return _indrik.main(sys.argv)


if __name__ == "__main__":
    sys.exit(main())
