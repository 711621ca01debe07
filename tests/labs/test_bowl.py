"""BowlLab without a browser: what its messages do, what it says, and what it leaves behind."""

from __future__ import annotations

import runpy
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from interactive_training import Recipe, RecipeError, Run, TaskError, train
from interactive_training.engine import race
from interactive_training.engine.slices import slice_through
from interactive_training.exercises import Question
from interactive_training.exercises.goals import GOALS
from interactive_training.figures import style
from interactive_training.labs import BowlLab
from interactive_training.labs.bowlstate import lane_of
from interactive_training.labs.latest import Latest
from tests.labs.conftest import Bowls, widgets


def hear(lab: BowlLab, verb: str, **message: Any) -> None:
    """What the browser would send."""
    lab._receive({"verb": verb, **message})


def looked_at(lab: BowlLab) -> None:
    """A page shows the lab's pictures."""
    for live in lab.views.figures:
        page = {"width": 500, "density": 1, "theme": "light", "visible": True}
        live._receive(live, {"kind": "view", "view": "page", **page}, None)


def settled(lab: BowlLab) -> None:
    """Wait until the newest request is on the screen."""
    end = time.monotonic() + 20
    while not (lab._latest.idle and lab.reading.race == lab.race) and time.monotonic() < end:
        time.sleep(0.005)
    assert lab._latest.idle and lab.reading.race == lab.race


def said(lab: BowlLab) -> str:
    return str(lab.words.state["text"])


def drag(lab: BowlLab, x: float, y: float, *, handle: int = 0, done: bool = True) -> None:
    live = lab.views.surface if handle == 0 else lab.views.fates
    message = {"kind": "drag", "view": "page", "handle": 0, "id": 7, "x": x, "y": y, "done": done}
    live._receive(live, message, None)
    assert live.problem == ""


def test_the_first_state(make_bowl: Bowls) -> None:
    lab = make_bowl()
    assert said(lab) == "30 steps: (6.8e-05, 2.1e-21). Each step: flat x 0.70, steep x -0.20."
    lr, momentum, optimizer = lab.controls.state["controls"]
    assert (lr["value"], momentum["value"], optimizer["value"]) == (0.15, 0.0, "SGD")
    assert [mark["label"] for mark in lr["marks"]] == ["best .20", "edge .25"]
    assert not lab._latest.alive  # no page looks: no thread
    bundle, metadata = lab._repr_mimebundle_()
    assert bundle["image/png"] and "0.70" in bundle["text/plain"]
    assert metadata["image/png"]["alt"] == said(lab)


def test_every_control_changes_what_is_said(make_bowl: Bowls) -> None:
    lab = make_bowl()
    for name, value in (
        ("lr", 0.25),
        ("lr", 0.3),
        ("momentum", 0.4),
        ("scale", 0.5),
        ("keep_grad", 0.3),
        ("weight_decay", 0.1),
        ("clip", "value"),
        ("schedule", "CosineAnnealingLR"),
        ("optimizer", "Adam"),
        ("beta1", 0.5),
        ("beta2", 0.5),
    ):
        before, points = said(lab), lab.paths[0].points
        hear(lab, "set", name=name, value=value)
        assert not lab.words.state["failed"], said(lab)
        assert not np.array_equal(lab.paths[0].points, points), name
        assert said(lab) != before, name
    assert lab.shown.before is not None


def test_the_start_and_the_pin_are_dragged(make_bowl: Bowls) -> None:
    lab = make_bowl()
    looked_at(lab)
    drag(lab, -2.0, 1.0)
    settled(lab)
    assert lab.paths[0].points[0].tolist() == [-2.0, 1.0]
    drag(lab, 0.2, 0.5, handle=1)
    settled(lab)
    recipe = lab.race.racers[0].recipe
    assert (recipe.lr, recipe.momentum) == (0.2, 0.5)
    drag(lab, 0.5, 0.0, handle=1)
    settled(lab)
    assert lab.reading.leaves[0] is not None


def test_of_500_drags_the_newest_wins_and_nothing_is_left_to_do(make_bowl: Bowls) -> None:
    lab = make_bowl()
    looked_at(lab)
    settled(lab)
    done = lab._latest.done
    for number in range(500):
        drag(lab, 3 - number / 100, 2 - number / 200, done=number == 499)
    settled(lab)
    assert 0 < lab._latest.done - done < 400  # some positions were never drawn
    drawn = lab.views.drawings.surface.paths["you"].get_xydata()[0]
    assert np.allclose(drawn, (3 - 4.99, 2 - 499 / 200))
    quiet = lab._latest.done
    time.sleep(0.2)
    assert lab._latest.done == quiet


def test_a_race_of_three_and_its_sources(make_bowl: Bowls) -> None:
    lab = make_bowl()
    hear(lab, "add")
    hear(lab, "add")
    assert [racer.recipe.optimizer for racer in lab.race.racers] == ["SGD", "SGD", "Adam"]
    assert said(lab) == (
        "Heights at step 30: you 4.6e-09 (SGD), twin 4.1e-18 (SGD, momentum 0.2), "
        "third 0.54 (Adam)."
    )
    with pytest.raises(RecipeError, match="1 to 3 racers"):
        lab.add()
    for lane, path in zip(("you", "twin", "third"), lab.paths, strict=True):
        number = lane_of(lab.race, lane)
        run = Run(lab.race.task(number), lab.race.racers[number].recipe)
        for _ in train(run, 30, record=False):
            pass
        assert run.model.w.tolist() == path.points[-1].tolist()
        assert f"torch.optim.{lab.race.racers[number].recipe.optimizer}(" in lab.source(lane)
    hear(lab, "select", value=2)
    hear(lab, "remove")
    assert len(lab.race.racers) == 2
    with pytest.raises(RecipeError, match="no racer 'third'"):
        lab.change("third", lr=0.1)


