"""start_response: what it takes, what it refuses, when it may be called again, and what reaches the wire, in every
mode."""

import json
import re

import pytest
from contract import Mark, fresh_tag, wait_notes
from harness import wait_for
from wire import Truncated, compose

TEXT = ["Content-Type", "text/plain"]


@pytest.fixture
def server(served):
    return served("starting")


@pytest.fixture
def mark(server):
    return Mark(server)


def say(server, status, headers, method="POST"):
    return server.request(method, "/said", (), json.dumps([status, headers]).encode())


def judge(server, cases):
    """For each pair of status and headers: the name of what start_response raised at once, or None."""
    return server.request("POST", "/judged", (), json.dumps(cases).encode()).json()


def expect_500(server, mark, path, *texts, **options):
    """A page with 500, one entry in the error log, and the same worker as before."""
    pids = server.workers(1)
    with server.connect() as wire:
        response = wire.request(options.pop("method", "GET"), path, **options)
        assert (response.status, response.reason) == (500, "Internal Server Error")
        assert wire.has_ended()
    for text in texts:
        mark.wait(text)
    assert {int(server.get("/pid").text)} == pids
    (report,) = mark.reports()
    return report


# The arguments.


def test_two_arguments_and_a_third_that_may_be_left_out(server):
    """PEP 3333, Specification Details: start_response takes two required positional arguments and one optional; it must
    return a write callable."""
    response = server.get("/arguments")
    assert (response.status, response.reason, response.text) == (200, "Third", "can be called")
    assert server.get("/none").text == "none"


def test_anything_but_native_strings_in_a_list_of_pairs_is_refused(server):
    """PEP 3333, The start_response() Callable: status is a string, headers a list of pairs of strings."""
    assert server.get("/wrong_types").json() == []


def test_write_takes_one_bytestring(server):
    """PEP 3333, Specification Details: write takes one positional parameter, a bytestring. Unicode Issues: which must
    be of type bytes."""
    assert server.get("/write_arguments").text == "refused 7"


# Judged at once.


@pytest.mark.parametrize(
    "status",
    [
        "",
        "2",
        "20 OK",
        "2000 OK",
        "200OK",
        "abc OK",
        "-20 OK",
        " 200 OK",
        "\uff12\uff10\uff10 OK",
        "\u00b200 OK",
        "099 X",
    ],
)
def test_a_status_begins_with_three_digits(server, status):
    """PEP 3333, The start_response() Callable: the status is a code and a reason, separated by a space."""
    assert judge(server, [[status, [TEXT]]]) == ["ValueError"]


def test_no_control_character_gets_into_a_status(server):
    """PEP 3333, The start_response() Callable: the status must not contain control characters. Servers should check for
    errors when start_response is called."""
    controls = [chr(code) for code in [*range(0x20), 0x7F] if code != 0x09]
    cases = [[f"200 O{control}K", [TEXT]] for control in controls] + [[f"200 OK{end}", [TEXT]] for end in "\r\n"]
    assert judge(server, cases) == ["ValueError"] * len(cases)


def test_a_final_status_is_final(server):
    """RFC 9110, section 15.2: an interim answer ends no request. So an application cannot answer with one."""
    assert (
        judge(server, [[status, [TEXT]] for status in ("100 Continue", "102 X", "103 X", "199 X")])
        == ["ValueError"] * 4
    )


@pytest.mark.parametrize(
    ("status", "code", "reason"),
    [
        ("200", 200, ""),
        ("404 Not Found", 404, "Not Found"),
        ("299 Tr\u00e8s bien", 299, "Tr\u00e8s bien"),
        ("599 ", 599, ""),
    ],
)
def test_a_status_goes_out_as_it_was_said(server, status, code, reason):
    """PEP 3333, The start_response() Callable and Unicode Issues: a Latin-1 string, code and reason."""
    response = say(server, status, [TEXT])
    assert (response.status, response.reason, response.body) == (code, reason, b"said")


