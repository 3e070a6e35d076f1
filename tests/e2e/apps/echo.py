"""Answers with what the server made of the request, as JSON: environ, the types in it, and the body."""

import json
import os


def application(environ, start_response):
    if environ["PATH_INFO"] == "/pid":
        body = str(os.getpid()).encode()
    else:
        received = environ["wsgi.input"].read()
        seen = {
            "environ": {key: value for key, value in environ.items() if isinstance(value, (str, bool, tuple))},
            "types": {key: type(value).__name__ for key, value in environ.items()},
            "is_plain_dict": type(environ) is dict,
            "body": received.decode("latin-1"),
        }
        body = json.dumps(seen).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
