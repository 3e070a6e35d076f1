# ends: 1
bind = "127.0.0.1:0"
exec("if True\n    workers = 2\n")
