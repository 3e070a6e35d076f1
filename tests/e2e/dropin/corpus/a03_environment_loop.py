# env: GUNICORN_WORKERS=2 GUNICORN_THREADS=2 GUNICORN_TIMEOUT=60 GUNICORN_ACCESSLOG=- GUNICORN_SPECIAL=x
# get: / /environ
import os

bind = "127.0.0.1:0"
for k, v in os.environ.items():
    if k.startswith("GUNICORN_") and k != "GUNICORN_CMD_ARGS":
        key = k.split("_", 1)[1].lower()
        locals()[key] = v
