"""Uploads, downloads and streams with Flask. Files that it makes lie in the working directory."""

import hashlib
import io
import os
import threading
import time

from flask import Flask, abort, jsonify, redirect, request, send_file, session, stream_with_context
from werkzeug.exceptions import RequestEntityTooLarge

PIECE = 65536

application = Flask(__name__)
application.secret_key = "not a secret"
local = threading.local()


@application.post("/upload")
def upload():
    """A form with files: what arrived of each."""
    files = [
        {"field": field, "name": file.filename, "type": file.content_type, **described(file.stream)}
        for field, file in request.files.items(multi=True)
    ]
    return jsonify(files=files, fields=request.form.to_dict())


@application.post("/raw")
def raw():
    """A body without a form around it, read piece by piece."""
    return jsonify(described(request.stream))


@application.post("/small")
def small():
    """The application's own limit: a length is refused before anything is read, chunks when they are too many."""
    request.max_content_length = 1000
    try:
        return jsonify(described(request.stream))
    except RequestEntityTooLarge:
        abort(413, "more than this view takes")


@application.post("/ignore")
def ignore():
    """Answers without a look at the body."""
    return "ignored"


@application.get("/events")
def events():
    """Each event but the first waits for the file `NAME-N`; the generator needs its request until the end."""

    @stream_with_context
    def each():
        for number in range(int(request.args["count"])):
            end = time.monotonic() + 30
            while number and not os.path.exists(f"{request.args['name']}-{number}") and time.monotonic() < end:
                time.sleep(0.005)
            yield f"data: {request.args['name']} {number}\n\n"

    return each(), {"Content-Type": "text/event-stream"}


@application.get("/endless")
def endless():
    """Never ends by itself; notes in the file `NAME` that its generator was closed."""
    name = request.args["name"]

    @stream_with_context
    def each():
        try:
            while True:
                yield bytes(PIECE)
        finally:
            with open(name, "w") as file:
                file.write(f"closed {request.path}")

    return each()


@application.get("/file")
def file():
    """`sent.bin` from the disk: with an ETag, Last-Modified and ranges."""
    return send_file(os.path.abspath("sent.bin"), conditional=True, as_attachment="name" in request.args)


@application.get("/memory")
def memory():
    return send_file(io.BytesIO(bytes(range(256)) * 1000), mimetype="application/octet-stream")


@application.get("/visits")
def visits():
    """Counts in a signed cookie."""
    session["visits"] = session.get("visits", 0) + 1
    return str(session["visits"])


@application.get("/away")
def away():
    return redirect("/visits")


@application.get("/thread")
def thread():
    """Which thread this is, and how many requests it has had: a thread-local lives as long as its thread."""
    local.seen = getattr(local, "seen", 0) + 1
    return jsonify(ident=threading.get_ident(), seen=local.seen, main=threading.current_thread() is main)


@application.get("/later")
async def later():
    """A coroutine: Flask runs it in an event loop of this thread."""
    return "later"


main = threading.main_thread()


def described(stream):
    digest, length = hashlib.sha256(), 0
    while piece := stream.read(PIECE):
        digest.update(piece)
        length += len(piece)
    return {"length": length, "sha256": digest.hexdigest()}
