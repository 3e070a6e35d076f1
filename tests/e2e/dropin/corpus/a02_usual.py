# get: / /nope /environ
import multiprocessing

bind = "127.0.0.1:0"
workers = min(multiprocessing.cpu_count() * 2 + 1, 3)
timeout = 120
keepalive = 5
accesslog = "-"
errorlog = "-"
loglevel = "info"
proc_name = "shop"