def test_a_racer_beside_one_that_diverges_stays_on_the_picture(make_bowl: Bowls) -> None:
    lab = make_bowl(recipe=Recipe(lr=0.43))
    lab.add()
    assert lab.race.racers[1].recipe.lr == pytest.approx(0.2)
    assert lab.reading.leaves[0] is not None and lab.reading.leaves[1] is None
    assert lab.reading.heights[1][-1] < 1e-3


def test_gradients_a_thousand_times_as_large(make_bowl: Bowls) -> None:
    lab = make_bowl(recipe=Recipe(lr=0.001))
    lab.add(Recipe(optimizer="Adam", lr=0.1))
    before = [path.points[1] for path in lab.paths]
    lab.change("you", scale=1000)
    lab.change("twin", scale=1000)
    assert not np.allclose(lab.paths[0].points[1], before[0])
    assert np.allclose(lab.paths[1].points[1], before[1])


@pytest.mark.parametrize(
    ("start", "words"),
    [((9, 9), "off the picture"), ((float("nan"), 1), "finite"), ("ab", "two numbers")],
)
def test_a_bad_start_is_refused_and_the_path_kept(make_bowl: Bowls, start: Any, words: str) -> None:
    lab = make_bowl()
    points = lab.paths[0].points
    with pytest.raises(TaskError, match=words):
        lab.move(start)
    assert lab.paths[0].points is points


def test_bad_values_are_said_and_the_path_kept(make_bowl: Bowls) -> None:
    lab = make_bowl()
    points = lab.paths[0].points
    for name, value, words in (
        ("lr", "fast", "lr: 'fast' is no number; type one, such as 0.1."),
        ("lr", "0,2", "lr: '0,2' is no number; write 0.2 with a point."),
        ("lr", -1.0, "lr is -1; choose a number above 0"),
        ("momentum", 2.0, "momentum is 2; choose a number of 0 or more and at most 1."),
        ("scale", 0, "gradient x is 0; choose a number above 0"),
        ("keep_grad", "-1", "kept is -1; choose"),
        ("clip_at", "nan", "clip at is nan; choose"),
    ):
        hear(lab, "set", name=name, value=value)
        assert lab.words.state["failed"]
        assert said(lab).startswith(words)
        assert lab.paths[0].points is points
    for name, typed, words in (
        ("angle", "400", "turned is 400; choose"),
        ("condition", "4,5", "condition: '4,5' is no number; write 4.5 with a point."),
        ("steps", "x", "steps: 'x' is no number; type one, such as 30."),
    ):
        hear(lab, "setup", name=name, value=typed)
        assert said(lab).startswith(words)
    hear(lab, "set", name="lr", value=0.2)
    assert not lab.words.state["failed"]
    hear(lab, "set", name="optimizer", value="Adam")
    hear(lab, "set", name="beta1", value="1.5")
    assert said(lab) == "momentum is 1.5; choose a number of 0 or more and below 1."
    hear(lab, "set", name="beta2", value="x")
    assert said(lab) == "squares: 'x' is no number; type one, such as 0.999."
    for name, words in (("beta1", "momentum is 1;"), ("beta2", "squares is 1;")):
        hear(lab, "set", name=name, value="1")
        assert said(lab).startswith(words)


def test_own_functions(make_bowl: Bowls) -> None:
    lab = make_bowl(lambda w: (w[0] - 1) ** 2 + 3 * w[1] ** 2, start=(-1, 1))
    assert lab.paths[0].points[-1] == pytest.approx([1, 0], abs=1e-3)
    assert "lr x sharpness 0.6, edge 2." in said(lab)

    def breaks(w: torch.Tensor) -> torch.Tensor:
        if w[0] < 0:
            raise ValueError("no root below 0")
        return w[0] ** 0.5 + w[1] ** 2

    lab = make_bowl(breaks, start=(2, 1))
    points = lab.paths[0].points
    with pytest.raises(TaskError, match="mend the function or move the start"):
        lab.move((-1, 1))
    assert lab.paths[0].points is points
    assert lab.race.start == (2, 1)
    lab.change(lr=1.0)
    assert "raised ValueError: no root below 0" in said(lab)
    for function, words in (
        (lambda w: w, "return one number"),
        (lambda w: w[0].item(), "return one number"),
        (lambda w: torch.tensor(1.0), "cannot be differentiated"),
        (lambda w: w[0] / 0, "move the start"),
        (lambda w: w[7], "mend the function"),
    ):
        with pytest.raises(TaskError, match=words):
            make_bowl(function, start=(1, 1))

    def dawdles(w: torch.Tensor) -> torch.Tensor:
        time.sleep(0.02)
        return (w**2).sum()

    assert "stopped after" in said(make_bowl(dawdles, start=(1, 1), steps=200))


def test_surfaces_and_their_shape(make_bowl: Bowls) -> None:
    lab = make_bowl("bowl", condition=100, angle=30)
    assert lab.head.state["setup"] == "bowl, condition 100, turned 30, 30 steps"
    edge = lab.reading.edge(0)
    assert edge == pytest.approx(0.01)
    lab.change(lr=0.005)
    hear(lab, "setup", name="condition", value=10)
    assert lab.race.racers[0].recipe.lr == pytest.approx(0.05)  # as near to its edge as before
    hear(lab, "setup", name="surface", value="rosenbrock")
    assert "edge 2." in said(lab)
    hear(lab, "setup", name="steps", value=100)
    assert lab.paths[0].taken == 100
    with pytest.raises(TaskError, match="did you mean"):
        make_bowl("rosenbroc")


