"""The stand-in for the package gunicorn, programs that embed the server, and the ways in which it is launched."""

from __future__ import annotations

import importlib.util
import os
import re
import sys
import venv
from collections.abc import Callable
from pathlib import Path

import pytest
from doors import environment, way_in
from harness import Server, wait_for
from stage import Ran, Stage

IMPORTS = """
import sys
import gunicorn
import gunicorn.app.base
import gunicorn.app.wsgiapp
import gunicorn.arbiter
import gunicorn.config
import gunicorn.debug
import gunicorn.errors
import gunicorn.glogging
import gunicorn.http
import gunicorn.http.errors
import gunicorn.http.message
import gunicorn.http.wsgi
import gunicorn.instrument.statsd
import gunicorn.pidfile
import gunicorn.reloader
import gunicorn.sock
import gunicorn.systemd
import gunicorn.util
import gunicorn.workers.base
import gunicorn.workers.base_async
import gunicorn.workers.ggevent
import gunicorn.workers.gthread
import gunicorn.workers.sync
from gunicorn.arbiter import Arbiter
from gunicorn.app.base import BaseApplication
from gunicorn.http.message import Request
from gunicorn.workers.base import Worker

def application(environ, start_response):
    try:
        gunicorn.nothing_of_the_kind
    except AttributeError as error:
        text = str(error)
    data = f"{gunicorn.__version__} {Arbiter.APP_LOAD_ERROR} {gunicorn.SERVER_SOFTWARE[:9]} {text}".encode()
    start_response("200 OK", [("Content-Length", str(len(data)))])
    return [data]
"""

EMBEDDED = """
from gunicorn.app.base import BaseApplication


def app(environ, start_response):
    data = b"embedded"
    start_response("200 OK", [("Content-Length", str(len(data)))])
    return [data]


class StandaloneApplication(BaseApplication):
    def __init__(self, app, options=None):
        self.options = options or {}
        self.application = app
        super().__init__()

    def load_config(self):
        config = {
            key: value for key, value in self.options.items() if key in self.cfg.settings and value is not None
        }
        for key, value in config.items():
            self.cfg.set(key.lower(), value)

    def load(self):
        return self.application


def ready(server):
    server.log.info("ready: %s", server.cfg.workers)


if __name__ == "__main__":
    options = {"bind": "127.0.0.1:0", "workers": 2, "when_ready": ready, "not_a_setting": 1, "pidfile": None}
    StandaloneApplication(app, options).run()
"""


def test_every_module_is_there_and_says_what_it_is(serve: Callable[..., Server], stage: Stage) -> None:
    stage.write("imports.py", IMPORTS)
    with serve("imports") as server:
        text = server.get("/").text
    assert text.startswith("27.0.1 4 gunicorn/ module 'gunicorn' is indrik's stand-in and has no attribute")


def test_a_file_of_the_project_named_gunicorn_does_not_shadow_it(serve: Callable[..., Server], stage: Stage) -> None:
    stage.write("gunicorn.py", "raise RuntimeError('shadowed')\n")
    stage.write("imports.py", IMPORTS)
    with serve("imports", settings="from gunicorn.glogging import Logger\n") as server:
        assert server.get("/").status == 200


@pytest.mark.parametrize("launch", [("-m", "indrik.compat", "standalone.py"), ("standalone.py",)])
def test_a_program_embeds_the_server(serve: Callable[..., Server], stage: Stage, launch: tuple[str, ...]) -> None:
    text = EMBEDDED
    if len(launch) == 1:
        text = "import indrik.compat\nindrik.compat.install()\n" + text
    stage.write("standalone.py", text)
    with serve(None, bind=None, program=[sys.executable, *launch]) as server:
        server.wait_log("Booting worker", 2)
        assert server.get("/").text == "embedded"
        assert "ready: 2" in server.log
        old = server.children()
        server.signal(1)
        wait_for(lambda: len(server.children()) == 2 and not server.children() & old, "new workers")
        assert server.get("/").text == "embedded"


