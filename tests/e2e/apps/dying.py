"""Ends its own process in the way that the path names: a signal's number, or `exit` and a code."""

import os
import signal


def application(environ, start_response):
    _, how, number = environ["PATH_INFO"].split("/") if environ["PATH_INFO"].count("/") == 2 else ("", "", "0")
    if how == "signal":
        os.kill(os.getpid(), signal.Signals(int(number)))
    if how == "exit":
        os._exit(int(number))
    body = str(os.getpid()).encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
