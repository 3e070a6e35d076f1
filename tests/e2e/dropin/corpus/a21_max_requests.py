# get: / / / / / /
# logs: workers are replaced in another order
bind = "127.0.0.1:0"
max_requests = 2
