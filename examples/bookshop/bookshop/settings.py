"""Settings of the bookshop, a demonstration: complete, but with a public secret key unless one is given.

The environment decides what differs between machines: BOOKSHOP_DATA (folder of the database, uploads and collected
static files), BOOKSHOP_SECRET_KEY, BOOKSHOP_ALLOWED_HOSTS, BOOKSHOP_CSRF_TRUSTED_ORIGINS (both comma lists) and
BOOKSHOP_DEBUG (1, true, yes or on).
"""

import os
from pathlib import Path


def words(name: str, default: str = "") -> list[str]:
    """The comma list in the environment variable `name`, without blanks and empty entries."""
    return [word.strip() for word in os.environ.get(name, default).split(",") if word.strip()]


BASE_DIR = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("BOOKSHOP_DATA") or BASE_DIR / "var").resolve()
STATIC_ROOT = DATA / "static"
MEDIA_ROOT = DATA / "media"
# SQLite creates its file but not the folder, and WhiteNoise warns about a missing one.
for folder in (STATIC_ROOT, MEDIA_ROOT):
    folder.mkdir(parents=True, exist_ok=True)

SECRET_KEY = os.environ.get("BOOKSHOP_SECRET_KEY") or "demo-only-not-a-secret-set-BOOKSHOP_SECRET_KEY-to-your-own"
DEBUG = os.environ.get("BOOKSHOP_DEBUG", "").lower() in ("1", "true", "yes", "on")
ALLOWED_HOSTS = words("BOOKSHOP_ALLOWED_HOSTS", "localhost,.localhost,127.0.0.1,[::1],testserver")
CSRF_TRUSTED_ORIGINS = words("BOOKSHOP_CSRF_TRUSTED_ORIGINS")
# SECURE_PROXY_SSL_HEADER stays unset: the server decides whom it believes about the scheme and says so in
# wsgi.url_scheme. Setting it here as well would believe anybody.

ROOT_URLCONF = "bookshop.urls"
WSGI_APPLICATION = "bookshop.wsgi.application"
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    # Before staticfiles: `runserver` then serves static files the way the real server does.
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "shop",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "shop.basket.basket_count",
            ],
        },
    },
]

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": DATA / "bookshop.sqlite3",
        # One connection per thread, kept for the life of the worker.
        "CONN_MAX_AGE": None,
        "OPTIONS": {
            # Seconds to wait for another worker's write before "database is locked".
            "timeout": 20,
            # The write lock is taken at BEGIN. A transaction that reads first and then writes would otherwise fail
            # at once, without waiting, when another worker wrote in between.
            "transaction_mode": "IMMEDIATE",
            # With a write-ahead log readers never wait for the writer. It is a property of the file; naming it on
            # each connection costs nothing once it holds.
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        },
    },
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

STATIC_URL = "/static/"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    # Names carry a hash of the content, so a browser may keep a file for ever.
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
USE_TZ = True

# Django's own default sends errors by mail and nowhere else unless DEBUG is on. Here they go to stderr, from where
# the server or the init system takes them.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(levelname)s %(name)s: %(message)s"}},
    "handlers": {
        "stderr": {"class": "logging.StreamHandler", "formatter": "plain"},
        "errors": {"class": "logging.StreamHandler", "formatter": "plain", "level": "INFO" if DEBUG else "ERROR"},
    },
    "root": {"handlers": ["stderr"], "level": "WARNING"},
    "loggers": {
        # Django calls each 404 a warning; the access log has those already.
        "django": {"handlers": ["errors"], "level": "INFO", "propagate": False},
        # A scanner with a made-up Host gets its 400. It is no error of ours, and a traceback each would bury real ones.
        "django.security.DisallowedHost": {"level": "CRITICAL"},
    },
}
