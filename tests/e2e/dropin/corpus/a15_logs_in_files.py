# get: / /log
# files: access.log error.log
import os

os.makedirs("logs", exist_ok=True)
bind = "127.0.0.1:0"
accesslog = "logs/access.log"
errorlog = "logs/error.log"
access_log_format = "%(m)s %(U)s?%(q)s %(H)s %(s)s %(B)s %({x-shop}o)s %({X-Trace}i)s %({wsgi.url_scheme}e)s"
