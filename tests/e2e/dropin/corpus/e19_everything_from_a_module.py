from hook_module import *

bind = "127.0.0.1:0"
errorlog = accesslog = "-"
capture_output = True
disable_redirect_access_to_syslog = True
limit_request_line = 0
limit_request_fields = 200
limit_request_field_size = 0
tmp_upload_dir = None
spew = False
daemon = False
pidfile = None
worker_tmp_dir = None
user = None
group = None
print_config = False
# logs: hooks of the module
