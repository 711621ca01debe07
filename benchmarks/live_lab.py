"""What a TrainingLab costs its kernel: steps, CPU time, bytes, memory, messages. No browser.

    pip install ipympl && python benchmarks/live_lab.py

Every number is taken in a real kernel. The page of the first two rows is this process: it reads
what the kernel sends and acknowledges frames as `figure.js` does. The yardstick is the same lab
with ipympl's figures (`live_yardstick.py`); it takes turns with ours.
"""

from __future__ import annotations

import ast
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from queue import Empty
from typing import Any

WIDTHS = {200: 516, 132: 250}  # of the lab's figures by their height, on a page 848 pixels wide
ACK_DELAY, LONGEST_ACK_DELAY = 0.036, 0.15  # figure.js
ROUNDS = 3
TURNS = 200
SECONDS = 0.4  # of a turn of each
SETTLE = 0.15  # until what was sent last is answered


# In this process: the page and the table ----------------------------------------------------------


class Page(threading.Thread):
    """A page that shows every LiveFigure of a kernel and acknowledges its frames."""

    def __init__(self, client: Any) -> None:
        super().__init__(daemon=True)
        self.client = client
        self.ended = False
        self.messages = 0
        self.frames = 0
        self._due: float | None = None  # when to answer
        self._unanswered, self._arrived = 0, -1.0
        self._group, self._number, self._had = "", 0, [0, 0, 0]

    def run(self) -> None:
        """Read and answer until told to end."""
        while not self.ended:
            wait = 1.0 if self._due is None else max(0.0, self._due - time.monotonic())
            with suppress(Empty):
                self._read(self.client.get_iopub_msg(timeout=wait))
            if self._due is not None and self._due <= time.monotonic():
                self._due = None
                self._answer()

    def _read(self, message: dict[str, Any]) -> None:
        content = message["content"]
        self.messages += message["msg_type"] in ("comm_open", "comm_msg")
        if message["msg_type"] == "comm_open" and "scene" in content["data"]["state"]:
            width = WIDTHS[content["data"]["state"]["height"]]
            page = {"width": width, "density": 1, "theme": "light", "visible": True, "scene": 0}
            self._tell(content["comm_id"], {"kind": "view", "view": "page", **page})
        if message["msg_type"] == "comm_msg" and "places" in content["data"].get("content", {}):
            self.frames += len(message["buffers"])
            self._group, self._number = content["comm_id"], content["data"]["content"]["number"]
            for place in content["data"]["content"]["places"]:
                self._had[place] = self._number
            self._unanswered += 1
            if self._unanswered > 1:
                self._answer()
            gap, self._arrived = time.monotonic() - self._arrived, time.monotonic()
            self._due = self._arrived + min(LONGEST_ACK_DELAY, max(ACK_DELAY, 2 * gap))

    def _answer(self) -> None:
        self._unanswered = 0
        views = [[place, "page", True] for place in range(len(self._had))]
        held = time.monotonic() - self._arrived
        told = {"number": self._number, "held": held, "had": self._had, "views": views}
        self._tell(self._group, told)

    def _tell(self, comm: str, content: dict[str, Any]) -> None:
        data = {"method": "custom", "content": content}
        message = self.client.session.msg("comm_msg", {"comm_id": comm, "data": data})
        self.client.shell_channel.send(message)


class Kernel:
    """A kernel that has imported this file, and perhaps a page that watches it."""

    def __init__(self, manager: Any, client: Any, page: Page | None) -> None:
        self.manager, self.client, self.page = manager, client, page

    def ask(self, expression: str, setup: str = "") -> Any:
        """Run `setup` and return the plain value of `expression`."""
        asked = {"value": expression}
        reply = self.client.execute(setup, user_expressions=asked, reply=True, timeout=300)
        content = reply["content"]
        found = content.get("user_expressions", {}).get("value", content)
        if found["status"] != "ok":
            raise RuntimeError("\n".join(found["traceback"]))
        return ast.literal_eval(found["data"]["text/plain"])


