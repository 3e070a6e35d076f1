"""Iterables of every sort, each at the path of its own name; `?TAG` names the request in the files they write.

`closed.log` gets a line at each close(), `pulled.log` one for each item that was asked for.
"""

import asyncio
import collections
import io
import itertools
import json
import os
import time

TEXT = ("Content-Type", "text/plain")

# Items beyond what is wanted; an end, so that a server which asks for all of them gives in after a while.
MORE = 100


def application(environ, start_response):
    make = MAKERS.get(environ["PATH_INFO"].strip("/").partition("/")[0], pid)
    return make(environ, start_response)


def pid(environ, start_response):
    start_response("200 OK", [TEXT])
    return [str(os.getpid()).encode()]


# What gives the body "one two three".

WORDS = (b"one ", b"two ", b"three")


class Sequence:
    """The iteration protocol of old."""

    def __getitem__(self, index):
        return WORDS[index]


class Iterable:
    """Is no iterator itself."""

    def __iter__(self):
        return iter(WORDS)


class ListOfItsOwn(list):
    """Holds something else than it gives."""

    def __iter__(self):
        return iter(WORDS)

    def __len__(self):
        return 1

    def __getitem__(self, index):
        raise IndexError


class TupleOfItsOwn(tuple):
    def __iter__(self):
        return iter(WORDS)

    def __len__(self):
        return 0


class Lying(Iterable):
    def __init__(self, length):
        self.length = length

    def __len__(self):
        if isinstance(self.length, Exception):
            raise self.length
        return self.length


class BytesOfItsOwn(bytes):
    """Says that it is shorter than it is."""

    def __len__(self):
        return 1

    def __bytes__(self):
        return b"other"

    def __bool__(self):
        return False


def grown():
    """A list that grows while it is sent."""
    items = [WORDS[0], b""]

    class Growing(list):
        def __iter__(self):
            for index in itertools.count():
                if index == len(items):
                    return
                if index == 1:
                    items.extend(WORDS[1:])
                yield items[index]

    return Growing(items)


SORTS = {
    "list": lambda: list(WORDS),
    "tuple": lambda: WORDS,
    "list_of_one": lambda: [b"".join(WORDS)],
    "tuple_of_one": lambda: (b"".join(WORDS),),
    "generator": lambda: (word for word in WORDS),
    "iterator": lambda: iter(WORDS),
    "map": lambda: map(bytes, WORDS),
    "chain": lambda: itertools.chain(WORDS[:1], WORDS[1:]),
    "keys": lambda: dict.fromkeys(WORDS),
    "deque": lambda: collections.deque(WORDS),
    "file": lambda: io.BytesIO(b"".join(WORDS)),
    "callable": lambda: iter(iter(WORDS).__next__, None),
    "sequence": Sequence,
    "iterable": Iterable,
    "list_subclass": lambda: ListOfItsOwn([b"wrong"]),
    "tuple_subclass": lambda: TupleOfItsOwn([b"wrong"]),
    "growing": grown,
    "lies_0": lambda: Lying(0),
    "lies_1": lambda: Lying(1),
    "lies_7": lambda: Lying(7),
    "lies_negative": lambda: Lying(-1),
    "lies_huge": lambda: Lying(1 << 200),
    "lies_text": lambda: Lying("three"),
    "len_raises": lambda: Lying(ValueError("no length")),
    "bytes_subclass": lambda: [BytesOfItsOwn(b"one two three")],
    "bytes_subclass_items": lambda: [BytesOfItsOwn(word) for word in WORDS],
    "empty_between": lambda: [b"", *(part for word in WORDS for part in (word, b"")), b""],
    "nothing_list": list,
    "nothing_tuple": tuple,
    "nothing_generator": lambda: iter(()),
    "nothing_but_empty": lambda: iter([b"", b"", b""]),
    "nothing_lies": lambda: type("Empty", (), {"__len__": lambda self: 1, "__iter__": lambda self: iter(())})(),
}


def sort(environ, start_response):
    start_response("200 OK", [TEXT])
    return SORTS[environ["PATH_INFO"].rpartition("/")[2]]()


# What is no iterable of bytes.

