# get: /environ
bind = "127.0.0.1:0"
worker_class = "sync"
threads = 2
