"""Answers `/STATUS`, by the query with a Content-Length (`length`), with a body (`body`), both, or neither."""


def application(environ, start_response):
    wanted = environ["QUERY_STRING"].split("+")
    body = b"body" if "body" in wanted else b""
    headers = [("Content-Type", "text/plain")]
    if "length" in wanted:
        headers.append(("Content-Length", "4"))
    start_response(f"{environ['PATH_INFO'][1:]} Whatever", headers)
    return [body] if body else []
