"""What TrainingLab says: its text line, its marks, its question, its proof."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, nan
from typing import Any

import numpy as np

from interactive_training.engine.history import History
from interactive_training.engine.lines import step_lines
from interactive_training.engine.prove import Proof
from interactive_training.engine.recipe import Recipe
from interactive_training.engine.run import Run
from interactive_training.engine.session import Session
from interactive_training.exercises.predictions import Question
from interactive_training.labs.controls import number
from interactive_training.labs.panels import Panels, ghost_name
from interactive_training.probes import patterns

ANSWERS = ("higher", "the same", "at guessing")  # of the share that is right
LOSSES = ("lower", "the same", "higher")  # of the loss, where nothing is right or wrong
ALIKE = 0.02  # of a share, or of a loss, within which two are called the same
# Fields that a mark on the picture calls by a shorter name, or by their value alone.
SHORT = {"keep_grad": "kept", "batch_size": "batch", "optimizer": "", "amp": ""}


@dataclass(frozen=True)
class Verdict:
    """How the run and its ghost do on the validation rows, from 0 to 1, and what is wrong."""

    accuracy: float = nan
    unchanged: float | None = None
    finding: patterns.Finding | None = None


def judge(session: Session, panels: Panels) -> Verdict:
    """Score the run and its ghost through the panels' shadows, and look for a pattern."""
    run = session.run
    if session.error is not None:
        return Verdict(finding=patterns.of_error(session.error, run.recipe))
    done = run.timeline.changes
    since = run.index - (done[-1].index if done else 0)
    idle = patterns.of_lines(session.history, run.recipe, since)
    data = run.task.data
    if data is None or panels.shadow is None:
        return Verdict(finding=idle)
    if not run.task.classes or not len(data.validation_inputs):
        return Verdict(finding=idle)
    rows = data.validation_inputs, data.validation_targets
    unchanged = None
    if session.ghost is not None and panels.ghost_shadow is not None:
        panels.ghost_shadow.follow(session.ghost)
        unchanged = panels.ghost_shadow.accuracy(*rows)
    panels.shadow.follow(run)
    dead = panels.shadow.dead_units(rows[0])
    found = patterns.of_curve(session.history, run.recipe, run.task.outputs, dead, since)
    return Verdict(panels.shadow.accuracy(*rows), unchanged, idle or found)


def sentence(session: Session, verdict: Verdict) -> str:
    """What the picture shows, in one sentence with a number and what it is compared with."""
    run, history = session.run, session.history
    if not len(history):
        return "Off it goes." if session.playing else "Nothing has happened yet: press Run."
    if isfinite(verdict.accuracy):
        said = f"Step {run.index}: {percent(verdict.accuracy)} right."
        if verdict.unchanged is not None:
            return f"{said} {ghost_of(run)}: {percent(verdict.unchanged)}."
        return f"{said} Guessing: {percent(1 / run.task.outputs)}."
    said = f"Step {run.index}: loss {history.last('average'):.3g}."
    if session.ghost_history:  # it has none yet just after the change
        said += f" {ghost_of(run)}: {session.ghost_history.last('average'):.3g}."
    return said


def ghost_of(run: Run) -> str:
    """What the grey line is, in a sentence."""
    return "The unchanged run" if ghost_name(run) == "unchanged" else "Without your last change"


def scaling(history: History) -> str:
    """Where float16's loss scale stands, and how many steps it has cost."""
    skipped = len(history.skipped)
    steps = f"{skipped} {'step' if skipped == 1 else 'steps'}" if skipped else "no step"
    return f"Loss scale {history.last('amp_scale'):,.0f}, {steps} skipped."


def percent(share: float) -> str:
    """A share from 0 to 1 as a percentage."""
    return f"{100 * share:.0f} %"


