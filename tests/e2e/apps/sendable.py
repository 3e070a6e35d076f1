"""Files through wsgi.file_wrapper, of every kind that has its own way to be read; one path each.

They come from `sent.bin` of the working directory. Each close() adds a line to `closed.log`: the path, and where the
file stood then. So a test can tell who has read it: behind the application nobody but the server could move it.
"""

import gzip
import io
import os
import tempfile
from pathlib import Path

TYPE = ("Content-Type", "application/octet-stream")
STATUSES = {"/no_content": "204 No Content", "/not_modified": "304 Not Modified"}


def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/pid":
        start_response("200 OK", [TYPE])
        return [str(os.getpid()).encode()]
    file = PATHS[path]()
    note_close(path, file)
    headers = [TYPE]
    if length := environ["QUERY_STRING"]:
        headers.append(("Content-Length", length))
    write = start_response(STATUSES.get(path, "200 OK"), headers)
    wrapper = environ["wsgi.file_wrapper"](file, 1000)
    if path == "/iterated":
        next(iter(wrapper))
    elif path == "/indexed":
        wrapper[0]
    elif path == "/written":
        write(b"written first, ")
    elif path == "/passed_on":
        return (block for block in wrapper)
    elif path == "/inherited":
        return loud(environ["wsgi.file_wrapper"])(file)
    elif path == "/read_only_object":
        assert not hasattr(wrapper, "close")
    return wrapper


def note_close(path, file):
    """Gives this very object a close() of its own, as Django does."""
    close = getattr(file, "close", None)
    if close is None:
        return

    def noting():
        try:
            where = str(file.tell())
        except (ValueError, OSError):
            where = "nowhere"
        with open("closed.log", "a") as closed:
            closed.write(f"{path} {where}\n")
        close()

    file.close = noting


def whole():
    return open("sent.bin", "rb")


def read_before():
    file = whole()
    assert len(file.read(1000)) == 1000
    return file


def sought():
    file = whole()
    file.seek(5000)
    return file


def unbuffered():
    file = open("sent.bin", "rb", buffering=0)
    file.seek(100)
    return file


def updated():
    """Bytes that are written, and still in Python's buffer."""
    with open("updated.bin", "wb") as file:
        file.write(Path("sent.bin").read_bytes())
    file = open("updated.bin", "r+b")
    file.seek(100)
    file.write(b"fresh")
    file.seek(50)
    return file


def appended():
    with open("updated.bin", "wb") as file:
        file.write(b"old ")
    file = open("updated.bin", "a+b")
    file.write(b"and new")
    file.seek(0)
    file.write(b" and newer")
    file.seek(4)
    return file


def named_temporary():
    file = tempfile.NamedTemporaryFile()
    file.write(Path("sent.bin").read_bytes())
    file.seek(100)
    return file


def temporary():
    file = tempfile.TemporaryFile()
    file.write(Path("sent.bin").read_bytes())
    file.seek(100)
    return file


def django_file():
    from django.core.files.base import File

    file = File(whole())
    file.seek(100)
    return file


def django_temporary():
    from django.core.files.base import File

    return File(named_temporary())


def at_its_end():
    file = whole()
    file.seek(0, os.SEEK_END)
    return file


def behind_its_end():
    file = whole()
    file.seek(1 << 40)
    return file


def empty():
    Path("empty.bin").write_bytes(b"")
    return open("empty.bin", "rb")


def of_the_kernel():
    return open("/proc/self/status", "rb")


def compressed():
    with gzip.open("sent.gz", "wb") as file:
        file.write(Path("sent.bin").read_bytes())
    return gzip.open("sent.gz")


def pipe():
    """As long as a pipe holds: nobody writes while it is read."""
    reader, writer = os.pipe()
    os.write(writer, Path("sent.bin").read_bytes()[:4000])
    os.close(writer)
    return os.fdopen(reader, "rb")


def spooled_temporary():
    file = tempfile.SpooledTemporaryFile()
    file.write(Path("sent.bin").read_bytes())
    file.seek(100)
    return file


def in_memory():
    class Memory(io.BytesIO):
        """One that takes another close()."""

    return Memory(Path("sent.bin").read_bytes())


def read_by_a_subclass():
    class Backwards(io.FileIO):
        def read(self, size=-1):
            return super().read(size)[::-1]

    return Backwards("sent.bin")


def buffered_subclass():
    class Backwards(io.BufferedReader):
        def read(self, size=-1):
            return super().read(size)[::-1]

    return Backwards(io.FileIO("sent.bin"))


def over_a_subclass():
    class Backwards(io.FileIO):
        def readinto(self, buffer):
            data = super().read(len(buffer))[::-1]
            buffer[: len(data)] = data
            return len(data)

    return io.BufferedReader(Backwards("sent.bin"), 1000)


def read_replaced():
    file = whole()
    read = file.read
    file.read = lambda size: read(size)[::-1]
    return file


def read_only_object():
    class Reader:
        def __init__(self):
            self.file = whole()

        def read(self, size):
            return self.file.read(size)[::-1]

    return Reader()


def not_for_reading():
    return open("other.bin", "wb")


def closed():
    file = whole()
    file.close()
    return file


def text():
    return open("sent.bin", encoding="latin-1")


def loud(base):
    class Loud(base):
        def __iter__(self):
            yield b"of a subclass"

    return Loud


PATHS = {
    f"/{made.__name__}": made
    for made in (
        whole,
        read_before,
        sought,
        unbuffered,
        updated,
        appended,
        named_temporary,
        temporary,
        django_file,
        django_temporary,
        at_its_end,
        behind_its_end,
        empty,
        of_the_kernel,
        compressed,
        pipe,
        spooled_temporary,
        in_memory,
        read_by_a_subclass,
        buffered_subclass,
        over_a_subclass,
        read_replaced,
        read_only_object,
        not_for_reading,
        closed,
        text,
    )
}
PATHS |= dict.fromkeys(
    ("/no_content", "/not_modified", "/iterated", "/indexed", "/written", "/passed_on", "/inherited"), whole
)
