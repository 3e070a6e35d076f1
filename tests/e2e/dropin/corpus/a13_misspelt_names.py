# logs: indrik warns of names that do nothing
bind = "127.0.0.1:0"
preload = True
keep_alive = 5
access_logfile = "-"
log_level = "debug"
pid = "x.pid"
debug = True
command = "/usr/bin/gunicorn"
name = "shop"
max_memory = 1
