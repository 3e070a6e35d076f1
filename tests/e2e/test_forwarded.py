"""What proxies say in header fields about client, scheme and mount point, and which of them are believed."""

import re

import pytest
from harness import wait_for
from proxy import Nginx
from wire import compose

SECURE = {"X-Forwarded-Proto": "https"}
FORWARDED = "client_ip_header = 'Forwarded'\n"


def environ(server, headers=(), target="/"):
    response = server.get(target, headers)
    assert response.status == 200, response.body
    return response.json()["environ"]


def trusting(*peers):
    return f"trusted_proxies = {list(peers)!r}\n"


# Who the client is.


@pytest.mark.parametrize("name", ["X-Forwarded-For", "Forwarded", "X-Real-IP"])
def test_by_default_no_field_changes_the_client(shared, name):
    seen = environ(shared("echo"), {name: "for=203.0.113.7" if name == "Forwarded" else "203.0.113.7"})
    assert seen["REMOTE_ADDR"] == "127.0.0.1"
    assert seen[f"HTTP_{name.upper().replace('-', '_')}"].endswith("203.0.113.7")


def test_a_peer_that_is_not_trusted_changes_nothing(shared):
    server = shared("echo", settings=trusting("10.0.0.0/8", "unix"))
    assert environ(server, {"X-Forwarded-For": "203.0.113.7"})["REMOTE_ADDR"] == "127.0.0.1"


# The field, or several of them, and whom it names. 127.0.0.1, 10.x and 2001:db8:1:: are proxies of ours.
CHAINS = {
    "one address": (["203.0.113.7"], "203.0.113.7"),
    "right-most of strangers": (["198.51.100.1, 203.0.113.7"], "203.0.113.7"),
    "proxies to its right": (["203.0.113.7, 10.1.2.3, 10.2.3.4"], "203.0.113.7"),
    "a forged proxy to its left": (["10.9.9.9, 203.0.113.7, 10.1.2.3"], "203.0.113.7"),
    "several fields": (["203.0.113.7", "10.1.2.3"], "203.0.113.7"),
    "several fields, right-most": (["198.51.100.1", "203.0.113.7"], "203.0.113.7"),
    "all trusted": (["10.1.2.3, 10.2.3.4"], "10.1.2.3"),
    "ours alone": (["127.0.0.1"], "127.0.0.1"),
    "IPv6": (["2001:db8::7"], "2001:db8::7"),
    "IPv6 behind a proxy": (["2001:db8::7, 2001:db8:1::5"], "2001:db8::7"),
    "IPv4 in IPv6": (["::ffff:203.0.113.7"], "203.0.113.7"),
    "a proxy's IPv4 in IPv6": (["203.0.113.7, ::ffff:10.1.2.3"], "203.0.113.7"),
    "blanks and tabs": (["  203.0.113.7 ,\t10.1.2.3 "], "203.0.113.7"),
    "junk": (["junk"], "127.0.0.1"),
    "unknown": (["unknown"], "127.0.0.1"),
    "empty": ([""], "127.0.0.1"),
    "junk to the right": (["203.0.113.7, junk"], "127.0.0.1"),
    "junk behind a proxy": (["junk, 10.1.2.3"], "10.1.2.3"),
    "junk left of a stranger": (["junk, 203.0.113.7"], "203.0.113.7"),
    "address beyond IPv4": (["203.0.113.777"], "127.0.0.1"),
}


@pytest.mark.parametrize("case", CHAINS)
def test_the_right_most_address_that_is_not_trusted_is_the_client(shared, case):
    values, client = CHAINS[case]
    server = shared("echo", settings=trusting("127.0.0.1", "10.0.0.0/8", "2001:db8:1::/48"))
    assert environ(server, [("X-Forwarded-For", value) for value in values])["REMOTE_ADDR"] == client


def test_without_the_field_the_peer_is_the_client(shared):
    server = shared("echo", settings=trusting("127.0.0.1", "10.0.0.0/8", "2001:db8:1::/48"))
    with server.connect() as wire:
        seen = wire.get("/").json()["environ"]
        assert (seen["REMOTE_ADDR"], seen["REMOTE_PORT"]) == ("127.0.0.1", str(wire.port))


