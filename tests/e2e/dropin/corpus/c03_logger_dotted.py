# get: /
bind = "127.0.0.1:0"
accesslog = "-"
logger_class = "hook_module.SafeLogger"
