"""``python -m indrik.compat SCRIPT [ARGUMENTS]``: runs a script that embeds Gunicorn, with indrik in its place."""

import os
import runpy
import sys

from indrik.compat import install


def main() -> None:
    """Run the script that the command line names."""
    if len(sys.argv) < 2:
        sys.exit("usage: python -m indrik.compat SCRIPT [ARGUMENTS]")
    del sys.argv[0]
    sys.path[0] = os.path.dirname(os.path.abspath(sys.argv[0]))
    install()
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    main()
