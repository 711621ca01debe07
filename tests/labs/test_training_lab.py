"""TrainingLab without a browser: what the learner does, what is refused, and what is sent."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from itertools import pairwise
from math import nan
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import nn

from interactive_training import (
    Proof,
    Recipe,
    RecipeError,
    Run,
    Task,
    first_difference,
    source,
    train,
)
from interactive_training.engine.choices import OPTIMIZERS, SCHEDULES
from interactive_training.exercises import Question
from interactive_training.figures import style
from interactive_training.figures.curves import Curve, draw, spread
from interactive_training.labs import TrainingLab, cells, picture, proving, trainingview
from interactive_training.labs.statestring import LabState, StateStringError
from tests.labs.conftest import Bowls, Labs, hear, looked_at, widgets


def until(done: Any, seconds: float = 10) -> None:
    """Wait for the worker, by condition."""
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, "the worker did not get there"
        time.sleep(0.002)


def tick(lab: TrainingLab, stage: str) -> None:
    hear(lab, "tick", value=[name for name, _ in lab.shown.order.lines].index(stage))


def test_it_opens_without_training(make: Labs) -> None:
    lab = make("digits")
    assert lab.run.index == 0
    assert not lab.session.alive
    assert lab.view.words.state["text"] == "Nothing has happened yet: press Run."
    assert [line["stage"] for line in lab.view.code.state["lines"]] == [
        "zero_grad",
        "forward",
        "forward",
        "backward",
        "step",
    ]
    assert lab.view.top.state["setup"] == "digits, MLP 64-32-32-10, seed 1"


def test_a_page_starts_it_and_it_stops_where_it_should(make: Labs) -> None:
    lab = make("digits", until=30)
    hear(lab, "pace", value="full")
    looked_at(lab)
    until(lambda: lab.run.index == 30 and not lab.session.playing)
    until(lambda: lab.view.words.state["text"].startswith("Step 30:"))
    assert lab.run.index == 30


def test_the_story_of_the_missing_line(make: Labs) -> None:
    lab = make("digits")
    lab.advance(200)
    tick(lab, "zero_grad")
    assert "zero_grad" not in lab.run.recipe.stages
    assert not lab.view.code.state["lines"][0]["on"]
    lab.advance(40)
    you, unchanged = lab.view.verdict.accuracy, lab.view.verdict.unchanged
    assert unchanged is not None
    assert you > unchanged
    lab.advance(160)
    you, unchanged = lab.view.verdict.accuracy, lab.view.verdict.unchanged
    assert unchanged is not None
    assert you < 0.2 < 0.7 < unchanged
    assert lab.view.verdict.finding is not None
    assert "32 units" in lab.view.verdict.finding.diagnosis
    tick(lab, "zero_grad")
    lab.advance(100)
    assert lab.view.verdict.accuracy < 0.2  # putting the line back does not help
    hear(lab, "rewind", value=200)
    until(lambda: lab.run.index == 200)
    assert lab.run.recipe.stages == Recipe().stages
    hear(lab, "set", name="keep_grad", value=0.9)
    until(lambda: lab.run.recipe.keep_grad == 0.9)
    lab.advance(200)
    you, unchanged = lab.view.verdict.accuracy, lab.view.verdict.unchanged
    assert unchanged is not None
    assert you > 0.88 > unchanged


def test_a_surface_has_no_use_for_parts_of_a_batch(make: Labs) -> None:
    names = [chip["name"] for chip in make("bowl").view.code.state["chips"]]
    assert names == ["clip", "schedule"]


def test_names_stand_above_the_axis(make: Labs) -> None:
    lab = make("digits", until=20)
    lab.advance(20)
    labels = lab.view.panels.pictures.loss.labels
    low, high = labels.ax.get_ylim()
    labels.show({"you": ("you", low), "ghost": ("before", high)})
    bottom, top = (labels.texts[key].get_position()[1] for key in ("you", "ghost"))
    height = labels.ax.bbox.height
    assert 4 < bottom * height < 12  # half a letter
    assert top == 1


def test_lines_move_and_chips_add_lines(make: Labs) -> None:
    lab = make("digits")
    hear(lab, "move", value=[5, 1])  # step, to just after zero_grad
    assert lab.run.recipe.stages[:3] == ("zero_grad", "step", "forward")
    hear(lab, "undo")
    until(lambda: lab.run.recipe.stages == Recipe().stages)
    for chip, field, value in (
        ("clip", "clip", "norm"),
        ("schedule", "schedule", "CosineAnnealingLR"),
        ("accumulate", "accumulate", 4),
        ("amp", "amp", "float16"),
    ):
        hear(lab, "add", value=chip)
        until(lambda field=field, value=value: getattr(lab.run.recipe, field) == value)
        until(lambda chip=chip: chip not in [c["name"] for c in lab.view.code.state["chips"]])
    until(lambda: lab.view.panels.pictures.half)  # 16 bits show their loss scale
    lab.advance(8)
    code = source(lab.run)
    for words in ("clip_grad_norm_", "CosineAnnealingLR", "GradScaler", "group.split"):
        assert words in code


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("lr", "0", "above 0"),
        ("lr", "-1", "above 0"),
        ("lr", "nan", "above 0"),
        ("lr", "inf", "above 0"),
        ("lr", "1e400", "above 0"),
        ("lr", "fast", "^learning rate: 'fast' is no number; type one, such as 0.1\\.$"),
        ("lr", "__import__('os').abort()", "is no number; type one"),
        ("lr", "0,2", "^learning rate: '0,2' is no number; write 0.2 with a point\\.$"),
        ("lr", "-1,5e-3", "write -1.5e-3 with a point"),
        ("lr", "'0.1'", "^learning rate: '0.1' is a text; type 0.1 without quotes\\.$"),
        ("lr", "1e9", "^learning rate is 1e\\+09; choose a number above 0 and at most 1e\\+06\\.$"),
        ("lr", "1000000.5", "^learning rate is 1000000.5; choose"),
        ("lr", "(0, 2)", r"^learning rate is \(0, 2\); write a number"),
        ("clip_at", "0", "^clip at is 0; choose a number above 0"),
        ("steps", "1,000", "^planned steps: '1,000' is no number; write 1000 without the comma"),
        ("weight_decay", "a", "^weight decay: 'a' is no number; type one, such as 0\\."),
        ("betas", "0,9", "^betas is 9; choose a number of 0 or more and below 1"),
        ("betas", "a", "^betas is 'a'; write two numbers, like"),
        ("optimizer_options.dampening", "x", "^dampening: 'x' is no number; type one"),
        ("optimizer_options.dampening", "2", "^dampening is 2; choose"),
        ("keep_grad", "-1", "^kept is -1; choose a number of 0 or more"),
        ("accumulate", "0", "1 or more"),
        ("accumulate", "1.5", "^micro-batches is 1.5; write a whole number"),
        ("batch_size", "0", "1 or more"),
        ("batch_size", "100000", "^rows of each is 100000, .* choose at most 1197"),
        ("keep_grad", "2", "at most 1"),
        ("optimizer", "adamw", "did you mean 'AdamW'"),
        ("optimizer_options.alpha", "0.5", "no option of SGD"),
        ("loss", "CrossEntropy", "did you mean"),
        ("schedule", "cosine", "did you mean|choose one of"),
        ("amp", "float8", "did you mean|choose one of"),
        ("no_such_field", "1", "choose one of|did you mean"),
        ("<img src=x onerror=alert(1)>", "1", "choose one of|did you mean"),
    ],
)
def test_what_cannot_be_used_is_said_and_changes_nothing(
    make: Labs, name: str, value: str, words: str
) -> None:
    lab = make("digits")
    lab.advance(3)
    twin, before, sent = lab.run.fork(), lab.run.recipe, lab.view.code.state["sent"]
    hear(lab, "set", name=name, value=value)
    import re

    assert re.search(words, lab.view.words.state["text"])
    assert lab.view.words.state["failed"]
    assert lab.run.recipe == before
    assert lab.view.code.state["sent"] > sent  # so the page puts its control back
    lab.advance(2)
    for _ in range(2):
        from interactive_training.engine.loop import advance

        advance(twin)
    assert first_difference(lab.run, twin) is None


BAD = ("", "nan", "inf", "-inf", "1e999", "-1e9", "'0.1'", "True", "[", "()", "<b>1</b>", "0x")


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        ("zero_grad", {}),
        ("forward", {}),
        ("loss", {"loss": "CrossEntropyLoss"}),
        ("backward", {"amp": "float16", "accumulate": 2}),
        ("clip", {"clip": "norm"}),
        ("validate", {"validate_every": 5}),
        *(("step", {"optimizer": name}) for name in OPTIMIZERS),
        *(("schedule", {"schedule": name, "validate_every": 5}) for name in SCHEDULES),
    ],
)
def test_every_field_of_every_drawer_refuses_in_words(
    make: Labs, line: str, fields: dict[str, Any]
) -> None:
    lab = make("digits", Recipe(lr=0.05, **fields))
    hear(lab, "select", value=line)
    drawer = lab.view.code.state["drawer"]
    for control in [*drawer["controls"], *drawer["more"], lab.view.code.state["rate"]]:
        if control["kind"] == "fact":
            continue
        for typed in BAD:
            before, sent = lab.run.recipe, lab.view.code.state["sent"]
            hear(lab, "set", name=control["name"], value=typed)
            if lab.run.recipe != before:  # a truth may be typed where a truth is meant
                assert typed == "True"
                assert control["kind"] == "toggle"
                continue
            if typed == "True" and control["kind"] == "toggle":
                continue
            assert lab.view.words.state["failed"], (control["name"], typed)
            assert (
                "Error: " not in lab.view.words.state["text"]
            )  # a sentence, not a class of Python
            assert lab.view.code.state["sent"] > sent
    lab.advance(2)
    assert lab.session.error is None


def test_a_cell_is_told_the_names_that_it_wrote(make: Labs) -> None:
    lab = make("digits")
    with pytest.raises(RecipeError, match=r"^keep_grad is -1; choose"):
        lab.change(keep_grad=-1)
    with pytest.raises(RecipeError, match=r"^lr is the text 'abc'; .*, without quotes\.$"):
        lab.change(lr="abc")
    lab.change(lr=0.2)
    assert lab.session.refused is None
    assert not lab.view.words.state["failed"]


def test_what_depends_on_the_run_is_refused_too(make: Labs) -> None:
    lab = make("digits", Recipe(lr=0.05, schedule="OneCycleLR", steps=20))
    lab.advance(10)
    hear(lab, "set", name="steps", value="5")
    assert lab.view.words.state["failed"]
    assert lab.run.recipe.steps == 20
    normed = make(Task.named("digits", norm="BatchNorm1d"))
    hear(normed, "set", name="batch_size", value="1")
    assert normed.view.words.state["failed"]
    plateau = make("digits", Recipe(schedule="ReduceLROnPlateau", validate_every=5))
    hear(plateau, "tick", value=-1)
    assert "waits for validation" in plateau.view.words.state["text"]
    assert plateau.run.recipe.validate_every == 5


def test_what_backward_multiplies_by_is_said(make: Labs) -> None:
    lab = make("digits")
    hear(lab, "select", value="backward")

    def facts() -> dict[str, str]:
        drawer = lab.view.code.state["drawer"]
        assert len(drawer["controls"]) <= 3
        return {c["label"]: c["value"] for c in drawer["controls"] if c["kind"] == "fact"}

    assert facts() == {"loss times": "1, it is the only one"}
    lab.change(accumulate=4)
    assert facts() == {"loss times": "rows / rows of all, 32 / 128"}
    shown = ["".join(p["text"] for p in line["words"]) for line in lab.view.code.state["lines"]]
    assert (
        shown[0] == "if first: optimizer.zero_grad()" and shown[-1] == "if last: optimizer.step()"
    )
    assert not any(text.startswith("if") for text in shown[1:-1])
    lab.change(amp="float16")
    assert facts()["loss scale"] == "set by the next step"
    lab.advance(4)
    assert facts()["loss scale"] == f"{lab.run.scaler.get_scale():,.0f} now"
    lab.change(reduction="sum")
    assert facts()["loss times"] == "1, a sum is not divided"
    shown = ["".join(p["text"] for p in line["words"]) for line in lab.view.code.state["lines"]]
    assert shown[-4:] == [
        "if last:",
        "    scale = scaler.get_scale()",
        "    scaler.step(optimizer)",
        "    scaler.update()",
    ]


def test_the_loss_scale_falls_as_the_lab_says_it_would(make: Labs) -> None:
    lab = make("digits")
    lab.advance(20)
    hear(lab, "add", value="amp")
    assert "set the loss's reduction to sum" in lab.view.code.state["drawer"]["note"]
    lab.advance(20)
    assert lab.view.words.state["text"].endswith("Loss scale 65,536, no step skipped.")
    hear(lab, "set", name="reduction", value="sum")
    assert "overflows 65,504" in lab.view.code.state["drawer"]["note"]
    lab.advance(20)
    skipped = lab.history.skipped
    assert len(skipped) >= 3
    assert lab.view.words.state["text"].endswith(f" {len(skipped)} steps skipped.")
    assert len(lab.view.words.state["text"]) <= 90
    stairs = lab.view.panels.pictures.gradient
    assert stairs.skips.get_xdata() == skipped  # a cross on each
    heights = [y for y in stairs.you.get_ydata() if y > 1]
    assert heights[0] == 65536
    assert heights[-1] == lab.history.last("amp_scale") < 65536
    assert f"{len(skipped)} steps skipped" in stairs.words.get_text()


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("seed", "-1", "0 or more"),
        ("seed", "x", "is no number"),
        ("depth", "-1", "0 or more"),
        ("width", "0", "1 or more"),
        ("activation", "Relu6", "did you mean|choose one of"),
        ("task", "digit", "did you mean 'digits'"),
        ("dropout", "1", "below 1"),
    ],
)
def test_a_bad_set_up_keeps_the_run(make: Labs, name: str, value: str, words: str) -> None:
    import re

    lab = make("digits")
    lab.advance(3)
    run = lab.run
    hear(lab, "setup", name=name, value=value)
    assert lab.run is run
    assert re.search(words, lab.view.words.state["text"])


def test_another_set_up_starts_a_new_run(make: Labs) -> None:
    lab = make("digits")
    lab.advance(3)
    hear(lab, "setup", name="task", value="moons")
    assert lab.run.task.name == "moons"
    until(lambda: lab.run.index > 0)
    hear(lab, "pause")
    assert lab.session.before is None  # losses of another task
    hear(lab, "setup", name="seed", value="7")
    until(lambda: lab.run.seed == 7)
    assert lab.session.before is not None


def frames_of(lab: TrainingLab, sent: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The messages with frames among those that were sent."""
    mine = [m for m in sent if m["to"] == lab.view.panels.group.comm.comm_id]
    return [m for m in mine if "places" in m.get("content", {})]


