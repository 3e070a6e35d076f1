"""Makes and keeps the bench's own environment: a folder with `venv`, `bookshop`, `scratch`, `logs` and `results`.

A peer that cannot be installed is reported with its reason and left out; without wrk nothing can be measured, so that
ends the program. Knows nothing of measuring.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from peers import Peer
from scenarios import BOOKSHOP

# Settings of the caller that would reach into the servers.
FOREIGN = re.compile(
    r"(PYTHON|GUNICORN_|INDRIK_|GRANIAN_|UWSGI_|BOOKSHOP_|DJANGO_).*|PORT|WEB_CONCURRENCY|FORWARDED_ALLOW_IPS"
)


class Unavailable(Exception):
    """Something cannot be installed or prepared; the text is one line and says why."""


class Environment:
    """The folder `root`; its virtual environment is made by `python` when it is missing.

    `versions`: of the peers that can be started. `missing`: the others, with the reason.
    """

    def __init__(self, root: Path, python: str) -> None:
        self.root = root
        self.venv = root / "venv"
        self.programs = self.venv / "bin"
        self.results = root / "results"
        self.logs = root / "logs"
        self.bookshop = root / "bookshop"
        self.versions: dict[str, str] = {}
        self.missing: dict[str, str] = {}
        for folder in (self.results, self.logs, self.bookshop):
            folder.mkdir(parents=True, exist_ok=True)
        wanted = wheel_tag(python)
        if not (self.programs / "pip").exists() or wheel_tag(self.programs / "python") != wanted:
            say(f"making {self.venv}")
            run([python, "-m", "venv", "--clear", str(self.venv)])
        self.wheel_tag = wanted

    def install(self, peers: list[Peer], wheel: Path | None) -> None:
        """Installs what the peers lack and fills `versions` and `missing`; `wheel` is indrik's."""
        for peer in peers:
            try:
                if peer.package and not present(peer.witness):
                    install_package(peer.package, peer.witness)
                if peer.name == "indrik":
                    self.install_wheel(wheel)
                elif peer.distributions:
                    self.install_distributions(peer.distributions)
                self.versions[peer.name] = self.version(peer)
            except Unavailable as error:
                self.missing[peer.name] = str(error)

    def newest_wheel(self, folder: Path) -> Path | None:
        """The wheel of indrik for this interpreter that was built last, or `None`."""
        wheels = sorted(folder.glob(f"indrik-*-{self.wheel_tag}-*.whl"), key=lambda wheel: wheel.stat().st_mtime)
        return wheels[-1] if wheels else None

    def install_wheel(self, wheel: Path | None) -> None:
        if wheel is None:
            raise Unavailable(f"no wheel for {self.wheel_tag} under target/wheels (make wheel, or --wheel PATH)")
        if not wheel.is_file():
            raise Unavailable(f"no such wheel: {wheel}")
        # The version stays the same from build to build; only the bytes tell.
        if self.stamped("indrik", wheel.read_bytes()):
            return
        say(f"installing {wheel.name}")
        self.pip("--force-reinstall", str(wheel))
        self.stamp("indrik", wheel.read_bytes())

    def install_distributions(self, distributions: tuple[str, ...]) -> None:
        wanted = "\n".join(distributions).encode()
        name = re.split(r"[<>=!~\[]", distributions[0])[0]
        if self.stamped(name, wanted):
            return
        say(f"installing {' '.join(distributions)}")
        self.pip(*distributions)
        self.stamp(name, wanted)

    def prepare_bookshop(self) -> None:
        """Installs the example's requirements, makes its tables and its stock; all of it is idempotent."""
        requirements = BOOKSHOP / "requirements.txt"
        if not requirements.is_file():
            raise Unavailable(f"{BOOKSHOP} has no requirements.txt")
        if not self.stamped("bookshop", requirements.read_bytes()):
            say("installing the bookshop's requirements")
            self.pip("-r", str(requirements))
            self.stamp("bookshop", requirements.read_bytes())
        for step in (["migrate", "-v0"], ["seed"], ["collectstatic", "--noinput", "-v0"]):
            run(
                [str(self.programs / "python"), "manage.py", *step],
                cwd=BOOKSHOP,
                env=self.variables(),
            )

    def variables(self) -> dict[str, str]:
        """The environment of a server: the caller's without what would change a server, and the bookshop's data."""
        kept = {name: value for name, value in os.environ.items() if not FOREIGN.fullmatch(name)}
        path = f"{self.programs}{os.pathsep}{kept.get('PATH', os.defpath)}"
        return kept | {
            "PATH": path,
            "VIRTUAL_ENV": str(self.venv),
            "BOOKSHOP_DATA": str(self.bookshop),
            # Nothing is written beside the sources of the checkout.
            "PYTHONPYCACHEPREFIX": str(self.root / "pycache"),
        }

    def version(self, peer: Peer) -> str:
        if peer.name == "transport":
            if not present(peer.witness):
                raise Unavailable("not built; make bench builds it")
            return self.versions.get("indrik", "")
        if not peer.distributions:
            # `nginx version: nginx/1.22.1`, on stderr.
            return run([peer.witness, "-v"]).strip().rpartition("/")[2]
        name = re.split(r"[<>=!~\[]", peer.distributions[0])[0]
        program = f"import importlib.metadata; print(importlib.metadata.version({name!r}))"
        return run([str(self.programs / "python"), "-c", program]).strip()

    def pip(self, *arguments: str) -> None:
        run([str(self.programs / "pip"), "install", "-q", "--disable-pip-version-check", *arguments])

    def stamped(self, name: str, content: bytes) -> bool:
        stamp = self.venv / f"{name}.stamp"
        return stamp.is_file() and stamp.read_text() == hashlib.sha256(content).hexdigest()

    def stamp(self, name: str, content: bytes) -> None:
        (self.venv / f"{name}.stamp").write_text(hashlib.sha256(content).hexdigest())

    def write(self, name: str, outcome: dict) -> Path:
        path = self.results / f"{name}.json"
        path.write_text(json.dumps(outcome, indent=1) + "\n")
        return path


