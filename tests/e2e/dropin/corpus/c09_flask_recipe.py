# app: copies:application
# get: /
bind = "127.0.0.1:0"
accesslog = "-"
loglevel = "debug"
# logs: DEBUG lines are each server's own