@pytest.mark.parametrize("value", ["203.0.113.7:4711", "[2001:db8::7]:4711"])
def test_a_port_that_is_named_is_taken(shared, value):
    seen = environ(shared("echo", settings=trusting("127.0.0.1")), {"X-Forwarded-For": value})
    assert seen["REMOTE_ADDR"] in ("203.0.113.7", "2001:db8::7")
    assert seen["REMOTE_PORT"] == "4711"


def test_the_port_of_the_proxy_is_not_shown_as_the_client_s(shared):
    with shared("echo", settings=trusting("127.0.0.1")).connect() as wire:
        seen = wire.get("/", {"X-Forwarded-For": "203.0.113.7"}).json()["environ"]
        assert seen["REMOTE_ADDR"] == "203.0.113.7"
        assert seen.get("REMOTE_PORT") != str(wire.port)


def test_each_request_of_a_connection_has_its_own_client(shared):
    with shared("echo", settings=trusting("127.0.0.1")).connect() as wire:
        for client in ("203.0.113.7", "203.0.113.8", None, "203.0.113.9"):
            seen = wire.get("/", {"X-Forwarded-For": client} if client else {}).json()["environ"]
            assert seen["REMOTE_ADDR"] == (client or "127.0.0.1")


RFC_7239 = {
    "one": (["for=203.0.113.7"], "203.0.113.7"),
    "with other parameters": (["proto=https;for=203.0.113.7;by=10.1.2.3;host=a"], "203.0.113.7"),
    "name in any case": (["For=203.0.113.7"], "203.0.113.7"),
    "quoted": (['for="203.0.113.7:4711"'], "203.0.113.7"),
    "quoted IPv6": (['for="[2001:db8::7]:4711"'], "2001:db8::7"),
    "several elements": (["for=198.51.100.1, for=203.0.113.7;proto=http, for=10.1.2.3"], "203.0.113.7"),
    "several fields": (["for=203.0.113.7", "for=10.1.2.3"], "203.0.113.7"),
    "a comma in quotes": (['for=203.0.113.7, for=10.1.2.3;host="a,for=1.1.1.1"'], "203.0.113.7"),
    "unknown": (["for=unknown"], "127.0.0.1"),
    "hidden": (["for=_hidden"], "127.0.0.1"),
    "hidden behind a proxy": (["for=_hidden, for=10.1.2.3"], "10.1.2.3"),
    "malformed": (['for="203.0.113.7'], "127.0.0.1"),
    "malformed behind a proxy": (["for=203.0.113.7, for=;proto=http, for=10.1.2.3"], "10.1.2.3"),
    "without for": (["proto=https"], "127.0.0.1"),
}


@pytest.mark.parametrize("case", RFC_7239)
def test_the_field_forwarded_is_read_when_it_is_chosen(shared, case):
    values, client = RFC_7239[case]
    server = shared("echo", settings=trusting("127.0.0.1", "10.0.0.0/8") + FORWARDED)
    # The other field is then one like any other.
    fields = [("X-Forwarded-For", "198.51.100.99"), *(("Forwarded", value) for value in values)]
    assert environ(server, fields)["REMOTE_ADDR"] == client


@pytest.mark.parametrize("hops", [20, 5000])
def test_a_long_chain_of_proxies_is_walked_and_a_made_up_one_does_no_harm(shared, hops):
    server = shared("echo", "--limit-request-field_size", "60000", settings=trusting("127.0.0.1", "10.0.0.0/8"))
    chain = ", ".join(["203.0.113.7"] + ["10.1.2.3"] * hops)
    client = environ(server, {"X-Forwarded-For": chain})["REMOTE_ADDR"]
    # No real chain has thousands: there the walk may end at a proxy, but only at one of ours.
    assert client == "203.0.113.7" or (hops > 1000 and client == "10.1.2.3")


def test_the_access_log_shows_the_client(serve):
    log = ("--access-logfile", "access.log", "--access-logformat", "%(h)s")
    with serve("hello", *log, settings=trusting("127.0.0.1")) as server:
        server.get("/", {"X-Forwarded-For": "203.0.113.7"})
        server.get("/")
        server.get("/", {"X-Forwarded-For": "203.0.113.7\x1b[31m"})
        path = server.folder / "access.log"
        text = wait_for(lambda: path.exists() and path.read_text().count("\n") >= 2 and path.read_text(), "two lines")
    assert text.splitlines()[:2] == ["203.0.113.7", "127.0.0.1"]
    assert "\x1b" not in path.read_text()


