"""Build the wheel for every CPython from 3.10 up that this machine has, install it, and ask it for a page.

Each version gets a virtual environment of its own under ``target/pythons``. Exit 1 if one fails.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / "target" / "pythons"
OLDEST = (3, 10)

APPLICATION = """
import sys

def application(environ, start_response):
    body = environ["wsgi.input"].read() or sys.version.split()[0].encode()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [body]
"""


def interpreters() -> dict[str, Path]:
    """Every usable CPython by its version and ABI, such as ``3.13`` or ``3.13t``; the first found of each."""
    folders = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    folders += sorted(Path.home().glob(".pyenv/versions/*/bin"), reverse=True)
    found: dict[str, Path] = {}
    probe = "import sys; print(sys.implementation.name, *sys.version_info[:2], sys.abiflags, sys.executable, sep='|')"
    for folder in folders:
        for path in sorted(folder.glob("python3.*")):
            if not re.fullmatch(r"python3\.\d+t?", path.name):
                continue
            answer = subprocess.run([path, "-c", probe], capture_output=True, text=True, check=False)
            if answer.returncode:
                continue
            name, major, minor, flags, executable = answer.stdout.strip().split("|")
            if name == "cpython" and (int(major), int(minor)) >= OLDEST:
                found.setdefault(f"{major}.{minor}{flags}", Path(executable))
    return found


def run(*command: object, **options: object) -> None:
    """Run a command; its output is shown only if it fails."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False, **options)
    if done.returncode:
        sys.stdout.write(done.stdout + done.stderr)
        done.check_returncode()


def smoke(program: Path, threads: int) -> str:
    """Start the installed server, post to it, get from it, stop it; return what it says its Python is."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "smoke.py").write_text(APPLICATION)
        log = Path(folder) / "log"
        words = [program, "smoke", "-b", "127.0.0.1:0", "--threads", str(threads), "--error-logfile", log]
        server = subprocess.Popen([str(word) for word in words], cwd=folder)
        try:
            deadline = time.monotonic() + 30
            while not (match := re.search(r"Listening at: (http://\S+)", log.read_text() if log.exists() else "")):
                if time.monotonic() > deadline or server.poll() is not None:
                    raise RuntimeError(f"{program} does not start: {log.read_text() if log.exists() else ''}")
                time.sleep(0.05)
            with urllib.request.urlopen(match[1], data=b"hello", timeout=30) as answer:
                if (body := answer.read()) != b"hello":
                    raise RuntimeError(f"{program} answers {body!r}")
            with urllib.request.urlopen(match[1], timeout=30) as answer:
                version = answer.read().decode()
        finally:
            server.terminate()
            code = server.wait(30)
        if code:
            raise RuntimeError(f"{program} exits with {code}: {log.read_text()}")
        return version


def main() -> int:
    """Build and try them all, one after the other."""
    failed = []
    for version, python in sorted(interpreters().items()):
        home = WORK / version
        shutil.rmtree(home, ignore_errors=True)
        try:
            run(python, "-m", "venv", home / "venv")
            maturin = [sys.executable, "-m", "maturin", "build", "--release", "--locked", "--quiet"]
            environ = {**os.environ, "PYO3_PYTHON": str(home / "venv/bin/python")}
            run(*maturin, "-i", home / "venv/bin/python", "-o", home, cwd=ROOT, env=environ)
            (wheel,) = home.glob("indrik-*.whl")
            run(home / "venv/bin/pip", "install", "--quiet", wheel)
            for threads in (1, 4):
                served_by = smoke(home / "venv/bin/indrik", threads)
                print(f"{version}: {wheel.name} serves with threads={threads} on Python {served_by}")
        except (subprocess.CalledProcessError, RuntimeError, OSError) as error:
            print(f"{version}: FAILED: {error}")
            failed.append(version)
    print(f"failed: {', '.join(failed)}" if failed else "all passed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
