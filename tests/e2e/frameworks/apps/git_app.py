"""Git repositories below `repositories` of the working directory, served by dulwich."""

import os

from dulwich.server import FileSystemBackend
from dulwich.web import make_wsgi_chain


class Repositories(FileSystemBackend):
    """Takes the path of a URL for one below its root."""

    def open_repository(self, path):
        return super().open_repository(os.fsdecode(path).lstrip("/"))


repositories = make_wsgi_chain(Repositories(os.path.abspath("repositories")))


def application(environ, start_response):
    if environ.get("wsgi.input_terminated"):
        # The server has decoded the chunks. Dulwich goes by the field alone and would do it once more.
        environ.pop("HTTP_TRANSFER_ENCODING", None)
    return repositories(environ, start_response)
