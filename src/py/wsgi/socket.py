"""`gunicorn.socket`: a real socket, which gets its descriptor when it is used for more than a look.

`socket.rs` runs this once per worker, with two functions for the request at hand beside it: `borrow(self)` gives the
server's descriptor to look at, `take_over(self)` a descriptor to keep and the bytes that the server had read.
"""

import socket
import threading

# Held for a moment only, to take bytes from what was read already.
_lock = threading.Lock()


class ConnectionSocket(socket.socket):
    # What the server had read and nobody has received yet. Unset: the connection is still the server's.
    __slots__ = ("_rest",)

    def _use(self):
        """Takes the connection over, if that has not happened; gives what was read already."""
        try:
            return self._rest
        except AttributeError:
            descriptor, rest = take_over(self)  # noqa: F821 (socket.rs)
        socket.socket.__init__(self, fileno=descriptor)
        self._rest = memoryview(rest) if rest else b""
        return self._rest

    def _hand_out(self, name):
        if self._use():
            raise OSError(f"{name}() would lose bytes that the client has sent already: read them with recv() first")

    def _take(self, most, flags=0):
        """At most so many of the bytes that were read already; MSG_PEEK leaves them here."""
        with _lock:
            rest = self._rest
            if not flags & socket.MSG_PEEK:
                self._rest = rest[most:] or b""
        return bytes(rest[:most])

    def _look(self, name, *arguments):
        """Asks the server's socket, which takes nothing over."""
        probe = socket.socket(fileno=borrow(self))  # noqa: F821 (socket.rs)
        try:
            found = getattr(probe, name)
            return found(*arguments) if callable(found) else found
        finally:
            # The descriptor is the server's: without this it would be closed with the object.
            probe.detach()

    @property
    def _is_lent(self):
        return not hasattr(self, "_rest")

    @property
    def family(self):
        return self._look("family") if self._is_lent else super().family

    @property
    def type(self):
        return self._look("type") if self._is_lent else super().type

    @property
    def proto(self):
        return self._look("proto") if self._is_lent else super().proto

    def getpeername(self):
        return self._look("getpeername") if self._is_lent else super().getpeername()

    def getsockname(self):
        return self._look("getsockname") if self._is_lent else super().getsockname()

    def getsockopt(self, *arguments):
        return self._look("getsockopt", *arguments) if self._is_lent else super().getsockopt(*arguments)

    def setsockopt(self, *arguments):
        return self._look("setsockopt", *arguments) if self._is_lent else super().setsockopt(*arguments)

    def get_inheritable(self):
        return self._look("get_inheritable") if self._is_lent else super().get_inheritable()

    def fileno(self):
        self._hand_out("fileno")
        return super().fileno()

    def detach(self):
        self._hand_out("detach")
        return super().detach()

    def dup(self):
        """Another object for the same connection, which brings the bytes that were read already."""
        self._use()
        twin = type(self).__new__(type(self))
        socket.socket.__init__(twin, fileno=socket.dup(super().fileno()))
        with _lock:
            twin._rest, self._rest = self._rest, b""
        twin.settimeout(self.gettimeout())
        return twin

    def recv(self, bufsize, flags=0, /):
        if not self._use():
            return super().recv(bufsize, flags)
        if bufsize < 0:
            raise ValueError("negative buffersize in recv")
        piece = self._take(bufsize, flags)
        if len(piece) < bufsize and (not piece or (flags & socket.MSG_WAITALL and not flags & socket.MSG_PEEK)):
            piece += super().recv(bufsize - len(piece), flags)
        return piece

    def recv_into(self, buffer, nbytes=0, flags=0):
        if not self._use():
            return super().recv_into(buffer, nbytes, flags)
        with memoryview(buffer) as view:
            if not 0 <= nbytes <= view.nbytes:
                raise ValueError("buffer too small for requested bytes" if nbytes > 0 else "negative buffersize")
            if view.nbytes == 0:
                return 0
            with view.cast("B") as room:
                piece = self.recv(nbytes or len(room), flags)
                room[: len(piece)] = piece
                return len(piece)

    def recvfrom(self, bufsize, flags=0, /):
        return (self.recv(bufsize, flags), None) if self._use() else super().recvfrom(bufsize, flags)

    def recvfrom_into(self, buffer, nbytes=0, flags=0):
        if not self._use():
            return super().recvfrom_into(buffer, nbytes, flags)
        return self.recv_into(buffer, nbytes, flags), None

    def recvmsg(self, bufsize, ancbufsize=0, flags=0, /):
        if not self._use():
            return super().recvmsg(bufsize, ancbufsize, flags)
        return self.recv(bufsize, flags), [], 0, None

    def recvmsg_into(self, buffers, ancbufsize=0, flags=0, /):
        if not self._use():
            return super().recvmsg_into(buffers, ancbufsize, flags)
        for buffer in buffers:
            if memoryview(buffer).nbytes:
                return self.recv_into(buffer, 0, flags), [], 0, None
        return 0, [], 0, None

    def sendfile(self, file, offset=0, count=None):
        # The kernel's sendfile would need the descriptor.
        if self._use():
            return self._sendfile_use_send(file, offset, count)
        return super().sendfile(file, offset, count)

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.close()

    def __repr__(self):
        if self._is_lent:
            return "<indrik.ConnectionSocket of the request at hand>"
        return f"<indrik.ConnectionSocket fd={super().fileno()}>"


def _using(name):
    original = getattr(socket.socket, name)

    def method(self, *arguments, **options):
        self._use()
        return original(self, *arguments, **options)

    method.__name__ = name
    method.__doc__ = original.__doc__
    return method


for _name in (
    "accept bind close connect connect_ex ioctl listen makefile send sendall sendmsg sendmsg_afalg sendto "
    "set_inheritable setblocking settimeout share shutdown"
).split():
    if hasattr(socket.socket, _name):
        setattr(ConnectionSocket, _name, _using(_name))
