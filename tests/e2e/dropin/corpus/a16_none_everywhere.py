bind = "127.0.0.1:0"
pidfile = user = group = tmp_upload_dir = keyfile = certfile = None
logconfig = worker_tmp_dir = accesslog = statsd_host = proc_name = None
logconfig_dict = {}
