"""USR2: a new master, of the program as it lies on the disk, beside the old one; then one of them leaves."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from harness import is_alive, title, wait_for
from load import Load
from wire import Wire, compose

APP = Path(__file__).parents[1].joinpath("apps", "hello.py").read_text()


def second_master(server, name="master.pid"):
    """The pid of the new master, once it has written it down."""
    path = server.folder / f"{name}.2"
    return int(wait_for(lambda: path.exists() and path.read_text().strip(), "the second pid file"))


def children_of(pid):
    return {int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}


def serving(server, pid):
    """Waits until a worker of that master has answered."""

    def answered():
        # On a quiet server the kernel may give every connection to the same worker.
        return server.answering(resting=server.children() - {pid}) in children_of(pid)

    wait_for(answered, f"an answer of a worker of {pid}")


def leave(server, pid):
    """Ends the master that is left, and looks whether anything stays."""
    os.kill(pid, signal.SIGTERM)
    wait_for(lambda: not server.members(), "everybody to leave")


@pytest.mark.parametrize("options", [(), ("--reuse-port",)], ids=["shared socket", "reuse port"])
def test_an_upgrade_loses_no_request_and_ends_in_the_new_master(serve, stage, options):
    stage.write("mine.py", APP)
    with serve("mine", "--workers", "2", "--pid", "master.pid", "--name", "shop", *options) as server:
        server.booted(2)
        old = server.pid
        (server.folder / "mine.py").write_text(APP.replace('"200 OK"', '"200 Newer"'))
        with Load(server.address) as load:
            load.wait_more(50)
            server.signal(signal.SIGUSR2)
            new = second_master(server)
            assert "shop.2" in title(new)
            serving(server, new)
            load.wait_more(50)
            server.signal(signal.SIGTERM, old)
            assert server.wait() == 0
            server.wait_log("Master has been promoted.")
            wait_for(lambda: "shop.2" not in title(new), "the new master's title")
            wait_for(lambda: (server.folder / "master.pid").read_text().strip() == str(new), "the pid file")
            assert not (server.folder / "master.pid.2").exists()
            load.wait_more(100)
        assert load.failures == []
        assert server.get("/").reason == "Newer"
        leave(server, new)
        assert not (server.folder / "master.pid").exists()


def test_an_upgrade_can_be_taken_back(serve):
    with serve("hello", "--workers", "2", "--pid", "master.pid") as server:
        server.booted(2)
        for _ in range(2):
            with Load(server.address) as load:
                server.signal(signal.SIGUSR2)
                new = second_master(server)
                serving(server, new)
                server.signal(signal.SIGUSR2)
                server.wait_log("USR2 signal ignored. Child exists.")
                server.signal(signal.SIGUSR2, new)
                server.wait_log("USR2 signal ignored. Parent exists.")
                os.kill(new, signal.SIGTERM)
                wait_for(lambda new=new: not is_alive(new), "the new master to leave")
                server.wait_log(f"New master (pid:{new}) exited with code 0: this one serves on.")
                load.wait_more(50)
            assert load.failures == []
            assert not (server.folder / "master.pid.2").exists()
        assert (server.folder / "master.pid").read_text().strip() == str(server.pid)


def test_a_new_master_that_cannot_boot_leaves_the_old_one_alone(serve, stage):
    stage.write("mine.py", APP)
    with serve("mine", "--pid", "master.pid") as server:
        old = server.booted(1)
        (server.folder / "mine.py").write_text("import nothing_of_that_name\n")
        with Load(server.address) as load:
            server.signal(signal.SIGUSR2)
            server.wait_log("exited with code 3: this one serves on.")
            load.wait_more(50)
        assert load.failures == []
        assert server.booted(1) == old


def test_a_unix_socket_stays_until_the_last_master_has_left(serve, tmp_path):
    path = tmp_path / "s"
    with serve("hello", "--bind", f"unix:{path}", "--pid", "master.pid", bind=None, address=str(path)) as server:
        server.booted(1)
        server.signal(signal.SIGUSR2)
        new = second_master(server)
        serving(server, new)
        os.kill(new, signal.SIGTERM)
        wait_for(lambda: not is_alive(new), "the new master to leave")
        assert path.is_socket()
        server.wait_log("this one serves on.")
        server.signal(signal.SIGUSR2)
        new = second_master(server)
        serving(server, new)
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
        assert path.is_socket()
        server.wait_log("Master has been promoted.")
        with Wire(str(path)) as wire:
            wire.send(compose("GET", "/pid", {"Connection": "close"}))
            assert wire.response().status == 200
        leave(server, new)
        assert not path.exists()


def test_the_new_master_finds_the_next_release_under_the_same_name(serve, stage, tmp_path):
    for release in ("one", "two"):
        (tmp_path / release).mkdir()
        (tmp_path / release / "mine.py").write_text(APP.replace('b"hello"', f'b"{release}"'))
    current = tmp_path / "current"
    current.symlink_to("one")
    settings = f"chdir = {str(current)!r}\npidfile = {str(tmp_path / 'master.pid')!r}\n"
    with serve("mine", settings=settings) as server:
        assert server.get("/").text == "one"
        (tmp_path / "next").symlink_to("two")
        (tmp_path / "next").rename(current)
        server.signal(signal.SIGHUP)
        wait_for(lambda: server.get("/").text == "two", "the next release after a reload")
        # And back again.
        (tmp_path / "next").symlink_to("one")
        (tmp_path / "next").rename(current)
        server.signal(signal.SIGHUP)
        wait_for(lambda: server.get("/").text == "one", "the release before after another one")


def test_an_abandoned_reload_leaves_no_path_behind(serve, tmp_path):
    for release, text in {"one": APP, "broken": "import nothing_of_that_name\n"}.items():
        (tmp_path / release).mkdir()
        (tmp_path / release / "mine.py").write_text(text)
    with serve("mine", settings=f"chdir = {str(tmp_path / 'one')!r}\n") as server:
        (old,) = server.booted(1)
        (server.folder / "server.conf.py").write_text(f"chdir = {str(tmp_path / 'broken')!r}\n")
        server.signal(signal.SIGHUP)
        server.wait_log("[ERROR] Reload abandoned")
        server.workers(1)
        server.signal(signal.SIGKILL, old)
        server.booted(1, without={old})


def test_the_hook_pre_exec_runs_in_the_new_process(serve):
    settings = (
        "pidfile = 'master.pid'\ndef pre_exec(server):\n    import os\n"
        "    open('hook.log', 'a').write(f'{os.getpid()}\\n')\n"
    )
    with serve("hello", settings=settings) as server:
        server.booted(1)
        server.signal(signal.SIGUSR2)
        new = second_master(server)
        assert (server.folder / "hook.log").read_text() == f"{new}\n"
        serving(server, new)
        os.kill(new, signal.SIGTERM)
        server.wait_log("this one serves on.")
