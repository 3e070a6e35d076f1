# get: /
import os
import signal

bind = "127.0.0.1:0"


def _leave(number, frame):
    os._exit(9)


for _number in (signal.SIGTERM, signal.SIGCHLD, signal.SIGHUP):
    signal.signal(_number, _leave)
