# wait: configured
def _note(text):
    with open("hooks.txt", "a") as file:
        file.write(text + "\n")


import logging
import logging.config

bind = "127.0.0.1:0"


def post_fork(server, worker):
    logging.config.dictConfig({"version": 1, "disable_existing_loggers": False})
    logging.getLogger("gunicorn.error").info("logging of the worker")
    worker.log.log("warning", "by name")
    worker.log.exception("no exception")
    _note("configured")
