"""Forms, files and streams with Bottle. `sent.bin` lies in the working directory, where uploads are saved too."""

import json
import os

from bottle import Bottle, abort, redirect, request, response, static_file

SECRET = "not a secret"

application = Bottle()
finished = []


@application.hook("after_request")
def count():
    response.set_header("X-Finished", str(len(finished)))
    finished.append(request.path)


@application.get("/greet/<name>")
def greet(name):
    return f"hello {name} ({request.query.get('tone')})"


@application.post("/form")
def form():
    fields = {name: request.forms.getunicode(name) for name in request.forms}
    for name, upload in request.files.items():
        upload.save(os.path.join(os.getcwd(), f"saved-{name}"), overwrite=True)
    return {"fields": fields, "files": {name: upload.raw_filename for name, upload in request.files.items()}}


@application.put("/json")
def mirror():
    response.content_type = "application/json"
    return json.dumps(request.json)


@application.post("/body")
def body():
    response.content_type = "application/octet-stream"
    return request.body


@application.get("/file")
def file():
    return static_file("sent.bin", root=os.getcwd(), download=request.query.get("as") or False)


@application.get("/stream")
def stream():
    response.content_type = "text/plain; charset=utf-8"
    yield ""
    for number in range(5):
        yield f"line {number} \u2603\n"


@application.get("/early")
def early():
    """An answer in place of a stream, once the generator has begun."""
    redirect("/greet/redirected")
    yield "never"


@application.get("/login")
def login():
    response.set_cookie("user", {"name": "Zo\u00eb"}, secret=SECRET, digestmod="sha256")
    response.set_cookie("plain", "1")
    return "in"


@application.get("/who")
def who():
    user = request.get_cookie("user", secret=SECRET, digestmod="sha256")
    return user["name"] if user else abort(401, "nobody")


@application.get("/broken")
def broken():
    raise RuntimeError("on purpose")


@application.error(404)
def missing(error):
    return f"no such page: {request.path}"
