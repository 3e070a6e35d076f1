"""The call of the application and the environ it gets, in every mode."""

import re
from pathlib import Path

import pytest
from harness import ROOT
from wire import compose

# What every request over TCP brings, besides its header fields.
ALWAYS = {
    "REQUEST_METHOD",
    "SCRIPT_NAME",
    "PATH_INFO",
    "QUERY_STRING",
    "RAW_URI",
    "REQUEST_URI",
    "SERVER_PROTOCOL",
    "SERVER_NAME",
    "SERVER_PORT",
    "SERVER_SOFTWARE",
    "REMOTE_ADDR",
    "REMOTE_PORT",
    "wsgi.version",
    "wsgi.url_scheme",
    "wsgi.input",
    "wsgi.input_terminated",
    "wsgi.errors",
    "wsgi.multithread",
    "wsgi.multiprocess",
    "wsgi.run_once",
    "wsgi.file_wrapper",
    "wsgi.early_hints",
    "gunicorn.socket",
    "indrik.client_disconnected",
}
PROXIED = {"PROXY_PROTOCOL", "PROXY_ADDR", "PROXY_PORT"}


@pytest.fixture
def server(served):
    return served("environs")


def dump(server, path="/dump", fields=(), **options):
    return server.request("GET", path, fields, **options).json()


# The call.


@pytest.mark.parametrize(
    "kind",
    [
        "function",
        "any_arguments",
        "positional_only",
        "generator",
        "Class",
        "instance",
        "secretive",
        "method",
        "static",
        "of_the_class",
        "partial",
        "nameless",
    ],
)
def test_anything_that_can_be_called_is_an_application(fresh, kind):
    """PEP 3333, Specification Overview: the server must not depend on what kind of callable it was given.
    Specification Details: it must invoke the application with positional arguments, two of them."""
    with fresh(f"environs:{kind}") as server:
        for _ in range(2):
            assert server.get("/").json() == [2, 0]


def test_an_application_is_called_once_for_each_request(server):
    """PEP 3333, The Server/Gateway Side: the callable is invoked once for each request."""
    with server.connect() as wire:
        first = wire.get("/count").json()
        assert [wire.request("POST", "/count", (), b"body").json() for _ in range(5)] == list(
            range(first + 1, first + 6)
        )
        wire.send(compose("GET", "/count") * 5)
        assert [wire.response().json() for _ in range(5)] == list(range(first + 6, first + 11))


# The dictionary.


def test_environ_is_a_builtin_dictionary(server):
    """PEP 3333, Specification Details: environ must be a builtin dictionary, not a subclass or an emulation."""
    assert dump(server)["is_dict"]


def test_an_application_may_do_what_it_likes_to_its_environ(server):
    """PEP 3333, Specification Details: the application may modify the dictionary in any way it desires; so what it
    does is nobody else's matter."""
    with server.connect() as wire:
        before = wire.get("/dump").json()
        for _ in range(3):
            assert wire.get("/spoil").json() == 2
            assert wire.get("/dump").json() == before


def test_the_keys_are_these_and_no_others(server):
    """PEP 3333, environ Variables: variables that are required are present, missing ones are left out, and what the
    server adds is known."""
    seen = dump(server, fields=[("X-Sent", "1")])
    assert set(seen["types"]) == ALWAYS | {"HTTP_HOST", "HTTP_CONNECTION", "HTTP_X_SENT"}


def test_the_keys_of_a_request_with_a_body_are_these_and_no_others(server):
    """PEP 3333, environ Variables: CONTENT_TYPE and CONTENT_LENGTH come with their fields."""
    with server.connect() as wire:
        plain = wire.request("POST", "/dump", {"Content-Type": "a/b"}, b"12").json()
        chunked = wire.request("POST", "/dump", {"Content-Type": "a/b"}, [b"12"]).json()
    assert set(plain["types"]) == ALWAYS | {"HTTP_HOST", "CONTENT_TYPE", "CONTENT_LENGTH"}
    assert set(chunked["types"]) == ALWAYS | {"HTTP_HOST", "CONTENT_TYPE", "HTTP_TRANSFER_ENCODING"}
    assert (plain["environ"]["CONTENT_TYPE"], plain["environ"]["CONTENT_LENGTH"]) == ("a/b", "2")