def test_no_control_character_gets_into_a_field(server):
    """PEP 3333, The start_response() Callable: neither names nor values may contain control characters. Servers should
    check for errors when start_response is called. (A tab is let through, as HTTP and Gunicorn allow it.)"""
    controls = [chr(code) for code in [*range(0x20), 0x7F] if code != 0x09]
    cases = [["200 OK", [TEXT, ["X-Field", f"a{control}b"]]] for control in controls]
    cases += [["200 OK", [TEXT, ["X-Field", f"a{end}"]]] for end in ("\r", "\n", "\r\n", "\r\n ")]
    cases += [["200 OK", [TEXT, [f"X-{control}Field", "a"]]] for control in [*controls, "\t"]]
    assert judge(server, cases) == ["ValueError"] * len(cases)


@pytest.mark.parametrize(
    "name", ["", "X Field", "X-Field:", " X-Field", "X-Field ", "X(Field)", "X\u00e9", "X\u65e5", '"X"', "X/Y"]
)
def test_a_name_is_a_token(server, name):
    """PEP 3333, The start_response() Callable: a valid field name, without a trailing colon or other punctuation."""
    assert judge(server, [["200 OK", [TEXT, [name, "value"]]]]) == ["ValueError"]


def test_characters_beyond_latin_1_are_refused(server):
    """PEP 3333, Unicode Issues: it is a fatal error to supply strings with other characters than Latin-1 has."""
    wide = ["\u0100", "\u65e5", "\U0001f600", "\ud800"]
    cases = [[f"200 {character}", [TEXT]] for character in wide]
    cases += [["200 OK", [TEXT, ["X-Field", character]]] for character in wide]
    cases += [["200 OK", [TEXT, [f"X-{character}", "a"]]] for character in wide]
    assert judge(server, cases) == ["ValueError"] * len(cases)


@pytest.mark.parametrize("length", ["", "+4", "-4", "4_0", "4.0", "0x4", "4,4", "4 4", "\u00b2", "four", "1" * 30])
def test_a_length_is_made_of_digits(server, length):
    """RFC 9110, section 8.6: Content-Length is 1*DIGIT."""
    for name in ("Content-Length", "content-LENGTH"):
        assert judge(server, [["200 OK", [TEXT, [name, length]]]]) == ["ValueError"]


@pytest.mark.parametrize("second", ["4", "5"])
def test_a_second_length_is_refused(server, second):
    """RFC 9110, section 8.6. PEP 3333, The start_response() Callable: field names are case-insensitive."""
    assert judge(server, [["200 OK", [["Content-Length", "4"], TEXT, ["CONTENT-length", second]]]]) == ["ValueError"]


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        ("200 O\rK", [TEXT]),
        ("200 OK", [TEXT, ["X-Wrong", "a\r\nX-Injected: 1"]]),
        ("200 OK", [TEXT, ["X-Wrong: a\r\nX-Injected", "1"]]),
        ("200 OK", [TEXT, ["Content-Length", "+4"]]),
        ("200 OK", [TEXT, ["Content-Length", "4"], ["Content-Length", "4"]]),
        ("200 \u65e5", [TEXT]),
        ("fine", [TEXT]),
    ],
)
def test_what_is_refused_and_not_caught_is_a_500(server, mark, status, headers):
    """PEP 3333, Error Handling: servers should trap and log any exception that aborts an application."""
    body = json.dumps([status, headers]).encode()
    report = expect_500(server, mark, "/said", "Traceback", method="POST", body=body)
    assert "Error handling request POST /said" in report
    assert not re.search("(?m)^X-Injected", mark.text)


def test_a_refused_field_is_named_and_its_value_never_shown(server, mark):
    """PEP 3333, The start_response() Callable: servers should check for errors in the headers. What is secret in a
    value must not get into a log."""
    for name in ("Set-Cookie", "X-Wrong", "Content-Length"):
        mark.start = len(server.log)
        body = json.dumps([name, "hush\r\nhush"]).encode()
        report = expect_500(server, mark, "/not_in_log", name, method="POST", body=body)
        assert "Invalid response header from the application" in report and "hush" not in mark.text
    cases = [["200 OK", [TEXT, ["X-Wrong", f"hush{end}"]]] for end in ("\r\n", "\0", "\u65e5")]
    texts = server.request("POST", "/judged?text", (), json.dumps(cases).encode()).json()
    assert all("X-Wrong" in text and "hush" not in text for text in texts)


