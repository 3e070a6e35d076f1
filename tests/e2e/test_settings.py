"""Where a setting may come from, who wins, and what it does to the process in which the application runs."""

import pytest
from harness import title, wait_for

APP_FILE = """
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "4")])
    return [b"mine"]
"""

# From the lowest to the highest; each level must beat all that stand before it.
LEVELS = ["default", "environment", "file", "args variable", "command line"]


@pytest.mark.parametrize("top", range(len(LEVELS)), ids=LEVELS)
def test_the_highest_source_of_a_number_wins(run, top):
    arguments, env, files = ["--print-config"], {}, {}
    if top >= 1:
        env["WEB_CONCURRENCY"] = "2"
    if top >= 2:
        files["server.conf.py"] = "workers = 3\n"
        arguments += ["--config", "server.conf.py"]
    if top >= 3:
        env["GUNICORN_CMD_ARGS"] = "--workers 4"
    if top >= 4:
        arguments += ["--workers", "5"]
    ran = run(*arguments, "hello", env=env, files=files).expect(0)
    assert ran.settings["workers"] == str(top + 1)


@pytest.mark.parametrize("top", range(len(LEVELS)), ids=LEVELS)
def test_the_highest_source_of_a_list_replaces_the_others(run, top):
    arguments, env, files = ["--print-config"], {}, {}
    if top >= 1:
        env["PORT"] = "8001"
    if top >= 2:
        files["server.conf.py"] = "bind = '127.0.0.1:8002'\n"
        arguments += ["--config", "server.conf.py"]
    if top >= 3:
        env["GUNICORN_CMD_ARGS"] = "--bind 127.0.0.1:8003"
    if top >= 4:
        arguments += ["-b", "127.0.0.1:8004", "-b127.0.0.1:8005"]
    want = [
        "['127.0.0.1:8000']",
        "['0.0.0.0:8001']",
        "['127.0.0.1:8002']",
        "['127.0.0.1:8003']",
        "['127.0.0.1:8004', '127.0.0.1:8005']",
    ]
    assert run(*arguments, "hello", env=env, files=files).expect(0).settings["bind"] == want[top]


def test_our_own_args_variable_replaces_the_other(run):
    env = {"INDRIK_CMD_ARGS": "--workers 7", "GUNICORN_CMD_ARGS": "--workers 4 --threads 9"}
    settings = run("--print-config", "hello", env=env).expect(0).settings
    assert (settings["workers"], settings["threads"]) == ("7", "1")


def test_the_args_variable_is_split_as_a_shell_would_and_its_words_are_ignored(run):
    env = {"GUNICORN_CMD_ARGS": "--name 'two words' -w 4 another:app"}
    settings = run("--print-config", "hello", env=env).expect(0).settings
    assert (settings["proc_name"], settings["workers"]) == ("two words", "4")


@pytest.mark.parametrize("junk", ["many", ""])
def test_a_junk_number_of_workers_in_the_environment_is_an_error(run, junk):
    run("--check-config", "hello", env={"WEB_CONCURRENCY": junk}).expect(1)


@pytest.mark.parametrize("name", ["gunicorn.conf.py", "indrik.conf.py"])
def test_a_settings_file_in_the_working_directory_is_found(run, name):
    ran = run("--print-config", "hello", files={name: "workers = 6\n"}).expect(0)
    assert ran.settings["workers"] == "6"


def test_our_own_settings_file_comes_before_the_other(run):
    files = {"gunicorn.conf.py": "workers = 6\n", "indrik.conf.py": "workers = 7\n"}
    assert run("--print-config", "hello", files=files).expect(0).settings["workers"] == "7"


def test_a_settings_file_named_in_the_args_variable_is_read(run):
    ran = run("--print-config", "hello", env={"GUNICORN_CMD_ARGS": "-cmine.py"}, files={"mine.py": "threads = 3\n"})
    assert ran.expect(0).settings["threads"] == "3"


@pytest.mark.parametrize("spelling", ["mine.py", "file:mine.py", "python:mine"])
def test_each_way_to_name_a_settings_file_works(run, spelling):
    ran = run("--print-config", "--config", spelling, "hello", files={"mine.py": "threads = 3\n"})
    assert ran.expect(0).settings["threads"] == "3"


