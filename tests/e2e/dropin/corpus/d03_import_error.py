# app: not_there
# ends: 3
bind = "127.0.0.1:0"
