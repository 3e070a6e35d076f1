def _note(text):
    with open("hooks.txt", "a") as file:
        file.write(text + "\n")


import functools

bind = "127.0.0.1:0"


class Ready:
    def __call__(self, server):
        _note("ready")


def _with_name(name, server):
    _note(name)


when_ready = Ready()
on_exit = functools.partial(_with_name, "exit")
globals()["on_starting"] = lambda server: _note("starting")
