# logs: the application is imported elsewhere
import gc

bind = "127.0.0.1:0"
workers = 2
preload_app = False


def when_ready(server):
    gc.freeze()
