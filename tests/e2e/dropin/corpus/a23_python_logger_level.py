# get: /loggers /log
bind = "127.0.0.1:0"
loglevel = "INFO"
accesslog = "-"
