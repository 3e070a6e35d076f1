# env: THREADS=3 WEB_CONCURRENCY=2
# get: / /environ
import os

bind = "127.0.0.1:0"
threads = os.environ["THREADS"]
workers = os.environ.get("WEB_CONCURRENCY", 1)
max_requests = os.environ.get("MAX_REQUESTS") or 1000
max_requests_jitter = "50"
preload_app = "False"
daemon = "false"
