# get: / /environ /boom
bind = "127.0.0.1:0"
worker_class = "gthread"
threads = 4
workers = 1
