"""The screen: matplotlib figures whose moving parts are painted in the browser."""

from interactive_training.live.figure import LiveFigure

__all__ = ["LiveFigure"]
