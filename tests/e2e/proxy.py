"""The real NGINX with the configuration of the examples, rendered as its first lines say."""

from __future__ import annotations

import os
import shutil
import signal
import socket
from pathlib import Path

from harness import ROOT, Program, wait_for
from wire import Address

TEMPLATE = ROOT / "examples" / "nginx" / "nginx.conf"


def nginx() -> str:
    """A missing NGINX is a failure, not a skip: most installations have one in front."""
    found = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    assert found, "nginx is missing: install it (apt-get install nginx) to run the tests behind a proxy"
    return found


class Nginx(Program):
    """NGINX in the foreground; `run` is the folder of the server's socket, `static` that of the static files."""

    def __init__(self, folder: Path, run: Path, static: Path) -> None:
        arguments = ["-e", "stderr", "-p", str(folder), "-c", str(folder / "nginx.conf")]
        # Started as root it would hand its workers to a user who may not enter the folders of a test.
        arguments += ["-g", "daemon off; user root;" if os.geteuid() == 0 else "daemon off;"]
        super().__init__(folder, *arguments, program=[nginx()])
        self.run_folder = run
        self.static = static
        self.address: Address = ("127.0.0.1", 0)

    def __enter__(self) -> Nginx:
        self._render()
        self.launch()
        try:
            wait_for(self._is_ready, "NGINX to listen")
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(self, failure: type[BaseException] | None, *_: object) -> None:
        try:
            if failure is None:
                os.kill(self.pid, signal.SIGQUIT)
                assert self.wait() == 0
        finally:
            self.kill()

    def _render(self) -> None:
        # NGINX knows no port 0, so the kernel is asked beforehand. Nobody else gets the same answer for a good while.
        with socket.socket() as asked:
            asked.bind(("127.0.0.1", 0))
            self.address = asked.getsockname()
        text = TEMPLATE.read_text()
        for name, value in {"RUN": self.run_folder, "STATIC": self.static, "PORT": self.address[1]}.items():
            text = text.replace(f"@{name}@", str(value))
        (self.folder / "nginx.conf").write_text(text)

    def _is_ready(self) -> bool:
        assert self.is_running, f"NGINX ended with exit code {self.wait()}"
        pid_file = self.folder / "nginx.pid"
        return pid_file.exists() and pid_file.read_text().strip() == str(self.pid)
