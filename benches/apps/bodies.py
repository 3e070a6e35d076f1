"""Large answers, uploads, naps: `/large` is 1 MiB, `/upload` reads the body and answers its length, `/nap` sleeps for
10 ms, `/slow` for 200 ms."""

import time

LARGE = b"x" * (1 << 20)
TEXT = ("Content-Type", "text/plain; charset=utf-8")


def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/large":
        body = LARGE
    elif path == "/upload":
        body = b"%d" % len(environ["wsgi.input"].read())
    else:
        time.sleep({"/nap": 0.01, "/slow": 0.2}.get(path, 0))
        body = b"Hello, World!\n"
    start_response("200 OK", [TEXT, ("Content-Length", str(len(body)))])
    return [body]