def test_what_an_embedding_program_sets_wrong_ends_it(stage: Stage) -> None:
    stage.write("standalone.py", EMBEDDED.replace('"workers": 2', '"workers": "many"'))
    ran = stage.run(program=[sys.executable, "-m", "indrik.compat", "standalone.py"])
    ran.expect(1, "invalid value for workers: 'many'", "an integer")


def test_the_binary_carries_the_stand_in(serve: Callable[..., Server], stage: Stage) -> None:
    stage.write("imports.py", IMPORTS)
    way = way_in("binary")
    settings = "import gunicorn.glogging\ndef post_fork(server, worker):\n    server.log.info('forked %s', worker)\n"
    with serve("imports", settings=settings, program=way["program"], env=environment("binary")) as server:
        assert server.get("/").text.startswith("27.0.1 4 gunicorn/")
        assert "forked <Worker " in server.log


PASTE = """
[app:main]
paste.app_factory = pasted:make
greeting = from the file

[app:other]
paste.app_factory = pasted:make
greeting = the other
"""


@pytest.mark.parametrize(("name", "want"), [("shop.ini", "from the file books"), ("shop.ini#other", "the other books")])
def test_an_application_comes_from_a_pastedeploy_file(
    serve: Callable[..., Server], stage: Stage, name: str, want: str
) -> None:
    stage.write("shop.ini", PASTE)
    stage.write("pasted.py", "from visited import create\ndef make(conf, greeting):\n"
        "    return create(greeting + ' ' + conf['shop'])\n")  # fmt: skip
    with serve(None, "--paste", name, "--paste-global", "shop=books", env=paths()) as server:
        assert server.get("/").text == want


# Launchers.


def console_script() -> str:
    return str(Path(sys.executable).with_name("indrik"))


@pytest.fixture
def environment_of_its_own(tmp_path: Path) -> Path:
    """The scripts of a virtual environment that has nothing but indrik, and no copy of that."""
    venv.create(tmp_path / "venv", with_pip=False, symlinks=True)
    home = Path(importlib.util.find_spec("indrik").origin).parents[1]
    site = next((tmp_path / "venv" / "lib").glob("python*")) / "site-packages"
    (site / "indrik").symlink_to(home / "indrik")
    return tmp_path / "venv" / "bin"


def test_a_script_called_gunicorn_is_one_line_away(
    serve: Callable[..., Server], run: Callable[..., Ran], environment_of_its_own: Path
) -> None:
    scripts = environment_of_its_own
    python = str(scripts / "python")
    for _ in range(2):
        assert run(program=[python, "-m", "indrik.alias"]).expect(0).out == f"{scripts}/gunicorn starts indrik\n"
    # Found on PATH, as a script of that interpreter, and by a tool that looks for it.
    for program in (["gunicorn"], [python, str(scripts / "gunicorn")]):
        env = {"PATH": f"{scripts}:{os.environ['PATH']}"}
        with serve("hello", program=["/usr/bin/env", *program], env=env) as server:
            assert server.get("/").text == "hello"
            assert "Starting indrik" in server.log
    run("--remove", program=[python, "-m", "indrik.alias"]).expect(0)
    assert not (scripts / "gunicorn").exists()


def test_the_alias_does_not_replace_gunicorn(run: Callable[..., Ran], environment_of_its_own: Path) -> None:
    theirs = environment_of_its_own / "gunicorn"
    theirs.write_text("from gunicorn.app.wsgiapp import run\n")
    for words in ([], ["--remove"]):
        ran = run(*words, program=[str(environment_of_its_own / "python"), "-m", "indrik.alias"])
        ran.expect(1, f"{theirs} is another program", "pip uninstall gunicorn")
    assert theirs.read_text().startswith("from gunicorn")


def test_a_wrapper_with_a_sitecustomize_works(serve: Callable[..., Server], tmp_path: Path) -> None:
    place = tmp_path / "wrapper"
    place.mkdir()
    (place / "sitecustomize.py").write_text(
        "import os, sys\nos.environ['WRAPPED'] = os.path.basename(sys.argv[0] if hasattr(sys, 'argv') else '')\n"
    )
    apps = Path(__file__).parent / "apps"
    with serve("visited", program=[console_script()], env={"PYTHONPATH": f"{place}:{apps}"}) as server:
        assert server.get("/os?WRAPPED").text == "indrik"


