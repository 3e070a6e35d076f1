# get: /os?DJANGO_SETTINGS_MODULE
bind = "127.0.0.1:0"
raw_env = "DJANGO_SETTINGS_MODULE=x.settings"
