"""Starting: what a good start says, and how each bad one ends: one clear message, the right exit code, nobody left."""

import os
import re
import signal
import socket
import subprocess
import sys

import pytest
from harness import is_alive, wait_for
from wire import Wire


@pytest.fixture
def busy_port():
    """A port on which somebody else listens; yields the socket."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        yield holder


# A good start.


def test_it_says_what_it_does_in_order(serve):
    with serve("hello", "--workers", "2") as server:
        pids = server.booted(2)
        log = server.log
    lines = [
        "[INFO] Starting indrik ",
        f"[INFO] Listening at: http://127.0.0.1:{server.port} ({server.pid})",
        "[INFO] Using worker: sync",
        "[INFO] Booting worker with pid: ",
    ]
    places = [log.find(line) for line in lines]
    assert -1 not in places and places == sorted(places)
    assert {int(pid) for pid in re.findall(r"Booting worker with pid: (\d+)", log)} == pids


def test_threads_turn_the_worker_into_gthread(serve):
    with serve("hello", "--threads", "2") as server:
        assert server.log_has("Using worker: gthread")


def test_it_serves_on_several_addresses(serve, short_folder):
    path = str(short_folder / "s.sock")
    with serve("hello", "--bind", "127.0.0.1:0", bind=f"unix:{path}") as server:
        assert len(server.addresses) == 2 and path in server.addresses
        for address in server.addresses:
            with Wire(address) as wire:
                assert wire.get("/").text == "hello"


def test_it_serves_on_a_unix_socket_and_removes_it(serve, short_folder):
    path = short_folder / "s.sock"
    with serve("hello", bind=f"unix:{path}") as server:
        assert server.log_has(f"Listening at: unix:{path}")
        assert server.get("/").text == "hello"
        assert path.is_socket()
    assert not path.exists()


def test_it_replaces_a_stale_unix_socket(serve, short_folder):
    path = short_folder / "s.sock"
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(path))
    with serve("hello", bind=f"unix:{path}") as server:
        assert server.get("/").text == "hello"


def test_it_does_not_take_the_unix_socket_of_a_live_server(serve, run, short_folder):
    path = short_folder / "s.sock"
    with serve("hello", bind=f"unix:{path}") as server:
        run("--bind", f"unix:{path}", "hello").expect(1, str(path))
        assert server.get("/").text == "hello"


def test_it_does_not_remove_a_file_that_is_no_socket(run, short_folder):
    path = short_folder / "precious"
    path.write_text("not yours")
    run("--bind", f"unix:{path}", "hello").expect(1, str(path))
    assert path.read_text() == "not yours"


def test_it_serves_on_ipv6(serve):
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError as reason:
        pytest.skip(f"no IPv6 on this machine: {reason}")
    with serve("hello", bind="[::1]:0") as server:
        assert server.log_has("Listening at: http://[::1]:")
        assert server.get("/").text == "hello"


def test_the_pid_file_lives_as_long_as_the_master(serve):
    with serve("hello", "--pid", "server.pid") as server:
        path = server.folder / "server.pid"
        assert wait_for(path.read_text, "a pid file") == f"{server.pid}\n"
    assert not path.exists()


def test_a_stale_pid_file_is_overwritten(serve, stage):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    path = stage.write("server.pid", f"{gone.pid}\n")
    with serve("hello", "--pid", "server.pid") as server:
        assert path.read_text() == f"{server.pid}\n"


def test_a_pid_file_of_a_live_process_refuses_the_start(serve, run):
    with serve("hello", "--pid", "server.pid") as server:
        path = server.folder / "server.pid"
        run("--pid", str(path), "--bind", "127.0.0.1:0", "hello").expect(1, "Already running on PID", str(server.pid))
        assert path.read_text() == f"{server.pid}\n"


def test_a_failed_start_removes_its_pid_file(run):
    ran = run("--pid", "server.pid", "--bind", "127.0.0.1:0", "broken_import")
    ran.expect(3)
    assert not (ran.folder / "server.pid").exists()


# An application that cannot be loaded. The number of workers must not change the outcome.


@pytest.mark.parametrize("workers", ["1", "4"])
@pytest.mark.parametrize(
    ("application", "code", "reason", "text"),
    [
        ("a_module_that_nobody_has", 3, "Worker failed to boot.", "No module named 'a_module_that_nobody_has'"),
        ("broken_import", 3, "Worker failed to boot.", "No module named 'a_module_that_nobody_has'"),
        ("broken_raising", 3, "Worker failed to boot.", "RuntimeError: the database is not configured"),
        ("hello:nope", 4, "App failed to load.", "Failed to find attribute 'nope' in 'hello'."),
        ("hello:not_callable", 4, "App failed to load.", "Application object must be callable."),
        ("factory:create_nothing()", 4, "App failed to load.", "Failed to find application object: 'create_nothing()'"),
        (
            "factory:create(1",
            4,
            "App failed to load.",
            "Failed to parse 'create(1' as an attribute name or function call.",
        ),
        ("factory:create(x=open)", 4, "App failed to load.", "Failed to parse arguments as literal values"),
        ("factory:a.b()", 4, "App failed to load.", "Function reference must be a simple name"),
    ],
)
def test_an_application_that_does_not_load_ends_the_program(run, application, code, reason, text, workers):
    ran = run("--bind", "127.0.0.1:0", "--workers", workers, application)
    ran.expect(code, text, f"exited with code {code}.", "[ERROR] Shutting down: Master", f"[ERROR] Reason: {reason}")
    if code == 3:
        ran.expect(3, "[ERROR] Exception in worker process", "Traceback (most recent call last):")


@pytest.mark.parametrize("workers", ["1", "4"])
def test_a_syntax_error_in_the_application_is_shown_where_it_is(run, workers):
    broken = {"broken_syntax.py": "def application(environ, start_response):\n    return [\n"}
    ran = run("--bind", "127.0.0.1:0", "--workers", workers, "broken_syntax", files=broken)
    ran.expect(3, "SyntaxError", "broken_syntax.py", "Reason: Worker failed to boot.")


def test_an_application_that_dies_in_its_import_ends_the_program(run):
    # Nothing has ever booted, so there is nothing to keep alive by trying again.
    ran = run("--bind", "127.0.0.1:0", "--workers", "2", "broken_exit")
    ran.expect(3, "exited with code 9.", "Reason: Worker failed to boot.")


def test_a_file_name_for_a_module_gets_a_hint(run):
    files = {"app.py": "from hello import application as app\n"}
    ran = run("--bind", "127.0.0.1:0", "app.py:app", files=files)
    ran.expect(3, "Failed to find application, did you mean 'app:app'?")


def test_without_an_application_it_says_so(run):
    run("--bind", "127.0.0.1:0").expect(1, "No application module specified.")


@pytest.mark.parametrize(
    ("application", "answer"),
    [
        ("hello", "hello"),
        ("hello:application", "hello"),
        ("factory:create()", "made"),
        ("factory:create('again', times=2)", "againagain"),
    ],
)
def test_each_way_to_name_an_application_works(serve, application, answer):
    with serve(application) as server:
        assert server.get("/").text == answer


# Questions instead of a start.


def test_version(run):
    ran = run("--version").expect(0)
    assert re.fullmatch(r"indrik \(version \d+\.\d+\.\d+\)\n", ran.out)
    assert run("-v").out == ran.out


def test_help_names_every_kind_of_flag(run):
    out = run("--help").expect(0).out
    for flag in ("-b", "--bind", "-w", "--workers", "--threads", "--check-config", "--access-logfile", "--config"):
        assert re.search(rf"(^|[\s,]){flag}\b", out), f"{flag} is not in --help"


def test_check_config_is_silent_about_a_good_application(run):
    ran = run("--check-config", "hello").expect(0)
    assert ran.out == "" and "Traceback" not in ran.err


@pytest.mark.parametrize("application", ["hello:nope", "broken_import", "broken_raising"])
def test_check_config_shows_why_an_application_does_not_load(run, application):
    run("--check-config", application).expect(1, "Error while loading the application:")


def test_print_config_prints_every_setting_sorted(run):
    ran = run("--print-config", "--workers", "3", "--name", "shop", "hello").expect(0)
    names = [line.partition(" ")[0] for line in ran.out.splitlines() if " = " in line]
    assert names == sorted(names)
    settings = ran.settings
    assert settings["workers"] == "3"
    assert settings["proc_name"] == "shop"
    assert settings["timeout"] == "30"
    assert settings["bind"] == "['127.0.0.1:8000']"


# Bad words.


@pytest.mark.parametrize(
    "arguments",
    [["--nonsense"], ["--keepalive", "5"], ["--worker", "2"], ["--access-log", "-"], ["--max-request", "5"]],
    ids=" ".join,
)
def test_a_flag_that_is_unknown_or_ambiguous_is_a_usage_error(run, arguments):
    ran = run(*arguments, "hello").expect(2, arguments[0])
    assert "usage" in ran.err.lower()
    assert "Traceback" not in ran.err
    assert ran.out == ""


@pytest.mark.parametrize(
    ("arguments", "flag"),
    [
        (["--workers", "many", "hello"], "--workers"),
        (["--timeout=120s", "hello"], "--timeout"),
        (["hello", "--workers"], "--workers"),
    ],
    ids=["not a number", "with a unit", "no value"],
)
def test_a_flag_with_a_wrong_value_is_a_usage_error_that_names_it(run, arguments, flag):
    ran = run(*arguments).expect(2, flag)
    assert "Traceback" not in ran.err
    assert ran.out == ""


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ("workers = -1", "workers"),
        ("workers = 3.0", "workers"),
        ("workers = 'x'", "workers"),
        ("workers = None", "workers"),
        ("timeout = 0.5", "timeout"),
        ("bind = 8000", "bind"),
        ("preload_app = 1", "preload_app"),
    ],
)
def test_a_bad_value_in_the_settings_file_is_named(run, settings, name):
    ran = run("--config", "bad.py", "hello", files={"bad.py": f"{settings}\n"})
    ran.expect(1)
    assert f"invalid value for {name}" in ran.err.lower()
    assert "Traceback" not in ran.err


def test_a_negative_number_on_the_command_line_is_refused(run):
    ran = run("--workers", "-1", "hello").expect(1)
    assert "workers" in ran.err and "Traceback" not in ran.err


@pytest.mark.parametrize("name", ["gevent", "tornado", "uvicorn.workers.UvicornWorker", "meinheld.gmeinheld.X"])
def test_a_worker_class_that_cannot_run_here_is_refused_by_name(run, name):
    ran = run("--bind", "127.0.0.1:0", "--worker-class", name, "hello").expect(1)
    assert f"'{name}'" in ran.err and "Traceback" not in ran.err
    assert "Listening at" not in ran.err


def test_a_missing_settings_file_is_named(run):
    ran = run("--config", "nowhere.py", "hello").expect(1, "'nowhere.py' doesn't exist")
    assert "Traceback" not in ran.err


def test_a_settings_file_that_cannot_be_read_is_named(run):
    # A directory, because root may read a file without any permission.
    ran = run("--config", "/", "hello")
    assert ran.code == 1
    assert "'/'" in ran.err or "file: /" in ran.err


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("workers = (\n", "SyntaxError"),
        ("raise RuntimeError('no such tenant')\n", "RuntimeError: no such tenant"),
        ("import a_module_that_nobody_has\n", "No module named 'a_module_that_nobody_has'"),
        ("import sys\nsys.exit('stop here')\n", "stop here"),
    ],
    ids=["syntax error", "raises", "import error", "exits"],
)
def test_a_settings_file_that_fails_ends_the_program(run, text, reason):
    ran = run("--config", "bad.py", "hello", files={"bad.py": text})
    ran.expect(1, reason)
    assert "Listening at" not in ran.err


def test_a_missing_directory_to_change_to_is_named(run):
    ran = run("--chdir", "/nowhere/at/all", "hello").expect(1, "/nowhere/at/all")
    assert "Traceback" not in ran.err


# A place to listen that cannot be had.


def test_a_busy_port_is_tried_five_times_and_given_up(run, busy_port):
    port = busy_port.getsockname()[1]
    ran = run("--bind", f"127.0.0.1:{port}", "hello")
    ran.expect(1, f"Connection in use: ('127.0.0.1', {port})", f"Can't connect to ('127.0.0.1', {port})")
    assert ran.err.count("Connection in use: ") == 5
    assert "Booting worker" not in ran.err


def test_a_port_that_gets_free_in_time_is_taken(serve, busy_port):
    port = busy_port.getsockname()[1]
    server = serve("hello", bind=f"127.0.0.1:{port}")
    server.launch()
    server.wait_log("Connection in use: ")
    busy_port.close()
    server.wait_log(f"Listening at: http://127.0.0.1:{port} ({server.pid})")
    server.addresses = [("127.0.0.1", port)]
    assert server.get("/").text == "hello"
    server.stop()


def test_an_address_of_another_machine_is_an_error(run):
    ran = run("--bind", "192.0.2.1:0", "hello").expect(1, "192.0.2.1")
    assert "Booting worker" not in ran.err


def test_a_bad_address_is_an_error(run):
    ran = run("--bind", "127.0.0.1:notaport", "hello").expect(1, "notaport")
    assert "Traceback" not in ran.err


# A stop in the middle of the start.


def test_a_stop_does_not_wait_for_a_slow_import(serve):
    with serve("slow_import", "--workers", "2") as server:
        wait_for((server.folder / "import.entered").exists, "the import to begin")
        server.stop()
        assert not (server.folder / "import.open").exists()


def test_a_server_without_workers_waits_for_orders(serve):
    with serve("hello", "--workers", "0") as server:
        assert server.children() == set()
        server.signal(signal.SIGTTIN)
        server.workers(1)
        assert server.get("/").text == "hello"


def test_the_master_is_the_process_that_was_started(serve):
    # Init systems and shells signal the pid they know; a program that forks away from it could not be stopped.
    with serve("hello") as server:
        (worker,) = server.workers(1)
        assert is_alive(server.pid) and os.getpgid(worker) == server.pid
