"""A request, as ``pre_request`` and ``post_request`` get it."""


class Message:
    """What all messages have."""


class Request(Message):
    """The head of a request. ``headers`` is a list of (NAME, value) that ``pre_request`` may change."""

    def __init__(self, method, uri, version, headers, scheme, number, peer, remote, proxied, cfg):
        self.method = method
        self.uri = uri
        target = uri
        if "://" in uri and not uri.startswith("/"):
            rest = uri.split("://", 1)[1]
            slash = rest.find("/")
            target = rest[slash:] if slash >= 0 else "/"
        target, _, self.fragment = target.partition("#")
        self.path, _, self.query = target.partition("?")
        self.version = version
        self.headers = headers
        self._headers = list(headers)
        self.scheme = scheme
        self._scheme = scheme
        self.body = None
        self.trailers = []
        self.peer_addr = peer
        self.remote_addr = remote
        self.proxy_protocol_info = proxied
        self.req_number = number
        self.must_close = False
        self.unreader = None
        self.cfg = cfg

    def force_close(self):
        """Asks for the connection to be closed after the answer."""
        self.must_close = True

    def should_close(self):
        """Does the connection close after the answer, as far as the request says?"""
        if self.must_close:
            return True
        for name, value in self.headers:
            if name == "CONNECTION":
                return value.lower().strip() == "close"
        return self.version <= (1, 0)

    def _amend(self, environ):
        """Brings what a hook has changed into the environ."""
        if self.scheme != self._scheme:
            environ["wsgi.url_scheme"] = self.scheme
        if self.headers == self._headers:
            return
        for name in [name for name in environ if name.startswith("HTTP_")]:
            del environ[name]
        environ.pop("CONTENT_TYPE", None)
        length = environ.pop("CONTENT_LENGTH", None)
        for name, value in self.headers:
            name = name.upper().replace("-", "_")
            if name == "CONTENT_LENGTH":
                # The body has been read by what the client said.
                if length is not None:
                    environ["CONTENT_LENGTH"] = length
            elif name == "CONTENT_TYPE":
                environ["CONTENT_TYPE"] = value
            else:
                key = f"HTTP_{name}"
                separator = "; " if name == "COOKIE" else ","
                environ[key] = f"{environ[key]}{separator}{value}" if key in environ else value
