def _note(text):
    with open("hooks.txt", "a") as file:
        file.write(text + "\n")


# get: / /nope
bind = "127.0.0.1:0"


def post_request(worker, req):
    _note(f"{req.path}")
    raise ValueError("in the hook")
