# get: /
import json

bind = "127.0.0.1:0"
with open("logging.json", "w") as _file:
    json.dump({"formatters": {"generic": {"format": "%(levelname)s %(message)s", "class": "logging.Formatter"}}}, _file)
logconfig_json = "logging.json"
access_log_format = "%(m)s %(U)s %(s)s"