@contextmanager
def kernel(*, watched: type[Page] | None = None) -> Iterator[Kernel]:
    """A fresh kernel, ended afterwards."""
    from jupyter_client.manager import start_new_kernel

    manager, client = start_new_kernel()
    page = None
    if watched is not None:
        eyes = manager.blocking_client()
        eyes.start_channels()
        eyes.wait_for_ready(timeout=60)
        page = watched(eyes)
        page.start()
    made = Kernel(manager, client, page)
    made.ask("0", f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})")
    try:
        yield made
    finally:
        if page is not None:
            page.ended = True
            page.join()
            page.client.stop_channels()
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def row(what: str, measured: float, form: str, target: str) -> None:
    """Print one line of the table."""
    print(f"{what:62}{measured:>10{form}}  {target}", flush=True)


def watched() -> None:
    """Steps kept while a page looks on, and what a paused lab sends."""
    with kernel(watched=Page) as made:
        assert made.page is not None
        made.ask("0", "import live_lab; lab = live_lab.shown(); turns = live_lab.Turns(lab)")
        made.ask("turns.begin()")
        before = made.page.frames
        while made.ask("len(turns.rates)") < TURNS:
            time.sleep(5)
        made.ask("turns.end()")
        frames = made.page.frames - before
        kept, alone = zip(*made.ask("turns.rates"), strict=True)
        row("steps/s of train with records", statistics.mean(alone), ".0f", "")
        row("steps/s of the lab at full speed", statistics.mean(kept), ".0f", "")
        row(
            "  frames/s of its two curves and its answers",
            frames / (len(kept) * SECONDS),
            ".0f",
            "",
        )
        row("steps kept with the live view on", sum(kept) / sum(alone), ".3f", ">= 0.9")
        time.sleep(1)
        before = made.page.messages
        time.sleep(5)
        row("messages of a paused lab in 5 s", made.page.messages - before, "d", "0")


def costs() -> None:
    """What a frame costs in CPU time and bytes."""
    with kernel() as made:
        found = made.ask("live_lab.frame_costs()", "import live_lab")
        ours, ipympl, blit = found["live"], found["ipympl"], found["blit"]
        row("a frame of all three figures, kernel CPU ms", ours, ".2f", "")
        row("  of that, setting the artists, which ipympl shares", found["artists"], ".2f", "")
        row("the same with ipympl, draw_idle", ipympl, ".1f", "")
        row("the same with ipympl, blitting", blit, ".1f", "")
        row("a frame over ipympl's", ours / ipympl, ".4f", "<= 0.025")
        row("  over blitting", ours / blit, ".4f", "")
        for steps, size in found["sizes"].items():
            words = f"KiB of a screen update after {steps:,} steps, with a ghost"
            row(words, size / 1024, ".1f", "<= 10")
        row("frame after 1,000 steps, CPU ms", found["short"], ".2f", "")
        row("frame after 1,000,000 steps, CPU ms", found["long"], ".2f", "")
        row("  ratio", found["long"] / found["short"], ".3f", "<= 1.2")
        row("  with words, scores and patterns, ratio", found["whole"], ".3f", "")


def memory() -> None:
    """The memory of a kernel with a lab, over one with what a lab stands on."""
    sizes = []
    for setup in ("live_lab.stand()", "lab = live_lab.shown(); lab.advance(10_000)"):
        with kernel() as made:
            sizes.append(made.ask("live_lab.resident()", f"import live_lab; {setup}"))
    row("MiB of torch, matplotlib, ipywidgets, one optimizer step", sizes[0], ".0f", "")
    row("MiB of a lab after 10,000 steps", sizes[1], ".0f", "")
    row("  ratio", sizes[1] / sizes[0], ".3f", "<= 1.15")


def main() -> None:
    """Print what was measured and what is aimed at."""
    print(f"{'what':62}{'measured':>10}  target")
    watched()
    costs()
    memory()


