def _note(text):
    with open("hooks.txt", "a") as file:
        file.write(text + "\n")


# wait: ticked
import threading
import time

bind = "127.0.0.1:0"
# logs: indrik tells of threads at the first fork


def when_ready(server):
    def tick():
        for _ in range(3):
            time.sleep(0.05)
        _note("ticked")

    threading.Thread(target=tick, daemon=True).start()
