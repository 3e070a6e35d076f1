"""What the corpus of settings files serves: it tells what a setting has done, and misbehaves on demand."""

import json
import logging
import os
import sys

ENVIRON = ("REQUEST_METHOD", "SCRIPT_NAME", "PATH_INFO", "QUERY_STRING", "RAW_URI", "SERVER_PROTOCOL", "REMOTE_ADDR")
CONSTANT = ("wsgi.url_scheme", "wsgi.multithread", "wsgi.multiprocess", "wsgi.run_once", "wsgi.input_terminated")


def application(environ, start_response):
    path = environ["PATH_INFO"]
    status = "200 OK"
    if path == "/boom":
        raise RuntimeError("on purpose")
    if path == "/environ":
        told = {name: environ.get(name) for name in ENVIRON + CONSTANT}
        told |= {name: value for name, value in sorted(environ.items()) if name.startswith("HTTP_X_")}
        told["own"] = environ.get("shop.own")
        body = json.dumps(told)
    elif path == "/os":
        name = environ["QUERY_STRING"]
        body = str(os.environ.get(name))
    elif path == "/software":
        body = str([environ["SERVER_SOFTWARE"][:9], os.environ["SERVER_SOFTWARE"][:9], "gunicorn" in sys.modules])
    elif path == "/loggers":
        body = json.dumps(
            {
                name: [
                    [type(handler).__name__ for handler in logging.getLogger(name).handlers],
                    logging.getLogger(name).level,
                    logging.getLogger(name).propagate,
                ]
                for name in ("gunicorn.error", "gunicorn.access")
            }
        )
    elif path == "/log":
        logging.getLogger("gunicorn.error").warning("a warning of the application")
        body = "logged"
    elif path == "/print":
        print("printed by the application", flush=True)
        body = "printed"
    elif path == "/cwd":
        body = os.path.basename(os.getcwd())
    elif path == "/echo":
        body = environ["wsgi.input"].read().decode()
    elif path == "/nope":
        status, body = "404 Not Found", "nothing here"
    else:
        body = "hello"
    data = body.encode()
    start_response(status, [("Content-Type", "text/plain"), ("Content-Length", str(len(data))), ("X-Shop", "books")])
    return [data]


def create(greeting="made", *, loud=False):
    def made(environ, start_response):
        data = (greeting.upper() if loud else greeting).encode()
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(data)))])
        return [data]

    return made


class Box:
    inner = staticmethod(application)
