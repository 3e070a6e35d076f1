"""An application that looks at ``gunicorn.socket``, takes it over, or leaves it alone."""

import json


def application(environ, start_response):
    """GET /look tells what the socket says of itself; GET /take talks on the connection until it hears ``bye``."""
    connection = environ["gunicorn.socket"]
    if environ["PATH_INFO"] == "/take":
        connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
        while (data := connection.recv(100)) not in (b"", b"bye"):
            connection.sendall(b"<" + data + b">")
        connection.close()
        raise StopIteration
    peer = connection.getpeername()
    body = json.dumps({"peer": list(peer) if isinstance(peer, tuple) else peer, "family": int(connection.family)})
    start_response("200 OK", [("Content-Type", "application/json")])
    return [body.encode()]