def test_a_settings_file_is_a_python_module_that_may_compute(run):
    text = (
        "import os\n"
        "assert __name__ == '__config__'\n"
        "_twice = lambda number: number * 2\n"
        "workers = _twice(int(os.environ['CORES'])) + 1\n"
        "helper = 'not a setting'\n"
        "bind = [f'127.0.0.1:{port}' for port in (8001, 8002)]\n"
    )
    ran = run("--print-config", "-c", "mine.py", "hello", env={"CORES": "4"}, files={"mine.py": text}).expect(0)
    assert ran.settings["workers"] == "9"
    assert ran.settings["bind"] == "['127.0.0.1:8001', '127.0.0.1:8002']"


def test_numbers_and_truths_in_a_settings_file_may_be_text(run):
    text = "workers = '0x10'\nthreads = True\npreload_app = 'False'\nraw_env = 'A=b'\n"
    settings = run("--print-config", "-c", "mine.py", "hello", files={"mine.py": text}).expect(0).settings
    assert (settings["workers"], settings["threads"], settings["preload_app"]) == ("16", "1", "False")
    assert settings["raw_env"] == "['A=b']"


def test_a_misspelt_name_in_a_settings_file_gets_a_warning_and_does_no_harm(serve):
    with serve("hello", settings="log_level = 'debug'\ngraceful_timout = 5\nproject = 'shop'\n") as server:
        assert server.get("/").text == "hello"
        log = server.log
    assert "log_level" in log and "loglevel" in log
    assert "graceful_timout" in log and "graceful_timeout" in log
    assert "project" not in log


def test_options_may_be_abbreviated_and_stand_after_the_application(run):
    settings = run("hello", "ignored:app", "--print-config", "--thread", "2", "--bin=:1", "-w4").expect(0).settings
    assert (settings["threads"], settings["bind"], settings["workers"]) == ("2", "[':1']", "4")


def test_the_application_may_be_named_in_the_settings_file(serve):
    with serve(None, settings="wsgi_app = 'hello:application'\n") as server:
        assert server.get("/").text == "hello"


def test_the_application_on_the_command_line_wins(serve):
    with serve("factory:create()", settings="wsgi_app = 'hello:application'\n") as server:
        assert server.get("/").text == "made"


def test_the_settings_file_decides_what_really_happens(serve):
    with serve("process", settings="workers = 2\nraw_env = ['SHOP=books']\n") as server:
        server.booted(2)
        assert server.get("/").json()["environment"]["SHOP"] == "books"


# What settings do to the process.


def test_chdir_changes_the_directory_and_finds_the_application_there(serve, tmp_path):
    place = tmp_path / "elsewhere"
    place.mkdir()
    (place / "mine.py").write_text(APP_FILE)
    with serve("mine", "--chdir", str(place)) as server:
        assert server.get("/").text == "mine"


def test_chdir_is_where_the_process_works(serve, tmp_path):
    with serve("process", "--chdir", str(tmp_path)) as server:
        seen = server.get("/").json()
    assert seen["cwd"] == str(tmp_path)
    assert str(tmp_path) in seen["path"]


def test_pythonpath_comes_first(serve, tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    (tmp_path / "two" / "mine.py").write_text(APP_FILE)
    with serve("mine", "--pythonpath", f"{tmp_path}/one,{tmp_path}/two") as server:
        assert server.get("/").text == "mine"


def test_the_working_directory_is_importable(serve, stage):
    stage.write("mine.py", APP_FILE)
    with serve("mine") as server:
        assert server.get("/").text == "mine"


def test_raw_env_reaches_the_application(serve):
    with serve("process", "--env", "FIRST=1", "-e", "SECOND=a=b c") as server:
        environment = server.get("/").json()["environment"]
    assert (environment["FIRST"], environment["SECOND"]) == ("1", "a=b c")


def test_raw_env_without_a_value_is_refused(run):
    ran = run("--bind", "127.0.0.1:0", "--env", "NOTHING", "hello").expect(1, "NOTHING")
    assert "Listening at" not in ran.err


def test_the_application_can_tell_which_server_it_runs_on(serve):
    with serve("process") as server:
        assert server.get("/").json()["environment"]["SERVER_SOFTWARE"].startswith("gunicorn/")


@pytest.mark.parametrize(("arguments", "name"), [((), "hello:application"), (("--name", "shop"), "shop")])
def test_process_titles_say_who_is_who(serve, arguments, name):
    with serve("hello:application", *arguments) as server:
        (worker,) = server.booted(1)
        wait_for(lambda: f"indrik: master [{name}]" in title(server.pid), f"a title (is {title(server.pid)!r})")
        wait_for(lambda: f"indrik: worker [{name}]" in title(worker), f"a title (is {title(worker)!r})")