WRAPPERS = {
    "newrelic": ["newrelic-admin", "run-program"],
    "opentelemetry.instrumentation": ["opentelemetry-instrument"],
    "ddtrace": ["ddtrace-run"],
}


@pytest.mark.parametrize("package", WRAPPERS)
def test_a_real_wrapper_works(serve: Callable[..., Server], package: str) -> None:
    command, *rest = WRAPPERS[package]
    script = Path(sys.executable).with_name(command)
    if importlib.util.find_spec(package.partition(".")[0]) is None or not script.exists():
        pytest.skip(f"{package} is not installed")
    apps = Path(__file__).parent / "apps"
    env = {
        "PYTHONPATH": str(apps),
        "DD_TRACE_ENABLED": "false",
        "DD_INSTRUMENTATION_TELEMETRY_ENABLED": "false",
        "NEW_RELIC_DEVELOPER_MODE": "true",
        "OTEL_TRACES_EXPORTER": "none",
        "OTEL_METRICS_EXPORTER": "none",
        "OTEL_LOGS_EXPORTER": "none",
        "PATH": f"{script.parent}:{os.environ['PATH']}",
    }
    with serve("visited", program=[str(script), *rest, "indrik"], env=env) as server:
        assert server.get("/").text == "hello"


def test_the_program_is_found_by_docker_exec_form(serve: Callable[..., Server]) -> None:
    # No shell, no PATH but the usual one: an absolute path and words.
    with serve("visited", "-w", "1", program=[console_script()], env=paths(PATH="/usr/bin:/bin")) as server:
        assert server.get("/").text == "hello"


def paths(**env: str) -> dict[str, str]:
    return {"PYTHONPATH": str(Path(__file__).parent / "apps"), **env}


PROJECT = """
[project]
name = "shop"
version = "1"
requires-python = ">=3.10"

[tool.poetry]
package-mode = false
"""


@pytest.mark.parametrize(("tool", "options"), [("poetry", []), ("uv", ["--active", "--no-sync"])])
def test_runners_of_projects_work(serve: Callable[..., Server], stage: Stage, tool: str, options: list[str]) -> None:
    stage.write("pyproject.toml", PROJECT)
    scripts = Path(sys.executable).parent
    words = [str(scripts / tool), "run", *options, "indrik"]
    # As a shell has it where the environment of the project is active.
    env = paths(VIRTUAL_ENV=str(scripts.parent), PATH=f"{scripts}:{os.environ['PATH']}")
    with serve("visited", program=words, env=env) as server:
        assert server.get("/").text == "hello"


# What people leave out.


def test_djangos_application_is_found(serve: Callable[..., Server], stage: Stage) -> None:
    folder = stage.write(
        "manage.py", "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')\n"
    ).parent
    (folder / "shop").mkdir()
    (folder / "shop" / "__init__.py").write_text("")
    (folder / "shop" / "settings.py").write_text("WSGI_APPLICATION = 'shop.wsgi.application'\n")
    (folder / "shop" / "wsgi.py").write_text("from visited import application\n")
    with serve(None, env=paths()) as server:
        assert server.get("/").text == "hello"
        assert re.search(r"Serving shop\.wsgi:application, which shop/settings\.py names", server.log)


def test_a_file_in_place_of_a_module_is_answered_with_the_module(run: Callable[..., Ran]) -> None:
    ran = run("mine.py:app", files={"mine.py": "app = 1\n"})
    ran.expect(3, "Failed to find application, did you mean 'mine:app'?")


@pytest.mark.parametrize(
    ("application", "want"),
    [("visited:Box.inner", "hello"), ("visited:create()", "made"), ("visited:create('x', loud=True)", "X")],
)
def test_every_form_of_an_application_works(serve: Callable[..., Server], application: str, want: str) -> None:
    with serve(application, env=paths()) as server:
        assert server.get("/").text == want


@pytest.mark.parametrize(
    ("name", "junk"), [("WEB_CONCURRENCY", "many"), ("PORT", "http"), ("FORWARDED_ALLOW_IPS", "nginx")]
)
def test_junk_in_the_environment_is_named(run: Callable[..., Ran], name: str, junk: str) -> None:
    run("--check-config", "hello", env={name: junk}).expect(1, f"${name}")


