"""An application that sends early hints, or tries to send wrong ones."""


def application(environ, start_response):
    """GET /wrong answers with the name of the exception that a bad hint raises."""
    hints = environ["wsgi.early_hints"]
    body = b"hinted"
    if environ["PATH_INFO"] == "/wrong":
        try:
            hints([("Link", "a\r\nb")])
        except ValueError as error:
            body = type(error).__name__.encode()
    else:
        hints([("Link", "</style.css>; rel=preload")])
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [body]
