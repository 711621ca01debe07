"""One figure with every kind of moving artist, for pictures to be compared."""

from __future__ import annotations

import matplotlib
import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from interactive_training.figures import style


def loss_figure(points: int = 101) -> Figure:
    """A loss chart as labs draw it: two runs, the run before, and their names."""
    figure = Figure(layout=style.Margins())
    ax = figure.add_subplot(xlim=(0, 300), ylim=(0.01, 10), yscale="log")
    style.article(ax, "loss per sample (log)")
    x = np.linspace(0, 300, points)
    noise = np.exp(0.1 * np.random.default_rng(0).normal(size=x.size))
    runs = {
        "ghost": ("before", 3 * np.exp(-x / 90)),
        "you": ("you", 3 * np.exp(-x / 60) * noise),
        "twin": ("twin", 3 * np.exp(-x / 200) * noise),
    }
    for lane, (words, y) in runs.items():
        style.lane(*ax.plot(x, y, animated=True), lane)
        label = ax.annotate(
            words,
            (x[-1], y[-1]),
            xytext=(8, 0),
            textcoords="offset points",
            verticalalignment="center",
            fontsize=style.LABEL_SIZE,
            animated=True,
        )
        style.role(label, lane)
    return figure


def every_artist() -> Figure:
    """Six small axes, a kind of artist or two in each."""
    figure = Figure(layout=style.Margins(left=36, right=12, top=24, bottom=24))
    axes = figure.subplots(2, 3, gridspec_kw={"wspace": 0.25, "hspace": 0.5}).ravel()
    for ax, name in zip(axes, ("steps", "scatter", "bars", "image", "shapes", "text"), strict=True):
        style.article(ax, name)
        ax.set(xlim=(0, 10), ylim=(0, 10))
    x = np.linspace(0, 10, 21)
    random = np.random.default_rng(1)

    y = 5 + 4 * np.sin(x)
    y[8] = np.nan
    style.lane(*axes[0].plot(x, y, drawstyle="steps-post", animated=True), "you")
    style.lane(*axes[0].plot(x, 12 - x, animated=True), "third")
    (hollow,) = axes[0].plot(x, x * 0.8, "D", markerfacecolor="none", animated=True)
    style.role(hollow, "fourth")
    hollow.set_markevery(4)

    style.role(axes[1].scatter(x, y, s=36, animated=True), "twin")
    axes[1].scatter(
        random.uniform(0, 10, 30),
        random.uniform(0, 10, 30),
        c=random.uniform(size=30),
        s=random.uniform(10, 150, 30),
        marker="^",
        alpha=0.6,
        animated=True,
    )

    bars = axes[2].bar(range(1, 10), random.uniform(2, 9, 9), animated=True)
    for i, bar in enumerate(bars):
        style.role(bar, "you" if i % 2 else "ghost")
    bars[3].set(edgecolor="#B3261E", linewidth=2, facecolor="none")

    axes[3].imshow(random.uniform(size=(8, 8)), extent=(1, 5, 1, 9), aspect="auto", animated=True)
    colours = matplotlib.colormaps["viridis"](random.uniform(size=(4, 3)))
    axes[3].imshow(colours, extent=(6, 9, 1, 9), aspect="auto", origin="lower", animated=True)
    axes[3].set(xlim=(0, 10), ylim=(0, 10))

    axes[4].fill_between(x, y - 1.5, y + 1.5, color="#1769C2", alpha=0.3, animated=True)
    rays = LineCollection(
        [[(5, 5), (5 + 5 * np.cos(a), 5 + 5 * np.sin(a))] for a in np.arange(0, 6, 0.7)],
        colors=[(a / 6, 0.2, 0.5) for a in np.arange(0, 6, 0.7)],
        linewidths=1.5,
        animated=True,
    )
    axes[4].add_collection(rays)

    words = axes[5]
    for text in (
        words.text(1, 8, "left, 12 px", fontsize=12, animated=True),
        words.text(9, 6, "right\ntwo lines", ha="right", va="top", animated=True),
        words.text(5, 2, "turned", ha="center", va="center", rotation=30, animated=True),
        words.text(0.02, 0.05, "bold", transform=words.transAxes, weight="bold", animated=True),
    ):
        style.role(text, "text")
    return figure


def bowl_figure() -> Figure:
    """Contours that stand still, a path and its start that move."""
    figure = Figure(layout=style.Margins(left=28, right=12, top=24, bottom=24))
    ax = figure.add_subplot(xlim=(-4, 4), ylim=(-4, 4))
    style.article(ax, "w1 over w0")
    w0, w1 = np.meshgrid(np.linspace(-4, 4, 80), np.linspace(-4, 4, 80))
    ax.contour(w0, w1, w0**2 + 4 * w1**2, levels=12, linewidths=0.7, colors="#8A929C")
    steps = np.arange(30)
    path = np.column_stack((3 * 0.8**steps, 2 * (-0.6) ** steps))
    (line,) = ax.plot(*path.T, "o-", linewidth=2, markersize=4.4, animated=True)
    style.role(line, "you")
    (start,) = ax.plot([3], [2], "o", markersize=14, markerfacecolor="none", animated=True)
    start.set_markeredgewidth(2)
    style.role(start, "text")
    return figure
