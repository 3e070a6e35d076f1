def _note(text):
    with open("hooks.txt", "a") as file:
        file.write(text + "\n")


# signals: TTIN TTOU
# logs: a worker more or less
bind = "127.0.0.1:0"


def nworkers_changed(server, new, old):
    _note(f"nworkers_changed {new} {old}")
