"""Runs a peer that has no command of its own: `launch.py PEER MODULE:NAME PORT THREADS`, in the bench's environment.

The folder of the application is the working directory. Access logs stay off, as for every peer.
"""

import importlib
import os
import sys


def bjoern(application, port, threads):
    import bjoern

    bjoern.run(application, "127.0.0.1", port)


def fastwsgi(application, port, threads):
    import fastwsgi

    fastwsgi.run(application, host="127.0.0.1", port=port)


def cheroot(application, port, threads):
    from cheroot.wsgi import Server

    Server(("127.0.0.1", port), application, numthreads=threads, request_queue_size=1024).start()


def main():
    peer, target, port, threads = sys.argv[1:]
    sys.path[0] = os.getcwd()
    module, _, name = target.partition(":")
    application = getattr(importlib.import_module(module), name)
    {"bjoern": bjoern, "fastwsgi": fastwsgi, "cheroot": cheroot}[peer](application, int(port), int(threads))


if __name__ == "__main__":
    main()
