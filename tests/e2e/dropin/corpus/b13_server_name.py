# get: /
# server: my own
import gunicorn

gunicorn.SERVER = "my own"
gunicorn.SERVER_SOFTWARE = "nothing"
bind = "127.0.0.1:0"
