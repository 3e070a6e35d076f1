"""Iterables that note each call of their close() in `closed.log`; the path says which, every other one is the pid."""

import os


class Counted:
    def __init__(self, name, pieces):
        self.name = name
        self.pieces = iter(pieces)

    def __iter__(self):
        return self

    def __next__(self):
        return next(self.pieces)

    def close(self):
        closed = os.open("closed.log", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
        os.write(closed, f"{self.name}\n".encode())
        os.close(closed)
        if self.name == "close_raises":
            raise ValueError("in close()")


class Sized(Counted):
    def __len__(self):
        return 1


def application(environ, start_response):
    name = environ["PATH_INFO"][1:]
    if name not in PIECES:
        name = "pid"
    if name != "unstarted":
        start_response("200 OK", [("Content-Type", "text/plain")])
    kind = Sized if name == "sized" else Counted
    return kind(name, PIECES[name]())


def failing():
    yield b"first"
    raise ValueError("midway")


PIECES = {
    "several": lambda: [b"one", b"two"],
    "sized": lambda: [b"one"],
    "empty": lambda: [],
    "empty_pieces": lambda: [b"", b"", b"one"],
    "raises": failing,
    "text": lambda: ["not bytes"],
    "unstarted": lambda: [b"never started"],
    "close_raises": lambda: [b"one"],
    "endless": lambda: iter(lambda: b"x" * 65536, None),
    "pid": lambda: [str(os.getpid()).encode()],
}
