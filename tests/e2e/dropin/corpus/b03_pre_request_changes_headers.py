# get: /environ
bind = "127.0.0.1:0"


def pre_request(worker, req):
    req.headers.append(("X-REQUEST-START", "17"))
    req.headers.append(("X-SHOP-NAME", "books"))
    req.scheme = "https"
