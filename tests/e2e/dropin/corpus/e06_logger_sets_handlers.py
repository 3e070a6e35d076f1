def _note(text):
    with open("hooks.txt", "a") as file:
        file.write(text + "\n")


import gunicorn.glogging

bind = "127.0.0.1:0"
accesslog = "logs/access.log"
errorlog = "-"
# files: access.log
import os

os.makedirs("logs", exist_ok=True)


class Logger(gunicorn.glogging.Logger):
    def _set_handler(self, log, output, fmt, stream=None):
        super()._set_handler(log, output, fmt, stream)
        _note(f"{log.name} {output} {stream is not None}")

    def atoms(self, resp, req, environ, request_time):
        atoms = super().atoms(resp, req, environ, request_time)
        atoms["{mine}c"] = f"{req.method}:{resp.status}:{environ['PATH_INFO']}"
        return atoms


logger_class = Logger
access_log_format = '%({mine}c)s %(s)s "%({user-agent}i)s" %({x-shop}o)s %({nothing}e)s'
