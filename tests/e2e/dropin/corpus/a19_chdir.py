# get: /cwd
import os

os.makedirs("inner", exist_ok=True)
chdir = "./inner/"
pythonpath = os.getcwd()
bind = "127.0.0.1:0"
