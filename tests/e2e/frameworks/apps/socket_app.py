"""WebSockets with flask-sock, beside plain pages. What becomes of each socket is noted in `ended.log`."""

import os

from flask import Flask
from flask_sock import Sock
from simple_websocket import ConnectionClosed

application = Flask(__name__)
if "PING_INTERVAL" in os.environ:
    application.config["SOCK_SERVER_OPTIONS"] = {"ping_interval": float(os.environ["PING_INTERVAL"])}
sockets = Sock(application)


def note(line):
    with open("ended.log", "a") as file:
        file.write(f"{line}\n")


@application.get("/page")
def page():
    return "page"


@sockets.route("/echo")
def echo(ws):
    """Sends back what it gets; `close` makes it end from here."""
    try:
        while (message := ws.receive()) != "close":
            ws.send(message)
        ws.close(4000, "as you wish")
        note("closed here")
    except ConnectionClosed as closed:
        note(f"closed there {int(closed.reason)}")


@sockets.route("/count/<int:end>")
def count(ws, end):
    """Speaks first, does not listen, and leaves."""
    for number in range(end):
        ws.send(str(number))
    note("counted")


people = {}


@sockets.route("/talk/<name>")
def talk(ws, name):
    """What one says, all hear."""
    people[name] = ws
    try:
        for message in iter(ws.receive, None):
            for other in list(people.values()):
                other.send(f"{name}: {message}")
    finally:
        del people[name]
