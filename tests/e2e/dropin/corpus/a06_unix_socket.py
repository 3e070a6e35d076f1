# get: / /environ
bind = "unix:shop.sock"
accesslog = "-"
access_log_format = '"%(r)s" %(s)s'
