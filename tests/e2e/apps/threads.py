"""Tells, as JSON, on which thread the request ran and how many that thread has answered before."""

import json
import threading

local = threading.local()


def application(environ, start_response):
    local.count = getattr(local, "count", 0) + 1
    thread = threading.current_thread()
    seen = {
        "name": thread.name,
        "ident": thread.ident,
        "is_main": thread is threading.main_thread(),
        "count": local.count,
    }
    body = json.dumps(seen).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
