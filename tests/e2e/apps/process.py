"""Tells, as JSON, what the process is like in which the application runs."""

import json
import os
import sys
import threading


def application(environ, start_response):
    if environ["PATH_INFO"] == "/pid":
        body = str(os.getpid()).encode()
    else:
        seen = {
            "environment": dict(os.environ),
            "cwd": os.getcwd(),
            "path": sys.path,
            "prefix": sys.prefix,
            "version": list(sys.version_info[:3]),
            "pid": os.getpid(),
            "in_main_thread": threading.current_thread() is threading.main_thread(),
        }
        body = json.dumps(seen).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
