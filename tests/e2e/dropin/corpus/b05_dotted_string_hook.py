# get: /
bind = "127.0.0.1:0"
when_ready = "hook_module.initialize"
