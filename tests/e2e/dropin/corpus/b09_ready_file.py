# wait: app-initialized
bind = "127.0.0.1:0"


def when_ready(server):
    open("app-initialized", "w").close()
    with open("hooks.txt", "a") as file:
        file.write("app-initialized\n")
