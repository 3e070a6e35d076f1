# headers: X-Forwarded-Proto=https X-Request-Id=7
# get: /environ
bind = "127.0.0.1:0"
forwarded_allow_ips = "*"
secure_scheme_headers = {"X-FORWARDED-PROTO": "https"}
