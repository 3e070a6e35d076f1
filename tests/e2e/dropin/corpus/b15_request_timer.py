# get: / /nope
import time

bind = "127.0.0.1:0"


def pre_request(worker, req):
    req.start = time.time()


def post_request(worker, req, environ, resp):
    assert time.time() - req.start < 60
    worker.log.info("took its time: %s %s", req.path, getattr(resp, "status_code", None))
