# headers: X-Forwarded-Proto=https X-Forwarded-For=10.1.1.1
bind = "127.0.0.1:0"
forwarded_allow_ips = "*"
secure_scheme_headers = {"X-FORWARDED-PROTO": "https", "X-FORWARDED-PORT": "443"}
accesslog = "-"
access_log_format = '%(h)s %({X-Forwarded-For}i)s %({x-forwarded-proto}i)s "%(r)s" %(s)s %(b)s %(m)s %(U)s %(q)s %(H)s'
