# env: WEB_CONCURRENCY=2
# get: / /environ
workers_per_core = 1
bind = "127.0.0.1:0"
