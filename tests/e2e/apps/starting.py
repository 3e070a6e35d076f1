"""What an application says to start_response, and what it gets back; one path for each function below.

`/judged` and `/said` call it with what stands in the request's body as JSON: `[status, headers]`, and a list of these.
"""

import json
import os
import sys
import time
import weakref

TEXT = ("Content-Type", "text/plain")


class Mistake(Exception):
    """An application's own."""


def application(environ, start_response):
    return PATHS[environ["PATH_INFO"]](environ, start_response)


def pid(environ, start_response):
    start_response("200 OK", [TEXT])
    return [str(os.getpid()).encode()]


def told(start_response, value, exc_info=None):
    start_response("200 OK", [("Content-Type", "application/json")], exc_info)
    return [json.dumps(value).encode()]


def mistake():
    """An exc_info, as an application has it that has trapped an error."""
    try:
        raise Mistake
    except Mistake:
        return sys.exc_info()


def native(value):
    """JSON has no tuples: a list of lists stands for the headers."""
    return [tuple(pair) if isinstance(pair, list) else pair for pair in value] if isinstance(value, list) else value


def said(environ, start_response):
    status, headers = json.loads(environ["wsgi.input"].read())
    start_response(status, native(headers))
    return [b"said"]


def judged(environ, start_response):
    """What each pair of status and headers raises, or null; with its text if `?text`."""
    verdicts = []
    for status, headers in json.loads(environ["wsgi.input"].read()):
        try:
            start_response(status, native(headers), mistake())
            verdicts.append(None)
        except Exception as error:
            verdicts.append(str(error) if environ["QUERY_STRING"] == "text" else type(error).__name__)
    return told(start_response, verdicts, mistake())


def wrong_types(environ, start_response):
    """What is refused that JSON cannot express: the names of those that were not."""
    cases = {
        "status bytes": (b"200 OK", [TEXT]),
        "status number": (200, [TEXT]),
        "name bytes": ("200 OK", [(b"X-Name", "value")]),
        "value bytes": ("200 OK", [("X-Name", b"value")]),
        "value number": ("200 OK", [("X-Name", 1)]),
        "value none": ("200 OK", [("X-Name", None)]),
        "headers none": ("200 OK", None),
        "headers of names": ("200 OK", ["X-Name"]),
        "headers of triples": ("200 OK", [("X-Name", "1", "2")]),
        "no headers": ("200 OK",),
        "nothing": (),
        "four": ("200 OK", [TEXT], None, None),
    }
    taken = []
    for name, arguments in cases.items():
        try:
            # A call that was refused counts, so that the next needs exc_info.
            start_response(*arguments, *([mistake()] if len(arguments) == 2 else []))
            taken.append(name)
        except (TypeError, ValueError):
            continue
    return told(start_response, taken, mistake())


def arguments(environ, start_response):
    """Two, and a third that may be None or an exc_info."""
    start_response("200 First", [TEXT])
    start_response("200 Second", [TEXT], mistake())
    write = start_response("200 Third", [("Content-Type", "text/plain")], mistake())
    return [b"can be called" if callable(write) else b"cannot be called"]


def none(environ, start_response):
    start_response("200 OK", [TEXT], None)
    return [b"none"]


def write_arguments(environ, start_response):
    """`write` takes one positional argument and nothing but bytes."""
    write = start_response("200 OK", [TEXT])
    refused = []
    for arguments in ((), (b"a", b"b"), ("text",), (bytearray(b"a"),), (memoryview(b"a"),), (1,), (None,)):
        try:
            write(*arguments)
        except TypeError:
            refused.append(True)
    write(b"refused ")
    return [str(len(refused)).encode()]


def twice(environ, start_response):
    start_response("201 First", [TEXT])
    try:
        start_response("202 Second", [TEXT])
    except AssertionError as error:
        return [str(error).encode()]
    return [b"nothing raised"]


def twice_with_none(environ, start_response):
    start_response("201 First", [TEXT])
    start_response("202 Second", [TEXT], None)
    return [b"nothing raised"]


def again_after_an_error(environ, start_response):
    """The first call has raised; that counts as a call."""
    try:
        start_response("200 OK", [("Not a name", "1")])
    except ValueError:
        start_response("202 Second", [TEXT])
    return [b"nothing raised"]


