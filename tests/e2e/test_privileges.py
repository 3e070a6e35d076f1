"""Whom the workers run as, what is made over to them, and who may connect to a unix socket."""

import grp
import json
import os
import pwd
import shutil
import signal
import stat
import tempfile
from pathlib import Path

import pytest
from harness import Server, is_alive, wait_for

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give workers another user")

# Everything that the application needs once it is somebody else is imported by the settings file, as root: the
# interpreter may lie where only root can read.
SETTINGS = """
import ctypes, json, os, json.encoder

def post_fork(server, worker):
    os.environ["SEEN_BY_POST_FORK"] = str(os.geteuid())
"""

APP = """
import ctypes
import json
import os


def look():
    deadly = ctypes.c_int()
    ctypes.CDLL(None).prctl(2, ctypes.byref(deadly))  # PR_GET_PDEATHSIG
    return {
        "users": os.getresuid(),
        "groups": os.getresgid(),
        "all": sorted(os.getgroups()),
        "umask": os.umask(0o22),
        "deadly": deadly.value,
        "post_fork": os.environ["SEEN_BY_POST_FORK"],
    }


at_import = look()


def application(environ, start_response):
    if environ["PATH_INFO"] == "/pid":
        body = str(os.getpid()).encode()
    else:
        body = json.dumps({"import": at_import, "request": look()}).encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
"""

NOBODY = pwd.getpwnam("nobody")


@pytest.fixture
def serve_openly():
    """Starts servers in a folder that every user may enter, with the application above as `mine`."""
    folder = Path(tempfile.mkdtemp(prefix="indrik-"))
    folder.chmod(0o755)
    (folder / "mine.py").write_text(APP)
    servers = []

    def serve(*arguments, settings=SETTINGS, **options):
        servers.append(Server(folder, "mine", *arguments, settings=settings, **options))
        return servers[-1]

    yield serve
    for server in servers:
        server.kill()
    shutil.rmtree(folder)


def seen(server):
    return json.loads(server.get("/").text)


@as_root
def test_workers_become_the_user_and_group_before_the_import(serve_openly):
    with serve_openly("--user", "nobody", "--group", "daemon") as server:
        group = grp.getgrnam("daemon").gr_gid
        both = seen(server)
        for moment in ("import", "request"):
            assert both[moment]["users"] == [NOBODY.pw_uid] * 3
            assert both[moment]["groups"] == [group] * 3
            assert both[moment]["all"] == [group], "root's groups are given up"
            assert both[moment]["post_fork"] == "0"
        assert os.stat(f"/proc/{server.pid}").st_uid == 0
        assert "no group of their own" not in server.log


@as_root
def test_numbers_do_as_well_and_need_no_entry(serve_openly):
    with serve_openly("-u", "54321", "-g", "54322") as server:
        assert seen(server)["import"]["users"] == [54321] * 3
        assert seen(server)["import"]["groups"] == [54322] * 3


@as_root
def test_a_user_alone_keeps_the_masters_group_and_that_is_told(serve_openly):
    with serve_openly("--user", "nobody") as server:
        assert seen(server)["import"]["groups"] == [0] * 3
        assert seen(server)["import"]["all"] == []
        assert "they stay in the master's" in server.log


@as_root
def test_initgroups_gives_all_groups_of_the_user(serve_openly):
    members = [(name, entry.gr_gid) for entry in grp.getgrall() for name in entry.gr_mem if name != "root"]
    if not members:
        pytest.skip("no user of this machine is in a second group")
    name, second = members[0]
    own = pwd.getpwnam(name).pw_gid
    with serve_openly("--user", name, "--initgroups") as server:
        assert seen(server)["import"]["groups"] == [own] * 3
        assert {own, second} <= set(seen(server)["import"]["all"])
        assert "0" not in map(str, seen(server)["import"]["all"])


@as_root
def test_a_preloaded_application_is_imported_as_root_and_served_by_the_user(serve_openly):
    settings = SETTINGS + "import os\nos.environ['SEEN_BY_POST_FORK'] = 'not yet'\n"
    with serve_openly("--user", "nobody", "--group", "nogroup", "--preload", settings=settings) as server:
        both = seen(server)
        assert both["import"]["users"] == [0] * 3
        assert both["request"]["users"] == [NOBODY.pw_uid] * 3
        assert both["request"]["all"] == [NOBODY.pw_gid]
        assert both["request"]["deadly"] == signal.SIGTERM


@as_root
def test_a_worker_of_another_user_still_follows_its_master(serve_openly):
    with serve_openly("--user", "nobody", "--group", "nogroup") as server:
        assert seen(server)["request"]["deadly"] == signal.SIGTERM, "setuid has made the kernel forget"
        (worker,) = server.booted()
        server.signal(signal.SIGKILL)
        server.wait()
        wait_for(lambda: not is_alive(worker), "the end of the orphan")


