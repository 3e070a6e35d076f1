# signals: TTIN TTOU
# logs: Gunicorn tells of the worker that it has sent away
def _note(text):
    with open("hooks.txt", "a") as file:
        file.write(text + "\n")


bind = "127.0.0.1:0"


def nworkers_changed(server, new_value, old_value):
    _note(f"workers {old_value} {new_value} {server.num_workers}")
