"""Applications made by a call: `factory:create()` and `factory:create("a", times=2)`."""


def create(word="made", times=1):
    body = (word * times).encode()

    def application(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
        return [body]

    return application


def create_nothing():
    return None
