"""A run's whole state as a file: complete or not there, checked on the way in, running no code."""

import hashlib
import io
import os
import tempfile
from pathlib import Path
from typing import Any

import torch

from interactive_training.engine import state
from interactive_training.engine.errors import CheckpointError, RecipeError, TaskError
from interactive_training.engine.recipe import Recipe
from interactive_training.engine.task import Task

FORMAT = 1
TOLD = {"task", "task_name", "task_options", "seed"}  # from these the run is made anew
MAGIC = b"interactive_training run, format "


def save(saved: dict[str, Any], path: Path) -> None:
    """Write a captured state; a file that was there stays until the new one is complete."""
    payload = io.BytesIO()
    plain = saved | {name: saved[name].to_dict() for name in ("recipe", "in_force")}
    torch.save(plain, payload)
    body = payload.getvalue()
    head = MAGIC + f"{FORMAT}\n{hashlib.sha256(body).hexdigest()}\n".encode()
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(head + body)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def load(path: Path) -> dict[str, Any]:
    """The captured state in a file, or CheckpointError in words."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CheckpointError(
            f"{path} cannot be read ({error.strerror}); check the name."
        ) from None
    head, _, rest = content.partition(b"\n")
    digest, newline, body = rest.partition(b"\n")
    if not head.startswith(MAGIC) or not newline:
        raise CheckpointError(f"{path} was not written by run.save; choose another file.")
    if hashlib.sha256(body).hexdigest().encode() != digest:
        raise CheckpointError(f"{path} is cut off or altered; load an earlier save.")
    version = head.removeprefix(MAGIC)
    if version != str(FORMAT).encode():
        raise CheckpointError(
            f"{path} has format {version.decode(errors='replace')}, and this version reads format "
            f"{FORMAT}; update interactive-training."
        )
    try:
        saved = torch.load(io.BytesIO(body), map_location="cpu", weights_only=True)
        saved |= {name: Recipe(**saved[name]) for name in ("recipe", "in_force")}
    except RecipeError as error:
        raise CheckpointError(f"{path} holds a recipe that cannot be used: {error}") from None
    except Exception as error:
        raise CheckpointError(
            f"{path} holds something else than the tensors and plain values of a run "
            f"({type(error).__name__}) and was not opened; load a file written by run.save."
        ) from None
    if missing := TOLD - saved.keys():
        raise CheckpointError(f"{path} lacks {', '.join(sorted(missing))}; load an earlier save.")
    return saved  # type: ignore[no-any-return]


def task_of(saved: dict[str, Any], task: Task | None) -> Task:
    """The task of a saved state: `task` if it is the right one, else the named one made again."""
    if task is None:
        try:
            task = Task.named(saved["task_name"], **saved["task_options"])
        except TaskError:
            raise CheckpointError(
                "the run was saved with a task of your own; give it as Run.load(path, task)."
            ) from None
    state.check(task, saved)
    return task
