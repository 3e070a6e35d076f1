def _note(text):
    with open("hooks.txt", "a") as file:
        file.write(text + "\n")


# get: /
import signal

bind = "127.0.0.1:0"


def post_worker_init(worker):
    old = signal.getsignal(signal.SIGTERM)
    assert callable(old)

    def handler(number, frame):
        _note("my own handler")
        old(number, frame)

    signal.signal(signal.SIGTERM, handler)