def test_a_cloud(make_bowl: Bowls) -> None:
    lab = make_bowl("himmelblau")
    hear(lab, "cloud")
    assert said(lab).startswith("1,000 starts: ") and "off" not in said(lab)
    counts = [int(part.split()[0]) for part in said(lab).split(": ")[1].split("), ")]
    assert len(counts) == 4 and sum(counts) == 1000
    assert len(lab.views.drawings.surface.cloud.get_offsets()) == 1000
    lab.add(Recipe(optimizer="Adam", lr=0.1))
    assert said(lab).startswith("1,000 starts of SGD: ")
    hear(lab, "set", name="clip", value="norm")
    assert lab.words.state["failed"] and "all starts" in said(lab)


def test_be_the_optimizer(make_bowl: Bowls) -> None:
    lab = make_bowl()
    hear(lab, "hand")
    surface = lab.views.drawings.surface
    assert surface.hidden and not len(surface.paths["you"].get_xdata())
    assert surface.hiding.get_visible()
    drag(lab, 1.0, 1.0)
    drag(lab, 0.0, 0.5)
    assert said(lab).startswith("Move 2: height 1, gradient (0, 4)")
    hear(lab, "go")
    assert not surface.hidden and not surface.hiding.get_visible()
    assert lab.paths[0].points[0].tolist() == [3.0, 2.0]  # from where the hand began
    assert said(lab) == "By hand: height 1 after 2 moves. SGD: 4.6e-09 after 30 steps."
    assert surface.trail.get_xydata().tolist() == [[3, 2], [1, 1], [0, 0.5]]
    named = lab.views.drawings.heights.labels.texts
    assert [named[lane].get_text() for lane in ("you", "fourth")] == ["SGD", "hand"]
    assert surface.labels["you"].get_text() == "SGD"
    hear(lab, "over")
    assert not len(surface.trail.get_xdata())