# More than one call.


def test_a_second_call_raises(server):
    """PEP 3333, The start_response() Callable: it is a fatal error to call it again without exc_info."""
    response = server.get("/twice")
    assert (response.status, response.reason, response.text) == (201, "First", "Response headers already set!")


def test_none_as_exc_info_is_no_exc_info(server, mark):
    """PEP 3333, The start_response() Callable: exc_info=None is the default."""
    assert "Response headers already set!" in expect_500(server, mark, "/twice_with_none", "Traceback")


def test_a_call_that_raised_counts_as_a_call(server, mark):
    """PEP 3333, The start_response() Callable: a second call without exc_info is a fatal error. "This includes the case
    where the first call to start_response raised an error."""
    assert "Response headers already set!" in expect_500(server, mark, "/again_after_an_error", "Traceback")


def test_a_call_that_raised_can_be_replaced(server):
    """PEP 3333, The start_response() Callable: with exc_info the application changes its mind about the output."""
    response = server.get("/again_after_an_error_with_exc_info")
    assert (response.status, response.reason, response.text) == (500, "Second", "replaced")
    assert (response.header("X-First"), response.header("X-Second")) == (None, "1")


def test_a_call_that_raised_begins_no_answer(server, mark):
    """PEP 3333, The start_response() Callable: of headers that were refused none may be sent."""
    expect_500(server, mark, "/never_after_an_error", "[ERROR]")


def test_exc_info_replaces_what_was_said_as_a_whole(server):
    """PEP 3333, The start_response() Callable: with exc_info the stored headers are replaced by the new ones."""
    with server.connect() as wire:
        response = wire.get("/replaced_length")
        assert (response.status, response.reason, response.body) == (500, "Second", b"replaced")
        assert (response.header("Content-Length"), response.header("X-Second")) == ("8", "1")
        assert wire.get("/none").text == "none"


@pytest.mark.parametrize("way", ["item", "write"])
def test_after_the_first_bytes_exc_info_raises_the_application_s_exception(server, mark, way):
    """PEP 3333, The start_response() Callable: with exc_info, when headers were sent, it must raise an error and should
    re-raise the exception with its traceback. Error Handling: which aborts the answer."""
    tag = fresh_tag()
    with server.connect() as wire:
        with pytest.raises(Truncated) as cut:
            wire.get(f"/too_late?{tag}", {"X-Way": way})
        assert (cut.value.response.status, cut.value.response.body) == (200, b"first")
        assert wire.has_ended()
    assert wait_notes(server, "raised.log", tag) == [[True, True]]
    mark.wait("Mistake: too late")
    assert len(mark.reports()) == 1 and "a_frame_of_the_application" in mark.text


def test_exc_info_is_not_kept(server):
    """PEP 3333, The start_response() Callable: servers should hold no reference to exc_info beyond the call."""
    for _ in range(3):
        assert server.get("/exc_info_is_not_kept").text == "gone"


# When the headers go out.


@pytest.mark.parametrize("way", ["call", "item", "write"])
def test_headers_wait_for_the_first_bytes(server, way):
    """PEP 3333, The start_response() Callable: it must not transmit the headers; they wait for the first non-empty
    bytestring, so that the application can replace them until then."""
    tag = fresh_tag()
    with server.connect() as wire:
        wire.send(compose("GET", f"/held?{tag}&{way}"))
        wait_for((server.folder / f"{tag}entered").exists, "the application to wait")
        assert wire.is_quiet()
        (server.folder / f"{tag}open").touch()
        response = wire.response()
    assert (response.status, response.reason, response.body) == (503, "Replaced", b"replaced")
    assert response.header("X-First") is None


def test_start_response_may_be_called_by_the_first_iteration(server):
    """PEP 3333, Specification Details: servers must not assume that start_response was called before they iterate."""
    response = server.get("/late_start")
    assert (response.status, response.body) == (202, b"late")


@pytest.mark.parametrize("name", ["never", "never_and_empty", "never_in_a_generator", "bytes_first"])
def test_an_answer_without_start_response_is_a_500(server, mark, name):
    """PEP 3333, Specification Details: start_response must be called before the first body bytestring."""
    report = expect_500(server, mark, f"/{name}", "start_response")
    assert "the application has not called start_response" in report