def test_the_word_unix_trusts_unix_peers_and_no_others(serve, short_folder):
    path = str(short_folder / "s.sock")
    with serve("echo", bind=f"unix:{path}", address=path, settings=trusting("unix")) as server:
        assert environ(server, {"X-Forwarded-For": "203.0.113.7"})["REMOTE_ADDR"] == "203.0.113.7"
        assert environ(server)["REMOTE_ADDR"] == ""
    with serve("echo", settings=trusting("unix")) as server:
        assert environ(server, {"X-Forwarded-For": "203.0.113.7"})["REMOTE_ADDR"] == "127.0.0.1"


def test_without_that_word_a_unix_peer_is_not_trusted(serve, short_folder):
    path = str(short_folder / "s.sock")
    with serve("echo", bind=f"unix:{path}", address=path, settings=trusting("127.0.0.1")) as server:
        assert environ(server, {"X-Forwarded-For": "203.0.113.7"})["REMOTE_ADDR"] == ""


@pytest.mark.parametrize(
    ("trusted", "client"), [(["unix"], "127.0.0.1"), (["unix", "127.0.0.1"], "203.0.113.7"), ([], "")]
)
def test_behind_nginx_on_a_unix_socket_the_client_is_in_environ_and_access_log(
    stage, serve, short_folder, trusted, client
):
    log = ("--access-logfile", "access.log", "--access-logformat", "<%(h)s>")
    path = str(short_folder / "indrik.sock")
    server = serve("echo", *log, bind=f"unix:{path}", address=path, settings=trusting(*trusted))
    proxy = Nginx(stage.folder / "nginx", short_folder, short_folder)
    stage.programs.append(proxy)
    with server, proxy:
        # To this NGINX we are a balancer on its own machine, so it continues our list with our address.
        server.addresses = [proxy.address]
        assert environ(server, {"X-Forwarded-For": "203.0.113.7"})["REMOTE_ADDR"] == client
        access = server.folder / "access.log"
        line = wait_for(lambda: access.exists() and access.read_text(), "the access line")
        assert line in ((f"<{client}>\n",) if client else ("<>\n", "<->\n"))


# Whose word counts for the scheme.


@pytest.mark.parametrize(
    ("allowed", "scheme"),
    [
        (None, "https"),
        ("'127.0.0.1'", "https"),
        ("'*'", "https"),
        ("'127.0.0.0/8'", "https"),
        ("'10.0.0.0/8,127.0.0.1'", "https"),
        ("'10.0.0.0/8'", "http"),
        ("'127.0.0.2'", "http"),
        ("'::1'", "http"),
        ("''", "http"),
    ],
)
def test_the_scheme_is_believed_from_allowed_peers(shared, allowed, scheme):
    server = shared("echo", settings=f"forwarded_allow_ips = {allowed}\n" if allowed else "")
    assert environ(server, SECURE)["wsgi.url_scheme"] == scheme
    assert environ(server)["wsgi.url_scheme"] == "http"
    assert environ(server, {"X-Forwarded-Proto": "http"})["wsgi.url_scheme"] == "http"
    assert environ(server, SECURE)["HTTP_X_FORWARDED_PROTO"] == "https"


def test_the_environment_says_whose_word_counts_unless_a_setting_does(serve):
    with serve("echo", env={"FORWARDED_ALLOW_IPS": "10.0.0.1"}) as server:
        assert environ(server, SECURE)["wsgi.url_scheme"] == "http"
    with serve("echo", "--forwarded-allow-ips", "*", env={"FORWARDED_ALLOW_IPS": "10.0.0.1"}) as server:
        assert environ(server, SECURE)["wsgi.url_scheme"] == "https"


def test_unix_peers_are_always_believed(serve, short_folder):
    path = str(short_folder / "s.sock")
    with serve("echo", bind=f"unix:{path}", address=path, settings="forwarded_allow_ips = ''\n") as server:
        assert environ(server, SECURE)["wsgi.url_scheme"] == "https"


