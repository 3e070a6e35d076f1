# ends: 1
bind = "127.0.0.1:0"
if True
    workers = 2
