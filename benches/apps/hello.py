"""The smallest honest WSGI application: what is measured with it is the server."""

BODY = b"Hello, World!\n"
HEADERS = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(BODY)))]


def application(environ, start_response):
    start_response("200 OK", HEADERS.copy())
    return [BODY]
