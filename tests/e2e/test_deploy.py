"""The examples of deployments: what they start is started, as they say it, and does what they promise."""

import configparser
import json
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys

import pytest
import yaml
from harness import ROOT, wait_for
from manager import Manager, activated
from shop import PROJECT, variables
from wire import Wire

EXAMPLES = ROOT / "examples"


def unit(name):
    """A unit file by sections; of a key that is repeated the last value."""
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str
    parser.read(EXAMPLES / "systemd" / name)
    return parser


def test_the_units_start_reload_and_stop_the_bookshop(stage, shop_data, short_folder):
    service, path = unit("indrik.service")["Service"], str(short_folder / "indrik.sock")
    program, *words = shlex.split(service["ExecStart"])
    assert program.endswith("/bin/python") and words[:3] == ["-m", "indrik", "bookshop.wsgi"]
    words = words[2:]
    assert dict([service["Environment"].split("=", 1)]).keys() == {"BOOKSHOP_DATA"}
    assert service["ExecReload"] == "/bin/kill -HUP $MAINPID"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(int(unit("indrik.socket")["Socket"]["Backlog"]))
    microseconds = str(int(service["WatchdogSec"]) * 1_000_000)
    with Manager(str(short_folder / "notify")) as manager, listener:
        env = variables(shop_data) | {"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": microseconds}
        words = [*words, "--chdir", str(PROJECT)]
        options = {"bind": None, "program": activated([listener]), "descriptors": [listener.fileno()], "env": env}
        with stage.serve(None, *words, address=path, **options) as server:
            ready = manager.wait("READY=1")
            manager.wait("WATCHDOG=1")
            with Wire(path) as wire:
                assert wire.request("GET", "/healthz", {"Host": "localhost"}).status == 200
            server.signal(signal.SIGHUP)
            began = manager.wait("RELOADING=1", ready)
            manager.wait("READY=1", began)
            server.stop()
            manager.drain()
            assert "STOPPING=1" in manager.lines()


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_takes_the_units(tmp_path):
    for name in ("indrik.service", "indrik.socket"):
        text = (EXAMPLES / "systemd" / name).read_text()
        # What is executed must be there.
        text = re.sub(r"^ExecStart=\S+", f"ExecStart={sys.executable}", text, flags=re.MULTILINE)
        (tmp_path / name).write_text(text)
    units = [str(tmp_path / name) for name in ("indrik.service", "indrik.socket")]
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *units], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_drop_in_leaves_the_signal_to_systemd():
    service = unit("notify-reload.conf")["Service"]
    assert (service["Type"], service["ExecReload"]) == ("notify-reload", "")


def here(words):
    """The words of a container's command, at an address of this machine's."""
    return ["127.0.0.1:0" if word == "0.0.0.0:8000" else word for word in words]


def test_the_containers_command_serves_and_its_health_check_passes(stage, shop_data):
    text = (EXAMPLES / "docker" / "Dockerfile").read_text()
    command = json.loads(re.search(r"^CMD (\[.*\])$", text, re.MULTILINE)[1])
    check = json.loads(re.search(r"^HEALTHCHECK .*? CMD (\[.*\])$", text, re.MULTILINE)[1])
    assert command[0] == "indrik" and check[0] == "python"
    words = [*here(command[1:]), "--chdir", str(PROJECT)]
    with stage.serve(None, *words, bind=None, env=variables(shop_data)) as server:
        check = [sys.executable, *(word.replace(":8000/", f":{server.port}/") for word in check[1:])]
        assert subprocess.run(check, timeout=20, check=False).returncode == 0
        wait_for(lambda: '"GET /healthz HTTP/1.1" 200' in server.out, "an access line on standard output")
        server.stop()
    assert subprocess.run(check, timeout=20, check=False, stderr=subprocess.DEVNULL).returncode != 0


def test_the_pod_passes_its_probes_and_serves_on_after_term(stage, shop_data):
    deployment, service = yaml.safe_load_all((EXAMPLES / "kubernetes" / "bookshop.yaml").read_text())
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    words = [*container["command"][1:], *container["args"]]
    delay, graceful = (int(words[words.index(option) + 1]) for option in ("--shutdown-delay", "--graceful-timeout"))
    assert pod["terminationGracePeriodSeconds"] > delay + graceful
    assert service["spec"]["selector"] == deployment["spec"]["template"]["metadata"]["labels"]
    env = variables(shop_data) | {one["name"]: one["value"] for one in container["env"]}
    with stage.serve(None, *here(words), "--chdir", str(PROJECT), bind=None, env=env) as server:
        for probe in ("startupProbe", "readinessProbe"):
            path = container[probe]["httpGet"]["path"]
            assert server.get(path, {"Host": "10.0.0.7"}).status == 200
        server.signal(signal.SIGTERM)
        server.wait_log("Serving on for 10 s (shutdown_delay)")
        assert server.get(path, {"Host": "10.0.0.7"}).status == 200
        # Nobody waits for the rest.
        server.signal(signal.SIGTERM)
        assert server.wait() == 0


def test_a_release_is_deployed_by_a_link_and_a_reload(stage):
    """The recipe of docs/deploy.md: releases side by side, a link to the one that counts."""
    folder = stage.folder / "shop"
    for name in ("first", "second", "third"):
        (folder / name).mkdir(parents=True)
        text = f"raise RuntimeError('{name}')" if name == "third" else f"name = {name!r}"
        (folder / name / "mine.py").write_text(
            f"{text}\ndef application(environ, start_response):\n"
            "    start_response('200 OK', [('Content-Type', 'text/plain')])\n    return [name.encode()]\n"
        )
    current = folder / "current"
    current.symlink_to("first")
    with stage.serve("mine", "--chdir", str(current), "--workers", "2") as server:
        assert server.get("/").text == "first"

        def deploy(name):
            new = folder / "new"
            new.symlink_to(name)
            new.rename(current)
            server.signal(signal.SIGHUP)

        deploy("second")
        wait_for(lambda: {server.get("/").text for _ in range(8)} == {"second"}, "the second release")
        deploy("third")
        server.wait_log("Reload abandoned")
        assert server.get("/").text == "second"


def test_a_release_that_cannot_be_loaded_is_seen_by_check_before(run):
    run("check", "broken_import").expect(1, "Error while loading the application")
