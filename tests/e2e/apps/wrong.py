"""Applications that break the contract, each at the path of its own name; every other path answers with the pid."""

import os

TEXT = ("Content-Type", "text/plain")
# By name, so that the source line in a traceback does not show what the log must not.
INJECTED = "\r\nX-Injected: 1"


def application(environ, start_response):
    return APPLICATIONS.get(environ["PATH_INFO"].strip("/"), pid)(environ, start_response)


def pid(environ, start_response):
    start_response("200 OK", [TEXT])
    return [str(os.getpid()).encode()]


def silent(environ, start_response):
    return [b"nobody called start_response"]


def silent_and_empty(environ, start_response):
    return []


def returns_none(environ, start_response):
    start_response("200 OK", [TEXT])


def text_body(environ, start_response):
    start_response("200 OK", [TEXT])
    return ["text, not bytes"]


def text_body_midway(environ, start_response):
    start_response("200 OK", [TEXT])
    yield b"first"
    yield "second"


def short_body(environ, start_response):
    start_response("200 OK", [TEXT, ("Content-Length", "10")])
    return [b"short"]


def long_body(environ, start_response):
    start_response("200 OK", [TEXT, ("Content-Length", "5")])
    return [b"right", b" and more"]


def raises_before(environ, start_response):
    raise ValueError("before start_response")


def raises_after(environ, start_response):
    start_response("200 OK", [TEXT])
    raise ValueError("after start_response")


def raises_first(environ, start_response):
    start_response("200 OK", [TEXT])
    raise ValueError("at the first item")
    yield b""


def raises_midway(environ, start_response):
    start_response("200 OK", [TEXT])
    yield b"first"
    raise ValueError("midway")


def raises_midway_of_length(environ, start_response):
    start_response("200 OK", [TEXT, ("Content-Length", "100")])
    yield b"first"
    raise ValueError("midway")


def header_value_with_crlf(environ, start_response):
    start_response("200 OK", [TEXT, ("X-Wrong", "a" + INJECTED)])
    return [b"injected"]


def header_value_with_lf(environ, start_response):
    start_response("200 OK", [TEXT, ("X-Wrong", "a" + INJECTED[1:])])
    return [b"injected"]


def header_name_with_crlf(environ, start_response):
    start_response("200 OK", [TEXT, ("X-Wrong: a" + INJECTED, "1")])
    return [b"injected"]


def header_not_text(environ, start_response):
    start_response("200 OK", [TEXT, ("X-Wrong", 1)])
    return [b"injected"]


def status_with_crlf(environ, start_response):
    start_response("200 OK" + INJECTED, [TEXT])
    return [b"injected"]


def status_not_a_number(environ, start_response):
    start_response("fine", [TEXT])
    return [b"fine"]


def two_lengths(environ, start_response):
    start_response("200 OK", [TEXT, ("Content-Length", "4"), ("Content-Length", "5")])
    return [b"five."]


def length_not_digits(environ, start_response):
    start_response("200 OK", [TEXT, ("Content-Length", "+4")])
    return [b"four"]


def starts_twice(environ, start_response):
    start_response("200 OK", [TEXT])
    start_response("200 OK", [TEXT])
    return [b"twice"]


APPLICATIONS = {
    made.__name__: made
    for made in (
        silent,
        silent_and_empty,
        returns_none,
        text_body,
        text_body_midway,
        short_body,
        long_body,
        raises_before,
        raises_after,
        raises_first,
        raises_midway,
        raises_midway_of_length,
        header_value_with_crlf,
        header_value_with_lf,
        header_name_with_crlf,
        header_not_text,
        status_with_crlf,
        status_not_a_number,
        two_lengths,
        length_not_digits,
        starts_twice,
    )
}
