"""An application that looks at ``gunicorn.socket``, takes it over, or leaves it alone."""

import io
import json
import os
import pickle
import socket
import ssl
import threading

UPGRADE = b"HTTP/1.1 101 Switching Protocols\r\n\r\n"


def look(connection):
    """What the socket says of itself; nothing is taken over by that."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    peer = connection.getpeername()
    return {
        "peer": list(peer) if isinstance(peer, tuple) else peer,
        "own": list(connection.getsockname()),
        "family": int(connection.family),
        "type": int(connection.type),
        "proto": connection.proto,
        "nodelay": connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY),
        "timeout": connection.gettimeout(),
        "inheritable": connection.get_inheritable(),
        "is a socket": isinstance(connection, socket.socket) and issubclass(type(connection), socket.socket),
        "shown": repr(connection),
    }


def by_recv(connection):
    connection.sendall(UPGRADE)
    while (data := connection.recv(100)) not in (b"", b"bye"):
        connection.sendall(b"<" + data + b">")
    connection.close()


def by_small_steps(connection):
    """Every way to receive, a few bytes each; a look ahead takes nothing."""
    connection.sendall(UPGRADE)
    seen = [connection.recv(2, socket.MSG_PEEK), connection.recv(2)]
    seen.append(connection.recvfrom(1)[0])
    buffer = bytearray(4)
    seen.append(bytes(buffer[: connection.recv_into(buffer, 1)]))
    seen.append(bytes(buffer[: connection.recvfrom_into(memoryview(buffer)[1:], 1)[0] + 1][1:]))
    seen.append(connection.recvmsg(1)[0])
    count = connection.recvmsg_into([bytearray(0), memoryview(buffer)[:1]])[0]
    seen.append(bytes(buffer[:count]))
    seen.append(connection.recv(0))
    # Partly what was here, partly what is still to come.
    seen.append(connection.recv(6, socket.MSG_WAITALL))
    connection.sendall(b"|".join(seen))
    connection.close()


def by_makefile(connection):
    with connection, connection.makefile("rwb") as file, io.TextIOWrapper(file, newline="\n") as text:
        file.write(UPGRADE)
        file.flush()
        for line in text:
            file.write(line.upper().encode())
            file.flush()


def by_dup(connection):
    with connection.dup() as twin:
        twin.sendall(UPGRADE)
        twin.sendall(b"<" + twin.recv(100) + b">")
        connection.sendall(b"<" + connection.recv(100) + b">")
    connection.shutdown(socket.SHUT_RDWR)


def by_descriptor(connection):
    """The bare descriptor is refused while it would lose bytes."""
    refused = []
    for use in (connection.fileno, connection.detach):
        try:
            use()
        except OSError as error:
            refused.append(str(error).partition("(")[0])
    seen = connection.recv(100)
    os.write(connection.fileno(), UPGRADE + b" ".join([*(text.encode() for text in refused), seen]))
    descriptor = connection.detach()
    os.write(descriptor, b" detached")
    os.close(descriptor)


def by_another_thread(connection):
    """It was taken over, so it outlives the request."""
    connection.settimeout(20)
    connection.sendall(UPGRADE)

    def talk():
        while data := connection.recv(100):
            connection.sendall(b"<" + data + b">")
        connection.close()

    threading.Thread(target=talk).start()


def by_tls(connection):
    """Code in C that wants a socket takes it for one; the handshake fails, since the client does not speak TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    connection.recv(100)
    try:
        context.wrap_socket(connection, server_hostname="localhost")
    except ssl.SSLError:
        pass


def unpicklable(connection):
    try:
        return pickle.dumps(connection)
    except TypeError:
        return "refused"


def application(environ, start_response):
    """GET /look tells what the socket says of itself, GET /take talks on the connection until it hears ``bye``."""
    connection = environ["gunicorn.socket"]
    name = environ["PATH_INFO"][1:]
    if name in TAKERS:
        TAKERS[name](connection)
        raise StopIteration
    body = json.dumps({"look": look, "unpicklable": unpicklable}[name](connection))
    start_response("200 OK", [("Content-Type", "application/json")])
    return [body.encode()]


TAKERS = {
    "take": by_recv,
    "small": by_small_steps,
    "makefile": by_makefile,
    "dup": by_dup,
    "descriptor": by_descriptor,
    "thread": by_another_thread,
    "tls": by_tls,
}
