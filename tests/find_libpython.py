"""Say whether this interpreter has a libpython that programs can link; exit 1 with the way out if not."""

import sys
import sysconfig
from pathlib import Path


def main() -> int:
    """Look where the linker will look."""
    name = sysconfig.get_config_var("LDLIBRARY") or ""
    folders = [sysconfig.get_config_var("LIBDIR") or "", sysconfig.get_config_var("LIBPL") or ""]
    multiarch = sysconfig.get_config_var("MULTIARCH") or ""
    folders += [f"/usr/lib/{multiarch}", "/usr/lib64", "/usr/lib"]
    if any((Path(folder) / name).exists() for folder in folders if folder and name):
        return 0
    version = ".".join(map(str, sys.version_info[:2]))
    print(
        f"no libpython for {sys.executable} (Python {version}): the binary and the Rust tests link it.\n"
        f"Install it (on Debian: apt-get install libpython{version}-dev), or build Python with --enable-shared, "
        "or name another interpreter: make PYTHON=python3.x",
        file=sys.stderr,
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
