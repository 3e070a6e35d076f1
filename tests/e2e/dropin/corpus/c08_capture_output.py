# get: /print
# files: all.log
bind = "127.0.0.1:0"
errorlog = "all.log"
capture_output = True
