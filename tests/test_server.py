"""The server's extension: enabled by the installation, light, and every connection is prompt."""

import asyncio
import re
import socket
import subprocess
import sys

import pytest
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application
from tornado.websocket import WebSocketHandler, websocket_connect

import interactive_training_server as extension

NODELAY = (socket.IPPROTO_TCP, socket.TCP_NODELAY)


class Usual:
    """What the extension knows of a server's connection."""

    def __init__(self, websocket_handler):
        self.websocket_handler = websocket_handler

    def connect(self):
        return "connected"


class App:
    """What the extension knows of a server."""

    base_url = "/hub/"

    def __init__(self):
        self.web_app = Application()
        self.web_app.settings["kernel_websocket_connection_class"] = Usual


@pytest.mark.parametrize("loaded", [True, False])
def test_nothing_is_held_back_on_a_connection(loaded):
    app = App()
    if loaded:
        extension._load_jupyter_server_extension(app)

    class Handler(WebSocketHandler):
        def open(self):
            connection = app.web_app.settings["kernel_websocket_connection_class"](self)
            answer = connection.connect()
            option = self.ws_connection.stream.socket.getsockopt(*NODELAY)
            self.write_message(f"{answer} {bool(option)}")

    async def said():
        app.web_app.add_handlers(".*", [("/", Handler)])
        (bound,) = bind_sockets(0, "127.0.0.1")
        server = HTTPServer(app.web_app)
        server.add_socket(bound)
        page = await websocket_connect(f"ws://127.0.0.1:{bound.getsockname()[1]}/")
        message = await page.read_message()
        page.close()
        server.stop()
        return message

    assert asyncio.run(said()) == f"connected {loaded}"


def test_the_icons_of_the_tab_are_kept_by_the_browser():
    app = App()
    app.web_app.settings["static_immutable_cache"] = ["/hub/lab/"]
    extension._load_jupyter_server_extension(app)
    assert app.web_app.settings["static_immutable_cache"] == ["/hub/lab/", "/hub/static/favicons/"]


def test_the_installation_enables_it():
    listing = [sys.executable, "-m", "jupyter_server.extension.serverextension", "list"]
    run = subprocess.run(listing, capture_output=True, text=True, check=True)
    plain = re.sub(r"\x1b\[\d+m", "", run.stdout)
    assert re.search(r"interactive_training_server\s+enabled", plain)
    assert re.search(r"interactive_training_server\s.*OK", plain)


def test_a_server_with_it_does_not_import_torch():
    program = "import sys, interactive_training_server; print('torch' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert shown.stdout == b"False\n"