def test_the_script_of_a_noisy_racer_draws_the_same_noise(
    make_bowl: Bowls, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lab = make_bowl("saddle", noise=0.3, seed=4)
    for scale in (1.0, 3.0):
        lab.change(scale=scale)
        script = tmp_path / f"{scale}.py"
        script.write_text(lab.source() + "\nprint('end', w.tolist())\n")
        runpy.run_path(str(script))
        end = capsys.readouterr().out.rpartition("end ")[2]
        assert end.strip() == str(list(lab.paths[0].end))


def test_noise_and_seed_are_set_up(make_bowl: Bowls) -> None:
    lab = make_bowl("saddle")
    assert said(lab).startswith("60 steps: (1e-09, 0), height 1.")
    hear(lab, "setup", name="noise", value=0.3)
    assert lab.head.state["setup"] == "saddle, noise 0.3, 60 steps"
    first = lab.paths[0].points
    assert abs(first[-1, 1]) > 1
    assert "seed" in [control["name"] for control in lab.head.state["controls"]]
    hear(lab, "setup", name="seed", value=1)
    assert not np.array_equal(lab.paths[0].points, first)
    hear(lab, "setup", name="noise", value=-1.0)
    assert lab.words.state["failed"] and "noise is -1" in said(lab)


def test_the_cloud_is_that_of_the_selected_racer(make_bowl: Bowls) -> None:
    lab = make_bowl("saddle", noise=1.0)
    lab.add(Recipe(lr=5.0))  # it flies away
    hear(lab, "cloud")
    assert "off the picture" not in said(lab) and " 0 at " not in said(lab)
    hear(lab, "select", value=1)
    assert said(lab).startswith("1,000 starts of SGD, lr 5: 0 at ")
    assert said(lab).endswith("1000 off the picture.")


@pytest.mark.parametrize(
    "values",
    [{"schedule": "StepLR"}, {"clip": "norm"}, {"optimizer_options": (("maximize", True),)}],
)
def test_what_holds_for_plain_descent_is_said_of_nothing_else(
    make_bowl: Bowls, values: dict[str, Any]
) -> None:
    lab = make_bowl()
    assert "Each step: flat x 0.70" in said(lab)
    lab.change(**values)
    assert "step flat" not in said(lab) and "step steep" not in said(lab)
    if "optimizer_options" in values:
        assert "edge" not in said(lab).lower()
        assert lab.controls.state["controls"][0]["marks"] == []
    noisy = make_bowl(noise=1.0)
    assert "Each step" not in said(noisy)


def test_a_path_that_comes_back_leaves_for_good_later(make_bowl: Bowls) -> None:
    lab = make_bowl(recipe=Recipe(optimizer="Adam", lr=8.27, betas=(0.049, 0.999)), steps=100)
    x, y = lab.paths[0].points[1]
    assert abs(x) > 4.2 or abs(y) > 3
    assert said(lab).startswith("Leaves the picture for good at step ")
    lab.change(optimizer="SGD", lr=0.3)
    assert said(lab).startswith("Leaves the picture at step 2: ")


def test_the_last_words_come_though_a_goal_was_reached_meanwhile(make_bowl: Bowls) -> None:
    lab = make_bowl()
    shown = replace(lab.shown, race=lab.race.changed(0, lr=0.232))
    lab.shown = shown.with_reached(["swing"])  # noted while this request was on its way
    lab._told = time.monotonic()
    lab._latest.put(shown)
    assert lab.controls.state["controls"][0]["text"] == "0.232" and "steep x -0.86" in said(lab)


def test_arrows_have_one_scale_and_names_of_their_own(make_bowl: Bowls) -> None:
    lab = make_bowl(recipe=Recipe(lr=0.02, momentum=0.9))
    lab.add(Recipe(optimizer="Adam", lr=0.1))
    lab.move((1.0, -2.0))
    hear(lab, "moment")
    hear(lab, "next")
    surface = lab.views.drawings.surface

    def length(name: str) -> float:
        a, b = surface.arrows[name].get_segments()[0]
        return float(np.hypot(*(b - a)))

    at = race.moment(lab.race, 1)
    assert at.momentum is not None
    ratio = np.hypot(*at.momentum) / np.hypot(*at.gradient)
    assert length("momentum") / length("gradient") == pytest.approx(ratio)
    assert style.role_of(surface.arrows["step"]) == "you"
    assert surface.squares_name.get_text() == ""
    hear(lab, "select", value=1)
    assert style.role_of(surface.arrows["step"]) == "twin"
    assert surface.squares_name.get_text() == "root of squares"
    lab.change("twin", optimizer="SGD", lr=0.5)
    hear(lab, "select", value=0)
    hear(lab, "select", value=1)
    for _ in range(40):
        hear(lab, "next")
    assert "It leaves the picture." in said(lab)


def test_names_of_paths_that_leave_together_stand_apart(make_bowl: Bowls) -> None:
    lab = make_bowl(recipe=Recipe(lr=2.0))
    lab.add(Recipe(lr=2.0, momentum=0.21))
    lab.add(Recipe(lr=2.1, momentum=0.21))
    labels = lab.views.drawings.surface.labels
    heights = [labels[lane].get_position()[1] for lane in ("you", "twin", "third")]
    assert all("leaves the picture" in labels[lane].get_text() for lane in labels)
    axes_height = 274  # pixels
    assert np.diff(sorted(heights)).min() * axes_height > 11
    for text in labels.values():
        x, long = text.get_position()[0], 6.6 * len(text.get_text()) / 472
        left = x - long if text.get_horizontalalignment() == "right" else x
        assert left > 0 and left + long < 1.02


def test_a_network_slice_and_one_of_your_own(
    make_bowl: Bowls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(race, "PATIENCE", 60.0)  # busy processors are not what is tested here
    lab = make_bowl()
    hear(lab, "setup", name="surface", value="network slice")
    assert lab.head.state["setup"] == "network slice, 60 steps"
    assert said(lab).startswith("60 steps: (-1.3, 0.88), height 1.2e-05. There lr x sharpness 0.42")
    hear(lab, "cloud")
    assert said(lab) == "1,000 starts: 410 at (-1.4, 0.85), 384 elsewhere, 206 off the picture."
    run = Run("xor", Recipe(optimizer="Adam", lr=0.01))
    for _ in train(run, 30, record=False):
        pass
    own = make_bowl(slice_through(run, ("0.weight", 0), ("0.weight", 1)))
    assert own.paths[0].heights[-1] < own.paths[0].heights[0]
    assert own.head.state["controls"][0]["value"] == "slice"
    assert own.source().startswith("# A network of yours is too much for a script.")


def test_the_script_of_the_network_slice_stands_alone(make_bowl: Bowls, tmp_path: Path) -> None:
    lab = make_bowl("network slice", steps=5)
    for scale in (1.0, 2.0):
        lab.change(scale=scale)
        assert "..." not in lab.source()
        script = tmp_path / "slice.py"
        script.write_text(f"import torch; torch.set_num_threads({torch.get_num_threads()})\n")
        script.write_text(script.read_text() + lab.source())
        found = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
        printed = [float(line.split()[-1]) for line in found.stdout.splitlines()]
        assert printed == pytest.approx(lab.paths[0].heights[:-1] * scale, rel=1e-12)


def test_clipping_is_drawn_as_arrows(make_bowl: Bowls) -> None:
    lab = make_bowl()
    surface = lab.views.drawings.surface
    tips = lambda name: [s[-1] for s in surface.arrows[name].get_segments()][:1]  # noqa: E731
    assert not tips("clipped")
    hear(lab, "set", name="clip", value="value")
    hear(lab, "set", name="clip_at", value=4.0)
    assert np.allclose(tips("clipped")[0] - (3, 2), (0.84, 0.84))  # (4, 4), at the box's corner
    (box,) = surface.limit.get_paths()
    assert np.allclose(box.vertices.max(0), (3.84, 2.84))
    hear(lab, "set", name="clip", value="norm")
    (way,) = tips("clipped") - np.array((3, 2))
    assert np.hypot(*way) == pytest.approx(0.84) and way[1] / way[0] == pytest.approx(16 / 6)
    hear(lab, "moment")
    assert said(lab).startswith("Step 0: gradient (6, 16), clipped (1.4, 3.7)")
    hear(lab, "moment")
    hear(lab, "set", name="clip", value="none")
    assert not tips("clipped") and not surface.limit.get_paths()


def test_the_pin_moves_adam_and_its_map_waits_for_the_start(make_bowl: Bowls) -> None:
    lab = make_bowl(recipe=Recipe(optimizer="Adam", lr=0.15))
    looked_at(lab)
    fates = lab.views.drawings.fates
    assert fates.ax.get_xscale() == "log"
    drag(lab, 2.0, 0.3, handle=1)
    settled(lab)
    recipe = lab.race.racers[0].recipe
    assert (recipe.lr, recipe.betas) == (2.0, (0.3, 0.999))
    click = {"kind": "click", "view": "page", "axes": 0, "x": 0.5, "y": 0.2}
    lab.views.fates._receive(lab.views.fates, click, None)
    settled(lab)
    assert (lab.race.racers[0].recipe.lr, fates.pin.get_xydata().tolist()) == (0.5, [[0.5, 0.2]])
    regions = fates.layers[0]
    drag(lab, 1.0, 1.0, done=False)
    settled(lab)
    assert fates.layers[0] is regions
    drag(lab, 1.0, 1.0)
    settled(lab)
    assert fates.layers[0] is not regions
    hear(lab, "set", name="optimizer", value="RMSprop")
    settled(lab)
    assert "a run of its own" in fates.note.get_text() and not fates.mapped
    lab.views.fates._receive(lab.views.fates, {**click, "x": 0.7}, None)
    settled(lab)
    assert lab.race.racers[0].recipe.lr == 0.5
    hear(lab, "set", name="optimizer", value="SGD")
    settled(lab)
    assert fates.ax.get_xscale() == "linear" and fates.note.get_text() == ""


def test_map_and_pin_are_those_of_the_selected_racer(make_bowl: Bowls) -> None:
    lab = make_bowl()
    fates = lab.views.drawings.fates
    lab.add(Recipe(lr=0.1, momentum=0.5))
    lab.add(Recipe(optimizer="Adam", lr=0.3))

    def places() -> list[list[list[float]]]:
        marks = [fates.pin, *fates.marks.values()]
        return [mark.get_xydata().tolist() for mark in marks]  # type: ignore[union-attr]

    assert places() == [[[0.15, 0.0]], [], [[0.1, 0.5]], []]
    hear(lab, "select", value=1)
    assert places() == [[[0.1, 0.5]], [[0.15, 0.0]], [], []]
    assert fates.pin.get_markeredgecolor() == style.LIGHT.twin
    drag(lab, 0.2, 0.4, handle=1)
    assert [(r.recipe.lr, r.recipe.momentum) for r in lab.race.racers[:2]] == [
        (0.15, None),
        (0.2, 0.4),
    ]
    assert places()[0] == [[0.2, 0.4]] and fates.ax.get_xscale() == "linear"
    hear(lab, "select", value=2)
    assert fates.ax.get_xscale() == "log" and places() == [[[0.3, 0.9]], [], [], []]
    drag(lab, 1.0, 0.5, handle=1)
    recipe = lab.race.racers[2].recipe
    assert (recipe.lr, recipe.betas) == (1.0, (0.5, 0.999))


def test_racers_of_one_optimizer_are_told_apart(make_bowl: Bowls) -> None:
    lab = make_bowl()
    lab.add(Recipe(lr=0.1))
    assert said(lab).startswith("Heights at step 30: you 4.6e-09 (SGD, lr 0.15), twin ")
    names = lab.views.drawings.surface.labels
    assert [names[lane].get_text() for lane in ("you", "twin")] == ["SGD, lr 0.15", "SGD, lr 0.1"]
    hear(lab, "moment")
    assert [names[lane].get_text() for lane in ("you", "twin")] == ["", ""]
    hear(lab, "present", value=True)
    assert [control["label"] for control in lab.controls.state["controls"]] == ["lr, you"]


def test_what_was_before_has_a_name(make_bowl: Bowls) -> None:
    lab = make_bowl()
    surface = lab.views.drawings.surface
    assert surface.before.get_text() == ""
    lab.change(lr=0.24)
    assert surface.before.get_text() == "before"
    lab.add(Recipe(optimizer="Adam", lr=0.3))
    assert [surface.labels[lane].get_text() for lane in ("you", "twin")] == ["SGD", "Adam"]
    lab.change(lr=0.3)
    assert surface.labels["you"].get_text() == "SGD leaves the picture at step 2"
    lab.change(lr=0.2, momentum=0.2)
    assert surface.labels["you"].get_text() == "SGD, momentum 0.2"


def test_no_best_is_marked_where_nothing_arrives(make_bowl: Bowls) -> None:
    lab = make_bowl()
    fates = lab.views.drawings.fates
    assert fates.best_name.get_text() == "fastest"

    def marks(at: int) -> list[str]:
        return [mark["label"] for mark in lab.controls.state["controls"][at]["marks"]]

    lab.change(keep_grad=1.0)
    assert "flat x 1.00" in said(lab) or "flat x 1.00 in ripples" in said(lab)
    assert [label.split()[0] for label in marks(0)] == ["edge"]
    assert marks(1) == ["0", "1"]
    assert not fates.best_name.get_visible() and not fates.best.get_visible()
    assert fates.note.get_text().startswith("No map: with all of the gradient kept")
    lab.change(keep_grad=0.0, lr=1e6)
    assert marks(1) == ["0", "1"]
    assert "each step steep x -8e+06. Edge" in said(lab)
    assert fates.best_name.get_text() == "fastest"


def test_the_map_says_whose_fate_it_is(make_bowl: Bowls) -> None:
    lab = make_bowl()
    title = lambda: lab.views.drawings.fates.ax.get_title(loc="left")  # noqa: E731
    assert title() == "momentum; fate of the slower direction"
    lab.change(optimizer="Adam")
    assert title() == "momentum"


def test_a_rival_leaves_no_grey_line(make_bowl: Bowls) -> None:
    lab = make_bowl()
    lab.add(Recipe(optimizer="Adam", lr=0.3))
    lab.change("twin", lr=0.1)
    assert lab.shown.before is None
    lab.change(lr=0.2)
    assert lab.shown.before is not None and lab.shown.before.race.racers[0].recipe.lr == 0.15


def test_a_schedule_has_its_own_values_and_decay_acts_both_ways(make_bowl: Bowls) -> None:
    lab = make_bowl(recipe=Recipe(optimizer="AdamW", lr=0.1, weight_decay=0.0))
    lab.add(Recipe(optimizer="Adam", lr=0.1))
    for lane in ("you", "twin"):
        lab.change(lane, weight_decay=0.5)
    decoupled, coupled = (path.points[1] for path in lab.paths)
    assert decoupled == pytest.approx(0.95 * np.array((3, 2)) - 0.1)  # the weight itself shrinks
    assert coupled == pytest.approx(np.array((3, 2)) - 0.1)  # divided away with the gradient
    hear(lab, "set", name="schedule", value="StepLR")
    names = [control["name"] for control in lab.controls.state["more"]]
    assert "schedule_options.step_size" in names
    points = lab.paths[0].points
    hear(lab, "set", name="schedule_options.step_size", value=5)
    assert not np.array_equal(lab.paths[0].points, points)


def test_presenting_shows_the_surface_alone(make_bowl: Bowls) -> None:
    lab = make_bowl()
    before = widgets()
    usual = lab.views
    hear(lab, "present", value=True)
    assert lab.views is not usual and usual.surface.comm is None
    assert len(lab.root.children[0].children[1].children) == 1
    assert [control["name"] for control in lab.controls.state["controls"]] == ["lr"]
    assert lab.head.state["presenting"]
    lab.change(lr=0.26)
    assert len(lab.views.drawings.surface.tips["you"].get_segments()) == 2
    hear(lab, "present", value=False)
    assert len(lab.root.children[0].children[1].children) == 2
    assert len(lab.controls.state["controls"]) == 3
    assert not lab.head.state["presenting"]
    assert widgets() == before


def test_slow_motion(make_bowl: Bowls) -> None:
    lab = make_bowl(recipe=Recipe(lr=0.1, momentum=0.5))
    hear(lab, "moment")
    assert said(lab) == "Step 0: gradient (6, 16), momentum (6, 16), step (-0.6, -1.6)."
    hear(lab, "next")
    assert said(lab).startswith("Step 1: gradient (4.8, 3.2), momentum (7.8, 11)")
    for _ in range(40):
        hear(lab, "next")
    assert said(lab).startswith("Step 29")
    lab = make_bowl("himmelblau")
    hear(lab, "moment")
    assert said(lab) == "Step 0: gradient (8, -8), step (-0.08, 0.08)."  # it bends downward here
    for _ in range(11):
        hear(lab, "next")
    x, y = lab.paths[0].points[11]
    hessian = [[12 * x**2 + 4 * y - 42, 4 * (x + y)], [4 * (x + y), 12 * y**2 + 4 * x - 26]]
    sharpness = np.linalg.eigvalsh(hessian).max()
    assert said(lab).endswith(f"lr x sharpness {0.01 * sharpness:.2g}, edge 2.")


def test_a_question_covers_what_would_tell(make_bowl: Bowls) -> None:
    ask = Question("At a rate of 0.26 it will", ["arrive", "leave"], {"lr": 0.26})
    lab = make_bowl(ask=ask)

    def marks() -> list[str]:
        return [mark["label"] for mark in lab.controls.state["controls"][0]["marks"]]

    assert lab.asked.state["mode"] == "ask" and lab.asked.state["place"] and marks() == []
    hear(lab, "answer", value=9)
    assert "no answer" in lab.asked.state["problem"] and lab.race.racers[0].recipe.lr == 0.15
    hear(lab, "answer", value=0)
    assert lab.asked.state["mode"] == "" and marks() == ["best .20", "edge .25"]
    assert said(lab).startswith("Leaves the picture at step 6")
    assert lab.shown.before is not None
    guess = lab.views.drawings.heights.guess
    assert guess.get_text() == "your guess: arrive"
    hear(lab, "hands", value=["3", "12"])
    assert lab.asked.state["mode"] == "bars"
    lab.reveal("leave")
    assert lab.asked.state["truth"] == 1
    lab.change(lr=0.2)  # what was expected of another rate is no guess at this one
    assert guess.get_text() == ""


def test_a_skipped_question_changes_nothing(make_bowl: Bowls) -> None:
    lab = make_bowl(ask=Question("And now?", ["up", "down"], {"lr": 0.26}))
    hear(lab, "answer", value=-1)
    assert lab.asked.state["mode"] == "" and lab.race.racers[0].recipe.lr == 0.15
    with pytest.raises(TaskError, match="asks nothing"):
        make_bowl().reveal(0)
    with pytest.raises(TaskError, match="asks with answers"):
        make_bowl(ask=Question("Draw it."))
    with pytest.raises(RecipeError, match="lr is -1"):
        make_bowl(ask=Question("And now?", ["up", "down"], {"lr": -1}))


def test_what_came_is_known_with_the_answer(make_bowl: Bowls) -> None:
    seen = []

    def came(heights: Any) -> str:
        seen.append(heights)
        return "up" if heights[-1] > heights[0] else "down"

    lab = make_bowl(ask=Question("And now?", ["up", "down"], {"lr": 0.26}), came=came)
    assert lab.asked.state["truth"] is None
    hear(lab, "answer", value=1)
    state = lab.asked.state
    assert (state["mode"], state["guess"], state["truth"]) == ("bars", 1, 0)
    lab.change(lr=0.1)  # which comes down
    assert lab.asked.state["truth"] == 0
    assert len(seen) == 1
    assert seen[0][0] == 25
    assert len(seen[0]) == 31


def test_a_cleared_question_is_told_anew(make_bowl: Bowls) -> None:
    ask = Question("It ends", ["low", "high"], {"lr": 0.26})
    lab = make_bowl(ask=ask, came=lambda heights: int(heights[-1] > 20))
    hear(lab, "hands", value=["3", "12"])
    hear(lab, "answer", value=0)
    assert (lab.asked.state["mode"], lab.asked.state["truth"]) == ("bars", 1)
    race = lab.race
    hear(lab, "forget")
    state = lab.asked.state
    assert (state["mode"], state["hands"], state["kept"]) == ("ask", [], {})
    assert state["forgotten"]
    assert lab.race == race
    lab.move((0.3, 0.2))  # a hundredth as high
    hear(lab, "hands", value=["1", ""])
    assert lab.asked.state["mode"] == "ask"  # not before all hands are counted
    hear(lab, "answer", value=-1)
    state = lab.asked.state
    assert (state["mode"], state["hands"], state["truth"]) == ("bars", [1, 0], 0)


def test_a_truth_shows_hands_that_nobody_ran_from(make_bowl: Bowls) -> None:
    lab = make_bowl(ask=Question("And now?", ["up", "down"], {"lr": 0.26}))
    hear(lab, "hands", value=["3", "12"])
    assert lab.asked.state["mode"] == "ask"
    lab.reveal("up")
    state = lab.asked.state
    assert (state["mode"], state["hands"], state["truth"]) == ("bars", [3, 12], 0)


def test_what_came_that_cannot_be_told_is_said(make_bowl: Bowls) -> None:
    lab = make_bowl(ask=Question("And now?", ["up", "down"], {"lr": 0.26}), came=lambda _: "away")
    hear(lab, "answer", value=1)
    assert "'away' is no answer" in lab.words.state["text"]
    assert lab.words.state["failed"]
    lab.change(lr=0.2)
    assert not lab.words.state["failed"]
    assert said(lab).startswith("30 steps")


def test_a_goal_is_not_reached_in_passing(make_bowl: Bowls) -> None:
    lab = make_bowl()
    hear(lab, "goal", value="long bowl")
    rate, mass = 2 / 121, (9 / 11) ** 2  # where condition 100 comes down fastest
    lab._pin_dragged(rate, mass, False)
    assert lab.shown.reached == ()
    lab._pin_dragged(rate, 0.0, False)
    lab._pin_dragged(rate, 0.0, True)
    assert lab.shown.reached == ()
    lab._pin_dragged(rate, mass, True)
    assert lab.shown.reached == ("long bowl",)


def test_reset_brings_the_first_state_back(make_bowl: Bowls) -> None:
    lab = make_bowl()
    first = lab.race
    hear(lab, "goal", value=GOALS[1].name)
    lab.change(lr=0.3)
    hear(lab, "reset")
    assert lab.race == first
    assert lab.shown.goal is None
    again = BowlLab.from_string(make_bowl("saddle", noise=0.3).to_string())
    again.move((1, 1))
    hear(again, "reset")
    assert again.race == make_bowl("saddle", noise=0.3).race
    again.close()


def test_hands_that_were_counted_run_without_an_answer(make_bowl: Bowls) -> None:
    lab = make_bowl(ask=Question("And now?", ["up", "down"], {"lr": 0.26}))
    hear(lab, "hands", value=["3", "12"])
    assert lab.asked.state["skip"] == "Run it"
    hear(lab, "answer", value=-1)
    assert lab.race.racers[0].recipe.lr == 0.26
    assert (lab.asked.state["mode"], lab.asked.state["hands"]) == ("bars", [3, 12])
    assert lab.views.drawings.heights.guess.get_text() == ""


def test_slow_motion_is_that_of_the_selected_racer(make_bowl: Bowls) -> None:
    lab = make_bowl(recipe=Recipe(lr=0.02))
    lab.add(Recipe(optimizer="Adam", lr=0.3))
    hear(lab, "moment")
    squares = lab.views.drawings.surface.squares
    assert said(lab).startswith("you, step 0: gradient (6, 16), step (-0.12, -0.32).")
    assert not squares.get_paths()
    hear(lab, "select", value=1)
    hear(lab, "next")
    assert said(lab).startswith("twin, step 1: gradient (5.4, 14), momentum (")
    assert squares.get_paths()


def test_the_limit_of_clipping_is_that_of_the_selected_racer(make_bowl: Bowls) -> None:
    lab = make_bowl(recipe=Recipe(lr=0.02, clip="norm", clip_at=1.0))
    lab.add(Recipe(lr=0.02, clip="value", clip_at=4.0))
    hear(lab, "moment")
    corners = []
    for lane in (0, 1):
        hear(lab, "select", value=lane)
        (outline,) = lab.views.drawings.surface.limit.get_paths()
        corners.append(len(outline.vertices) - 1)
    assert corners == [48, 4]  # a circle, a square


def test_goals(make_bowl: Bowls) -> None:
    lab = make_bowl()

    def goal() -> str:
        return str(lab.goals.state["text"])

    assert goal().startswith("Goals:")  # and they are in view before one is chosen
    labels = [button["label"] for button in lab.goals.state["buttons"]]
    assert labels == ["Swing, but arrive", "Make momentum pay", "Without it", "Break Adam"]
    hear(lab, "goal", value="swing")
    assert goal() == (
        "Goal: cross the valley 10 times, |w1| over 0.05 on both sides; end below 0.01. "
        "Now 2 times, at 4.57e-09."
    )
    lab.change(lr=0.23)
    assert goal().startswith("Reached: just below the edge")
    hear(lab, "goal", value="plain")
    assert lab.race.ground.options["condition"] == 100 and lab.head.state["note"] == (
        "Plain SGD is stable up to lr 0.01 and fastest at 0.0099."
    )
    hear(lab, "impossible")
    assert goal().startswith("Right: even at its best, .0099")
    ticked = [button["label"] for button in lab.goals.state["buttons"]]
    assert ticked[2].startswith("Without it \u2713")
    hear(lab, "goal", value="adam")
    hear(lab, "impossible")
    assert goal().startswith("It can be done: Adam")
    lab.change(lr=5.0)
    hear(lab, "set", name="beta1", value=0.0)
    assert goal().startswith("Reached: with momentum .9 the same lr stays below 1: momentum damps")
    hear(lab, "goal", value="adam")
    assert goal().startswith("Goals:") and lab.shown.goal is None


def goal_labels(lab: BowlLab) -> list[str]:
    return [button["label"] for button in lab.goals.state["buttons"]]


def test_a_goal_that_was_reached_keeps_its_tick(make_bowl: Bowls) -> None:
    lab = make_bowl()
    hear(lab, "goal", value="swing")
    assert goal_labels(lab)[0] == "Swing, but arrive \u2022"
    lab.change(lr=0.23)
    assert goal_labels(lab)[0] == "Swing, but arrive \u2713 \u2022"
    hear(lab, "set", name="lr", value="fast")  # refused: the run is the one that reached it
    assert lab.words.state["failed"]
    assert goal_labels(lab)[0] == "Swing, but arrive \u2713 \u2022"
    assert lab.goals.state["text"].startswith("Reached: ")
    hear(lab, "goal", value="swing")
    assert goal_labels(lab)[0] == "Swing, but arrive \u2713" and lab.shown.goal is None
    hear(lab, "goal", value="plain")
    assert goal_labels(lab)[0] == "Swing, but arrive \u2713"
    assert goal_labels(lab)[2] == "Without it \u2022"
    hear(lab, "setup", name="surface", value="saddle")
    assert goal_labels(lab)[0] == "Swing, but arrive \u2713"


def test_a_tick_that_comes_while_another_goal_is_pressed_stays(make_bowl: Bowls) -> None:
    lab = make_bowl()
    hear(lab, "goal", value="swing")
    before = lab.shown
    lab.change(lr=0.23)
    lab._show(before.with_goal("adam"))
    assert lab.shown.reached == ("swing",)


def test_a_goal_says_how_far_it_is_and_what_has_to_be_set_back(make_bowl: Bowls) -> None:
    lab = make_bowl()
    hear(lab, "goal", value="swing")
    lab.change(lr=0.24)
    assert lab.goals.state["text"].endswith("Now 30 times, at 0.107.")
    for name, value in (("angle", 20.0), ("noise", 0.1), ("steps", 31)):
        hear(lab, "goal", value="swing")
        hear(lab, "goal", value="swing")
        lab.change(lr=0.23)
        hear(lab, "setup", name=name, value=value)
        assert lab.goals.state["text"].endswith("Counts at condition 4, from (3, 2), in 30 steps.")


@pytest.mark.parametrize(
    ("lr", "momentum", "words"),
    [
        (5.0, 0.0, "Reached: with momentum .9 the same lr stays below 1: momentum damps"),
        (2.57, 0.983, "Reached: with momentum .9 the same lr stays below 1: with more, Adam"),
        (100.0, 0.5, "Reached: momentum .9 does not save this one."),
        (100.0, 0.8, "Now 0.00249 at most, in 100 steps."),
    ],
)
def test_what_broke_adam_is_run_with_the_usual_momentum(
    make_bowl: Bowls, lr: float, momentum: float, words: str
) -> None:
    lab = make_bowl()
    hear(lab, "goal", value="adam")
    lab.change(lr=lr, betas=(momentum, 0.999))
    assert words in lab.goals.state["text"]
    assert len(lab.goals.state["text"]) <= 98  # two lines beside the buttons


def test_a_closed_lab_leaves_nothing(make_bowl: Bowls) -> None:
    before = widgets()
    lab = make_bowl()
    looked_at(lab)
    assert widgets() > before and lab._latest.alive
    lab.close()
    assert widgets() == before and not lab._latest.alive


def test_latest_reports_what_its_work_raises() -> None:
    failed: list[Exception] = []

    def work(request: int) -> None:
        raise ValueError(request)

    latest: Latest[int] = Latest(work, failed.append)
    latest.put(1)
    latest.start()
    latest.put(2)
    end = time.monotonic() + 5
    while len(failed) < 2 and time.monotonic() < end:
        time.sleep(0.005)
    latest.stop()
    assert [error.args for error in failed] == [(1,), (2,)]


def test_a_drag_to_where_a_function_fails_is_said_and_taken_back(make_bowl: Bowls) -> None:
    lab = make_bowl(lambda w: torch.sqrt(w[0] - 1) + w[1] ** 2, start=(3, 1))
    points = lab.paths[0].points
    drag(lab, 0.5, 1.0)
    assert lab.words.state["failed"] and "at its start" in said(lab)
    assert lab.paths[0].points is points
    assert lab.views.drawings.surface.start.get_xdata() == [3.0]


def test_the_script_of_a_racer_prints_its_losses(
    make_bowl: Bowls, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labs = [
        make_bowl("bowl", condition=20, angle=30, recipe=Recipe(lr=0.001)),
        make_bowl("rosenbrock", steps=10, start=(0, 0)),
        make_bowl(lambda w: w[0] ** 2 + w[1] ** 4, start=(1, 1)),
    ]
    for number, lab in enumerate(labs):
        for scale in (1.0, 3.0):
            lab.change(scale=scale)
            script = tmp_path / f"{number}-{scale}.py"
            script.write_text(lab.source())
            runpy.run_path(str(script))
            printed = [float(line.split()[-1]) for line in capsys.readouterr().out.splitlines()]
            heights = lab.paths[0].heights[:-1] * scale
            assert len(printed) == lab.race.steps
            assert np.allclose(printed, heights, rtol=1e-15, atol=0)