@pytest.mark.parametrize("name", ["forwarded_allow_ips", "proxy_allow_ips", "trusted_proxies"])
@pytest.mark.parametrize("value", ["10.0.0.1/8", "localhost", "10.0.0.0/33", "junk"])
def test_a_wrong_network_is_an_error_that_names_the_setting(run, name, value):
    files = {"server.conf.py": f"{name} = {value!r}\n"}
    ran = run("--bind", "127.0.0.1:0", "--config", "server.conf.py", "hello", files=files).expect(1, name, value)
    if value == "10.0.0.1/8":
        assert "10.0.0.0/8" in ran.err


SCHEMES = "secure_scheme_headers = {'X-SCHEME': 'tls', 'X-OTHER': 'yes'}\n"


@pytest.mark.parametrize(
    ("headers", "scheme"),
    [
        ({"X-Scheme": "tls"}, "https"),
        ({"x-scheme": "tls"}, "https"),
        ({"X-Scheme": "TLS"}, "http"),
        ({"X-Scheme": "plain"}, "http"),
        ({"X-Other": "yes", "X-Scheme": "tls"}, "https"),
        ({"X-Forwarded-Proto": "https"}, "http"),
        ({}, "http"),
    ],
)
def test_other_fields_may_tell_the_scheme(shared, headers, scheme):
    assert environ(shared("echo", settings=SCHEMES), headers)["wsgi.url_scheme"] == scheme


@pytest.mark.parametrize(
    "headers",
    [
        [("X-Forwarded-Proto", "https"), ("X-Forwarded-Ssl", "off")],
        [("X-Forwarded-Proto", "http"), ("X-Forwarded-Ssl", "on")],
        [("X-Forwarded-Proto", "https"), ("X-Forwarded-Proto", "http")],
    ],
)
def test_fields_that_contradict_each_other_are_refused(shared, headers):
    server = shared("echo")
    response = server.get("/", headers)
    assert (response.status, response.keeps_open) == (400, False)
    server.wait_log("ontradictory scheme headers")
    # From somebody whose word does not count they are fields like any others.
    stranger = shared("echo", settings="forwarded_allow_ips = ''\n")
    assert environ(stranger, headers)["wsgi.url_scheme"] == "http"


# Names with an underscore.

UNDERSCORE = [("X_Thing", "1")]
STRANGER = "forwarded_allow_ips = ''\n"


@pytest.mark.parametrize("settings", ["", "header_map = 'drop'\n"])
def test_a_name_with_an_underscore_is_dropped(shared, settings):
    server = shared("echo", settings=settings)
    assert "HTTP_X_THING" not in environ(server, UNDERSCORE)
    assert environ(server, [*UNDERSCORE, ("X-Thing", "2")])["HTTP_X_THING"] == "2"
    assert environ(server, [("X-Thing", "2"), *UNDERSCORE])["HTTP_X_THING"] == "2"


def test_a_name_with_an_underscore_may_be_refused(shared):
    server = shared("echo", settings="header_map = 'refuse'\n")
    assert server.get("/", UNDERSCORE).status == 400
    assert environ(server, {"X-Thing": "2"})["HTTP_X_THING"] == "2"


def test_a_name_with_an_underscore_may_be_let_in_at_ones_own_risk(shared):
    server = shared("echo", settings="header_map = 'dangerous'\n")
    assert environ(server, UNDERSCORE)["HTTP_X_THING"] == "1"
    assert environ(server, [("X-Thing", "2"), *UNDERSCORE])["HTTP_X_THING"] == "2,1"


@pytest.mark.parametrize("header_map", ["drop", "dangerous"])
@pytest.mark.parametrize("name", ["Content_Length", "content_length", "Transfer_Encoding"])
def test_a_name_with_an_underscore_never_frames_a_body(shared, header_map, name):
    server = shared("echo", settings=f"header_map = {header_map!r}\n")
    with server.connect() as wire:
        wire.send(compose("POST", "/", {name: "chunked" if "ransfer" in name else "5"}) + compose("GET", "/next"))
        first = wire.response().json()
        assert first["body"] == ""
        assert "CONTENT_LENGTH" not in first["environ"] and "CONTENT_TYPE" not in first["environ"]
        assert wire.response().json()["environ"]["PATH_INFO"] == "/next"


