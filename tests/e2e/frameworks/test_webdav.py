"""WsgiDAV with a WebDAV client: methods beyond HTTP's own, XML both ways, uploads in chunks, locks (RFC 4918)."""

import io
import random
import xml.etree.ElementTree as ElementTree
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from modes import base, serving
from webdav3.client import Client
from webdav3.exceptions import RemoteResourceNotFound, ResourceLocked

LARGE = random.Random(11).randbytes(3_000_000)
DAV = "{DAV:}"

server = serving("dav_app:application", "--body-memory", "65536")


@pytest.fixture
def folder(server, tmp_path):
    """A folder of this test's own on the server."""
    path = server.folder / "share" / tmp_path.name
    path.mkdir(parents=True)
    return path


@pytest.fixture
def client(server, folder):
    client = Client({"webdav_hostname": base(server), "webdav_root": f"/{folder.name}", "webdav_timeout": 30})
    client.session.trust_env = False
    with client.session:
        yield client


@pytest.fixture
def plain(server, folder):
    """Requests as they stand in RFC 4918: `plain("LOCK", "/file", data=...)`."""
    with requests.Session() as session:
        session.trust_env = False

        def ask(method, path, **options):
            return session.request(method, f"{base(server)}/{folder.name}{path}", timeout=30, **options)

        yield ask


def test_a_tree_is_made_listed_copied_moved_and_removed(client, folder):
    client.mkdir("a")
    client.mkdir("a/b")
    client.upload_to(b"hello", "a/b/hello.txt")
    client.upload_to("\u2603".encode(), "a/Schnee \u2603 & co.txt")
    assert {"b/", "Schnee \u2603 & co.txt"} <= set(client.list("a"))
    assert (folder / "a" / "Schnee \u2603 & co.txt").read_text() == "\u2603"
    client.copy("a", "copy", depth="infinity")
    client.move("a/b/hello.txt", "moved.txt")
    assert client.check("copy/b/hello.txt") and client.check("moved.txt") and not client.check("a/b/hello.txt")
    assert client.info("moved.txt")["size"] == "5"
    client.clean("a")
    assert sorted(path.name for path in folder.iterdir()) == ["copy", "moved.txt"]
    with pytest.raises(RemoteResourceNotFound):
        client.info("a")


@pytest.mark.parametrize("size", [0, 65537, len(LARGE)])
def test_a_file_comes_back_as_it_went(client, plain, folder, tmp_path, size):
    data = LARGE[:size]
    (tmp_path / "local").write_bytes(data)
    # The client reads the file through a generator, so requests sends it in chunks.
    client.upload_sync("up.bin", str(tmp_path / "local"))
    assert (folder / "up.bin").read_bytes() == data
    client.download_sync("up.bin", str(tmp_path / "back"))
    assert (tmp_path / "back").read_bytes() == data
    kept = io.BytesIO()
    client.download_from(kept, "up.bin")
    assert kept.getvalue() == data
    assert plain("PUT", "/length.bin", data=data).status_code == 201
    assert plain("PUT", "/length.bin", data=data).status_code == 204
    assert plain("GET", "/length.bin").content == data
    head = plain("HEAD", "/length.bin")
    assert (head.headers["Content-Length"], head.content) == (str(size), b"")


def test_a_part_of_a_file_is_sent(plain):
    plain("PUT", "/file", data=LARGE)
    part = plain("GET", "/file", headers={"Range": "bytes=1000000-1999999"})
    assert (part.status_code, part.content) == (206, LARGE[1_000_000:2_000_000])


def test_properties_are_found_and_kept(plain, folder):
    plain("PUT", "/file", data=b"12345")
    found = plain("PROPFIND", "/", headers={"Depth": "1"})
    assert (found.status_code, found.reason) == (207, "Multi-Status")
    paths = [element.text for element in ElementTree.fromstring(found.content).iter(f"{DAV}href")]
    assert paths == [f"/{folder.name}/", f"/{folder.name}/file"]
    document = (
        '<?xml version="1.0"?><D:propertyupdate xmlns:D="DAV:" xmlns:x="urn:x"><D:set><D:prop>'
        "<x:mood>gr\u00fcn</x:mood></D:prop></D:set></D:propertyupdate>"
    )
    assert plain("PROPPATCH", "/file", data=document.encode()).status_code == 207
    wanted = '<D:propfind xmlns:D="DAV:" xmlns:x="urn:x"><D:prop><x:mood/><D:getcontentlength/></D:prop></D:propfind>'
    found = plain("PROPFIND", "/file", data=wanted, headers={"Depth": "0"})
    tree = ElementTree.fromstring(found.content)
    assert [element.text for element in tree.iter("{urn:x}mood")] == ["gr\u00fcn"]
    assert [element.text for element in tree.iter(f"{DAV}getcontentlength")] == ["5"]


def test_a_lock_keeps_others_out_until_it_is_given_back(client, plain):
    plain("PUT", "/file", data=b"first")
    with client.lock("file") as locked:
        assert plain("PUT", "/file", data=LARGE).status_code == 423
        assert plain("DELETE", "/file").status_code == 423
        with pytest.raises(ResourceLocked):
            client.upload_to(b"other", "file")
        locked.upload_to(b"mine", "file")
        assert plain("GET", "/file").content == b"mine"
    assert plain("PUT", "/file", data=b"last").status_code == 204


def test_move_and_copy_heed_overwrite_and_destination(server, plain, folder):
    plain("PUT", "/one", data=b"1")
    plain("PUT", "/two", data=b"2")
    there = {"Destination": f"{base(server)}/{folder.name}/two"}
    assert plain("MOVE", "/one", headers={**there, "Overwrite": "F"}).status_code == 412
    assert plain("COPY", "/one", headers=there).status_code == 204
    assert plain("GET", "/two").content == b"1"
    assert plain("MOVE", "/one", headers=there).status_code == 204
    assert plain("GET", "/one").status_code == 404
    assert plain("MKCOL", "/folder").status_code == 201
    assert plain("MKCOL", "/folder").status_code == 405
    assert plain("MKCOL", "/no/folder").status_code == 409
    options = plain("OPTIONS", "/folder").headers
    assert "PROPFIND" in options["Allow"] and "2" in options["DAV"]


def test_many_uploads_at_once_do_not_mix(server, plain, folder):
    def put(number):
        data = random.Random(number).randbytes(150_000 + number)
        url = f"{base(server)}/{folder.name}/{number}"
        return requests.put(url, data=data, timeout=30).status_code, requests.get(url, timeout=30).content == data

    with ThreadPoolExecutor(6) as pool:
        assert set(pool.map(put, range(12))) == {(201, True)}
    assert len(ElementTree.fromstring(plain("PROPFIND", "/", headers={"Depth": "1"}).content)) == 13
