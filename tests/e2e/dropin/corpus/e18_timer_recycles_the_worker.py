# wait: killed
def _note(text):
    with open("hooks.txt", "a") as file:
        file.write(text + "\n")


import os
import signal
import threading

bind = "127.0.0.1:0"


def post_fork(server, worker):
    if worker.age > 1:
        return
    threading.Timer(0.3, os.kill, (worker.pid, signal.SIGINT)).start()


def worker_int(worker):
    if worker.age == 1:
        _note("worker_int")


def child_exit(server, worker):
    if worker.age == 1:
        _note("killed")
