"""Says which modules its process has imported."""

import sys


def application(environ, start_response):
    body = ",".join(sorted(name for name in sys.modules if name != "__main__")).encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
