# get: /nope?a=1 /
def _note(text):
    with open("hooks.txt", "a") as file:
        file.write(text + "\n")


bind = "127.0.0.1:0"


def pre_request(worker, req):
    worker.log.debug("%s %s", req.method, req.path)
    req.mark = f"{req.uri} {req.path} {req.query} {req.version} {req.scheme} {type(req.headers).__name__}"


def post_request(worker, req, environ, resp):
    fields = dict(resp.headers)
    _note(f"{req.mark} {resp.status} {resp.status_code} {fields['X-Shop']} {resp.sent} {environ.get('PATH_INFO')}")
    _note(f"{resp.response_length} {resp.headers_sent} {resp.chunked} {worker.nr}")