# doctor and check.


def test_doctor_reads_a_gunicorn_set_up(run: Callable[..., Ran]) -> None:
    text = "workers = 3\nkeepalive = 2\nlog_level = 9\ncores = 4\ntimeout = 60\n"
    ran = run("doctor", "gunicorn.conf.py", "--", "gunicorn", "-w", "2", "hello", files={"gunicorn.conf.py": text})
    ran.expect(0)
    for line in (
        "same       workers = 3  # gunicorn.conf.py:1",
        "adapted    keepalive = 2  # gunicorn.conf.py:2",
        "no effect  log_level = 9  # gunicorn.conf.py:3",
        "adapted    timeout = 60  # gunicorn.conf.py:5",
        "same       workers = 2  # --workers",
    ):
        assert line in ran.out.splitlines()
    assert "It will run." in ran.out and "cores" not in ran.out


def test_doctor_says_what_is_refused_and_the_way_out(run: Callable[..., Ran]) -> None:
    text = "worker_class = 'gevent'\ncertfile = 'x.pem'\n"
    ran = run("doctor", "--", "hello", files={"gunicorn.conf.py": text}).expect(1)
    assert "refused    worker_class = 'gevent'" in ran.out and "worker_class = 'gthread'" in ran.out
    assert "refused    certfile = 'x.pem'" in ran.out and "NGINX" in ran.out
    assert "It will not run" in ran.out


def test_a_worker_class_of_ones_own_is_refused_by_name(run: Callable[..., Ran]) -> None:
    text = (
        "from gunicorn.workers.sync import SyncWorker\n"
        "class PrometheusWorker(SyncWorker):\n    def init_process(self):\n        super().init_process()\n"
        "worker_class = PrometheusWorker\n"
    )
    ran = run("hello", "-c", "mine.py", files={"mine.py": text})
    ran.expect(1, "mine.py:5", "'__config__.PrometheusWorker (overrides init_process)'", "supported: sync, gthread")


def test_check_explains_where_every_setting_comes_from(run: Callable[..., Ran]) -> None:
    ran = run("check", "--explain", "-w", "2", "hello", files={"gunicorn.conf.py": "threads = 3\n"}, env={"PORT": "81"})
    ran.expect(0)
    for line in ("workers .* = 2  # --workers", r"threads .* = 3  # gunicorn.conf.py:1", r"bind .* # \$PORT"):
        assert re.search(f"^{line}$", ran.out, re.MULTILINE), line
    assert re.search("^timeout .* = 30$", ran.out, re.MULTILINE)


def test_a_module_may_have_the_name_of_a_verb(serve: Callable[..., Server], stage: Stage) -> None:
    stage.write("check.py", "from visited import application\n")
    env = paths(INDRIK_CMD_ARGS="--bind 127.0.0.1:0")
    with serve(None, "--", "check", bind=None, env=env) as server:
        assert server.get("/").text == "hello"


PASTE_LOGGERS = """
[loggers]
keys = root, errors

[handlers]
keys = file

[formatters]
keys = plain

[logger_root]
level = INFO
handlers = file

[logger_errors]
level = INFO
handlers = file
qualname = gunicorn.error
propagate = 0

[handler_file]
class = FileHandler
args = ("%(here)s/pasted.log",)
formatter = plain

[formatter_plain]
format = pasted %(levelname)s %(message)s
"""


def test_a_pastedeploy_file_configures_logging(serve: Callable[..., Server], stage: Stage) -> None:
    stage.write("shop.ini", PASTE + PASTE_LOGGERS)
    stage.write("pasted.py", "from visited import application\ndef make(conf, greeting):\n    return application\n")
    with serve(None, "--paste", "shop.ini", env=paths(), log="pasted.log") as server:
        assert server.get("/log").text == "logged"
        assert server.get("/boom").status == 500
        log = server.log
        assert "pasted INFO Booting worker" in log
        assert "pasted WARNING a warning of the application" in log
        assert "pasted ERROR Error handling request GET /boom" in log
