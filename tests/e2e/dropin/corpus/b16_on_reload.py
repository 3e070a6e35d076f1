def _note(text):
    with open("hooks.txt", "a") as file:
        file.write(text + "\n")


# signals: HUP
# logs: the old workers leave in another order
bind = "127.0.0.1:0"


def on_reload(server):
    _note("on_reload")


def nworkers_changed(server, new, old):
    _note(f"nworkers_changed {new} {old}")
