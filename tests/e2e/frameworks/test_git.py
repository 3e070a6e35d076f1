"""Git repositories served by dulwich, and git itself as the client: it sends bodies in chunks and compressed."""

import os
import random
import shutil
import subprocess
from pathlib import Path

import pytest
from dulwich import porcelain
from modes import base, serving

LOG = (
    "--access-logfile",
    "access.log",
    "--access-logformat",
    "%(m)s %(U)s?%(q)s %(s)s te=%({transfer-encoding}i)s ce=%({content-encoding}i)s length=%({content-length}i)s",
)

server = serving("git_app:application", "--body-memory", "65536", *LOG)

needs_git = pytest.mark.skipif(
    shutil.which("git") is None, reason="git is not on this machine; dulwich's own client is"
)


@pytest.fixture
def git(tmp_path):
    """Runs git as nobody in particular: without settings of the machine, without questions."""
    env = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    env = {name: value for name, value in env.items() if not name.startswith("GIT_")} | {
        "HOME": str(tmp_path),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        **{f"GIT_{who}_{what}": "tester@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
    }

    def run(*arguments, cwd=tmp_path, given=""):
        command = ["git", "-c", "init.defaultBranch=main", *map(str, arguments)]
        done = subprocess.run(command, cwd=cwd, env=env, input=given, capture_output=True, text=True, timeout=40)
        assert done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout.strip()

    return run


@pytest.fixture
def remote(server, tmp_path):
    """An empty repository of this test's own, and its address."""
    path = server.folder / "repositories" / tmp_path.name
    path.mkdir(parents=True)
    porcelain.init(path, bare=True).close()
    (path / "HEAD").write_text("ref: refs/heads/main\n")
    return f"{base(server)}/{tmp_path.name}"


def asked(server, remote):
    """The access log's lines about that repository."""
    name = remote.rsplit("/", 1)[1]
    return [line for line in (server.folder / "access.log").read_text().splitlines() if f"/{name}/" in line]


def fill(folder: Path, seed: int, count: int, size: int) -> dict[str, bytes]:
    """New files of noise, which does not compress."""
    source = random.Random(seed)
    files = {f"{seed}-{number}.bin": source.randbytes(size) for number in range(count)}
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return files


def commit(number: int) -> str:
    """A branch of one commit, in the words of git-fast-import."""
    return (
        f"commit refs/heads/branch-{number}\ncommitter tester <tester@example.org> {1000 + number} +0000\n"
        f"data 1\n{number % 10}\nM 644 inline file\ndata 2\n{number:02}\n"
    )


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@needs_git
def test_git_pushes_clones_and_pulls(server, remote, git, tmp_path):
    git("clone", remote, "first")
    first, second = tmp_path / "first", tmp_path / "second"
    files = fill(first, 1, 20, 1000)
    git("add", ".", cwd=first)
    git("commit", "-m", "small", cwd=first)
    git("push", "origin", "HEAD:main", cwd=first)
    git("clone", remote, "second")
    assert content(second) == files
    git("fsck", "--full", "--strict", cwd=second)
    # Larger than http.postBuffer, so git sends it in chunks, and than body_memory.
    files |= fill(second, 2, 3, 1_000_000)
    git("add", ".", cwd=second)
    git("commit", "-m", "large", cwd=second)
    git("push", "origin", "HEAD:main", cwd=second)
    git("pull", "origin", "main", cwd=first)
    assert content(first) == files
    assert git("rev-parse", "HEAD", cwd=first) == git("rev-parse", "HEAD", cwd=second)
    git("fsck", "--full", "--strict", cwd=first)
    lines = asked(server, remote)
    assert any("POST" in line and "git-receive-pack" in line and "te=chunked" in line for line in lines), lines


@needs_git
def test_git_asks_with_a_compressed_body_when_it_has_much_to_tell(server, remote, git, tmp_path):
    git("init", "-q", "first")
    first = tmp_path / "first"
    # Forty branches that have nothing in common, made by one process.
    git("fast-import", "--quiet", cwd=first, given="".join(map(commit, range(40))))
    tips = git("for-each-ref", "--format=%(objectname)", cwd=first).splitlines()
    assert len(set(tips)) == 40
    git("push", remote, "--all", cwd=first)
    # Forty times "want": more than the 1,024 bytes from which git compresses what it asks.
    git("clone", "--mirror", remote, "mirror")
    found = git("for-each-ref", "--format=%(objectname)", cwd=tmp_path / "mirror").splitlines()
    assert sorted(found) == sorted(tips)
    git("fsck", "--full", cwd=tmp_path / "mirror")
    lines = asked(server, remote)
    assert any("git-upload-pack" in line and "ce=gzip" in line for line in lines), lines


@needs_git
def test_a_branch_is_deleted_and_an_unknown_repository_refused(server, remote, git, tmp_path):
    git("clone", remote, "first")
    first = tmp_path / "first"
    fill(first, 1, 1, 10)
    git("add", ".", cwd=first)
    git("commit", "-m", "one", cwd=first)
    git("push", "origin", "HEAD:main", "HEAD:gone", cwd=first)
    assert len(git("ls-remote", remote, "refs/heads/*").splitlines()) == 2
    git("push", "origin", ":gone", cwd=first)
    assert len(git("ls-remote", remote, "refs/heads/*").splitlines()) == 1
    with pytest.raises(AssertionError, match="not found"):
        git("clone", f"{base(server)}/nothing", "nothing")


def test_dulwich_itself_pushes_and_clones(remote, tmp_path):
    first = tmp_path / "first"
    with porcelain.init(first) as repository:
        files = fill(first, 3, 5, 200_000)
        porcelain.add(repository, [str(first / name) for name in files])
        person = b"tester <tester@example.org>"
        made = porcelain.commit(repository, message=b"one", author=person, committer=person)
        porcelain.push(repository, remote, b"HEAD:refs/heads/main", outstream=Silent(), errstream=Silent())
    with porcelain.clone(remote, tmp_path / "second", errstream=Silent()) as repository:
        assert repository.head() == made
    assert content(tmp_path / "second") == files


class Silent:
    def write(self, data):
        return len(data)

    def flush(self):
        pass
