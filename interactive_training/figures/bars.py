"""The length of the gradient in every layer, input on the left."""

from collections.abc import Mapping

from matplotlib.axes import Axes

from interactive_training.figures import style


class LayerBars:
    """One bar for each layer on a log axis.

    Notice: bars that fall towards the left mean that the first layers hardly learn.
    """

    FLOOR = 1e-8

    def __init__(self, ax: Axes, names: list[str], *, animated: bool = True) -> None:
        ax.set_yscale("log")
        self.ax = style.article(ax, "gradient norm of each layer (log)")
        self.names = names
        ax.set(xlim=(-0.6, len(names) - 0.4), ylim=(1e-6, 1e2))
        ax.set_xticks(range(len(names)), names if len(names) <= 8 else [""] * len(names))
        self.bars = ax.bar(
            range(len(names)), [self.FLOOR] * len(names), width=0.6, bottom=0, animated=animated
        )
        for bar in self.bars:
            style.role(bar, "you").set_linewidth(0)

    def show(self, norms: Mapping[str, float]) -> None:
        """Draw these lengths by layer."""
        for name, bar in zip(self.names, self.bars, strict=True):
            bar.set_height(max(norms.get(name, 0.0), self.FLOOR))
