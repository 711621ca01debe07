"""The screen: matplotlib figures whose moving parts are painted in the browser."""

from interactive_training.live.figure import LiveFigure
from interactive_training.live.group import Group

__all__ = ["Group", "LiveFigure"]
