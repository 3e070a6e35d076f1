"""Thousands of slow clients in one thread: each begins something, and goes on slowly or not at all.

A `Crowd` holds `Member`s of several kinds. It is built up kind by kind (`add`), stays as it is while the test asks for
other things, and may in the end `finish`: then every member does the rest of what it began, at full speed. What became
of each is its `outcome`.
"""

from __future__ import annotations

import collections
import errno
import resource
import selectors
import socket
import threading
import time
from collections.abc import Callable, Sequence

from harness import wait_for
from wire import Address, compose

MEBIBYTE = 1 << 20
# What `crowded.py` sends: a lost, doubled or swapped piece shows.
EXPECTED = b"".join(b"%015d\n" % line for line in range(5 * MEBIBYTE // 16))


def allow_descriptors(wanted: int = 8192) -> None:
    """Raises the soft limit of this process, as far as the hard one allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


class Answer:
    """One answer as it comes in; its body has to be the beginning of `expected`. It must have a Content-Length."""

    def __init__(self, expected: bytes) -> None:
        self.expected = memoryview(expected)
        self.head = b""
        self.status = 0
        self.length = 0
        self.count = 0
        self.is_right = True

    def take(self, data: bytes) -> None:
        if not self.status:
            self.head += data
            head, end, data = self.head.partition(b"\r\n\r\n")
            if not end:
                return
            lines = head.decode("latin-1").lower().split("\r\n")
            self.status = int(lines[0].split(" ")[1])
            fields = dict(line.split(": ", 1) for line in lines[1:])
            self.length = int(fields.get("content-length", "0"))
        self.is_right &= self.expected[self.count : self.count + len(data)] == data
        self.count += len(data)

    @property
    def has_begun(self) -> bool:
        return bool(self.head)

    @property
    def is_complete(self) -> bool:
        return bool(self.status) and self.count >= self.length

    @property
    def is_as_expected(self) -> bool:
        return self.status == 200 and self.is_right and self.count == self.length == len(self.expected)


class Member:
    """One client. Its methods run in the crowd's thread; its attributes may be read from anywhere."""

    receive_buffer: int | None = None
    # Whether it takes what comes as soon as it comes.
    is_eager = True

    def __init__(self, begins: bytes, expected: bytes) -> None:
        self.unsent = begins
        self.answer = Answer(expected)
        self.is_connected = False
        self.is_closed = False
        self.is_finishing = False

    @property
    def is_settled(self) -> bool:
        """Whether it has come as far as it goes by itself."""
        return self.is_connected and not self.unsent

    @property
    def outcome(self) -> str:
        """`open`; `answered`, in full and rightly; the status of another answer; `closed` without a word; `cut`."""
        if self.answer.is_complete:
            right = self.answer.is_as_expected
            return "answered" if right else str(self.answer.status) if self.answer.status != 200 else "wrong"
        if not self.is_closed:
            return "open"
        return "cut" if self.answer.has_begun else "closed"

    @property
    def is_done(self) -> bool:
        return self.is_closed or (self.is_finishing and self.answer.is_complete)

    def take(self, data: bytes) -> None:
        self.answer.take(data)

    def go_on(self) -> None:
        """What it does once a second."""

    def finish(self) -> None:
        """Does the rest of what it began."""


class Stopped(Member):
    """Sends one byte and stops."""

    def __init__(self) -> None:
        whole = compose("GET", "/")
        super().__init__(whole[:1], b"hello")
        self.rest = whole[1:]

    def finish(self) -> None:
        self.unsent += self.rest


class Idle(Member):
    """Has its answer, and keeps the connection."""

    def __init__(self) -> None:
        super().__init__(compose("GET", "/"), b"hello")
        self.has_been_answered = False

    @property
    def is_settled(self) -> bool:
        return self.has_been_answered

    def take(self, data: bytes) -> None:
        super().take(data)
        if not self.has_been_answered and self.answer.is_as_expected:
            self.has_been_answered = True
            self.answer = Answer(b"hello")

    def finish(self) -> None:
        self.unsent += compose("GET", "/")


class Reader(Member):
    """Reads one byte a second of an answer of 5 MiB, into the smallest buffer that there is."""

    receive_buffer = 4096
    is_eager = False

    def __init__(self, path: str) -> None:
        super().__init__(compose("GET", f"{path}?{len(EXPECTED)}"), EXPECTED)

    @property
    def is_settled(self) -> bool:
        return self.answer.has_begun

    def finish(self) -> None:
        self.is_eager = True


class Uploader(Member):
    """Sends a body of 1 MiB, 1 KiB a second."""

    def __init__(self) -> None:
        head = compose("POST", "/upload", {"Content-Length": str(MEBIBYTE)})
        super().__init__(head + bytes(1024), str(MEBIBYTE).encode())
        self.missing = MEBIBYTE - 1024

    def go_on(self) -> None:
        self._send(1024)

    def finish(self) -> None:
        self._send(self.missing)

    def _send(self, count: int) -> None:
        count = min(count, self.missing)
        self.unsent += bytes(count)
        self.missing -= count


class Crowd:
    """Runs while the `with` block runs; `members` in the order in which they connected."""

    def __init__(self, address: Address) -> None:
        allow_descriptors()
        self.address = address
        self.members: list[Member] = []
        self._sockets: dict[Member, socket.socket] = {}
        self._selector = selectors.DefaultSelector()
        self._ours, self._theirs = socket.socketpair()
        self._orders: collections.deque[Callable[[], None]] = collections.deque()
        self._ends = False
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Crowd:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends = True
        self._order(lambda: None)
        self._thread.join()
        for connection in [*self._sockets.values(), self._ours, self._theirs]:
            connection.close()
        self._selector.close()

    # What a test asks for.

    def add(self, members: Sequence[Member], deadline: float = 60) -> None:
        """Lets them connect, in this order, and waits until each has settled or been closed."""
        self.members += members
        self._order(lambda: self._connect(members))
        self._wait(lambda: all(member.is_settled or member.is_closed for member in members), "to settle", deadline)

    def finish(self, deadline: float = 60) -> None:
        """Lets all members do the rest of what they began, and waits until each is done."""
        self._order(self._finish)
        self._wait(lambda: all(member.is_done for member in self.members), "to finish", deadline)

    def outcomes(self, kind: type[Member] = Member) -> dict[str, int]:
        """How often each outcome, among the members of that kind."""
        return dict(collections.Counter(member.outcome for member in self.of(kind)))

    def of(self, kind: type[Member]) -> list[Member]:
        return [member for member in self.members if isinstance(member, kind)]

    def _wait(self, holds: Callable[[], bool], what: str, deadline: float) -> None:
        def looked() -> bool:
            assert self._failure is None, f"the crowd broke down: {self._failure!r}"
            return holds()

        kinds = {type(member) for member in self.members}
        try:
            wait_for(looked, f"the crowd {what}", deadline)
        except AssertionError as failure:
            state = {kind.__name__: self.outcomes(kind) for kind in kinds}
            raise AssertionError(f"{failure}; it stands at {state}") from None

    # Its thread.

    def _order(self, order: Callable[[], None]) -> None:
        self._orders.append(order)
        self._ours.send(b"!")

    def _run(self) -> None:
        try:
            self._selector.register(self._theirs, selectors.EVENT_READ)
            second = time.monotonic() + 1
            while not self._ends:
                for key, events in self._selector.select(max(0.0, second - time.monotonic())):
                    if key.data is None:
                        self._obey()
                    else:
                        self._serve(key.data, events)
                if time.monotonic() >= second:
                    second += 1
                    self._pass_a_second()
        except BaseException as failure:
            self._failure = failure

    def _obey(self) -> None:
        self._theirs.recv(4096)
        while self._orders:
            self._orders.popleft()()

    def _connect(self, members: Sequence[Member]) -> None:
        for member in members:
            connection = socket.socket(socket.AF_UNIX if isinstance(self.address, str) else socket.AF_INET)
            connection.setblocking(False)
            if member.receive_buffer is not None:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, member.receive_buffer)
            error = connection.connect_ex(self.address)
            assert error in (0, errno.EINPROGRESS), f"cannot connect: {errno.errorcode[error]}"
            self._sockets[member] = connection
            self._selector.register(connection, selectors.EVENT_WRITE, member)

    def _serve(self, member: Member, events: int) -> None:
        connection = self._sockets.get(member)
        if connection is None:
            return
        try:
            if events & selectors.EVENT_WRITE:
                member.is_connected = True
                self._send(member, connection)
            if events & selectors.EVENT_READ:
                self._receive(member, connection, 65536)
        except BlockingIOError:
            pass
        except OSError:
            self._close(member)
            return
        self._watch(member)

    def _send(self, member: Member, connection: socket.socket) -> None:
        if member.unsent:
            # What is beyond the first piece of a long body is not copied again and again.
            sent = connection.send(memoryview(member.unsent)[:65536])
            member.unsent = member.unsent[sent:]

    def _receive(self, member: Member, connection: socket.socket, most: int) -> None:
        data = connection.recv(most)
        if not data:
            raise ConnectionResetError
        member.take(data)
        if member.is_done:
            self._close(member)

    def _watch(self, member: Member) -> None:
        """Asks for what the member waits for, and for nothing else."""
        connection = self._sockets.get(member)
        if connection is None:
            return
        events = selectors.EVENT_WRITE if member.unsent or not member.is_connected else 0
        if member.is_eager:
            events |= selectors.EVENT_READ
        if not events:
            if connection in self._selector.get_map():
                self._selector.unregister(connection)
        elif connection in self._selector.get_map():
            self._selector.modify(connection, events, member)
        else:
            self._selector.register(connection, events, member)

    def _pass_a_second(self) -> None:
        for member, connection in list(self._sockets.items()):
            if not member.is_connected:
                continue
            member.go_on()
            try:
                if not member.is_eager:
                    self._receive(member, connection, 1)
            except BlockingIOError:
                pass
            except OSError:
                self._close(member)
            self._watch(member)

    def _finish(self) -> None:
        for member, connection in list(self._sockets.items()):
            member.is_finishing = True
            if member.receive_buffer is not None:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
            member.finish()
            self._watch(member)

    def _close(self, member: Member) -> None:
        connection = self._sockets.pop(member)
        if connection in self._selector.get_map():
            self._selector.unregister(connection)
        connection.close()
        member.is_closed = True


def everyone(stopped: int = 1000, idle: int = 1000, readers: int = 200, uploaders: int = 50) -> list[list[Member]]:
    """The great crowd, kind by kind in the order in which it should come: those that carry a request first."""
    paths = ("/list", "/generator")
    return [
        [Reader(paths[number % 2]) for number in range(readers)],
        [Uploader() for _ in range(uploaders)],
        [Idle() for _ in range(idle)],
        [Stopped() for _ in range(stopped)],
    ]
