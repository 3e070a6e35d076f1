# app: leaves
# ends: 4
bind = "127.0.0.1:0"
