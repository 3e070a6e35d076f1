"""A correct application inside the standard library's referee, which raises when either side breaks PEP 3333."""

from wsgiref.validate import validator


def plain(environ, start_response):
    received = b""
    while piece := environ["wsgi.input"].read(1000):
        received += piece
    environ["wsgi.errors"].write("")
    environ["wsgi.errors"].flush()
    body = b"received " + received
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


application = validator(plain)
