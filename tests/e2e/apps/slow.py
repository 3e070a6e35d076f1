"""Sleeps `?SECONDS` in one call, as a hung database query does; `/pid` answers at once."""

import os
import time


def application(environ, start_response):
    if environ["PATH_INFO"] != "/pid":
        time.sleep(float(environ["QUERY_STRING"] or 0))
    body = str(os.getpid()).encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