# What reaches the wire.


def test_fields_go_out_as_they_are_in_their_order(server):
    """PEP 3333, Other HTTP Features: servers play dumb and leave the application in control of its output."""
    sent = [
        ["x-lower", "1"],
        ["X-UPPER", "2"],
        ["Set-Cookie", "a=1; Path=/"],
        ["X-Latin", "\u00e9\u00ff\u0080"],
        ["Set-Cookie", "b=2"],
        ["X-Empty", ""],
        ["X-Tab", "a\tb"],
        ["Content-Encoding", "identity"],
        ["ETag", '"a"'],
        ["x-lower", "3"],
    ]
    response = say(server, "200 OK", [TEXT, *sent])
    names = {name for name, _ in sent}
    assert [[name, value] for name, value in response.headers if name in names] == sent


def test_the_server_adds_what_http_requires(server):
    """PEP 3333, The start_response() Callable: a header that HTTP requires and the application omits must be added by
    the server; Date and Server would normally be."""
    response = say(server, "200 OK", [TEXT])
    assert response.header("Server") == "indrik"
    assert re.fullmatch(r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT", response.header("Date"))
    assert response.header("Content-Length") == "4"


@pytest.mark.parametrize("spell", [str.title, str.lower, str.upper], ids=["Title", "lower", "UPPER"])
def test_an_application_s_own_server_and_date_are_kept_once(server, spell):
    """PEP 3333, The start_response() Callable: field names are case-insensitive, also for the server."""
    date = "Sun, 06 Nov 1994 08:49:37 GMT"
    once = say(server, "200 OK", [TEXT, [spell("Server"), "mine/1"], [spell("Date"), date]])
    assert (once.header("Server"), once.header("Date")) == ("mine/1", date)
    twice = say(
        server, "200 OK", [[spell("Server"), "mine/1"], ["Server", "other"], [spell("Date"), date], ["Date", "x"]]
    )
    assert (twice.header("Server"), twice.header("Date")) == ("mine/1", date)


@pytest.mark.parametrize("field", ["Connection", "connection", "CONNECTION"])
@pytest.mark.parametrize("value", ["close", "Close", "keep-alive, close"])
def test_an_application_may_close_the_connection(server, field, value):
    """PEP 3333, The start_response() Callable, on headers that affect the persistence of the connection; this one does
    what it says."""
    with server.connect() as wire:
        wire.send(compose("POST", "/said", (), json.dumps(["200 OK", [TEXT, [field, value]]]).encode()))
        response = wire.response()
        assert (response.header("Connection"), response.body) == ("close", b"said")
        assert wire.has_ended()


def test_hop_by_hop_fields_are_taken_out(server):
    """PEP 3333, Other HTTP Features: hop-by-hop headers are the server's. A server should raise when an application
    sends them; they are removed instead, as under Gunicorn, since applications that proxy send them."""
    names = [
        "Keep-Alive",
        "Proxy-Authenticate",
        "Proxy-Authorization",
        "TE",
        "Trailers",
        "Transfer-Encoding",
        "Upgrade",
        "Connection",
    ]
    for spell in (str.title, str.lower, str.upper):
        with server.connect() as wire:
            body = json.dumps(["200 OK", [TEXT, *([spell(name), "x"] for name in names), ["X-End", "1"]]]).encode()
            response = wire.request("POST", "/said", (), body)
            left = {name.lower() for name, _ in response.headers}
            assert left == {"server", "date", "connection", "content-length", "content-type", "x-end"}
            assert (response.header("Connection"), response.body) == ("keep-alive", b"said")
            assert wire.get("/none").text == "none"


def test_an_application_cannot_chunk_its_answer_itself(server):
    """PEP 3333, Handling the Content-Length Header: applications must not apply a transfer encoding."""
    response = say(server, "200 OK", [TEXT, ["Transfer-Encoding", "chunked"], ["Content-Length", "4"]])
    assert (response.framing, response.body, response.header("Transfer-Encoding")) == ("length", b"said", None)