WRONGS = {
    "str": "text",
    "bytearray": bytearray(b"text"),
    "memoryview": memoryview(b"text"),
    "int": 1,
    "none": None,
    "list": [b"text"],
}


def wrong_only(environ, start_response):
    """One item, which is no bytes."""
    start_response("200 OK", [TEXT])
    return [WRONGS[environ["PATH_INFO"].rpartition("/")[2]]]


def wrong_first(environ, start_response):
    start_response("200 OK", [TEXT])
    return Counted(environ, [b"", WRONGS[environ["PATH_INFO"].rpartition("/")[2]], b"more"])


def wrong_second(environ, start_response):
    start_response("200 OK", [TEXT])
    return Counted(environ, [b"first", WRONGS[environ["PATH_INFO"].rpartition("/")[2]], b"more"])


def wrong_object(environ, start_response):
    """Not a list of it: the object itself."""
    start_response("200 OK", [TEXT])
    return {**WRONGS, "bytes": b"text", "type": int, "coroutine": None}[environ["PATH_INFO"].rpartition("/")[2]]


# Notes.


def note(name, environ, value):
    file = os.open(name, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    os.write(file, f"{environ['QUERY_STRING']} {json.dumps(value)}\n".encode())
    os.close(file)


class Counted:
    """Notes each item that is asked for, and each call of its close()."""

    def __init__(self, environ, items, in_close=None):
        self.environ, self.items, self.in_close = environ, iter(items), in_close

    def __iter__(self):
        return self

    def __next__(self):
        item = next(self.items)
        note("pulled.log", self.environ, item.decode("latin-1") if isinstance(item, bytes) else repr(item))
        return item

    def close(self):
        note("closed.log", self.environ, "closed")
        if self.in_close is not None:
            raise self.in_close


# Raising.


class OwnBaseException(BaseException):
    """What no `except Exception` sees."""


class Unspeakable(Exception):
    """Cannot be shown."""

    def __str__(self):
        raise ValueError("of the exception")

    __repr__ = __str__


RAISED = {
    "ValueError": lambda: ValueError("of the application"),
    "KeyError": lambda: KeyError("of the application"),
    "OSError": lambda: OSError(5, "of the application"),
    "BrokenPipeError": lambda: BrokenPipeError("of the application"),
    "MemoryError": MemoryError,
    "RecursionError": lambda: RecursionError("of the application"),
    "StopIteration": lambda: StopIteration("of the application"),
    "SystemExit": lambda: SystemExit(3),
    "SystemExit_nothing": SystemExit,
    "KeyboardInterrupt": KeyboardInterrupt,
    "GeneratorExit": GeneratorExit,
    "CancelledError": asyncio.CancelledError,
    "OwnBaseException": lambda: OwnBaseException("of the application"),
    "surrogate": lambda: ValueError("lone \ud800 surrogate"),
    "Unspeakable": Unspeakable,
}


def raised(environ):
    return RAISED[environ["PATH_INFO"].rpartition("/")[2]]()


class Raising:
    """Gives these items, and then raises: no generator, in which some exceptions would become others."""

    def __init__(self, environ, items, error):
        self.environ, self.items, self.error = environ, iter(items), error

    def __iter__(self):
        return self

    def __next__(self):
        for item in self.items:
            return item
        raise self.error

    def close(self):
        note("closed.log", self.environ, "closed")


def raises_in_call(environ, start_response):
    raise raised(environ)


def raises_after_start(environ, start_response):
    start_response("200 OK", [TEXT])
    raise raised(environ)


def raises_at_first(environ, start_response):
    start_response("200 OK", [TEXT])
    return Raising(environ, [], raised(environ))


def raises_after_empty(environ, start_response):
    start_response("200 OK", [TEXT, ("Content-Length", "100")])
    return Raising(environ, [b"", b""], raised(environ))


def raises_midway(environ, start_response):
    start_response("200 OK", [TEXT])
    return Raising(environ, [b"first", b"", b" second"], raised(environ))


def raises_midway_of_length(environ, start_response):
    start_response("200 OK", [TEXT, ("Content-Length", "100")])
    return Raising(environ, [b"first", b" second"], raised(environ))


def raises_after_write(environ, start_response):
    start_response("200 OK", [TEXT])(b"first second")
    raise raised(environ)


def raises_in_iter(environ, start_response):
    error = raised(environ)

    class Unwilling(Counted):
        def __iter__(self):
            raise error

    start_response("200 OK", [TEXT])
    return Unwilling(environ, [])


def raises_in_close(environ, start_response):
    start_response("200 OK", [TEXT])
    return Counted(environ, [b"one ", b"two"], raised(environ))


def raises_in_close_of_none(environ, start_response):
    start_response("200 OK", [TEXT])
    return Counted(environ, [], raised(environ))


# close().


def counted(environ, start_response):
    """Status and headers as the body of the request says, as JSON; items too."""
    said = json.loads(environ["wsgi.input"].read() or "{}")
    headers = [tuple(pair) for pair in said.get("headers", [TEXT])]
    if "status" not in said or said["status"] is not None:
        start_response(said.get("status", "200 OK"), headers)
    return Counted(environ, [item.encode() for item in said.get("items", ["one ", "two"])])


def not_iterable(environ, start_response):
    """Has a close(), and nothing to iterate over."""

    class Closing:
        def close(self):
            note("closed.log", environ, "closed")

    start_response("200 OK", [TEXT])
    return Closing()


def generator_with_finally(environ, start_response):
    start_response("200 OK", [TEXT])
    try:
        while True:
            yield b"x" * 65536
    finally:
        note("closed.log", environ, "closed")


def endless(environ, start_response):
    start_response("200 OK", [TEXT])
    return Endless(environ)


class Endless(Counted):
    def __init__(self, environ):
        super().__init__(environ, [])

    def __next__(self):
        return b"x" * 65536


def endless_writes(environ, start_response):
    """Notes what write() raises when the client has gone."""
    write = start_response("200 OK", [TEXT])
    try:
        while True:
            write(b"x" * 65536)
    except OSError as error:
        note("closed.log", environ, type(error).__name__)
        raise


def file_with_close(environ, start_response):
    class File(io.BytesIO):
        def close(self):
            note("closed.log", environ, "closed")
            super().close()

    start_response("200 OK", [TEXT])
    return environ["wsgi.file_wrapper"](File(b"one two"), 4)


def wrapper_is_only_made(environ, start_response):
    """A file wrapper that is made and not returned sends nothing."""
    environ["wsgi.file_wrapper"](open(__file__, "rb"))
    start_response("200 OK", [TEXT])
    return [b"something else"]


def wrapper_is_an_iterable(environ, start_response):
    """What a file wrapper is to whoever uses it himself: JSON."""
    make = environ["wsgi.file_wrapper"]
    closed = []

    class File:
        def __init__(self):
            self.items = [b"one", b"two"]
            self.sizes = []

        def read(self, size=-1):
            self.sizes.append(size)
            return self.items.pop(0) if self.items else b""

        def close(self):
            closed.append(True)

    plain, sized = File(), File()
    first, second = make(plain), make(sized, 2)
    seen = {"items": [item.decode() for item in first], "sized": [item.decode() for item in second]}
    first.close()
    second.close()
    seen |= {"closed": len(closed), "sizes": sorted(set(sized.sizes)), "has_sizes": all(s > 0 for s in plain.sizes)}
    start_response("200 OK", [TEXT])
    return [json.dumps(seen).encode()]


class Reader:
    """Has read() and nothing else that a file has."""

    def __init__(self):
        self.items = list(WORDS)

    def read(self, size=-1):
        return self.items.pop(0) if self.items else b""


def wrapper_of_a_reader(environ, start_response):
    start_response("200 OK", [TEXT])
    return environ["wsgi.file_wrapper"](Reader(), 4)


SPIED = []


class Spied:
    """Notes which of its attributes are used."""

    def __init__(self, items):
        self.items = iter(items)

    def __getattribute__(self, name):
        SPIED.append(name)
        return object.__getattribute__(self, name)

    def __iter__(self):
        return object.__getattribute__(self, "items")

    def close(self):
        """Is one that may be used."""


def spied(environ, start_response):
    start_response("200 OK", [TEXT])
    return Spied(WORDS)


def attributes(environ, start_response):
    """Which attributes have been used since the last call."""
    seen, SPIED[:] = sorted(set(SPIED)), []
    start_response("200 OK", [TEXT])
    return [json.dumps(seen).encode()]


# write().


def write_then_items(environ, start_response):
    write = start_response("200 OK", [TEXT])
    write(b"one ")
    write(b"")
    write(b"two ")
    return Counted(environ, [b"", b"three"])


def write_then_list_of_one(environ, start_response):
    start_response("200 OK", [TEXT])(b"one two ")
    return [b"three"]


def write_empty_then_list_of_one(environ, start_response):
    start_response("200 OK", [TEXT])(b"")
    return [b"one two three"]


def write_only(environ, start_response):
    start_response("200 OK", [TEXT])(b"one two three")
    return []


def write_between_items(environ, start_response):
    """PEP 3333 forbids this; nothing may be lost or swapped all the same."""
    write = start_response("200 OK", [TEXT])

    def items():
        write(b"one ")
        yield b"two "
        write(b"three")

    return items()


def write_then_file(environ, start_response):
    start_response("200 OK", [TEXT])(b"one ")
    return environ["wsgi.file_wrapper"](io.BytesIO(b"two three"))


def write_beyond_length(environ, start_response):
    """Notes what write() raises beyond Content-Length."""
    write = start_response("200 OK", [TEXT, ("Content-Length", "7")])
    write(b"one ")
    try:
        write(b"two three")
        write(b"four")
    except Exception as error:
        note("closed.log", environ, type(error).__name__)
        raise
    return []


def beyond_length(environ, start_response):
    start_response("200 OK", [TEXT, ("Content-Length", "7")])
    return Counted(environ, itertools.chain([b"one ", b"two three"], itertools.repeat(b"more", MORE)))


def exactly_the_length(environ, start_response):
    start_response("200 OK", [TEXT, ("Content-Length", "7")])
    return Counted(environ, itertools.chain([b"one ", b"two"], itertools.repeat(b"more", MORE)))


def short_of_length(environ, start_response):
    start_response("200 OK", [TEXT, ("Content-Length", "100")])
    return Counted(environ, [b"one ", b"two"])


def short_writes(environ, start_response):
    start_response("200 OK", [TEXT, ("Content-Length", "100")])(b"one two")
    return []


def all_bytes(environ, start_response):
    """Every byte, and every sort of line end."""
    start_response("200 OK", [TEXT])
    return iter([bytes(range(256)), b"\n\r\r\n\n\0", b"\r", b"\n"])


# One piece at a time: each waits until the test has opened its gate.


def ticked(environ, start_response):
    headers = [TEXT]
    if environ.get("HTTP_X_LENGTH"):
        headers.append(("Content-Length", environ["HTTP_X_LENGTH"]))
    write = start_response("200 OK", headers)
    items = gated(environ["QUERY_STRING"])
    if environ["PATH_INFO"].endswith("/write"):
        for item in items:
            write(item)
        return []
    return items


def gated(tag):
    for number in range(3):
        end = time.monotonic() + 60
        while number and not os.path.exists(f"{tag}{number}") and time.monotonic() < end:
            time.sleep(0.005)
        yield f"event {number}\n".encode()


MAKERS = {
    made.__name__: made
    for made in (
        sort,
        wrong_only,
        wrong_first,
        wrong_second,
        wrong_object,
        raises_in_call,
        raises_after_start,
        raises_at_first,
        raises_after_empty,
        raises_midway,
        raises_midway_of_length,
        raises_after_write,
        raises_in_iter,
        raises_in_close,
        raises_in_close_of_none,
        counted,
        not_iterable,
        generator_with_finally,
        endless,
        endless_writes,
        file_with_close,
        wrapper_is_only_made,
        wrapper_is_an_iterable,
        wrapper_of_a_reader,
        spied,
        attributes,
        write_then_items,
        write_then_list_of_one,
        write_empty_then_list_of_one,
        write_only,
        write_between_items,
        write_then_file,
        write_beyond_length,
        beyond_length,
        exactly_the_length,
        short_of_length,
        short_writes,
        all_bytes,
        ticked,
    )
}
