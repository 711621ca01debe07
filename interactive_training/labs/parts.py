"""The parts of a lab that are not pictures: one small widget class; the files in `page` draw it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anywidget
import traitlets

_PAGE = Path(__file__).parent / "page"  # the browser's half: small files, joined into one module
Handler = Callable[[dict[str, Any]], None]


def _ignore(_: Any) -> None:
    """What a closed part does with a late message."""


class Part(anywidget.AnyWidget):
    """A part of a lab: "top", "code", "words", "question", "heading" or "racers".

    Python writes `state`, the browser sends messages; neither writes what the other does, so a
    slow page and a busy kernel cannot disagree. `receive` gets each message as a dict with its
    "verb"; what it raises is handed to `failed`, since no cell would show it.
    """

    # As text: given paths, anywidget watches the files and keeps every part alive for ever.
    _esm = "\n".join(path.read_text(encoding="utf-8") for path in sorted(_PAGE.glob("*.js")))
    _css = (_PAGE / "lab.css").read_text(encoding="utf-8")

    part = traitlets.Unicode().tag(sync=True)
    state = traitlets.Dict().tag(sync=True)

    def __init__(self, part: str, receive: Handler, failed: Callable[[Exception], None]) -> None:
        super().__init__(part=part)
        self._take, self._failed = receive, failed
        self._sent = 0
        self.add_class(f"it-{part}")
        self.on_msg(self._receive)

    def __repr__(self) -> str:
        return f"Part({self.part!r})"

    def show(self, state: dict[str, Any], *, again: bool = False) -> None:
        """Show `state`; `again` sends it even if nothing changed, to put a control back."""
        if again:
            self._sent += 1
        state = {**state, "sent": self._sent}
        if state != self.state:
            self.state = state

    def tell(self, message: dict[str, Any]) -> None:
        """Send something that happens once, such as text for the clipboard."""
        self.send(message)

    def close(self) -> None:
        """Take the part off every page."""
        layout = self.layout
        self._take, self._failed = _ignore, _ignore
        super().close()
        if layout is not None:
            layout.close()

    def _receive(self, _: Any, message: dict[str, Any], __: Any) -> None:
        try:
            self._take(message)
        except Exception as error:
            self._failed(error)
