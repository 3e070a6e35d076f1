# get: / /health /nope
from gunicorn import glogging

bind = "127.0.0.1:0"
accesslog = "-"
errorlog = "-"


class HealthFilter(glogging.Logger):
    def setup(self, cfg):
        super().setup(cfg)
        self.error_log.info("my own logger")

    def access(self, resp, req, environ, request_time):
        if environ["PATH_INFO"] != "/health":
            super().access(resp, req, environ, request_time)


logger_class = HealthFilter