def test_an_old_request_brings_nothing_and_gets_all_that_is_required(server):
    """PEP 3333, environ Variables: SERVER_NAME and SERVER_PORT are required and must never be empty; REQUEST_METHOD is
    always required; SERVER_PROTOCOL is the request's."""
    with server.connect() as wire:
        wire.send(b"GET /dump HTTP/1.0\r\n\r\n")
        seen = wire.response().json()
    assert set(seen["types"]) == ALWAYS
    environ = seen["environ"]
    assert (environ["SERVER_NAME"], environ["SERVER_PORT"]) == ("127.0.0.1", str(server.port))
    assert (environ["REQUEST_METHOD"], environ["SERVER_PROTOCOL"]) == ("GET", "HTTP/1.0")
    assert (environ["SCRIPT_NAME"], environ["PATH_INFO"], environ["QUERY_STRING"]) == ("", "/dump", "")


@pytest.mark.parametrize("head", [b"GET /dump HTTP/1.0\r\n\r\n", b"GET /dump HTTP/1.1\r\nHost:\r\n\r\n"])
def test_a_unix_socket_without_a_host_has_a_name_and_a_port_too(fresh, short_folder, head):
    """PEP 3333, environ Variables: SERVER_NAME and SERVER_PORT must never be empty."""
    with fresh("environs", bind=f"unix:{short_folder / 's.sock'}") as server, server.connect() as wire:
        wire.send(head)
        seen = wire.response().json()
    assert set(seen["types"]) - {"HTTP_HOST", "HTTP_CONNECTION"} == ALWAYS - {"REMOTE_PORT"}
    assert seen["environ"]["SERVER_NAME"] and seen["environ"]["SERVER_PORT"]
    assert seen["environ"]["REMOTE_ADDR"] == ""


@pytest.mark.parametrize(
    ("host", "name", "port"),
    [
        ("shop.example", "shop.example", "80"),
        ("shop.example:8080", "shop.example", "8080"),
        ("[::1]:81", "[::1]", "81"),
    ],
)
def test_a_unix_socket_has_the_name_and_port_of_the_host(fresh, short_folder, host, name, port):
    """PEP 3333, environ Variables: SERVER_NAME and SERVER_PORT. A unix socket has neither; the client's Host has."""
    with fresh("environs", bind=f"unix:{short_folder / 's.sock'}") as server:
        environ = dump(server, fields={"Host": host})["environ"]
    assert (environ["SERVER_NAME"], environ["SERVER_PORT"]) == (name, port)


def test_a_proxy_header_adds_its_keys_and_no_others(fresh):
    """PEP 3333, environ Variables: server-defined variables; REMOTE_ADDR is who the PROXY header says it is."""
    with fresh("environs", settings="proxy_protocol = True\n") as server, server.connect() as wire:
        wire.send(b"PROXY TCP4 192.0.2.1 192.0.2.2 1111 2222\r\n")
        for _ in range(3):
            seen = wire.get("/dump").json()
            assert set(seen["types"]) == ALWAYS | PROXIED | {"HTTP_HOST"}
            assert (seen["environ"]["REMOTE_ADDR"], seen["environ"]["REMOTE_PORT"]) == ("192.0.2.1", "1111")
            assert (seen["environ"]["PROXY_ADDR"], seen["environ"]["PROXY_PORT"]) == ("192.0.2.2", "2222")


def test_nothing_of_the_process_environment_gets_in(fresh):
    """PEP 3333, environ Variables: operating-system variables may be added. They are not: they hold secrets."""
    secrets = {"DATABASE_URL": "secret", "REMOTE_USER": "root", "HTTP_X_ADMIN": "1", "CONTENT_TYPE": "x/y"}
    with fresh("environs", "--env", "wsgi.run_once=1", env=secrets) as server:
        seen = dump(server, fields=[("X-Sent", "1")])
    assert set(seen["types"]) == ALWAYS | {"HTTP_HOST", "HTTP_CONNECTION", "HTTP_X_SENT"}
    assert seen["environ"]["wsgi.run_once"] is False