def row(
    session: Session, verdict: Verdict, marked: Sequence[tuple[int, str]], open_why: bool
) -> dict[str, Any]:
    """The state of the words: the text line, the buttons beside it, and why."""
    finding = verdict.finding
    text, failed = sentence(session, verdict), False
    if finding is not None:
        text = f"{text} {finding.short}"
        if session.error is not None:
            text, failed = f"Stopped: {finding.pattern}", True
    elif session.run.in_force.amp == "float16" and len(session.history):
        text = f"{text} {scaling(session.history)}"
    elif session.unheard.lines:
        text = f"{text} Your model printed {session.unheard.lines:,} lines, not shown here."
    if session.refusal:
        text, failed = session.refusal, True
    buttons: list[dict[str, Any]] = []
    why: list[list[str]] = []
    before = {step: words for step, words in marked if step < session.run.index}
    back = max(before, default=0)
    fix = "" if finding is None else finding.fix
    changed_before = finding is not None and finding.spoilt and bool(before)
    if changed_before:
        back = spoiling(session.history, list(before))
        fix = f"rewind to {back}, before: {before[back]}."
    if finding is not None:
        # They stand at the right: the first to come is the last in the row, and none moves.
        if finding.fields and not changed_before:
            buttons.append({"label": "Try the fix", "verb": "fix", "value": None})
        buttons.append({"label": "Why?", "verb": "why", "value": None})
        if open_why:
            why = [
                ["Pattern", finding.pattern],
                ["Diagnosis", finding.diagnosis],
                ["Fix", fix],
            ]
    if before:
        buttons.append({"label": f"Rewind to {back}", "verb": "rewind", "value": back})
    return {"text": text, "failed": failed, "buttons": buttons, "why": why}


def spoiling(history: History, steps: Sequence[int]) -> int:
    """The last of these steps at which the loss was still good: half way from its lowest to now.

    Half way in factors, since a loss that flies away is soon a million times as large.
    """
    loss = history.column("average")
    bound = (np.nanmin(loss) * history.last("average")) ** 0.5
    good = history.first + np.flatnonzero(loss <= bound)
    return max((step for step in steps if len(good) and step <= good[-1]), default=steps[0])


def question(run: Run, stage: str) -> Question:
    """The question what happens without a line, whose answer leaves the line out."""
    answers = ANSWERS if run.task.classes else LOSSES
    stages = tuple(one for one in run.recipe.stages if one != stage)
    return Question(f"What happens without {stage}?", answers, {"stages": stages})


def wording(run: Run, stage: str, steps: int) -> str:
    """The question as it is asked beside a run; code stands between backticks."""
    lines = step_lines(run.recipe, run.task, run.device.type)
    code = next(line.code for line in lines if line.stage == stage)
    what = "accuracy" if run.task.classes else "the loss"
    return f"Without `{code}`, {steps} steps later {what} will be:"


def outcome(session: Session, verdict: Verdict) -> int | None:
    """Which answer to `question` came true: the nearest one; None while nobody can say."""
    outputs, now = session.run.task.outputs, verdict.accuracy
    if session.run.task.classes:
        if verdict.unchanged is None or not isfinite(now):
            return None
        if now > verdict.unchanged + ALIKE:
            return 0
        return 1 if abs(now - verdict.unchanged) < abs(now - 1 / outputs) else 2
    if session.ghost_history is None:
        return None
    now, unchanged = session.history.last("average"), session.ghost_history.last("average")
    if abs(now - unchanged) <= ALIKE * abs(unchanged):
        return 1
    return 0 if now < unchanged else 2


def of_proof(proof: Proof | None, running: bool) -> dict[str, str]:
    """The words of a proof and how they are coloured."""
    if running:
        return {"words": "Running the script in a new process ...", "kind": ""}
    if proof is None:
        return {"words": "", "kind": ""}
    if proof.why:
        return {"words": proof.why, "kind": "failed"}
    since = "" if proof.start == 0 else " since your change"
    ending = ", to the last bit." if proof.holds else "."
    words = f"{proof.equal} of {proof.total} losses{since} are equal{ending}"
    return {"words": words, "kind": "passed" if proof.holds else "failed"}


def marks(run: Run) -> list[tuple[int, str]]:
    """Where the recipe changed on the way, in a word or two each."""
    found: dict[int, str] = {}
    before = now = run.timeline.first_recipe
    at = 0
    for change in run.timeline.changes:
        if change.kind != "recipe":
            found[change.index] = "placed"
            continue
        if change.index != at:  # changes at one step are one mark
            before, at = now, change.index
        now = change.value
        if before is not None and at:
            found[at] = changed(before, now)
    return [(step, words) for step, words in found.items() if words]


def changed(old: Recipe, new: Recipe) -> str:
    """A change of the recipe in as few words as its mark has room for."""
    words = []
    for name, value in new.changed(old).items():
        if name == "stages":
            out = [stage for stage in old.stages if stage not in new.stages]
            back = [stage for stage in new.stages if stage not in old.stages]
            words += [f"{stage} out" for stage in out] + [f"{stage} back" for stage in back]
            words += ["lines moved"] if not out and not back else []
        elif name.endswith("_options"):
            words += [f"{key} {number(part)}" for key, part in value]
        else:
            words.append(f"{SHORT.get(name, name)} {number(value)}".strip())
    return ", ".join(words[:2]) + (f" +{len(words) - 2}" if len(words) > 2 else "")
