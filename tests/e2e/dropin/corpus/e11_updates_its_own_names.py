settings = {"bind": "127.0.0.1:0", "workers": "2", "keepalive": 5, "proc_name": "shop"}
locals().update(settings)
# get: /os?ONE /os?TWO /environ /cwd
# args: --env SCRIPT_NAME=/cuts -e TWO=2=2
# logs: both name another process
raw_env = ("ONE=from the file",)
globals()["graceful_timeout"] = "3"
