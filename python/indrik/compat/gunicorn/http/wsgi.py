"""An answer, as ``post_request`` and ``Logger.access`` get it."""


class Response:
    """What the application has answered: ``status`` is None if it has not begun to."""

    def __init__(self, req, sock=None, cfg=None):
        self.req = req
        self.sock = sock
        self.version = "gunicorn"
        self.cfg = cfg
        self.status = None
        self.headers = []
        self.headers_sent = False
        self.sent = 0
        self.response_length = None
        self.chunked = False
        self.must_close = False
        self.upgrade = False

    def force_close(self):
        self.must_close = True

    def should_close(self):
        return self.must_close or self.req.should_close()

    def _note(self, status, headers, sent, has_begun):
        """How it went."""
        self.sent = sent
        self.headers_sent = has_begun
        if status is None:
            return
        self.status = status
        self.headers = headers
        code = status.split(None, 1)[0]
        if code.isdigit():
            self.status_code = int(code)
        for name, value in headers:
            if name.lower() == "content-length" and value.strip().isdigit():
                self.response_length = int(value)
        self.chunked = self.response_length is None and self.req.version > (1, 0)


def __getattr__(name):
    raise AttributeError(f"module 'gunicorn.http.wsgi' is indrik's stand-in and has no attribute {name!r}")
