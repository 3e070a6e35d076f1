# get: / /log
bind = "127.0.0.1:0"
logconfig_dict = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"short": {"format": "%(levelname)s|%(name)s|%(message)s"}},
    "handlers": {"short": {"class": "logging.StreamHandler", "formatter": "short", "stream": "ext://sys.stderr"}},
    "root": {"level": "INFO", "handlers": ["short"]},
    "loggers": {
        "gunicorn.error": {"level": "INFO", "handlers": ["short"], "propagate": False},
        "gunicorn.access": {"level": "INFO", "handlers": ["short"], "propagate": False},
    },
}
access_log_format = "%(m)s %(U)s %(s)s"
