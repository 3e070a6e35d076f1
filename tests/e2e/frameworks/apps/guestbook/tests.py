"""Live-server tests as ``manage.py test`` runs them: Django prepares the database, the program serves it.

GUESTBOOK_FOLDER is where the program runs and leaves its logs, GUESTBOOK_ARGUMENTS are further options for it.
"""

import hashlib
import os
import random
import shlex
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests
from django.contrib.auth.models import User
from django.db import connection
from django.test import LiveServerTestCase
from django.test.testcases import LiveServerThread
from harness import Server
from modes import framework

from guestbook.models import Entry

FOLDER = Path(os.environ["GUESTBOOK_FOLDER"])
ARGUMENTS = shlex.split(os.environ["GUESTBOOK_ARGUMENTS"])
BODY = random.Random(12).randbytes(2_000_000)


class Program(LiveServerThread):
    """Runs the program where Django would run its own server."""

    def run(self):
        env = {**framework(), "GUESTBOOK_DATABASE": connection.settings_dict["NAME"]}
        self.server = Server(FOLDER, "guestbook.wsgi", *ARGUMENTS, env=env)
        try:
            self.server.__enter__()
            self.port = self.server.port
        except BaseException as error:
            self.error = error
        self.is_ready.set()

    def terminate(self):
        self.join()
        if self.error is None:
            self.server.__exit__(None)


class Guestbook(LiveServerTestCase):
    host = "127.0.0.1"
    server_thread_class = Program

    def setUp(self):
        self.client = requests.Session()
        self.client.trust_env = False
        self.addCleanup(self.client.close)

    def url(self, path):
        return f"{self.live_server_url}{path}"

    def get(self, path, **options):
        return self.client.get(self.url(path), timeout=30, **options)

    def post(self, path, **options):
        return self.client.post(self.url(path), timeout=30, **options)

    def test_what_the_test_writes_is_on_the_page(self):
        Entry.objects.create(author="Zo\u00eb", text="first")
        self.assertEqual(self.get("/entries/").json(), {"entries": [["Zo\u00eb", "first"]]})

    def test_what_a_visitor_writes_is_in_the_database(self):
        self.assertEqual(self.post("/entries/", data={"author": "a", "text": "\u2603 " * 50_000}).status_code, 201)
        self.assertEqual(Entry.objects.get().text, "\u2603 " * 50_000)
        self.assertEqual(len(self.get("/entries/").json()["entries"]), 1)

    def test_every_test_finds_the_book_empty(self):
        self.assertEqual(self.get("/entries/").json(), {"entries": []})
        self.assertEqual(self.get("/later/").text, "0 entries")

    def test_a_view_that_fails_leaves_nothing_and_harms_nobody(self):
        for _ in range(3):
            self.assertEqual(self.get("/failing/").status_code, 500)
        self.assertEqual(Entry.objects.count(), 0)
        self.assertEqual(self.get("/entries/").status_code, 200)

    def test_many_visitors_write_at_once(self):
        def write(number):
            return requests.post(self.url("/entries/"), data={"author": number, "text": "x"}, timeout=30).status_code

        with ThreadPoolExecutor(6) as pool:
            self.assertEqual(set(pool.map(write, range(30))), {201})
        self.assertEqual({entry.author for entry in Entry.objects.all()}, {str(number) for number in range(30)})

    def test_a_stream_reads_the_database_as_it_goes(self):
        Entry.objects.bulk_create(Entry(author=f"author {number}", text="x") for number in range(500))
        expected = "".join(f"author {number}\n" for number in range(500))
        for coding in ("identity", "gzip"):
            answer = self.get("/stream/", headers={"Accept-Encoding": coding})
            self.assertEqual(answer.text, expected)
            self.assertEqual(answer.headers["Transfer-Encoding"], "chunked")

    def test_a_coroutine_reads_the_database(self):
        Entry.objects.create(author="a", text="b")
        self.assertEqual([self.get("/later/").text for _ in range(5)], ["1 entries"] * 5)

    def test_a_login_lasts(self):
        User.objects.create_user("eve", password="secret")
        self.assertEqual(self.post("/enter/", data={"name": "eve", "password": "wrong"}).status_code, 403)
        self.assertEqual(self.get("/me/").text, "nobody")
        self.assertEqual(self.post("/enter/", data={"name": "eve", "password": "secret"}).text, "welcome")
        self.assertEqual([self.get("/me/").text for _ in range(5)], ["eve"] * 5)

    def test_uploads_arrive_whole(self):
        for size, kind in ((1000, "InMemoryUploadedFile"), (len(BODY), "TemporaryUploadedFile")):
            data = BODY[:size]
            expected = {"size": size, "sha256": hashlib.sha256(data).hexdigest()}
            answer = self.post("/upload/", files={"file": ("f.bin", data)}).json()
            self.assertEqual(answer, {**expected, "kind": kind})
            self.assertEqual(self.post("/body/", data=data).json(), expected)

    def test_a_file_is_sent_and_not_sent_twice(self):
        first = self.get("/file/", headers={"Accept-Encoding": "identity"})
        self.assertEqual(first.content, bytes(range(256)) * 2000)
        self.assertEqual(first.headers["Content-Length"], str(256 * 2000))
        self.assertEqual(first.headers["Content-Disposition"], 'attachment; filename="bytes.bin"')
        page = self.get("/entries/")
        again = self.get("/entries/", headers={"If-None-Match": page.headers["ETag"]})
        self.assertEqual((again.status_code, again.content), (304, b""))

    def test_a_thread_keeps_its_connection_to_the_database(self):
        def ask(_):
            return requests.get(self.url("/thread/"), timeout=30).json()

        with ThreadPoolExecutor(6) as pool:
            seen = {(answer["pid"], answer["thread"], answer["connection"]) for answer in pool.map(ask, range(60))}
        threads = int(ARGUMENTS[ARGUMENTS.index("--threads") + 1])
        self.assertLessEqual(len(seen), threads)
        self.assertEqual(len(seen), len({(pid, thread) for pid, thread, _ in seen}))
        self.assertEqual(len(seen), len({connection for _, _, connection in seen}))
