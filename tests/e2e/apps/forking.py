"""An application that forks by itself: one path for each way."""

import json
import multiprocessing
import os
import subprocess
import sys
import time

fork = multiprocessing.get_context("fork")


def application(environ, start_response):
    return PATHS[environ["PATH_INFO"][1:]](environ, start_response)


def answer(start_response, body):
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(body).encode()]


def sockets():
    """What of this process's descriptors belongs to no file and no pipe."""
    links = []
    for number in os.listdir("/proc/self/fd"):
        try:
            links.append(os.readlink(f"/proc/self/fd/{number}"))
        except FileNotFoundError:
            pass  # the one of listdir itself
    return sorted(link for link in links if link.startswith("socket:") or "eventpoll" in link)


def pid(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]


def work(sender, environ):
    seen = {"sockets": sockets(), "pid": os.getpid()}
    for name, use in {
        "hints": lambda: environ["wsgi.early_hints"]([("Link", "</a>")]),
        "gone": environ["indrik.client_disconnected"],
        "socket": lambda: environ["gunicorn.socket"].sendall(b"forged"),
    }.items():
        try:
            use()
            seen[name] = "fine"
        except RuntimeError as error:
            seen[name] = str(error)
    sender.send(seen)


def in_a_process(environ, start_response):
    receiver, sender = fork.Pipe(duplex=False)
    process = fork.Process(target=work, args=(sender, environ))
    process.start()
    sender.close()
    seen = receiver.recv()
    process.join()
    return answer(start_response, {"code": process.exitcode, "parent": sockets(), **seen})


def in_a_pool(environ, start_response):
    with fork.Pool(2) as pool:
        return answer(start_response, sum(pool.map(abs, range(-9, 1))))


def terminated(environ, start_response):
    process = fork.Process(target=time.sleep, args=(600,))
    process.start()
    process.terminate()
    process.join(15)
    return answer(start_response, process.exitcode)


def with_preexec(environ, start_response):
    code = "import os; print(len([n for n in os.listdir('/proc/self/fd')]))"
    child = subprocess.run([sys.executable, "-c", code], preexec_fn=lambda: os.nice(1), capture_output=True, text=True)
    return answer(start_response, {"code": child.returncode, "descriptors": int(child.stdout), "errors": child.stderr})


def code_of(child):
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def returns(environ, start_response):
    child = os.fork()
    if child == 0:
        return answer(start_response, "of the child")
    return answer(start_response, code_of(child))


def raises(environ, start_response):
    child = os.fork()
    if child == 0:
        raise ValueError("of the child")
    return answer(start_response, code_of(child))


def writes(environ, start_response):
    write = start_response("200 OK", [("Content-Type", "application/json")])
    child = os.fork()
    if child == 0:
        write(b"of the child")
        return []
    write(json.dumps(code_of(child)).encode())
    return []


def yields(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/json")])
    yield b"["
    child = os.fork()
    if child == 0:
        yield b"of the child"
        return
    yield json.dumps(code_of(child)).encode()
    yield b"]"


def lives_on(environ, start_response):
    """Leaves a child behind that outlives its request, and here the server too."""
    child = os.fork()
    if child == 0:
        try:
            os.setsid()
            time.sleep(60)
        finally:
            os._exit(0)
    return answer(start_response, child)


def lives_on_unseen(environ, start_response):
    """The same without Python's hooks, as a library in C does it: the child holds copies of everything."""
    import ctypes

    child = ctypes.PyDLL(None).fork()
    if child == 0:
        try:
            os.setsid()
            time.sleep(60)
        finally:
            os._exit(0)
    return answer(start_response, child)


PATHS = {
    made.__name__: made
    for made in (
        pid,
        in_a_process,
        in_a_pool,
        terminated,
        with_preexec,
        returns,
        raises,
        writes,
        yields,
        lives_on,
        lives_on_unseen,
    )
}
