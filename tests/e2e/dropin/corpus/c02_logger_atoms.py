# get: /?token=secret /boom
from gunicorn.glogging import Logger

bind = "127.0.0.1:0"
accesslog = "-"
access_log_format = "%(r)s %(s)s %(own)s"


class Redacting(Logger):
    def atoms(self, resp, req, environ, request_time):
        atoms = super().atoms(resp, req, environ, request_time)
        atoms["r"] = atoms["r"].replace("secret", "***")
        atoms["own"] = req.method.lower()
        return atoms

    def now(self):
        return "[now]"


logger_class = Redacting
