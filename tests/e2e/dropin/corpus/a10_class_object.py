# get: /environ
# logs: Gunicorn names the class, indrik the kind of worker
from gunicorn.workers.sync import SyncWorker

bind = "127.0.0.1:0"
worker_class = SyncWorker
