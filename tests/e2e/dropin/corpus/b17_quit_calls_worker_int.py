import os


def _note(text):
    with open("hooks.txt", "a") as file:
        file.write(text + "\n")


# stop: QUIT
# get: /
bind = "127.0.0.1:0"


def worker_int(worker):
    _note(f"worker_int {worker.pid == os.getpid()}")
