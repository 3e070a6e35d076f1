# get: /
bind = "127.0.0.1:0"
with open("logging.ini", "w") as _file:
    _file.write("""
[loggers]
keys=root, gunicorn.error, gunicorn.access

[handlers]
keys=console

[formatters]
keys=plain

[logger_root]
level=INFO
handlers=console

[logger_gunicorn.error]
level=INFO
handlers=console
propagate=0
qualname=gunicorn.error

[logger_gunicorn.access]
level=INFO
handlers=console
propagate=0
qualname=gunicorn.access

[handler_console]
class=StreamHandler
formatter=plain
args=(sys.stderr,)

[formatter_plain]
format=%(levelname)s %(message)s
""")
logconfig = "logging.ini"
access_log_format = "%(m)s %(U)s %(s)s"
