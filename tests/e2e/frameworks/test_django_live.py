"""A Django project's own live-server tests, run by Django's test runner, with the program in place of its server."""

import os
import shlex
import subprocess
import sys

import pytest
from harness import HERE, SETTINGS_VARIABLES
from modes import APPS, MODES

MODULES = (APPS, APPS.parent, HERE)


@pytest.mark.parametrize("mode", MODES.values(), ids=MODES)
def test_a_project_passes_its_live_server_tests(tmp_path, mode):
    env = {name: value for name, value in os.environ.items() if name not in SETTINGS_VARIABLES} | {
        "PYTHONPATH": ":".join(map(str, MODULES)),
        "PYTHONDONTWRITEBYTECODE": "1",
        "DJANGO_SETTINGS_MODULE": "guestbook.settings",
        "GUESTBOOK_FOLDER": str(tmp_path),
        "GUESTBOOK_ARGUMENTS": shlex.join([*mode, "--body-memory", "65536"]),
    }
    command = [sys.executable, "-m", "django", "test", "guestbook", "--noinput"]
    done = subprocess.run(command, cwd=APPS, env=env, capture_output=True, text=True, timeout=50)
    log = (tmp_path / "stderr.log").read_text() if (tmp_path / "stderr.log").exists() else "no server was started"
    assert done.returncode == 0 and "Ran 11 tests" in done.stderr, f"{done.stderr}\n{log}"
    # The view that fails on purpose is in Django's own words there, and nothing of it is the server's.
    assert log.count("Internal Server Error: /failing/") == 3
    assert "[ERROR]" not in log and "[WARNING]" not in log, log