@pytest.mark.parametrize("header_map", ["drop", "refuse"])
def test_a_forwarder_may_say_where_the_application_is_mounted(shared, header_map):
    server = shared("echo", settings=f"header_map = {header_map!r}\n")
    seen = environ(server, {"SCRIPT_NAME": "/shop"}, "/shop/books?q=1")
    assert (seen["SCRIPT_NAME"], seen["PATH_INFO"], seen["QUERY_STRING"]) == ("/shop", "/books", "q=1")
    assert seen["HTTP_SCRIPT_NAME"] == "/shop"
    assert environ(server)["SCRIPT_NAME"] == ""


def test_a_mount_point_that_does_not_fit_the_path_is_an_error(shared):
    assert shared("echo").get("/elsewhere", {"SCRIPT_NAME": "/shop"}).status == 500


@pytest.mark.parametrize("spelling", ["Script-Name", "script-name"])
def test_the_name_with_a_hyphen_mounts_nothing(shared, spelling):
    seen = environ(shared("echo"), {spelling: "/shop"}, "/shop/books")
    assert (seen["SCRIPT_NAME"], seen["PATH_INFO"]) == ("", "/shop/books")


def test_a_stranger_mounts_nothing(shared):
    seen = environ(shared("echo", settings=STRANGER), {"SCRIPT_NAME": "/shop"}, "/shop/books")
    assert (seen["SCRIPT_NAME"], seen["PATH_INFO"]) == ("", "/shop/books")
    assert "HTTP_SCRIPT_NAME" not in seen
    refusing = shared("echo", settings=STRANGER + "header_map = 'refuse'\n")
    assert refusing.get("/shop/books", {"SCRIPT_NAME": "/shop"}).status == 400


@pytest.mark.parametrize(
    ("listed", "passed"),
    [
        ("'REMOTE_USER'", {"HTTP_REMOTE_USER"}),
        ("'REMOTE_USER,SCRIPT_NAME'", {"HTTP_REMOTE_USER", "HTTP_SCRIPT_NAME"}),
        ("'*'", {"HTTP_REMOTE_USER", "HTTP_SCRIPT_NAME", "HTTP_X_THING"}),
        ("''", set()),
    ],
)
@pytest.mark.parametrize("peer", ["trusted", "stranger"])
def test_forwarder_headers_pass_from_trusted_peers_only(shared, listed, passed, peer):
    settings = f"forwarder_headers = {listed}\n" + (STRANGER if peer == "stranger" else "")
    seen = environ(
        shared("echo", settings=settings), {"REMOTE_USER": "ada", "SCRIPT_NAME": "/shop", "X_Thing": "1"}, "/shop"
    )
    found = {"HTTP_REMOTE_USER", "HTTP_SCRIPT_NAME", "HTTP_X_THING"} & set(seen)
    assert found == (passed if peer == "trusted" else set())
    assert seen["SCRIPT_NAME"] == ("/shop" if "HTTP_SCRIPT_NAME" in found else "")
    # The key of CGI is the server's own to set.
    assert "REMOTE_USER" not in seen


def test_a_dropped_field_is_logged_once_for_each_name(serve):
    with serve("hello") as server:
        with server.connect() as wire:
            for _ in range(10):
                assert wire.get("/", UNDERSCORE).status == 200
        for _ in range(10):
            assert server.get("/", {"x_thing": "2"}).status == 200
        assert server.get("/", {"Y_Thing": "3"}).status == 200
        log = wait_for(lambda: re.search("y_thing", server.log, re.IGNORECASE) and server.log, "a line for Y_Thing")
    for name in ("x_thing", "y_thing"):
        (line,) = [line for line in log.splitlines() if name in line.lower()]
        assert "[WARNING]" in line
        # What the operator may do about it.
        assert "header_map" in line or "forwarder_headers" in line


def test_any_number_of_dropped_names_does_not_flood_the_log(serve):
    with serve("hello", "--limit-request-fields", "100") as server, server.connect() as wire:
        for start in range(0, 2000, 50):
            assert wire.get("/", {f"X_{number}": "1" for number in range(start, start + 50)}).status == 200
        assert len(server.log.splitlines()) < 300
