"""Settings of the guestbook. The database is a file, which the tests and the server that they start share."""

import os
from pathlib import Path

FOLDER = Path(os.environ.get("GUESTBOOK_FOLDER", "."))

SECRET_KEY = "not a secret"
DEBUG = False
ALLOWED_HOSTS = ["localhost", "127.0.0.1"]
ROOT_URLCONF = "guestbook.urls"
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions", "guestbook"]
MIDDLEWARE = [
    "django.middleware.gzip.GZipMiddleware",
    "django.middleware.http.ConditionalGetMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ.get("GUESTBOOK_DATABASE", FOLDER / "guestbook.sqlite3"),
        "TEST": {"NAME": FOLDER / "test.sqlite3"},
        # Kept from request to request: one for each thread.
        "CONN_MAX_AGE": None,
        # Nothing in it has to survive a crash, and waiting for the disk is most of what these tests would do.
        "OPTIONS": {"timeout": 20, "transaction_mode": "IMMEDIATE", "init_command": "PRAGMA synchronous=OFF"},
    }
}
MIGRATION_MODULES = {"auth": None, "contenttypes": None, "sessions": None, "guestbook": None}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
FILE_UPLOAD_MAX_MEMORY_SIZE = 100_000
USE_TZ = True
LOGGING_CONFIG = None
