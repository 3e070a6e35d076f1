"""``python -m indrik.alias``: a program ``gunicorn`` beside ``indrik``, for tools that insist on that name.

It is a Python script, as Gunicorn's is, so that ``python /path/bin/gunicorn`` works, too.
"""

import os
import sys
import sysconfig

_SCRIPT = """#!{python}
# Made by `python -m indrik.alias`; `python -m indrik.alias --remove` takes it away.
import sys

from indrik.__main__ import main

sys.exit(main())
"""


def main(words: list[str]) -> str:
    """Make the script, or remove it; return what to tell. Exits where another program is in the way."""
    if words not in ([], ["--remove"]):
        sys.exit("usage: python -m indrik.alias [--remove]")
    path = os.path.join(sysconfig.get_path("scripts"), "gunicorn")
    if os.path.lexists(path) and not _is_ours(path):
        sys.exit(f"error: {path} is another program\nhint: pip uninstall gunicorn")
    if words:
        if os.path.lexists(path):
            os.remove(path)
        return f"{path} is gone"
    with open(path, "w", encoding="utf-8") as file:
        file.write(_SCRIPT.format(python=sys.executable))
    os.chmod(path, 0o755)
    return f"{path} starts indrik"


def _is_ours(path: str) -> bool:
    with open(path, encoding="utf-8", errors="replace") as file:
        return "indrik.alias" in file.read()


if __name__ == "__main__":
    print(main(sys.argv[1:]))
