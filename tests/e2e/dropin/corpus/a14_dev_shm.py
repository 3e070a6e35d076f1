bind = "127.0.0.1:0"
worker_tmp_dir = "/dev/shm"
workers = 2
