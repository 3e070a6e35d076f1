"""The wheel's script, `python -m indrik` and the binary: one program, entered in three ways."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from doors import DOORS, binary, environment, other_pythons


@pytest.fixture(params=DOORS)
def door(request):
    """Options for `serve` and `run`. Not subject to INDRIK_PROGRAM: the doors themselves are tested here."""
    return {"program": DOORS[request.param](), "env": environment(request.param)}


def test_every_door_tells_the_same_version(run, door):
    out = run("--version", **door).expect(0).out
    assert out == run("--version", program=DOORS["module"]()).out
    assert out.startswith("indrik (version ")


def test_every_door_uses_the_environment_of_the_tests(serve, door):
    with serve("process", **door) as server:
        seen = server.get("/").json()
    assert Path(seen["prefix"]).resolve() == Path(sys.prefix).resolve()
    assert seen["version"] == list(sys.version_info[:3])
    assert seen["in_main_thread"]
    packages = {path for path in sys.path if path.startswith(sys.prefix) and path.endswith("site-packages")}
    assert packages and packages <= set(seen["path"])


def test_every_door_serves_several_workers_and_reports_the_end(serve, door):
    with serve("hello", "--workers", "2", "--threads", "2", **door) as server:
        server.booted(2)
        assert server.get("/").text == "hello"
        server.stop()
        assert server.log.rstrip().endswith("Shutting down: Master")


def test_a_worker_of_every_door_ends_by_the_first_signal_of_a_crash(serve, door):
    with serve("hello", **door) as server:
        (worker,) = server.booted(1)
        server.signal(signal.SIGSEGV, worker)
        server.wait_log(f"Worker (pid:{worker}) was sent SIGSEGV! It has crashed.")
        server.booted(1, without={worker})


def test_every_door_keeps_the_exit_codes(run, door):
    run("--nonsense", **door).expect(2)
    run("--bind", "127.0.0.1:0", **door).expect(1, "No application module specified.")
    run("--bind", "127.0.0.1:0", "broken_import", **door).expect(3, "Reason: Worker failed to boot.")
    run("--bind", "127.0.0.1:0", "hello:nope", **door).expect(4, "Reason: App failed to load.")


def test_every_door_reads_settings_files(run, door):
    ran = run("--print-config", "-c", "mine.py", "hello", files={"mine.py": "workers = 1 + 2\n"}, **door).expect(0)
    assert ran.settings["workers"] == "3"


def test_every_door_finds_modules_of_the_working_directory(run, door):
    run("--check-config", "mine", files={"mine.py": "from hello import application\n"}, **door).expect(0)


def test_help_into_a_closed_pipe_is_no_crash(door):
    started = subprocess.Popen(
        [*door["program"], "--help"],
        env={**os.environ, **door["env"]},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    started.stdout.close()
    said = started.stderr.read()
    started.stderr.close()
    started.wait(20)
    assert b"panicked" not in said and b"Traceback" not in said


# The binary has no interpreter of its own place.


def test_the_binary_takes_the_python_that_it_is_told(serve):
    with serve("process", "--python", sys.executable, program=binary(), env={"PATH": "/usr/bin:/bin"}) as server:
        assert Path(server.get("/").json()["prefix"]).resolve() == Path(sys.prefix).resolve()


def test_the_binary_takes_a_virtual_environment_that_it_is_told(serve):
    if sys.prefix == sys.base_prefix:
        pytest.skip("the tests do not run in a virtual environment")
    with serve("process", "--python", sys.prefix, program=binary(), env={"PATH": "/usr/bin:/bin"}) as server:
        assert Path(server.get("/").json()["prefix"]).resolve() == Path(sys.prefix).resolve()


def test_the_binary_takes_the_first_python_of_the_path(serve):
    folder = str(Path(sys.executable).parent)
    with serve("process", program=binary(), env={"PATH": f"{folder}:/usr/bin:/bin"}) as server:
        assert Path(server.get("/").json()["prefix"]).resolve() == Path(sys.prefix).resolve()


def test_the_binary_refuses_an_environment_of_another_python(run, tmp_path):
    others = other_pythons()
    if not others:
        pytest.skip("there is only one version of Python on this machine")
    version, python = max(others.items(), key=lambda item: tuple(map(int, item[0].split("."))))
    subprocess.run([python, "-m", "venv", "--without-pip", tmp_path / "other"], check=True, timeout=50)
    ran = run("--bind", "127.0.0.1:0", "hello", program=binary(), env={"VIRTUAL_ENV": str(tmp_path / "other")}).expect(
        1
    )
    own = f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert version in ran.err and own in ran.err
    assert "pip install indrik" in ran.err
    assert "Listening at" not in ran.err and "Traceback" not in ran.err


def test_the_binary_says_so_when_the_environment_is_not_there(run):
    ran = run("--bind", "127.0.0.1:0", "hello", program=binary(), env={"VIRTUAL_ENV": "/nowhere/at/all"}).expect(1)
    assert "/nowhere/at/all" in ran.err
    assert "Listening at" not in ran.err
