"""Every setting of Gunicorn's, with values of every kind: indrik accepts and refuses what Gunicorn itself does.

The rows are made here for each setting; what is right, Gunicorn's own validator says, which is installed for that.
indrik answers by `doctor`, which judges every value of a settings file, and by `--print-config`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from gunicorn.config import KNOWN_SETTINGS, Config
from stage import Ran

# Values by the name of Gunicorn's validator, as they stand in a settings file.
GUNICORN = (sys.executable, "-m", "gunicorn")
INTEGERS = ["3", "'3'", "'0x10'", "True", "0", "20000", "-1", "None", "3.5", "'x'", "''", "[1]", "'1.5'"]
TEXTS = ["'text'", "' padded '", "''", "None", "1", "['a']", "b'text'", "True"]
CHOICES = ["None", "1", "''", "'nonsense'", "['auto']"]
VALUES = {
    "validate_pos_int": INTEGERS,
    "validate_http2_stream_limit": INTEGERS,
    "validate_http2_window_size": INTEGERS,
    "validate_http2_frame_size": INTEGERS,
    "validate_bool": ["True", "False", "'true'", "' False '", "None", "1", "0", "'on'", "'yes'", "''", "[]"],
    "validate_string": TEXTS,
    "validate_list_string": ["'a=b'", "['a=b', 'c=d']", "('a=b',)", "[]", "None", "''", "1", "[1]", "[' a=b ']"],
    "validate_string_to_addr_list": [
        "'*'",
        "'10.0.0.0/8, ::1'",
        "''",
        "None",
        "'10.0.0.1/8'",
        "'nginx'",
        "['10.0.0.1']",
        "1",
        "\"'*'\"",
    ],
    "validate_string_to_list": ["'A_B,C_D'", "'*'", "''", "None", "1"],
    "validate_dict": ["{}", "{'A': 'b'}", "None", "'x'", "[]"],
    "validate_class": ["'sync'", "' gthread '", "1", "['sync']"],
    "validate_proxy_protocol": [*CHOICES, "'off'", "'V1'", "'v2'", "'auto'", "True", "False", "'true'", "'0'"],
    "validate_http_protocols": [*CHOICES, "'h1'", "' H1 '", "'h1,h1'", "'h3'"],
    "validate_http2_cleartext": [*CHOICES, "'off'", "False"],
    "validate_asgi_loop": [*CHOICES, "'auto'", "'AUTO'"],
    "validate_asgi_lifespan": [*CHOICES, "'auto'"],
    "validate_http_parser": [*CHOICES, "'auto'", "'fast'", "'Python'"],
    "validate_header_map_behaviour": [*CHOICES, "'drop'", "'Refuse'", "'dangerous'"],
    "validate_reload_engine": ["'auto'", "'poll'", "'inotify'", "'nonsense'", "1"],
    "validate_list_of_files_or_patterns": ["[]", "None", "1"],
    "validate_statsd_address": [
        "None",
        "'localhost:8125'",
        "'localhost'",
        "'unix:///x.sock'",
        "'a:b'",
        "1",
        "'unix:8125'",
    ],
    "validate_user": ["None", "0", "'0'"],
    "validate_group": ["None", "0", "'0'"],
    "validate_ssl_version": ["None", "3"],
}
FUNCTIONS = "none one two three four many".split()
HOOKS = [*FUNCTIONS, "'os.getpid'", "'nodots'", "'os.nothing'", "'nomodule.at.all'", "None", "1"]
PREAMBLE = (
    "def none(): pass\ndef one(a): pass\ndef two(a, b): pass\ndef three(a, b, c): pass\ndef four(a, b, c, d): pass\n"
    "def many(*args): pass\n"
)

# What indrik does on purpose otherwise: setting, value, reason. `*` stands for every value.
ADAPTED = {
    ("worker_connections", "0"): "nothing could be served",
    ("raw_env", "'a=b'"): "",
    ("root_path", "''"): "",
    ("sendfile", "*"): "True means on",
    ("bind", "[]"): "nobody could connect",
    ("bind", "None"): "nobody could connect",
    ("bind", "''"): "nobody could connect",
    ("limit_request_line", "*"): "",
    ("threads", "20000"): "a seat has places for 256 threads",
    ("workers", "20000"): "the scoreboard has 1024 seats",
    ("protocol", "*"): "any other word would be taken for http",
    ("access_log_format", "*"): "checked at start, where Gunicorn writes a traceback for each request",
    ("errorlog", "None"): "",
    ("wsgi_app", "*"): "",
    ("loglevel", "None"): "Gunicorn fails later",
    ("syslog_addr", "None"): "Gunicorn fails later",
    ("syslog_facility", "None"): "Gunicorn fails later",
    ("paste", "*"): "",
    ("logger_class", "*"): "",
    ("worker_class", "' gthread '"): "",
    ("secure_scheme_headers", "*"): "names are brought to upper case",
    ("config", "*"): "it has no effect in a settings file",
}

# Settings of which only the default is accepted: what else is valid is refused with its reason.
REFUSED = {
    "asgi_disconnect_grace_period",
    "asgi_lifespan",
    "asgi_loop",
    "ca_certs",
    "cert_reqs",
    "certfile",
    "ciphers",
    "dirty_apps",
    "dirty_graceful_timeout",
    "dirty_post_fork",
    "dirty_threads",
    "dirty_timeout",
    "dirty_worker_exit",
    "dirty_worker_init",
    "dirty_workers",
    "http2_cleartext",
    "http2_initial_window_size",
    "http2_max_concurrent_streams",
    "http2_max_frame_size",
    "http2_max_header_list_size",
    "http_protocols",
    "keyfile",
    "on_dirty_starting",
    "protocol",
    "root_path",
    "ssl_context",
    "uwsgi_allow_ips",
    "websocket_max_message_size",
}
# These are about the place where the file lies, and have tests of their own.
ELSEWHERE = {"chdir"}

# Shown otherwise, and meaning the same: a check for the whole setting.
SHOWN_OTHERWISE = {
    "tmp_upload_dir",
    "worker_tmp_dir",
    "ssl_version",
    "statsd_host",
    "user",
    "group",
    "config",
    "control_socket",
    "post_request",
    "sendfile",
    "secure_scheme_headers",
    "print_config",
    "check_config",
    "header_map",
}


class Row:
    """One value of one setting, and what Gunicorn makes of it."""

    def __init__(self, name: str, literal: str) -> None:
        self.name = name
        self.literal = literal
        scope: dict[str, Any] = {}
        exec(PREAMBLE, scope)
        cfg = Config()
        try:
            cfg.set(name, eval(literal, scope))
            self.theirs: str | None = shown(cfg.settings[name].get())
        except Exception:
            self.theirs = None

    @property
    def is_adapted(self) -> bool:
        return (self.name, self.literal) in ADAPTED or (self.name, "*") in ADAPTED


def shown(value: Any) -> str:
    return f"<{value.__qualname__}()>" if callable(value) else str(value)


def rows() -> Iterator[Row]:
    for setting in KNOWN_SETTINGS:
        if setting.name in ELSEWHERE:
            continue
        validator = setting.validator.__name__
        is_hook = validator in ("_validate_callable", "validate_post_request")
        for literal in HOOKS if is_hook else VALUES[validator]:
            yield Row(setting.name, literal)


ROWS = list(rows())


def rounds(chosen: list[Row]) -> list[list[Row]]:
    """The rows in settings files, each of which gives a setting once."""
    files: list[list[Row]] = []
    counts: dict[str, int] = {}
    for row in chosen:
        number = counts[row.name] = counts.get(row.name, -1) + 1
        if number == len(files):
            files.append([])
        files[number].append(row)
    return files


def text(rows: list[Row]) -> str:
    return PREAMBLE + "".join(f"{row.name} = {row.literal}\n" for row in rows)


@pytest.mark.parametrize("number", range(len(rounds(ROWS))))
def test_each_value_has_gunicorns_verdict(run: Callable[..., Ran], number: int) -> None:
    chosen = rounds(ROWS)[number]
    ran = run("doctor", "mine.py", "--", "hello", files={"mine.py": text(chosen)})
    found = re.findall(r"^(same|adapted|refused|no effect) +(\w+) = ", ran.out, re.MULTILINE)
    judged = {name: word for word, name in found}
    wrong = []
    for row in chosen:
        if row.is_adapted:
            continue
        ours = judged.get(row.name)
        accepted = ours in ("same", "adapted", "no effect")
        if row.theirs is None and accepted:
            wrong.append(f"{row.name} = {row.literal}: Gunicorn refuses it")
        elif row.theirs is not None and not accepted and row.name not in REFUSED:
            wrong.append(f"{row.name} = {row.literal}: Gunicorn takes it for {row.theirs}, indrik: {ours}")
    assert not wrong, "\n".join(wrong)


def comparable() -> list[Row]:
    return [
        row
        for row in ROWS
        if row.theirs is not None
        and not row.is_adapted
        and row.name not in REFUSED
        and row.name not in SHOWN_OTHERWISE
        and not (row.theirs == "" or row.literal == "None")
    ]


@pytest.mark.parametrize("number", range(len(rounds(comparable()))))
def test_each_value_means_the_same(run: Callable[..., Ran], number: int) -> None:
    chosen = rounds(comparable())[number]
    ran = run("--print-config", "-c", "mine.py", "hello", files={"mine.py": text(chosen)})
    assert ran.out, ran.err
    wrong = [
        f"{row.name} = {row.literal}: Gunicorn has {row.theirs}, indrik {ran.settings.get(row.name)}"
        for row in chosen
        if ran.settings.get(row.name) != row.theirs
    ]
    assert not wrong, "\n".join(wrong)


DIFFERENT_DEFAULTS = {
    "config": "None",
    "keepalive": "75",
    "control_socket": "None",
    "default_proc_name": "hello",
    "statsd_prefix": "None",
    "dogstatsd_tags": "None",
    "root_path": "None",
    "sendfile": "True",
    "user": "None",
    "group": "None",
    "ssl_version": "2",
    "wsgi_app": "hello",
    "print_config": "True",
}


def test_defaults_are_gunicorns(run: Callable[..., Ran]) -> None:
    ran = run("--print-config", "hello", "--chdir", ".").expect(0)
    cfg = Config()
    wrong = []
    for setting in KNOWN_SETTINGS:
        name = setting.name
        want = DIFFERENT_DEFAULTS.get(name, shown(cfg.settings[name].get()))
        if name == "cert_reqs":
            want = "0"
        if name != "chdir" and ran.settings.get(name) != want:
            wrong.append(f"{name}: {ran.settings.get(name)} for {want}")
    assert not wrong, "\n".join(wrong)


def test_every_setting_of_gunicorn_is_in_the_table(run: Callable[..., Ran]) -> None:
    settings = run("--print-config", "hello").expect(0).settings
    assert {setting.name for setting in KNOWN_SETTINGS} <= settings.keys()
    assert len(KNOWN_SETTINGS) == 120


# The rows of measured command lines: words, whether Gunicorn runs them, and its exit code if not.
LINES = [
    ("-w4 hello", 0),
    ("--workers=4 hello", 0),
    ("hello extra positional --threads 2", 0),
    ("-cmine.py hello", 0),
    ("--conf mine.py hello", 0),
    ("-c file:mine.py hello", 0),
    ("-c python:mine hello", 0),
    ("--log-file=- hello", 0),
    ("-m 0 hello", 0),
    ("--timeo 3 hello", 0),
    ("--error-log - hello", 0),
    ("hello:application", 0),
    ("hello", 0),
    ("factory:create()", 0),
    ("--proxy-protocol=auto hello", 0),
    ("--no-sendfile hello", 0),
    ("--limit-request-field_size 100 hello", 0),
    ("--forwarded-allow-ips * hello", 0),
    ("--worker 2 hello", 2),
    ("--access-log - hello", 2),
    ("--max-request 5 hello", 2),
    ("--keepalive 5 hello", 2),
    ("--preload-app hello", 2),
    ("--timeout=120s hello", 2),
    ("--nope hello", 2),
    ("-w hello", 2),
    ("", 1),
    ("-c missing.py hello", 1),
    ("nosuchmodule", 1),
    ("hello:nope", 1),
    ("hello:application(", 1),
    ("--forwarded-allow-ips '*' hello", 1),
    ("hello:application(x=os.environ)", 1),
    ("--chdir /nowhere/at/all hello", 1),
    ("--worker-tmp-dir /nowhere/at/all hello", 0),
    ("-b :$PORT hello", 0),
    ("-k nosuch hello", 0),
    ("--logger-class no.such.Logger hello", 0),
]

# What Gunicorn finds out only when it starts: exit code and text of indrik.
EARLIER = {
    "--worker-tmp-dir /nowhere/at/all hello": (1, "/nowhere/at/all doesn't exist. Can't create workertmp."),
    "-b :$PORT hello": (1, "no shell has read this command line"),
    "-k nosuch hello": (1, "worker class 'nosuch' is unknown; supported: sync, gthread."),
}


@pytest.mark.parametrize(("line", "code"), LINES, ids=[line for line, _ in LINES])
def test_command_lines_end_as_gunicorns(run: Callable[..., Ran], line: str, code: int) -> None:
    words = ["--check-config", *line.split()]
    files = {"mine.py": "threads = 2\n"}
    theirs = run(*words, files=files, program=GUNICORN)
    assert theirs.code == code
    ours = run(*words, files=files)
    if line in EARLIER:
        code, text = EARLIER[line]
        ours.expect(code, text)
    else:
        assert ours.code == code, ours.err