def again_after_an_error_with_exc_info(environ, start_response):
    try:
        start_response("200 OK", [("X-First", "1"), ("Not a name", "1")])
    except ValueError:
        start_response("500 Second", [TEXT, ("X-Second", "1")], sys.exc_info())
    return [b"replaced"]


def never_after_an_error(environ, start_response):
    """An application that lets nothing pass and does not say anything else."""
    try:
        start_response("200 OK", [TEXT, ("Not a name", "1")])
    except ValueError:
        return [b"nothing raised"]
    return [b"nothing refused"]


def replaced_length(environ, start_response):
    start_response("200 OK", [TEXT, ("Content-Length", "1000")])
    start_response("500 Second", [TEXT, ("Content-Length", "8"), ("X-Second", "1")], mistake())
    return [b"replaced"]


def too_late(environ, start_response):
    """Notes in `raised.log` what start_response raises with exc_info when the first bytes are out."""
    tag = environ["QUERY_STRING"]
    if environ.get("HTTP_X_WAY") == "write":
        start_response("200 OK", [TEXT])(b"first")
        late(start_response, tag)
        return []
    return late_items(start_response, tag)


def late_items(start_response, tag):
    start_response("200 OK", [TEXT])
    yield b"first"
    late(start_response, tag)


def late(start_response, tag):
    try:
        a_frame_of_the_application()
    except Mistake as error:
        try:
            start_response("500 Too Late", [TEXT], sys.exc_info())
        except Mistake as raised:
            frames, traceback = [], raised.__traceback__
            while traceback:
                frames.append(traceback.tb_frame.f_code.co_name)
                traceback = traceback.tb_next
            note("raised.log", tag, [raised is error, "a_frame_of_the_application" in frames])
            raise


def a_frame_of_the_application():
    raise Mistake("too late")


class Local:
    """Something that a weak reference can point at."""


KEPT = []


def exc_info_is_not_kept(environ, start_response):
    """Whether a local variable of the frame that raised is gone as soon as nobody here holds it; no collector runs."""
    start_response("200 OK", [TEXT])

    def fail():
        local = Local()
        KEPT.append(weakref.ref(local))
        raise Mistake

    try:
        fail()
    except Mistake:
        start_response("200 Replaced", [TEXT], sys.exc_info())
    return [b"gone" if KEPT.pop()() is None else b"kept"]


def held(environ, start_response):
    """Says 200, gives nothing or nothing but empty bytes until the gate opens, and then changes its mind."""
    tag, way = environ["QUERY_STRING"].split("&")
    write = start_response("200 Too Early", [TEXT, ("X-First", "1")])
    if way == "call":
        pass_gate(tag)
    if way == "write":
        write(b"")
        pass_gate(tag)
    return held_items(start_response, tag, way)


def held_items(start_response, tag, way):
    if way == "item":
        yield b""
        pass_gate(tag)
        yield b""
    start_response("503 Replaced", [TEXT], mistake())
    yield b"replaced"


def pass_gate(tag):
    open(f"{tag}entered", "w").close()
    end = time.monotonic() + 60
    while not os.path.exists(f"{tag}open") and time.monotonic() < end:
        time.sleep(0.005)


def late_start(environ, start_response):
    """The first iteration may be what calls start_response."""
    start_response("202 Late", [TEXT])
    yield b"late"


def never(environ, start_response):
    return [b"nobody called start_response"]


def never_and_empty(environ, start_response):
    return []


def never_in_a_generator(environ, start_response):
    yield b""
    yield b"nobody called start_response"


def bytes_first(environ, start_response):
    """The first bytes come before the call."""
    yield b"too early"
    start_response("200 OK", [TEXT])


def not_in_log(environ, start_response):
    """Sends a field whose name or value comes from the request, so that the source line does not show it."""
    start_response("200 OK", [TEXT, tuple(json.loads(environ["wsgi.input"].read()))])
    return [b"sent"]


def note(name, tag, value):
    file = os.open(name, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    os.write(file, f"{tag} {json.dumps(value)}\n".encode())
    os.close(file)


PATHS = {
    f"/{made.__name__}": made
    for made in (
        pid,
        said,
        judged,
        wrong_types,
        arguments,
        none,
        write_arguments,
        twice,
        twice_with_none,
        again_after_an_error,
        again_after_an_error_with_exc_info,
        never_after_an_error,
        replaced_length,
        too_late,
        exc_info_is_not_kept,
        held,
        late_start,
        never,
        never_and_empty,
        never_in_a_generator,
        bytes_first,
        not_in_log,
    )
}
