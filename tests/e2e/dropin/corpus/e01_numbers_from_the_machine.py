import multiprocessing
import os

print("settings are read", os.path.basename(__file__), flush=True)
bind = "127.0.0.1:0"
cores = multiprocessing.cpu_count()
workers: int = max(min(cores * 2 + 1, 2), 1)
threads = int(os.getenv("GUNICORN_THREADS", "2"))
worker_class = "gthread" if threads > 1 else "sync"
timeout = int(os.environ.get("GUNICORN_TIMEOUT") or 120)
