# app: -
wsgi_app = "visited:create('from the file', loud=True)"
bind = "127.0.0.1:0"