# In the kernel ------------------------------------------------------------------------------------


class Turns:
    """Has the worker of a lab at full speed train a run of its own, without a view, in turns.

    So both have the same thread, the same page and the same second: the speed of a shared machine
    changes by a third within one. `rates` holds the steps a second of both, of every turn.
    """

    def __init__(self, lab: Any) -> None:
        import torch

        from interactive_training import Recipe, Run

        torch.set_num_threads(1)  # as the lab's worker does for a small network
        self.rates: list[tuple[float, float]] = []
        self.lab, self.bare = lab, Run("digits", Recipe(lr=0.05), seed=1)
        self.drain = lab.session.drain
        self.since: tuple[float, int] | None = None

    def begin(self) -> None:
        """Train as fast as it can, on and on; before, the lab has gone to where it stops first."""
        while self.lab.run.index < self.lab.shown.until:
            time.sleep(0.01)
        self.lab.session.drain = self
        self.lab.session.put("pace", "full")
        self.lab.session.put("play")

    def __call__(self) -> None:
        """What the worker does between two frames; after a turn of the lab, the bare run's."""
        self.drain()
        now, index = time.perf_counter(), self.lab.run.index
        if self.since is not None and now - self.since[0] < SECONDS:
            return
        if self.since is not None:
            kept = (index - self.since[1]) / (now - self.since[0])
            time.sleep(SETTLE)  # until nothing is under way any more
            self.rates.append((kept, self.alone()))
            self.forget(time.perf_counter() - now)
        self.since = time.perf_counter(), index

    def forget(self, seconds: float) -> None:
        """Have the lab go on as if no time had passed, also for what is not in every picture."""
        view = self.lab.view
        self.lab.session._shown_at += seconds
        view.panels._everything_due += seconds
        view.due = {what: at + seconds for what, at in view.due.items()}

    def alone(self) -> float:
        """Steps a second of the bare run, with records."""
        from interactive_training import train

        first, start = self.bare.index, time.perf_counter()
        for _ in train(self.bare, 10**9):
            if time.perf_counter() - start > SECONDS:
                break
        return (self.bare.index - first) / (time.perf_counter() - start)

    def end(self) -> None:
        """Stop the lab, which has its thread to itself again."""
        self.lab.session.drain = self.drain
        self.lab.session.put("pause")
        while self.lab.session.playing:
            time.sleep(0.001)


def shown() -> Any:
    """A lab, displayed as a cell does it."""
    from IPython.display import display

    from interactive_training.labs import TrainingLab

    lab = TrainingLab("digits")
    display(lab)
    return lab


def stand() -> None:
    """Import what a lab stands on, and take one step of a torch optimizer."""
    import ipywidgets  # noqa: F401
    import matplotlib.pyplot  # noqa: F401
    import torch

    model = torch.nn.Linear(2, 2)
    model(torch.ones(1, 2)).sum().backward()
    torch.optim.SGD(model.parameters(), lr=0.1).step()