def test_every_variable_of_cgi_is_a_native_string(server):
    """PEP 3333, environ Variables: it is a violation for any CGI variable to be of another type than str. Unicode
    Issues: servers must not supply characters beyond Latin-1."""
    target = "/dump?" + "".join(f"%{byte:02X}" for byte in range(256))
    fields = [("X-Latin", bytes(range(0xA0, 0x100)).decode("latin-1")), ("X-Wide", "\u65e5".encode().decode("latin-1"))]
    with server.connect() as wire:
        wire.send(compose("GET", target, fields))
        seen = wire.response().json()
    assert {kind for key, kind in seen["types"].items() if "." not in key} == {"builtins.str"}
    assert seen["is_latin1"]
    assert seen["environ"]["HTTP_X_LATIN"] == fields[0][1]
    assert seen["environ"]["HTTP_X_WIDE"].encode("latin-1").decode() == "\u65e5"


def test_the_path_is_given_as_the_bytes_it_stands_for(server):
    """PEP 3333, A Note On String Types and Unicode Issues: native strings hold bytes as Latin-1 characters."""
    environ = dump(server, "/dump?%E6%97%A5")["environ"]
    assert environ["QUERY_STRING"] == "%E6%97%A5"
    seen = server.request("GET", "/d%75mp", {"X-Path": "1"}).json()["environ"]
    assert (seen["PATH_INFO"], seen["RAW_URI"], seen["REQUEST_URI"]) == ("/dump", "/d%75mp", "/d%75mp")


def test_the_variables_of_wsgi_have_their_types_and_values(server, mode):
    """PEP 3333, environ Variables: the WSGI-defined variables, all of which must be there."""
    seen = dump(server)
    want = {
        "wsgi.version": [1, 0],
        "wsgi.url_scheme": "http",
        "wsgi.multithread": mode == "threads = 4\n",
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
    }
    assert {key: seen["environ"][key] for key in want} == want
    assert seen["types"]["wsgi.version"] == "builtins.tuple"
    assert seen["types"]["wsgi.multithread"] == seen["types"]["wsgi.multiprocess"] == "builtins.bool"


def test_the_streams_have_every_method(server):
    """PEP 3333, Input and Error Streams: the methods in the table must be supported by all servers."""
    assert server.get("/methods").json() == []
    assert server.request("POST", "/methods", (), b"body").json() == []
    assert server.request("POST", "/methods", (), [b"body"]).json() == []


def test_names_of_our_own_variables_keep_to_the_convention(server):
    """PEP 3333, environ Variables: server-defined variables should use lower-case letters, numbers, dots and
    underscores, and a prefix that is unique to the server."""
    ours = [key for key in dump(server)["types"] if "." in key]
    assert all(re.fullmatch(r"(wsgi|gunicorn|indrik)\.[a-z0-9_.]+", key) for key in ours)


def test_every_variable_is_documented():
    """PEP 3333, environ Variables: a server should document what variables it provides."""
    page = Path(ROOT, "docs", "wsgi.md").read_text()
    keys = ALWAYS | PROXIED | {"CONTENT_TYPE", "CONTENT_LENGTH"}
    undocumented = [key for key in sorted(keys) if f"`{key}`" not in page]
    assert undocumented == []


# Header fields.


def test_variables_correspond_with_the_fields_of_the_request(server):
    """PEP 3333, environ Variables: the presence or absence of HTTP_ variables corresponds with that of the fields."""
    with server.connect() as wire:
        first = wire.get("/dump", [("X-One", "1"), ("x-two", ""), ("X-THREE", " a  b \t")]).json()["environ"]
        second = wire.get("/dump", [("X-Two", "2")]).json()["environ"]
    assert {key: value for key, value in first.items() if key.startswith("HTTP_X")} == {
        "HTTP_X_ONE": "1",
        "HTTP_X_TWO": "",
        "HTTP_X_THREE": "a  b",
    }
    assert {key: value for key, value in second.items() if key.startswith("HTTP_X")} == {"HTTP_X_TWO": "2"}


def test_repeated_fields_are_joined_in_order(server):
    """RFC 9110, section 5.3: a list in order, separated by commas. RFC 6265, section 5.4: cookies by `; `."""
    fields = [("X-Many", "1"), ("Cookie", "a=1"), ("x-many", ""), ("cookie", "b=2; c=3"), ("X-MANY", "3")]
    fields.append(("COOKIE", "d=4"))
    environ = dump(server, fields=fields)["environ"]
    assert environ["HTTP_X_MANY"] == "1,,3"
    assert environ["HTTP_COOKIE"] == "a=1; b=2; c=3; d=4"


