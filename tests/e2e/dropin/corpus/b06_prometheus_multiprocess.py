# needs: prometheus_client
# get: /
import os

os.makedirs("metrics", exist_ok=True)
os.environ["PROMETHEUS_MULTIPROC_DIR"] = os.path.abspath("metrics")
from prometheus_client import multiprocess

bind = "127.0.0.1:0"
workers = 2


def child_exit(server, worker):
    multiprocess.mark_process_dead(worker.pid)
    with open("hooks.txt", "a") as file:
        file.write("marked dead\n")
