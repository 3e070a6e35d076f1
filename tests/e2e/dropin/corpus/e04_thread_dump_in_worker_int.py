# stop: INT
def _note(text):
    with open("hooks.txt", "a") as file:
        file.write(text + "\n")


import sys
import threading
import traceback

bind = "127.0.0.1:0"


def worker_int(worker):
    worker.log.info("worker received INT or QUIT signal")
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    lines = []
    for ident, stack in sys._current_frames().items():
        lines.append(names.get(ident, ""))
        lines += [line for _, _, _, line in traceback.extract_stack(stack)]
    _note(f"stacks {'MainThread' in lines} {worker.alive}")
