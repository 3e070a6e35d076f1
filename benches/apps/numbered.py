"""For the soak: answers the number that its request brings, at once or after a nap; a body is answered with its sum."""

import time


def application(environ, start_response):
    number = environ["QUERY_STRING"]
    path = environ["PATH_INFO"]
    if path == "/nap":
        time.sleep(0.003)
    elif path == "/sum":
        number = f"{number} {sum(environ['wsgi.input'].read())}"
    body = number.encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
