"""Files through wsgi.file_wrapper: `sent.bin` of the working directory, or the same bytes without a descriptor."""

import io


class Noted(io.BytesIO):
    """A file without a descriptor that notes its close()."""

    def close(self):
        with open("closed.log", "a") as closed:
            closed.write("file\n")
        super().close()


def application(environ, start_response):
    path = environ["PATH_INFO"]
    headers = [("Content-Type", "application/octet-stream")]
    sent = Noted(content()) if path == "/memory" else opened()
    if path == "/offset":
        sent.seek(1000)
    if path == "/length":
        headers.append(("Content-Length", "5000"))
    start_response("200 OK", headers)
    return environ["wsgi.file_wrapper"](sent, 4096)


def opened():
    """Who returns a file_wrapper leaves the closing to the server."""
    return open("sent.bin", "rb")


def content():
    return bytes(range(256)) * 1200
