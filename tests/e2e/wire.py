"""A client that sees bytes: what was sent, what came back, and how the stream ended.

`Wire` is one connection; `Response` is one answer as it stood on it. Nothing is retried, decoded or tidied up, so that
a test can tell a chunked answer from a close-delimited one and a cut from an end. Knows nothing of the program.
"""

from __future__ import annotations

import json
import select
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

Address = tuple[str, int] | str


class Ended(Exception):
    """The peer closed the connection where an answer was due, and not one byte of it had come."""


class Truncated(Exception):
    """The stream ended inside an answer; `response` holds what had come."""

    def __init__(self, response: Response | None, text: str) -> None:
        super().__init__(text)
        self.response = response


@dataclass
class Response:
    """One answer. `framing` is how its body ended: `none`, `length`, `chunked` or `close`."""

    version: str
    status: int
    reason: str
    headers: list[tuple[str, str]]
    framing: str = "none"
    body: bytes = b""
    chunks: list[bytes] = field(default_factory=list)

    def all(self, name: str) -> list[str]:
        """Every value of that field, in wire order."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def header(self, name: str) -> str | None:
        """The only value of that field, or None. A repeated field is a failure of the test."""
        values = self.all(name)
        assert len(values) < 2, f"{name} was sent {len(values)} times: {values}"
        return values[0] if values else None

    @property
    def text(self) -> str:
        return self.body.decode()

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def keeps_open(self) -> bool:
        """Whether the server promised to read another request from this connection."""
        return "close" not in (self.header("Connection") or "").lower() and self.framing != "close"


def compose(
    method: str,
    target: str,
    headers: Mapping[str, str] | Iterable[tuple[str, str]] = (),
    body: bytes | list[bytes] | None = None,
    version: str = "HTTP/1.1",
) -> bytes:
    """The bytes of one request. A body of bytes goes with Content-Length, a list of pieces goes chunked."""
    fields = list(headers.items()) if isinstance(headers, Mapping) else list(headers)
    names = {name.lower() for name, _ in fields}
    if "host" not in names:
        fields.insert(0, ("Host", "localhost"))
    tail = b""
    if isinstance(body, bytes):
        if "content-length" not in names:
            fields.append(("Content-Length", str(len(body))))
        tail = body
    elif body is not None:
        fields.append(("Transfer-Encoding", "chunked"))
        tail = b"".join(chunk(piece) for piece in body if piece) + chunk(b"")
    head = f"{method} {target} {version}\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields)
    return head.encode("latin-1") + b"\r\n" + tail


def chunk(piece: bytes) -> bytes:
    """One chunk as it travels; the empty one is the last."""
    return f"{len(piece):x}\r\n".encode() + piece + b"\r\n"


class Wire:
    """One connection to the server. `timeout` (seconds) bounds every single wait."""

    def __init__(self, address: Address, timeout: float = 15.0, receive_buffer: int | None = None) -> None:
        if isinstance(address, str):
            family = socket.AF_UNIX
        else:
            family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        try:
            if receive_buffer is not None:
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            self.socket.settimeout(timeout)
            self.socket.connect(address)
        except BaseException:
            self.socket.close()
            raise
        self.received = b""

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.socket.close()

    @property
    def port(self) -> int:
        """Our own port, as the application sees it in REMOTE_PORT."""
        return self.socket.getsockname()[1]

    # Sending.

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def finish_sending(self) -> None:
        self.socket.shutdown(socket.SHUT_WR)

    def request(self, method: str, target: str, *args: Any, **options: Any) -> Response:
        """Sends one request (see `compose`) and reads its answer."""
        self.send(compose(method, target, *args, **options))
        return self.response(method)

    def get(self, target: str, *args: Any, **options: Any) -> Response:
        return self.request("GET", target, *args, **options)

    # Receiving.

    def response(self, method: str = "GET") -> Response:
        """Reads one answer to a request of that method; interim answers (1xx) count as answers of their own."""
        response = self.head()
        if response.status < 200 or response.status in (204, 304) or method == "HEAD":
            return response
        if "chunked" in (response.header("Transfer-Encoding") or "").lower():
            response.framing = "chunked"
            while piece := self.chunk(response):
                response.chunks.append(piece)
                response.body += piece
        elif (length := response.header("Content-Length")) is not None:
            response.framing = "length"
            response.body = self._take(int(length), response)
        else:
            response.framing = "close"
            response.body = self.rest()
        return response

    def head(self) -> Response:
        """Reads the head of one answer and leaves its body on the wire."""
        if not self.received and not self._fill():
            raise Ended("the server closed the connection without an answer")
        while b"\r\n\r\n" not in self.received:
            if not self._fill():
                raise Truncated(None, f"the stream ended inside a head: {self.received!r}")
        head, self.received = self.received.split(b"\r\n\r\n", 1)
        status_line, *lines = head.decode("latin-1").split("\r\n")
        version, status, reason = (status_line + "  ").split(" ", 2)
        headers = []
        for line in lines:
            name, colon, value = line.partition(":")
            assert colon, f"a header line without a colon: {line!r}"
            headers.append((name, value.strip(" \t")))
        return Response(version, int(status), reason.strip(), headers)

    def chunk(self, response: Response | None = None) -> bytes:
        """Reads one chunk of a chunked body; b"" is the last one."""
        while b"\r\n" not in self.received:
            if not self._fill():
                raise Truncated(response, "the stream ended before the last chunk")
        size, self.received = self.received.split(b"\r\n", 1)
        piece = self._take(int(size, 16) + 2, response)
        assert piece.endswith(b"\r\n"), f"a chunk that does not end in CRLF: {piece[-16:]!r}"
        return piece[:-2]

    def rest(self) -> bytes:
        """All that comes until the end of the stream. A reset counts as an end."""
        while self._fill():
            pass
        rest, self.received = self.received, b""
        return rest

    def take(self, count: int) -> bytes:
        """Exactly that many bytes."""
        return self._take(count, None)

    def has_ended(self) -> bool:
        """Waits for the next thing to happen: True if it is the end of the stream, False if it is a byte."""
        return not self.received and not self._fill()

    def is_quiet(self) -> bool:
        """Whether nothing at all has arrived by now; does not wait."""
        return not self.wait_readable(0)

    def wait_readable(self, seconds: float) -> bool:
        """Whether something (a byte or the end) arrives within that time."""
        return bool(self.received) or bool(select.select([self.socket], [], [], seconds)[0])

    def _take(self, count: int, response: Response | None) -> bytes:
        pieces, missing = [self.received[:count]], count - len(self.received)
        self.received = self.received[count:]
        while missing > 0:
            if not self._fill(min(missing, 1 << 20)):
                if response is not None:
                    response.body += b"".join(pieces)
                raise Truncated(response, f"the stream ended {missing} bytes early")
            pieces.append(self.received)
            missing -= len(self.received)
            self.received = b""
        return b"".join(pieces)

    def _fill(self, most: int = 65536) -> bool:
        try:
            data = self.socket.recv(most)
        except ConnectionResetError:
            return False
        self.received += data
        return bool(data)
