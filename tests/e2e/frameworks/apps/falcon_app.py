"""Media, multipart forms, streams and files with Falcon. `sent.bin` lies in the working directory."""

import hashlib
import os

import falcon

PIECE = 65536


class Media:
    """JSON, forms and whatever else Falcon has a handler for."""

    def on_post(self, req, resp):
        resp.media = req.get_media()

    on_patch = on_put = on_post


class Parts:
    """A multipart form, part by part, without keeping any of them."""

    def on_post(self, req, resp):
        resp.media = [
            {"name": part.name, "filename": part.filename, "type": part.content_type, **described(part.stream)}
            for part in req.get_media()
        ]


class Body:
    """The body as a stream; `bounded` is Falcon's own end of it, which knows only Content-Length."""

    def on_post(self, req, resp):
        resp.media = described(req.bounded_stream if req.get_param_as_bool("bounded") else req.stream)


class File:
    """A file object with its length: Falcon hands it to wsgi.file_wrapper."""

    def on_get(self, req, resp):
        resp.content_type = "application/octet-stream"
        resp.set_stream(open("sent.bin", "rb"), os.path.getsize("sent.bin"))


class Stream:
    def on_get(self, req, resp):
        resp.content_type = "text/plain"
        resp.stream = (f"{number}\n".encode() for number in range(1000))


class Environment:
    """What Falcon makes of environ."""

    def on_get(self, req, resp):
        resp.media = {
            "uri": req.uri,
            "path": req.path,
            "query": req.params,
            "host": req.host,
            "port": req.port,
            "scheme": req.scheme,
            "remote": req.remote_addr,
            "cookies": req.cookies,
            "accept": req.accept,
            "length": req.content_length,
        }

    def on_delete(self, req, resp):
        resp.status = falcon.HTTP_204

    def on_head(self, req, resp):
        resp.content_length = 12345


class Teapot:
    def on_get(self, req, resp):
        raise falcon.HTTPError("418 I'm a teapot", title="short and stout", headers={"X-Tea": "yes"})


def described(stream):
    digest, length = hashlib.sha256(), 0
    while piece := stream.read(PIECE):
        digest.update(piece)
        length += len(piece)
    return {"length": length, "sha256": digest.hexdigest()}


application = falcon.App()
application.add_route("/media", Media())
application.add_route("/parts", Parts())
application.add_route("/body", Body())
application.add_route("/file", File())
application.add_route("/stream", Stream())
application.add_route("/environment", Environment())
application.add_route("/teapot", Teapot())