def test_the_server_leaves_caching_ranges_and_encodings_to_the_application(server):
    """PEP 3333, Other HTTP Features: servers should play dumb and leave the output to the application."""
    fields = {
        "If-None-Match": '"a"',
        "If-Modified-Since": "Sun, 06 Nov 1994 08:49:37 GMT",
        "Range": "bytes=0-1",
        "Accept-Encoding": "gzip, br",
        "TE": "trailers",
    }
    response = server.get("/dump", fields)
    environ = response.json()["environ"]
    assert response.status == 200
    assert response.header("Content-Encoding") is response.header("Content-Range") is None
    for name, value in fields.items():
        assert environ[f"HTTP_{name.upper().replace('-', '_')}"] == value


# The URL.


@pytest.mark.parametrize("host", ["localhost", "shop.example:8443", "[::1]:80"])
@pytest.mark.parametrize("path", ["/dump", "/dump?a=1&b=%20", "/dump?"])
def test_the_url_can_be_put_together_again(server, host, path):
    """PEP 3333, URL Reconstruction."""
    assert dump(server, path, {"Host": host})["url"] == f"http://{host}{path.rstrip('?')}"


def test_the_url_can_be_put_together_without_a_host(server):
    """PEP 3333, URL Reconstruction: SERVER_NAME and SERVER_PORT stand in for HTTP_HOST."""
    with server.connect() as wire:
        wire.send(b"GET /dump?q HTTP/1.0\r\n\r\n")
        assert wire.response().json()["url"] == f"http://127.0.0.1:{server.port}/dump?q"


def test_the_url_of_a_mounted_application_can_be_put_together_again(fresh):
    """PEP 3333, environ Variables: SCRIPT_NAME is the initial portion of the path, PATH_INFO the remainder."""
    with fresh("environs", "--env", "SCRIPT_NAME=/the/shop") as server:
        seen = dump(server, "/the/shop/dump?q")
        assert (seen["environ"]["SCRIPT_NAME"], seen["environ"]["PATH_INFO"]) == ("/the/shop", "/dump")
        assert seen["url"] == "http://localhost/the/shop/dump?q"


@pytest.mark.parametrize("path", ["/", "/elsewhere", "/shopping/dump"])
def test_a_path_outside_of_the_mount_point_is_a_500(fresh, path):
    """PEP 3333, environ Variables: PATH_INFO is the remainder of the path; RFC 3875, section 4.1.5: it is empty or
    begins with a slash."""
    with fresh("environs", "--env", "SCRIPT_NAME=/shop") as server:
        response = server.get(path)
        assert (response.status, response.reason) == (500, "Internal Server Error")
        server.wait_log("SCRIPT_NAME")
        assert dump(server, "/shop/dump")["environ"]["PATH_INFO"] == "/dump"


def test_a_trusted_proxy_says_where_the_application_is_mounted(fresh):
    """Gunicorn setting `forwarder_headers`: SCRIPT_NAME as a field counts if it comes from a trusted peer."""
    with fresh("environs") as server:
        seen = dump(server, "/shop/dump", {"SCRIPT_NAME": "/shop"})["environ"]
        assert (seen["SCRIPT_NAME"], seen["PATH_INFO"]) == ("/shop", "/dump")
        assert server.get("/elsewhere", {"SCRIPT_NAME": "/shop"}).status == 500
        assert dump(server)["environ"]["SCRIPT_NAME"] == ""
    with fresh("environs", settings="forwarded_allow_ips = '192.0.2.1'\n") as server:
        seen = dump(server, "/dump", {"SCRIPT_NAME": "/dump"})["environ"]
        assert (seen["SCRIPT_NAME"], seen["PATH_INFO"]) == ("", "/dump")


# Processes and threads.


@pytest.mark.parametrize(("workers", "is_multiprocess"), [(1, False), (2, True)])
def test_environ_says_whether_there_are_other_processes(fresh, workers, is_multiprocess):
    """PEP 3333, environ Variables: wsgi.multiprocess is true if another process may run an equivalent application."""
    with fresh("environs", "--workers", str(workers)) as server:
        assert dump(server)["environ"]["wsgi.multiprocess"] is is_multiprocess