def wheel_tag(python: str | Path) -> str:
    """The part of a wheel's name that names this interpreter: `cp311-cp311`, or `cp313-cp313t` without the GIL."""
    program = "import sys; v = 'cp%d%d' % sys.version_info[:2]; print(v + '-' + v + sys.abiflags)"
    return run([str(python), "-c", program]).strip()


def require_wrk() -> str:
    """Installs wrk if it is missing and returns its version; ends the program when that is impossible."""
    try:
        if not present("wrk"):
            install_package("wrk", "wrk")
    except Unavailable as error:
        sys.exit(f"error: wrk is missing: {error}\nhint: install the package wrk (Debian, Ubuntu: apt-get install wrk)")
    # `wrk -v` prints its version and its usage, and exits with 1.
    answer = subprocess.run(["wrk", "-v"], capture_output=True, text=True, check=False)
    return (answer.stdout + answer.stderr).partition("[")[0].strip()


def present(witness: str) -> bool:
    return Path(witness).exists() if witness.startswith("/") else shutil.which(witness) is not None


def install_package(package: str, witness: str) -> None:
    """Installs a Debian package without starting its service.

    Errors: [`Unavailable`] without apt-get, without root, or when apt-get fails.
    """
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        raise Unavailable(f"needs the package {package}, and only root on Debian or Ubuntu can install it from here")
    say(f"installing the package {package}")
    # At runlevel 1 invoke-rc.d starts nothing: NGINX's package would otherwise take port 80.
    variables = os.environ | {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    apt = ["apt-get", "-q", "-o", "DPkg::Lock::Timeout=120"]
    install = [*apt, "install", "-y", "--no-install-recommends", package]
    try:
        run(install, env=variables)
    except Unavailable:
        # A fresh container has no package lists.
        run([*apt, "update"], env=variables)
        run(install, env=variables)
    if not present(witness):
        raise Unavailable(f"the package {package} brought no {witness}")


def run(command: list[str], **options: object) -> str:
    """Runs a command to its end and returns stdout and stderr.

    Errors: [`Unavailable`] with the last line that it printed.
    """
    try:
        answer = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True, **options
        )
    except OSError as error:
        raise Unavailable(f"{command[0]}: {error.strerror}") from None
    if answer.returncode != 0:
        lines = [line.strip() for line in answer.stdout.splitlines() if line.strip()]
        errors = [line for line in lines if "error" in line.lower()] or lines or ["no output"]
        raise Unavailable(f"{Path(command[0]).name} exited with {answer.returncode}: {errors[-1][:200]}")
    return answer.stdout


def say(text: str) -> None:
    print(f"bench: {text}", file=sys.stderr, flush=True)