def resident() -> float:
    """The MiB of this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


def frame_costs() -> dict[str, Any]:
    """CPU milliseconds and bytes of a screen update, ours and ipympl's."""
    import torch
    from live_yardstick import IpymplFigure, lab_with

    from interactive_training.live import Group, LiveFigure

    torch.set_num_threads(1)  # as the lab's worker does for a small network
    now = [0.0]
    IpymplFigure.widths = WIDTHS
    ours = lab_with(LiveFigure, partial(Group, clock=lambda: now[0]))
    theirs = lab_with()
    for live in ours.view.panels.figures:
        page = {"width": WIDTHS[live.height], "density": 1, "theme": "light", "visible": True}
        live._receive(None, {"kind": "view", "view": "page", "scene": 0, **page}, [])
    ours.session.stop()
    for canvas in theirs.view.panels.figures:
        canvas._handle_message(None, {"type": "initialized"}, [])
        canvas._handle_message(None, {"type": "draw"}, [])
    for lab in (ours, theirs):
        lab.session.put("pause")
        lab.advance(200)
        lab.change(lr=0.02)
        lab.advance(100)

    def update(lab: Any) -> None:
        lab.view.panels.show_curves(lab.session, lab.view.marks(), (), None, lab.view.span())
        lab.view.panels.show_answers(lab.session)
        lab.view.panels.update()

    def paint() -> None:
        now[0] += 0.1
        update(ours)
        group = ours.view.panels.group
        number, views = group.flow.number, [[place, "page", True] for place in range(3)]
        group._receive(
            None, {"number": number, "held": 0.0, "had": [number] * 3, "views": views}, []
        )

    def draw() -> None:
        update(theirs)
        for canvas in theirs.view.panels.figures:
            canvas._handle_message(None, {"type": "draw"}, [])
            canvas._handle_message(None, {"type": "ack"}, [])

    def blit() -> None:
        for canvas in theirs.view.panels.figures:
            canvas.update = canvas.update_by_blitting
        update(theirs)
        for canvas in theirs.view.panels.figures:
            canvas._handle_message(None, {"type": "ack"}, [])
            del canvas.update

    def artists() -> None:
        ours.view.panels.update = _nothing
        update(ours)
        del ours.view.panels.update
        ours.view.panels.update()

    rounds = [
        (
            _cpu(paint, partial(ours.advance, 1), 20),
            _cpu(draw, partial(theirs.advance, 1), 5),
            _cpu(blit, partial(theirs.advance, 1), 5),
            _cpu(artists, partial(ours.advance, 1), 20),
        )
        for _ in range(1 + ROUNDS)
    ][1:]
    names = ("live", "ipympl", "blit", "artists")
    medians = [statistics.median(column) for column in zip(*rounds, strict=True)]
    found: dict[str, Any] = dict(zip(names, medians, strict=True))
    found["sizes"] = {}
    for steps in (400, 1000, 2000):
        ours.advance(steps - ours.run.index)
        paint()
        found["sizes"][steps] = sum(len(live.frame) for live in ours.view.panels.figures)
    return found | _long_costs(ours, paint)


def _long_costs(lab: Any, paint: Callable[[], None]) -> dict[str, float]:
    """What a frame costs after 1,000 and 1,000,000 steps that were made up."""
    from interactive_training.engine.history import History

    last = lab.run.last
    histories = []
    for length in (1000, 1_000_000):
        history = History()
        for i in range(length):
            loss = 1 / (1 + i % 997)
            history.append(last._replace(index=i, loss=loss, per_sample=loss, grad_norm=loss))
        histories.append(history)
    lab.session.ghost = lab.session.ghost_history = None

    def whole() -> None:
        lab.view.due = dict.fromkeys(lab.view.due, 0.0)
        lab.view.show()

    costs: list[list[float]] = [[], [], [], []]
    for _ in range(1 + ROUNDS):
        for at, history in enumerate(histories):
            lab.session.history = history
            paint()
            costs[at].append(_cpu(paint, _nothing, 30))
            lab.session.playing = True
            costs[2 + at].append(_cpu(whole, paint, 10))
            lab.session.playing = False
    short, long, whole_short, whole_long = (statistics.median(c[1:]) for c in costs)
    return {"short": short, "long": long, "whole": whole_long / whole_short}


def _cpu(work: Callable[[], None], between: Callable[[], object], times: int) -> float:
    """CPU milliseconds of `work`, its messages included; `between` is not counted."""
    spent = 0.0
    for _ in range(times):
        between()
        time.sleep(0.002)
        start = time.process_time()
        work()
        time.sleep(0.002)  # the thread that sends catches up
        spent += time.process_time() - start
    return spent / times * 1000


def _nothing() -> None:
    """Do nothing."""


if __name__ == "__main__":
    sys.exit(main())
