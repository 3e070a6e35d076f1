bind = ["127.0.0.1:0", "unix:second.sock"]
workers = 2