def painted(lab: TrainingLab) -> None:
    """The page says that it has painted all that was sent."""
    group = lab.view.panels.group
    views = [[place, "page", True] for place in range(3)]
    number = group.flow.number
    said = {"number": number, "held": 0.0, "had": [number] * 3, "views": views}
    group._receive(None, said, None)


def test_a_change_is_shown_before_the_network_is_asked(
    make: Labs, sent: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = make("digits", until=5)
    looked_at(lab)
    until(lambda: lab.run.index == 5 and not lab.session.playing)
    until(lambda: lab.view.words.state["text"].startswith("Step 5:"))
    painted(lab)
    until(lab.view.panels.group.flow.may_send)  # two frames keep their distance
    sent.clear()
    known: list[int] = []
    judge = trainingview.judge

    def judged(*args: Any) -> Any:
        known.append(len(frames_of(lab, sent)))
        return judge(*args)

    monkeypatch.setattr(trainingview, "judge", judged)
    hear(lab, "set", name="lr", value=0.02)
    until(lambda: bool(known))
    assert known[0] == 1


def test_500_slider_messages_in_2_seconds(make: Labs, sent: list[dict[str, Any]]) -> None:
    lab = make("digits", until=10**6)
    hear(lab, "pace", value="full")
    looked_at(lab)
    until(lambda: lab.run.index > 5)
    sent.clear()
    began = time.monotonic()
    for i in range(500):
        hear(lab, "set", name="lr", value=0.01 + i * 1e-5)
        painted(lab)
        time.sleep(max(0.0, began + (i + 1) * 0.004 - time.monotonic()))
    last = 0.01 + 499 * 1e-5
    until(lambda: lab.run.recipe.lr == last)
    took = time.monotonic() - began
    hear(lab, "pause")
    until(lambda: not lab.session.playing)
    # One may be ahead of its time.
    assert 5 < len(frames_of(lab, sent)) <= 30 * took + 2
    assert len(lab.session._undo) == 1  # one drag is one undo


def test_a_paused_lab_is_silent(make: Labs, sent: list[dict[str, Any]]) -> None:
    lab = make("digits", until=5)
    looked_at(lab)
    until(lambda: lab.run.index == 5 and not lab.session.playing)
    until(lambda: lab.view.words.state["text"].startswith("Step 5:"))
    time.sleep(0.7)  # longer than the worker waits for commands
    sent.clear()
    time.sleep(0.7)
    assert sent == []


def test_nobody_watches(make: Labs, monkeypatch: pytest.MonkeyPatch) -> None:
    lab = make("digits", until=10**6)
    looked_at(lab)
    until(lambda: lab.run.index > 2)
    monkeypatch.setattr(type(lab.view.panels.loss), "watching", property(lambda _: False))
    until(lambda: not lab.session.playing)


def test_running_the_cell_again_leaves_nothing_behind(
    make: Labs, monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading

    runs = []
    monkeypatch.setattr(cells, "_running", lambda: ("cell", len(runs)))
    others = set(threading.enumerate())  # such as the timer of an exercise that was checked before
    found = set()
    for run in range(50):
        runs.append(run)
        lab = make("digits", until=3)
        looked_at(lab)
        until(lambda lab=lab: lab.run.index == 3)
        found.add((widgets(), len(set(threading.enumerate()) - others)))
    assert len(found) == 1


class Moody(nn.Linear):
    """Goes wrong in training, once it has been asked a dozen times."""

    calls = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        out = super().forward(x)
        return self.moody(out) if self.training and self.calls > 12 else out

    def moody(self, out: torch.Tensor) -> torch.Tensor:
        """What it does then."""
        raise ValueError("<b>not today</b>")


class Shapeless(Moody):
    """Returns a shape that no loss takes."""

    def moody(self, out: torch.Tensor) -> torch.Tensor:
        return out[:-1]


class Chatty(Moody):
    """Prints a lot."""

    def moody(self, out: torch.Tensor) -> torch.Tensor:
        print("<b>not today</b>\n" * 100)
        return out


def own(kind: type[nn.Module]) -> Task:
    inputs = torch.randn(64, 4, generator=torch.Generator().manual_seed(0))
    return Task.of(kind(4, 2), inputs, (inputs[:, 0] > 0).long(), batch_size=16)


@pytest.mark.parametrize(
    ("kind", "words"), [(Moody, "<b>not today</b>"), (Shapeless, "batch_size")]
)
def test_an_own_model_that_goes_wrong(make: Labs, kind: type[nn.Module], words: str) -> None:
    lab = make(own(kind), Recipe(lr=0.1), until=50)
    hear(lab, "pace", value="full")
    looked_at(lab)
    until(lambda: lab.session.error is not None)
    until(lambda: lab.view.words.state["failed"])
    hear(lab, "why")
    text = " ".join(part for _, part in lab.view.words.state["why"])
    assert words in text  # as words: the page sets text, never tags
    assert torch.isfinite(next(lab.run.model.parameters())).all()


def test_an_own_model_that_prints_a_lot(make: Labs, capsys: pytest.CaptureFixture[str]) -> None:
    lab = make(own(Chatty), Recipe(lr=0.1), until=50)
    hear(lab, "pace", value="full")
    looked_at(lab)
    until(lambda: lab.run.index == 50 and not lab.session.playing)
    until(lambda: lab.view.words.state["text"].startswith("Step 50:"))
    lines = lab.session.unheard.lines
    assert lines > 30 * 100
    assert lab.view.words.state["text"].endswith(f"printed {lines:,} lines, not shown here.")
    assert capsys.readouterr().out == ""


def test_a_picture_that_cannot_be_drawn_hides_nothing_else(
    make: Labs, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = make("digits", until=30)

    def fail(*_: object) -> None:
        raise ValueError("no such colour")

    monkeypatch.setattr(lab.view.panels, "show_curves", fail)
    hear(lab, "pace", value="full")
    looked_at(lab)
    until(lambda: lab.run.index == 30 and not lab.session.playing)
    until(lambda: lab.view.top.state["index"] == 30 and not lab.view.top.state["playing"])
    assert lab.view.words.state["failed"]
    hear(lab, "set", name="lr", value="0.25")
    until(lambda: lab.view.code.state["rate"]["value"] == 0.25)


def test_a_change_passes_the_frames_on_their_way(make: Labs) -> None:
    lab, now = make("digits"), [0.0]
    flow = lab.view.panels.group.flow
    flow._clock = lambda: now[0]
    looked_at(lab)
    lab.session.stop()

    def sent(step: float, act: Any) -> int:
        before, now[0] = flow.number, now[0] + step
        act()
        return flow.number - before

    flow.start_over()
    assert [sent(0.1, lambda: lab.advance(1)) for _ in range(4)] == [1, 1, 0, 0]
    assert sent(0.1, lambda: lab.change(lr=0.01)) == 1
    assert sent(0.1, lambda: lab.advance(1)) == 0


def test_an_explosion_is_named_and_can_be_fixed(make: Labs) -> None:
    lab = make("regression", Recipe(lr=0.1), until=400)
    lab.advance(20)
    hear(lab, "set", name="lr", value="1e6")
    hear(lab, "pace", value="full")
    hear(lab, "play")
    until(lambda: lab.session.error is not None)
    until(lambda: lab.view.words.state["text"].startswith("Stopped: at step"))
    assert all(torch.isfinite(p).all() for p in lab.run.model.parameters())
    labels = [button["label"] for button in lab.view.words.state["buttons"]]
    assert labels == ["Why?", "Rewind to 20"]  # what comes before the change is good
    hear(lab, "why")
    assert lab.view.words.state["why"][-1] == ["Fix", "rewind to 20, before: lr 1e+06."]
    hear(lab, "rewind", value=20)
    until(lambda: lab.run.index == 20)
    assert lab.run.recipe.lr == 0.1


def test_a_run_that_explodes_from_its_start_is_started_again(make: Labs) -> None:
    lab = make("digits", Recipe(lr=1e6, batch_size=64))

    def offered(lr: float) -> bool:
        finding = lab.view.verdict.finding
        labels = [button["label"] for button in lab.view.words.state["buttons"]]
        return (
            finding is not None
            and finding.fields == {"lr": lr}
            and labels == ["Try the fix", "Why?"]
        )

    hear(lab, "pace", value="full")
    hear(lab, "play")
    for lr in (1e5, 1e4, 1e3):
        until(lambda lr=lr: offered(lr))
        before = lab.run
        hear(lab, "fix")
        until(lambda lr=lr: lab.run.recipe.lr == lr)
        assert lab.run is not before and lab.run.recipe.batch_size == 64
    until(lambda: offered(100.0))  # nothing explodes any more, but its units have died
    assert "units in layer 1 are dead" in lab.view.words.state["text"]
    assert lab.history.first == 0


def test_a_mark_counts_the_changes_that_it_has_no_room_for(make: Labs) -> None:
    lab = make("digits")
    lab.advance(3)
    words = []
    for change in ({"lr": 0.1}, {"clip": "norm"}, {"accumulate": 2}, {"amp": "bfloat16"}):
        lab.change(**change)
        words.append(lab.view.marks()[-1][1])
    assert words[0] == "lr 0.1" and words[1].count(",") == 1
    assert [word.partition("+")[2] for word in words] == ["", "", "1", "2"]


def test_both_curves_have_a_step_at_the_same_place(make: Labs) -> None:
    lab = make("digits", until=30)
    lab.advance(10)
    curves = lab.view.panels.pictures
    for _ in range(5):
        lab.advance(40)
        assert curves.gradient.ax.get_xlim() == curves.loss.ax.get_xlim()
    assert curves.loss.ax.get_xlim()[1] >= 210


def test_what_a_lab_says_when_it_begins(make: Labs) -> None:
    lab = make("digits")
    assert lab.view.words.state["text"] == "Nothing has happened yet: press Run."
    lab.session.playing = True
    lab.view.show()  # at once, though the words are not due again for a while
    assert lab.view.words.state["text"] == "Off it goes."
    lab.session.playing = False


@given(st.lists(st.tuples(st.floats(-0.5, 1.5), st.sampled_from((0.1, 0.2))), max_size=4))
def test_names_stand_apart_and_near_their_lines(labels: list[tuple[float, float]]) -> None:
    heights = sorted(height for height, _ in labels)
    sizes = [size for _, size in labels]
    middles = spread(heights, sizes)
    for (a, b), (one, other) in zip(pairwise(middles), pairwise(sizes), strict=True):
        assert b - a >= (one + other) / 2 - 1e-9
    if middles:
        assert middles[-1] <= 1 + 1e-9 and middles[0] >= sizes[0] / 2 - 1e-9
    apart = all(b - a > (sizes[i] + sizes[i + 1]) / 2 for i, (a, b) in enumerate(pairwise(heights)))
    if heights and apart and heights[0] >= sizes[0] / 2 and heights[-1] <= 1:
        assert middles == pytest.approx(heights)


def test_names_that_would_touch_part_to_both_sides() -> None:
    assert spread([0.5, 0.52, 0.6], [0.1, 0.1, 0.1]) == pytest.approx([0.44, 0.54, 0.64])
    assert spread([0.2, 0.7, 0.7], [0.1, 0.1, 0.1]) == pytest.approx([0.2, 0.65, 0.75])
    assert spread([0.98, 0.99], [0.1, 0.1]) == pytest.approx([0.9, 1.0])  # not above the axis
    assert spread([-0.2, 0.0], [0.1, 0.1]) == pytest.approx([0.05, 0.15])


def test_a_question_is_asked_only_when_told_to(make: Labs) -> None:
    assert not make("digits", until=4).view.asked.state["open"]
    lab = make("digits", ask="zero_grad", until=4)
    lab.advance(4)
    assert lab.view.asked.state["open"]
    hear(lab, "answer", value=2)
    until(lambda: "zero_grad" not in lab.run.recipe.stages)
    assert lab.guess == "at guessing"
    until(lambda: lab.run.index == 8 and not lab.session.playing)
    assert not lab.view.asked.state["open"]
    with pytest.raises(ValueError, match="did you mean"):
        make("digits", ask="zerograd")


@pytest.mark.parametrize("steps", [0, -1, 1.5, True, "200", None])
def test_a_lab_trains_to_a_step_that_there_is(steps: Any) -> None:
    before = widgets()
    with pytest.raises(ValueError, match=r"until is .*; write the step to train to"):
        TrainingLab("digits", until=steps)
    assert widgets() == before


def test_a_cell_gets_the_errors_of_its_steps(make: Labs) -> None:
    from interactive_training import StepError

    lab = make("digits", Recipe(lr=0.05, stages=("zero_grad", "forward", "backward", "backward")))
    with pytest.raises(StepError, match="twice"):
        lab.advance(3)
    assert lab.run.index == 0


def test_a_proof(make: Labs) -> None:
    lab = make("digits")
    lab.advance(5)
    lab.change(lr=0.2)
    lab.advance(5)
    proof = lab.prove()
    assert (proof.start, proof.equal, proof.total) == (5, 5, 5)
    assert proof.holds


def test_a_proof_speaks_of_where_the_run_stands(make: Labs) -> None:
    lab = make("digits")
    lab.advance(4)
    hear(lab, "prove")
    until(lambda: lab.view.code.state["proof"]["words"].startswith("4 of 4"), 60)
    hear(lab, "select", value="step")
    assert lab.view.code.state["proof"]["words"].startswith("4 of 4")
    for act in (lambda: lab.change(lr=0.2), lambda: lab.advance(1)):
        act()
        assert lab.view.code.state["proof"]["words"] == ""
    lab.rewind(4)
    # Back where it was proved, without the change.
    until(lambda: lab.view.code.state["proof"]["words"].startswith("4 of 4"))


def test_several_changes_before_one_step_have_one_ghost(make: Labs) -> None:
    lab = make("digits")
    lab.advance(5)
    alone = lab.run.fork()
    lab.change(keep_grad=0.898)
    time.sleep(0.01)
    lab.change(lr=0.01)
    lab.advance(3)
    assert lab.session.ghost is not None
    for _ in train(alone, 3):
        pass
    assert first_difference(lab.session.ghost, alone) is None
    lab.change(lr=0.02)  # after a step the way until now is what is unchanged
    assert lab.session.ghost.recipe.keep_grad == 0.898


@pytest.mark.parametrize("kept", [0.0, 0.5, 1.0])
def test_a_line_that_is_left_out_has_nothing_to_set(make: Labs, kept: float) -> None:
    lab = make("moons", until=5)
    lab.advance(3)
    lab.change(keep_grad=kept)
    tick(lab, "zero_grad")
    assert lab.session.error is None
    code = lab.view.code.state
    assert [line["on"] for line in code["lines"] if line["stage"] == "zero_grad"][:1] == [False]
    assert [control["kind"] for control in code["drawer"]["controls"]] == ["fact"]
    tick(lab, "zero_grad")
    assert lab.session.error is None
    assert lab.view.code.state["drawer"]["controls"][0]["value"] == kept


def test_a_room_sees_one_slider(make: Labs) -> None:
    lab = make("moons", until=5)
    code = lab.view.code

    def sliders() -> list[str]:
        drawer = code.state["drawer"] or {"controls": []}
        shown = [*drawer["controls"], *([code.state["rate"]] if code.state["rate"] else [])]
        return [control["name"] for control in shown if control["kind"] == "slider"]

    assert sliders() == ["keep_grad", "lr"]
    hear(lab, "present", value=True)
    assert sliders() == ["lr"] and code.state["drawer"] is None
    hear(lab, "select", value="zero_grad")
    assert sliders() == ["keep_grad"]
    hear(lab, "select", value="forward")  # menus and ticks leave the learning rate in view
    assert code.state["drawer"]["title"] == "model" and sliders() == ["lr"]
    hear(lab, "select", value="forward")
    assert code.state["drawer"] is None
    hear(lab, "present", value=False)
    assert sliders() == ["keep_grad", "lr"]


@pytest.mark.parametrize(
    ("playing", "seconds", "right"), [(False, 0.1, 150), (True, 1.0, 225), (True, 0.1, 759.375)]
)
def test_axes_that_have_to_grow_leave_room_for_what_comes(
    make: Labs, monkeypatch: pytest.MonkeyPatch, playing: bool, seconds: float, right: float
) -> None:
    lab = make("moons", until=50)
    lab.advance(100)
    panels = lab.view.panels
    ax = panels.pictures.loss.ax
    assert ax.get_xlim()[1] == 100  # the last step is not outside yet
    for step in train(lab.run, 30):
        lab.history.append(step)
    # 30 steps a second fill an axis twice as long in three seconds; at 300 a second its end would
    # be out of view before the limits may grow again.
    now = panels._then[0] + seconds
    monkeypatch.setattr("interactive_training.labs.panels.time.monotonic", lambda: now)
    lab.session.playing = playing
    panels.show_curves(lab.session, (), (), None, 150)
    lab.session.playing = False
    assert ax.get_xlim()[1] == right


def test_at_full_speed_the_lines_of_the_loss_go_ahead_of_the_rest(
    make: Labs, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = make("digits", until=1000)
    lab.advance(300)
    panels, now = lab.view.panels, time.monotonic() + 1.0
    monkeypatch.setattr("interactive_training.labs.panels.time.monotonic", lambda: now)
    loss, gradient = panels.pictures.loss, panels.pictures.gradient

    def moved(steps: int, seconds: float, everything: bool = False) -> list[bool]:
        nonlocal now
        now += seconds
        for step in train(lab.run, steps):
            lab.history.append(step)
        parts = (loss.you, loss.raw, loss.labels.texts["you"], gradient.you)
        for part in parts:
            part.stale = False
        panels.show_curves(lab.session, (), (), None, 2000, everything=everything)
        return [part.stale for part in parts]

    lab.session.playing = True
    assert moved(40, 0.2) == [True] * 4
    assert moved(40, 0.05) == [True, False, False, False]
    assert moved(40, 0.05, everything=True) == [True] * 4
    assert moved(40, 0.16) == [True] * 4
    assert moved(3, 0.05) == [True, True, True, False]  # 60 steps a second
    loss.ax.set_xlim(0, lab.run.index)
    assert moved(40, 0.05) == [True] * 4
    assert gradient.ax.get_xlim() == loss.ax.get_xlim() != (0, lab.run.index - 40)
    lab.session.playing = False
    assert moved(40, 0.01) == [True] * 4


def test_at_full_speed_a_change_has_its_mark_at_once(
    make: Labs, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = make("digits", until=1000)
    lab.advance(300)
    now = time.monotonic() + 1.0
    monkeypatch.setattr("interactive_training.labs.panels.time.monotonic", lambda: now)
    marks = lab.view.panels.pictures.loss.marks

    def show() -> str:
        lab.history.extend(train(lab.run, 40))
        lab.view.show()
        return marks.texts[0].get_text()

    lab.session.playing = True
    assert show() == ""
    now += 0.05
    lab.run.recipe = replace(lab.run.recipe, lr=0.2)
    assert show() == "lr 0.2"
    lab.session.playing = False


def test_what_stays_as_it_is_is_not_sent_anew() -> None:
    (line,) = Figure().add_subplot().plot([], [], animated=True)
    for y, changes in (((1.0, nan), True), ((1.0, nan), False), ((1.0, 2.0), True)):
        line.stale = False
        draw(line, Curve(np.array([0.0, 1.0]), np.array(y)))
        assert line.stale is changes


def test_a_rewind_goes_to_before_what_spoilt_the_run(make: Labs) -> None:
    lab = make("digits")
    lab.advance(200)
    tick(lab, "zero_grad")
    until(lambda: "zero_grad" not in lab.run.recipe.stages)
    lab.advance(200)
    tick(lab, "zero_grad")
    lab.advance(50)
    labels = [button["label"] for button in lab.view.words.state["buttons"]]
    assert labels == ["Why?", "Rewind to 200"]
    ax = lab.view.panels.pictures.loss.ax
    ax.set(xlim=(0, 2000), ylim=(0, 500))  # as after a long run that flew away
    lab.rewind(200)
    until(lambda: lab.run.index == 200)
    assert ax.get_xlim()[1] == 400
    assert max(lab.history.column("average")) < ax.get_ylim()[1] < 5
    hear(lab, "why")


def test_what_spoilt_the_run_is_the_last_change_while_it_was_good(make: Labs) -> None:
    lab = make("digits")
    lab.advance(200)
    lab.change(momentum=0.9)
    lab.advance(200)  # the lowest loss may come before the next change
    lab.change(lr=1000.0)
    lab.advance(60)
    hear(lab, "why")
    words = lab.view.words.state
    assert [button["label"] for button in words["buttons"]][-1] == "Rewind to 400"
    assert ["Fix", "rewind to 400, before: lr 1e+03."] in words["why"]


def test_the_line_of_a_longer_run_is_as_fine_as_what_is_seen_of_it(make: Labs) -> None:
    lab = make("digits", Recipe(lr=0.5))
    lab.advance(4000)
    fine = lab.history.column("average")[:400]
    pin = lab.history.copy()
    lab.view.shown.pins = [pin]
    lab.rewind(200)
    lines = lab.view.panels.pictures.loss
    for line in (lines.before, lines.pins[0]):
        x, y = (np.asarray(part, dtype=float) for part in line.get_data())
        assert x[-1] == pytest.approx(399, abs=5) and len(x) > 90
        assert np.abs(np.interp(np.arange(400), x, y) - fine).max() < 0.1
    label = lines.labels.texts["before"].get_position()[1]
    assert label == pytest.approx(y[-1] / lines.ax.get_ylim()[1], abs=0.1)
    hear(lab, "setup", name="task", value="moons")
    until(lambda: lab.run.task.name == "moons")
    assert lab.session.before is None and lab.view.shown.pins == []


def test_names_keep_their_distance_before_a_page_has_said_its_size(make: Labs) -> None:
    lab = make("digits", Recipe(lr=1e-6))
    lab.advance(30)
    lab.change(lr=2e-6)
    lab.advance(30)  # three names at one height
    texts = lab.view.panels.pictures.loss.labels.texts

    def heights() -> list[float]:
        return [texts[key].get_position()[1] for key in ("you", "ghost", "guessing")]

    before = heights()
    looked_at(lab)
    lab.advance(1)
    assert heights() == pytest.approx(before, abs=0.03)
    gaps = np.diff(sorted(before)) * 152  # pixels that the axes are high
    assert gaps.min() > 12


def test_marks_near_each_other_are_not_written_over_each_other(make: Labs) -> None:
    lab = make("digits")
    for step, values in enumerate(
        ({"schedule": "CosineAnnealingLR"}, {"accumulate": 4}, {"clip": "norm"}, {"lr": 0.1})
    ):
        lab.advance(100 if not step else 8)
        lab.change(**values)
    lab.advance(8)
    texts = [text for text in lab.view.panels.pictures.loss.marks.texts if text.get_text()]
    assert texts[0].get_text() == "lr 0.1"  # the newest is always there
    assert 2 <= len(texts) < 4
    spans: dict[float, list[tuple[float, float]]] = {}
    for text in texts:
        x, row = text.get_position()
        long = 0.5 * 11 * len(text.get_text()) / 440  # a page's axes are about 440 pixels wide
        left = x if text.get_horizontalalignment() == "left" else x - long
        assert left > -0.01 and left + long < 1.01
        spans.setdefault(row, []).append((left, left + long))
    for row in spans.values():
        assert all(b[0] >= a[1] for a, b in pairwise(sorted(row)))


def test_a_plane_is_as_wide_as_its_picture_so_that_circles_are_round(make: Labs) -> None:
    for task in ("circles", "spirals"):
        left, right, bottom, top = make(task).view.panels.pictures.answers.regions.extent
        assert (right - left) / (top - bottom) == pytest.approx(74 / 32)


def test_words_and_names_of_a_lab_on_its_way(make: Labs) -> None:
    lab = make("digits")
    assert lab.view.words.state["text"] == "Nothing has happened yet: press Run."
    lab.session.playing = True
    lab.view.show(everything=True)
    assert lab.view.words.state["text"] == "Off it goes."
    lab.session.playing = False
    ghost = lab.view.panels.pictures.loss.labels.texts["ghost"]
    for lr, name in ((0.1, "unchanged"), (0.2, "without it")):
        lab.advance(5)
        lab.change(lr=lr)
        lab.advance(5)
        assert ghost.get_text() == name
    assert "clear to None" in str(lab.view.code.state["drawer"])
    lab.change(keep_grad=0.5)  # nothing is cleared any more
    assert "clear to None" not in str(lab.view.code.state["drawer"])


def test_after_a_rewind_all_that_is_left_of_the_curve_is_in_view(make: Labs) -> None:
    lab = make("bowl", Recipe(lr=0.3))  # it flies away
    lab.advance(40)
    lab.rewind(30)
    until(lambda: lab.run.index == 30)
    low, high = lab.view.panels.pictures.loss.ax.get_ylim()
    averages = lab.history.column("average")
    assert len(averages) == 30
    assert low < min(averages) < 1e2 < max(averages) < high < 1e4 * max(averages)


def test_a_run_at_rest_is_in_view_to_its_end_with_its_name_beside_it(make: Labs) -> None:
    lab = make("bowl", Recipe(lr=0.3), until=20)
    for _ in range(6):  # it flies away, and axes that have just grown grow again
        lab.advance(10)
        ax, label = lab.view.panels.pictures.loss.ax, lab.view.panels.pictures.loss.labels
        low, high = ax.get_ylim()
        end = lab.history.last("average")
        assert low < end < high
        assert ax.get_xlim()[1] >= lab.run.index
        height = np.log(end / low) / np.log(high / low)
        assert label.texts["you"].get_position()[1] == pytest.approx(height)


def test_every_change_on_the_way_can_be_gone_back_to(make: Labs) -> None:
    lab = make("bowl", until=5)
    lab.advance(5)
    lab.change(lr=0.1)
    assert "unchanged" not in lab.view.words.state["text"]  # it has taken no step yet
    lab.advance(5)
    assert "The unchanged run: " in lab.view.words.state["text"]
    lab.change(lr=0.05)
    lab.advance(5)
    assert "Without your last change: " in lab.view.words.state["text"]  # two were made

    def offered() -> list[str]:
        return [button["label"] for button in lab.view.words.state["buttons"]]

    for step in (10, 5):
        until(lambda step=step: offered() == [f"Rewind to {step}"])
        hear(lab, "rewind", value=step)
    until(lambda: offered() == [])


def test_why_is_folded_when_the_run_goes_on(make: Labs) -> None:
    lab = make("digits", Recipe(lr=0.05, stages=("zero_grad", "forward", "backward")))
    lab.advance(30)
    assert lab.view.words.state["text"].endswith("No weight moves.")
    hear(lab, "why")
    assert "left out" in lab.view.words.state["why"][1][1]
    hear(lab, "fix")
    assert lab.run.recipe.stages == Recipe().stages
    assert lab.view.words.state["why"] == []
    assert lab.view.verdict.finding is None  # the fix has not acted yet, and is not blamed


def test_one_proof_at_a_time(make: Labs, monkeypatch: pytest.MonkeyPatch) -> None:
    ask, answer, asked = threading.Event(), threading.Event(), []

    def slowly(run: Run, losses: list[float], first: int) -> Proof:
        asked.append(len(losses))
        ask.set()
        assert answer.wait(10)
        return Proof(first, len(losses), len(losses))

    monkeypatch.setattr(proving, "prove", slowly)
    lab = make("digits")
    lab.advance(3)
    for _ in range(3):
        hear(lab, "prove")
        assert ask.wait(10)
    assert lab.view.proving.running
    answer.set()
    until(lambda: not lab.view.proving.running)
    assert asked == [3]
    hear(lab, "prove")
    until(lambda: asked == [3, 3] and not lab.view.proving.running)
    for thread in threading.enumerate():
        if thread.name == "interactive-training-proof":
            thread.join(10)


def test_names_stand_at_the_ends_of_their_lines(make: Labs) -> None:
    lab = make("digits")
    lab.advance(60)
    lab.change(lr=0.4)
    lab.advance(60)
    pictures = lab.view.panels.pictures
    for drawing in (pictures.loss, pictures.gradient):  # a linear axis, a log one
        ax = drawing.ax
        for name, line in (("you", drawing.you), ("ghost", drawing.ghost)):
            label = drawing.labels.texts[name]
            end = ax.transData.transform((0, line.get_ydata()[-1]))[1]
            height = ax.transAxes.inverted().transform((0, end))[1]
            # Names that come too close are pushed apart, by half a letter's height each.
            assert label.get_text() and abs(label.get_position()[1] - height) < 0.08


def test_a_string_brings_a_lab_back(make: Labs) -> None:
    lab = make("moons", Recipe(lr=0.1), until=20, hide=["pin"])
    lab.advance(20)
    lab.change(optimizer="AdamW", lr=0.003)
    lab.advance(7)
    hear(lab, "rewind", value=24)
    until(lambda: lab.run.index == 24)
    text = lab.to_string()
    assert len(text) < 400
    again = TrainingLab.from_string(text)
    try:
        assert first_difference(lab.run, again.run) is None
        assert again.run.index == 24
        assert again.to_string() == text
        assert again.shown.hide == ("pin",)
    finally:
        again.close()


@pytest.mark.parametrize(
    "ask",
    [
        "zero_grad",
        Question("Four times the rate:", ["faster", "slower"], {"lr": 0.2}),
        Question("Draw it.", change={"stages": ("forward", "backward", "step")}),
    ],
)
def test_a_string_brings_an_open_question_back(make: Labs, ask: Question | str) -> None:
    lab = make("digits", ask=ask, until=3)
    lab.advance(3)
    again = TrainingLab.from_string(lab.to_string())
    try:
        assert again.view.asked.state == lab.view.asked.state
        for one in (lab, again):
            asked = one.view.asked.state
            drawn = {"verb": "draw", "value": [[3, 1], [6, 2]]}
            hear(one, **(drawn if asked["draw"] else {"verb": "answer", "value": 0}))
            until(lambda one=one: one.run.index == 6)
        assert first_difference(lab.run, again.run) is None
        assert "ask" not in LabState.from_string(lab.to_string()).shown
    finally:
        again.close()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text[: len(text) // 2],
        lambda text: text[:-2] + "AA",
        lambda text: "it2." + text[4:],
        lambda text: text + "junk",
        lambda text: "it1." + "A" * 100_000,
        lambda text: "",
        lambda text: None,
    ],
)
def test_a_spoilt_string_makes_nothing(make: Labs, spoil: Any) -> None:
    text = make("digits").to_string()
    before = widgets()
    with pytest.raises(StateStringError, match=r"state string"):
        TrainingLab.from_string(spoil(text))
    assert widgets() == before


@pytest.mark.parametrize(
    "changed",
    [
        {"index": 10**9},
        {"seed": -5},
        {"seed": True},
        {"task": "<script>alert(1)</script>"},
        {"task": "digits", "options": {"depth": 10**9}},
        {"recipe": {"lr": -1}},
        {"recipe": {"lr": "__import__('os')"}},
        {"recipe": {"os": 1}},
        {"changes": ((5, {"lr": 0.1}),)},
        {"shown": {"hide": ["everything"]}},
        {"shown": {"until": "many"}},
        {"shown": {"until": float("inf")}},
        {"shown": {"until": None}},
        {"shown": {"until": -1}},
        {"shown": {"seed": 3}},
        {"shown": {"hide": 5}},
        {"shown": {"ask": ["zero_grad"]}},
        {"shown": {"ask": "<b>zero_grad</b>"}},
        {"shown": {"ask": {"text": "x"}}},
        {"shown": {"ask": {"text": "", "answers": [], "change": {}}}},
        {"shown": {"ask": {"text": "x", "answers": ["a", "b"], "change": {"lr": -1}}}},
        {"shown": {"ask": {"text": "x", "answers": ["a", "b"], "change": {"os": 1}}}},
        {"shown": {"pace": "<b>fast</b>"}},
        {"options": {"<b>": 1}},
    ],
)
def test_a_hostile_string_makes_nothing(make: Labs, changed: dict[str, Any]) -> None:
    plain: dict[str, Any] = {
        "task": "digits",
        "options": {},
        "seed": 0,
        "recipe": {},
        "changes": (),
        "index": 0,
        "shown": {},
    }
    text = LabState(**{**plain, **changed}).to_string()
    before = widgets()
    with pytest.raises(StateStringError):
        TrainingLab.from_string(text)
    assert widgets() == before


def test_the_output_reads_without_a_kernel(make: Labs) -> None:
    import base64

    lab = make("digits", until=20)
    data, metadata = lab._repr_mimebundle_()
    assert base64.b64decode(data["image/png"]).startswith(b"\x89PNG")
    assert len(data["image/png"]) < 80_000
    assert data["text/plain"] == "TrainingLab('digits', step 0)"
    assert metadata["image/png"]["alt"]
    assert lab.run.index == 0  # the picture is of a copy


def test_a_picture_in_place_of_a_lab_says_that_it_is_still(
    make: Labs, make_bowl: Bowls, monkeypatch: pytest.MonkeyPatch
) -> None:
    titled: list[str] = []
    still = style.still

    def noted(ax: Axes) -> None:
        still(ax)
        titled.append(ax.get_title(loc="right"))

    monkeypatch.setattr(style, "still", noted)
    lab = make("digits")
    lab.advance(5)
    lab._repr_mimebundle_()
    make_bowl()._repr_mimebundle_()
    assert titled == ["A still picture: run its cell to steer."] * 2
    picture(lab.run, lab.history)  # which stands for itself
    assert len(titled) == 2


@pytest.mark.parametrize("name", ["moons", "spirals", "circles", "xor", "blobs", "regression"])
def test_every_task_has_its_picture(make: Labs, name: str) -> None:
    lab = make(name)
    lab.advance(12)
    assert lab.session.error is None
    assert lab.view.words.state["text"].startswith("Step 12:")
    lab._repr_mimebundle_()


@pytest.mark.parametrize("every", [2, 3, 7])
def test_the_picture_converges_though_frames_are_lost(make: Labs, every: int) -> None:
    lab = make("digits", until=90)
    looked_at(lab)
    group, figures = lab.view.panels.group, lab.view.panels.figures
    had = [0] * len(figures)  # the newest message of which each figure's frame came
    came = frames = 0

    def answer() -> bool:
        """Paint what has come, every n-th being lost, and say so again, as a page at rest does."""
        nonlocal came, frames
        number = group.flow.number
        if number != frames:
            frames = number
            if number % every:
                came = number
                had[:] = [
                    number if live.sent == number else old
                    for live, old in zip(figures, had, strict=True)
                ]
        views = [[place, "page", True] for place in range(len(figures))]
        group._receive(group, {"number": came, "held": 0.0, "had": had, "views": views}, None)
        return had == [live.sent for live in figures]

    # The top is shown after the pictures of the same moment.
    until(lambda: answer() and lab.view.top.state["index"] == 90 and not lab.session.playing)
    until(lambda: answer() and not any(live.due for live in figures))
    assert frames > 3 * every
    assert lab.view.panels.pictures.loss.you.get_xdata()[-1] == 89
