"""What a frame of a LiveFigure costs in a real kernel: CPU time and bytes.

Run it with `python benchmarks/live_frame.py`. The kernel sends its messages to no one; the page's
answers are given in the kernel, so the time holds all that a frame costs there, message included.
"""

from __future__ import annotations

from jupyter_client.manager import start_new_kernel

CODE = """
import statistics, time
import numpy as np
from matplotlib.figure import Figure
from interactive_training.figures import style
from interactive_training.live import LiveFigure

figure = Figure(layout=style.Margins())
ax = figure.add_subplot(xlim=(0, 300), ylim=(0.01, 10), yscale="log")
style.article(ax, "loss per sample (log)")
x = np.arange(300)
lines = [style.lane(*ax.plot(x, np.exp(-x / 100), animated=True), lane) for lane in ("you", "twin")]
words = [ax.text(1.02, y, "you", transform=ax.transAxes, animated=True) for y in (0.2, 0.4, 0.6)]
now = [0.0]
live = LiveFigure(figure, clock=lambda: now[0])
page = dict(kind="view", view="page", width=516, density=2, theme="light", visible=True, scene=0)
live._receive(None, page, [])
start = time.perf_counter()
live.redraw()
redrawn = (time.perf_counter() - start) * 1000

def frame(i):
    now[0] += 0.1
    for line in lines:
        line.set_data(x, np.exp(-x / (50 + i)))
    words[0].set_text(f"step {i}")
    live.update()
    number = live._group.flow.number
    message = dict(number=number, had=[number], views=[[0, "page", True]])
    live._group._receive(None, message, [])

def cost(frames=200):
    cpu = time.process_time()
    for i in range(frames):
        frame(i)
    time.sleep(0.05)  # the thread that sends catches up
    return (time.process_time() - cpu) / frames * 1000

cost()
spent = statistics.median(cost() for _ in range(9))
print(f"frame: {len(live.frame) / 1024:.1f} KiB, kernel CPU {spent:.2f} ms")
print(f"background: {len(live.background) / 1024:.1f} KiB; drawn and sent in {redrawn:.0f} ms")
start = time.perf_counter()
live.png()
print(f"static picture: {(time.perf_counter() - start) * 1000:.0f} ms")
print(f"browser module: {len(live._esm) / 1024:.1f} KiB")
now[0] += 0.01
start = time.perf_counter()
for _ in range(10000):
    live.update()
print(f"an update that is held back: {(time.perf_counter() - start) * 100:.1f} us")
"""


def main() -> None:
    """Run the measurement in a fresh kernel and print what it prints."""
    manager, client = start_new_kernel()
    try:
        client.execute_interactive(CODE, timeout=300)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


if __name__ == "__main__":
    main()