@as_root
def test_logs_belong_to_the_workers_also_after_a_rotation(serve_openly):
    with serve_openly(
        *("--user", "nobody", "--group", "nogroup", "--access-logfile", "access.log", "--error-logfile", "error.log"),
        log="error.log",
    ) as server:
        server.get("/before")
        logs = [server.folder / "access.log", server.folder / "error.log"]
        for path in logs:
            assert (path.stat().st_uid, path.stat().st_gid) == (NOBODY.pw_uid, NOBODY.pw_gid)
            path.rename(path.with_suffix(".1"))
        server.signal(signal.SIGUSR1)
        wait_for(lambda: all(path.exists() for path in logs), "new log files")

        def line_is_there():
            server.get("/after")
            return "/after" in logs[0].read_text()

        wait_for(line_is_there, "an access line in the new file")
        assert [path.stat().st_uid for path in logs] == [NOBODY.pw_uid] * 2


@as_root
def test_a_log_that_is_no_file_stays_whose_it_is(serve_openly):
    before = os.stat("/dev/null").st_uid
    with serve_openly("--user", "nobody", "--group", "nogroup", "--access-logfile", "/dev/null") as server:
        seen(server)
    assert os.stat("/dev/null").st_uid == before


def test_an_unknown_user_or_group_is_named_with_its_setting(run):
    run("--user", "no-such-user", "hello").expect(1, "invalid value for user (--user): No such user: 'no-such-user'")
    files = {"mine.py": "group = 'no-such-group'\n"}
    ran = run("-c", "mine.py", "hello", files=files)
    ran.expect(1, "invalid value for group (mine.py:1): No such group: 'no-such-group'")


@as_root
def test_a_reload_that_names_nobody_is_abandoned(serve_openly):
    with serve_openly("--user", "nobody", "--group", "nogroup") as server:
        (server.folder / "server.conf.py").write_text(SETTINGS + "unix_socket_user = 'no-such-user'\n")
        before = server.booted()
        server.signal(signal.SIGHUP)
        server.wait_log("No such user: 'no-such-user'")
        assert server.booted() == before


@as_root
def test_who_may_not_give_workers_another_user_is_told(serve_openly):
    # Root without the capability: as good as anybody.
    drop = ["setpriv", "--bounding-set", "-setuid", "--inh-caps", "-setuid"]
    if shutil.which("setpriv") is None:
        pytest.skip("setpriv is not installed")
    server = serve_openly("--user", "nobody", "--group", "nogroup")
    server.command = [*drop, *server.command]
    assert server.run() == 3
    assert f"cannot become user {NOBODY.pw_uid} (setting user): Operation not permitted" in server.err
    assert "hint: only root can give workers another user" in server.err


# Unix sockets.


def mode(path):
    return stat.S_IMODE(os.stat(path).st_mode)


@pytest.mark.parametrize(
    ("arguments", "want"),
    [
        ([], 0o777),
        (["--umask", "007"], 0o770),
        (["-m", "0o117"], 0o660),
        (["--umask", "077", "--unix-socket-mode", "660"], 0o660),
    ],
)
def test_umask_and_mode_say_who_may_connect(serve, short_folder, arguments, want):
    path = str(short_folder / "x.sock")
    with serve("hello", *arguments, bind=f"unix:{path}", address=path) as server:
        assert mode(path) == want
        assert server.get("/").status == 200


def test_umask_is_not_the_processes(serve_openly):
    with serve_openly("--umask", "077") as server:
        assert seen(server)["import"]["umask"] == 0o22


@as_root
def test_sockets_belong_to_the_workers_or_to_whom_the_settings_say(serve_openly, short_folder):
    arguments = ["--user", "nobody", "--group", "nogroup"]
    path = str(short_folder / "a.sock")
    with serve_openly(*arguments, bind=f"unix:{path}", address=path):
        found = os.stat(path)
        assert (found.st_uid, found.st_gid) == (NOBODY.pw_uid, NOBODY.pw_gid)
    daemon = grp.getgrnam("daemon").gr_gid
    arguments += ["--unix-socket-user", "root", "--unix-socket-group", "daemon", "--unix-socket-mode", "0660"]
    with serve_openly(*arguments, bind=f"unix:{path}", address=path):
        found = os.stat(path)
        assert (found.st_uid, found.st_gid, mode(path)) == (0, daemon, 0o660)


def test_a_live_socket_is_left_to_its_server(serve, run, short_folder):
    path = str(short_folder / "x.sock")
    with serve("hello", bind=f"unix:{path}", address=path) as server:
        other = run("hello", "--bind", f"unix:{path}")
        other.expect(1, f"Connection in use: {path}", f"Can't connect to {path}")
        assert server.get("/").status == 200
    assert not os.path.exists(path)


def test_a_socket_that_somebody_else_has_made_in_its_place_stays(serve, short_folder):
    path = str(short_folder / "x.sock")
    with serve("hello", bind=f"unix:{path}", address=path) as first:
        os.unlink(path)
        with serve("hello", bind=f"unix:{path}", address=path) as second:
            first.stop()
            assert second.get("/").status == 200
    assert not os.path.exists(path)


def test_a_stale_socket_is_replaced(serve, short_folder):
    path = str(short_folder / "x.sock")
    with serve("hello", bind=f"unix:{path}", address=path) as server:
        server.signal(signal.SIGKILL)
        server.wait()
    assert os.path.exists(path)
    with serve("hello", bind=f"unix:{path}", address=path) as server:
        assert server.get("/").status == 200
    assert not os.path.exists(path)
