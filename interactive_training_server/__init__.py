"""A small extension of the Jupyter server: what a kernel says reaches the page at once.

Where small messages follow each other, TCP holds each one back until the page has confirmed the
one before (Nagle's algorithm), and the page waits up to 40 ms before it confirms. A lab's frames
come every 33 ms, so most of them wait. With TCP_NODELAY nothing is held back.

Every answer of the page to a frame makes the kernel busy for a moment, and for each such moment
JupyterLab loads two icons of its tab anew, through the same server. Kept by the browser they cost
next to nothing.

A package of its own, because a server that imports interactive_training would import torch.
"""

from typing import Any


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    """Name the module with the extension, as Jupyter asks for it."""
    return [{"module": __name__}]


def _load_jupyter_server_extension(app: Any) -> None:
    """Let connections made from now on send everything at once, and browsers keep the icons."""
    settings = app.web_app.settings
    settings["kernel_websocket_connection_class"] = prompt(
        settings["kernel_websocket_connection_class"]
    )
    kept = settings.get("static_immutable_cache", [])
    settings["static_immutable_cache"] = [*kept, f"{app.base_url}static/favicons/"]


def prompt(usual: type[Any]) -> type[Any]:
    """A connection between a kernel and a page like the `usual` one, without Nagle's algorithm.

    Source: tornado.websocket.WebSocketHandler.set_nodelay.
    """

    class Prompt(usual):  # type: ignore[misc]  # it may be a gateway's
        def connect(self) -> Any:
            self.websocket_handler.set_nodelay(True)
            return super().connect()

    return Prompt
