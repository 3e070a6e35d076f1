# logs: a mold imports the application
# wait: asked
def _note(text):
    with open("hooks.txt", "a") as file:
        file.write(text + "\n")


import gc

bind = "127.0.0.1:0"
preload_app = True


def when_ready(server):
    application = server.app.wsgi()
    gc.freeze()
    _note(f"{application.__name__} {gc.get_freeze_count() > 0} {server.address[0][0]} {len(server.LISTENERS)}")


def post_fork(server, worker):
    _note(f"asked {worker.app.callable is server.app.callable} {worker.age}")
