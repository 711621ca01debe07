"""A file is whole or refused: cut off, altered, foreign, newer, hostile, or half-way written."""

import errno
import hashlib
import io
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from interactive_training import CheckpointError, Recipe, Run, Task
from interactive_training.engine import checkpoint

from .runs import different, take


@pytest.fixture
def run() -> Run:
    run = Run(Task.named("moons", n=60, noise=0.3, dropout=0.1), Recipe(optimizer="AdamW"))
    take(run, 3)
    return run


@pytest.fixture
def path(run: Run, tmp_path: Path) -> Path:
    run.save(tmp_path / "run.pt")
    return tmp_path / "run.pt"


def refused(path: Path, says: str, task: Task | None = None) -> str:
    """The file is refused, in one sentence that holds these words."""
    with pytest.raises(CheckpointError) as caught:
        Run.load(path, task)
    assert says in str(caught.value) and "\n" not in str(caught.value)
    return str(caught.value)


def with_body(body: bytes, version: str = "1") -> bytes:
    """A file of ours, checksum and all, around any bytes."""
    digest = hashlib.sha256(body).hexdigest()
    return checkpoint.MAGIC + f"{version}\n{digest}\n".encode() + body


def packed(value: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


def test_what_was_saved_is_loaded(run: Run, path: Path) -> None:
    loaded = Run.load(path)
    assert different(loaded, run) == []
    assert loaded.task.options == run.task.options
    assert sorted(path.parent.iterdir()) == [path]


def test_a_file_cut_off_anywhere_is_refused(path: Path) -> None:
    whole = path.read_bytes()
    inside = random.Random(0).sample(range(len(whole)), 150)
    for size in (*range(110), *inside, len(whole) - 1):
        path.write_bytes(whole[:size])
        refused(path, str(path))


def test_a_file_with_any_bit_flipped_is_refused(path: Path) -> None:
    whole = path.read_bytes()
    draw = random.Random(1)
    for at in (*range(110), *draw.sample(range(len(whole)), 150)):
        altered = bytearray(whole)
        altered[at] ^= 1 << draw.randrange(8)
        path.write_bytes(altered)
        refused(path, str(path))


def test_a_file_with_bytes_added_is_refused(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\0")
    refused(path, "cut off or altered; load an earlier save")


def test_the_checksum_is_what_refuses(run: Run, path: Path) -> None:
    """With a checksum of its own, an altered weight is loaded as if nothing had happened."""
    whole = bytearray(path.read_bytes())
    at = len(whole) // 3
    changed = 0
    for offset in range(at, at + 400, 4):
        altered = bytearray(whole)
        altered[offset] ^= 1
        body = bytes(altered).split(b"\n", 2)[2]
        path.write_bytes(with_body(body))
        try:
            changed += bool(different(Run.load(path), run))
        except CheckpointError:
            continue
    assert changed


FOREIGN = {
    "empty": b"",
    "text": b"loss,accuracy\n0.5,0.9\n",
    "somebody's weights": packed(nn.Linear(2, 2).state_dict()),
    "our first words only": checkpoint.MAGIC,
}


@pytest.mark.parametrize("name", FOREIGN)
def test_a_foreign_file_is_refused(name: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(FOREIGN[name])
    refused(path, "was not written by run.save; choose another file.")


def test_what_cannot_be_read_is_refused(tmp_path: Path) -> None:
    refused(tmp_path / "missing.pt", "cannot be read (No such file or directory)")
    refused(tmp_path, "cannot be read (Is a directory)")


def test_a_newer_format_is_named(path: Path) -> None:
    body = path.read_bytes().split(b"\n", 2)[2]
    path.write_bytes(with_body(body, "2"))
    refused(path, "has format 2, and this version reads format 1; update interactive-training.")


class Hostile:
    """Pickles into a call of a function."""

    def __init__(self, sentinel: Path) -> None:
        self.sentinel = sentinel

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return Path.touch, (self.sentinel,)


def test_a_hostile_file_runs_nothing(run: Run, path: Path, tmp_path: Path) -> None:
    sentinel = tmp_path / "sentinel"
    plain = run.capture() | {name: Recipe().to_dict() for name in ("recipe", "in_force")}
    for hostile in (Hostile(sentinel), plain | {"notes": [Hostile(sentinel)]}):
        path.write_bytes(with_body(packed(hostile)))
        refused(path, "(UnpicklingError) and was not opened; load a file written by run.save.")
        assert not sentinel.exists()
    # The pickle does run where torch is told to trust it.
    torch.load(io.BytesIO(packed(Hostile(sentinel))), weights_only=False)
    assert sentinel.exists()


@pytest.mark.parametrize("value", [None, [], "text", {}, {"recipe": {}}])
def test_a_file_that_holds_something_else_is_refused(value: Any, path: Path) -> None:
    path.write_bytes(with_body(packed(value)))
    refused(path, "something else than the tensors and plain values of a run")


def test_a_file_with_an_impossible_recipe_is_refused(run: Run, path: Path) -> None:
    wrong = Recipe().to_dict() | {"lr": -1.0}
    path.write_bytes(with_body(packed(run.capture() | {"recipe": wrong, "in_force": wrong})))
    refused(path, "holds a recipe that cannot be used: lr is -1.0")


@pytest.mark.parametrize("key", ["task", "task_name", "task_options", "seed", "optimizer", "feed"])
def test_a_file_without_a_part_is_refused(key: str, run: Run, path: Path) -> None:
    plain = run.capture() | {name: run.recipe.to_dict() for name in ("recipe", "in_force")}
    del plain[key]
    path.write_bytes(with_body(packed(plain)))
    refused(path, key)


def own(*, rows: int = 20, hidden: int = 4, loss: str = "CrossEntropyLoss", size: int = 5) -> Task:
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(rows, 3, generator=generator)
    targets = torch.arange(rows) % 2
    model = nn.Sequential(nn.Linear(3, hidden), nn.Linear(hidden, 2))
    return Task.of(model, inputs, targets, loss=loss, batch_size=size)


def test_an_own_task_must_be_given(tmp_path: Path) -> None:
    path = tmp_path / "own.pt"
    run = Run(own(), Recipe())
    take(run, 3)
    run.save(path)
    refused(path, "task of your own; give it as Run.load(path, task)")
    assert different(Run.load(path, own()), run) == []  # other first weights, the same task


@pytest.mark.parametrize(
    "task",
    [
        lambda: own(rows=21),
        lambda: own(hidden=5),
        lambda: own(loss="MSELoss"),
        lambda: own(size=4),
        lambda: Task.named("moons"),
        lambda: Task.named("bowl"),
    ],
)
def test_another_task_is_refused(task: Callable[[], Task], tmp_path: Path) -> None:
    """Nothing else would tell: a run of the same shapes goes on with other numbers."""
    path = tmp_path / "own.pt"
    run = Run(own(), Recipe())
    run.save(path)
    refused(path, "the state is of another task (own)", task())


def test_a_named_task_with_other_options_is_another_task(path: Path, run: Run) -> None:
    refused(path, "another task (moons)", Task.named("moons", n=60))
    other = Run(Task.named("moons", n=60), Recipe())
    before = other.fork()
    with pytest.raises(CheckpointError, match="another task"):
        other.restore(run.capture())
    assert different(other, before) == []


def test_an_own_surface_must_be_given(tmp_path: Path) -> None:
    path = tmp_path / "surface.pt"
    task = Task.surface(lambda w: (w**4).sum(), start=(1, 1))
    run = Run(task, Recipe(lr=0.01))
    take(run, 3)
    run.save(path)
    refused(path, "task of your own")
    assert different(Run.load(path, task), run) == []


def fails(error: OSError) -> Callable[..., Any]:
    def function(*_: Any) -> Any:
        raise error

    return function


FULL = OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("function", ["fsync", "replace", "fdopen"])
def test_a_save_that_fails_keeps_the_file_that_was_there(
    function: str, run: Run, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = path.read_bytes()
    take(run, 1)
    monkeypatch.setattr(os, function, fails(FULL))
    with pytest.raises(OSError, match="No space left"):
        run.save(path)
    monkeypatch.undo()
    assert path.read_bytes() == before
    assert sorted(path.parent.iterdir()) == [path]
    run.save(path)
    assert different(Run.load(path), run) == []


def test_an_interrupt_while_saving_keeps_the_file_that_was_there(
    run: Run, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = path.read_bytes()

    def interrupted(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run.save(path)
    assert path.read_bytes() == before and sorted(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("function", ["fsync", "replace"])
def test_a_process_killed_while_saving_keeps_the_file_that_was_there(
    function: str, run: Run, path: Path
) -> None:
    before = path.read_bytes()
    take(run, 1)
    child = os.fork()
    if child == 0:
        setattr(os, function, lambda *_: os._exit(9))
        run.save(path)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    assert path.read_bytes() == before
    Run.load(path)


def test_writing_in_place_would_lose_it(run: Run, path: Path) -> None:
    """The same kill, where a file is simply written over: what was there is gone."""
    child = os.fork()
    if child == 0:
        with path.open("wb") as file:
            file.write(b"half")
            file.flush()
            os._exit(9)
    os.waitpid(child, 0)
    refused(path, "was not written by run.save")


def test_a_folder_that_is_not_there_is_said(run: Run, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        run.save(tmp_path / "nowhere" / "run.pt")
