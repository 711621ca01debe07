"""A run and the notebook around it draw from different streams, and neither moves the other's."""

import random
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from interactive_training import Recipe, Run, Task, first_difference, rewind, train, walk
from interactive_training.engine.randomness import FromGenerator, NumpyState, OutsideStates, draws

from .resumed import Noisy, own
from .runs import different, noisy, same_bits, small, take

CPU = torch.device("cpu")


def outside() -> list[Any]:
    """The random states of the notebook, to be compared."""
    numpys = np.random.get_state(legacy=True)
    return [torch.get_rng_state().tolist(), numpys[1].tolist(), numpys[2:], random.getstate()]  # type: ignore[index,union-attr]


@contextmanager
def untouched() -> Iterator[None]:
    """What happens in this block leaves the notebook's random states as they were."""
    torch.manual_seed(7)
    np.random.seed(7)
    random.seed(7)
    before = outside()
    yield
    assert outside() == before


def draw_outside() -> None:
    torch.rand(3)
    torch.randn(2)
    torch.randperm(5)
    np.random.rand(4)
    random.random()


def recurrent() -> Task:
    class Last(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rows = nn.LSTM(2, 4, num_layers=2, dropout=0.5, batch_first=True)
            self.out = nn.Linear(4, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.out(self.rows(x[:, None])[0][:, -1])

    torch.manual_seed(0)
    data = small().data
    assert data is not None
    return Task.of(Last(), data.inputs, data.targets, batch_size=8)


def rocking(w: torch.Tensor) -> torch.Tensor:
    return ((w + 0.1 * torch.randn(2)) ** 2).sum()


TASKS: dict[str, Callable[[], Task]] = {
    "named": small,
    "dropout and BatchNorm": noisy,
    "own": own,
    "recurrent": recurrent,
    "surface": lambda: Task.named("bowl"),
    "noisy surface": lambda: Task.surface(rocking, start=(3, 2)),
    "digits": lambda: Task.named("digits", dropout=0.1),
}


@pytest.mark.parametrize("name", TASKS)
def test_making_and_training_a_run_leaves_the_notebooks_random_states(name: str) -> None:
    task = TASKS[name]()
    validate = 2 if task.data is not None and len(task.data.validation_inputs) else None
    with untouched():
        run = Run(task, Recipe(lr=0.01, validate_every=validate), seed=5)
        for _ in train(run, 6):
            pass
        for _ in walk(run):
            pass
        twin = run.fork()
        run.restore(run.capture())
        take(twin, 2, record=False)
        rewind(twin, 8)
        first_difference(run, twin)
        if validate:
            run.accuracy()


@pytest.mark.parametrize("name", ["moons", "digits", "regression", "bowl"])
def test_making_a_task_leaves_them_too(name: str) -> None:
    with untouched():
        Task.named(name)


def test_making_an_own_task_leaves_them_too() -> None:
    task = own()
    assert task.data is not None
    with untouched():
        Task.of(task.model, task.data.inputs, task.data.targets)
        Task.surface(lambda w: (w * w).sum() + 0 * torch.rand(()), start=(1, 1))


def test_the_first_run_of_a_process_leaves_them_too() -> None:
    """Importing what an optimizer needs must draw nothing either."""
    code = (
        "import random, numpy as np, torch\n"
        "states = lambda: (torch.get_rng_state().tolist(), np.random.get_state()[1].tolist(), "
        "random.getstate())\n"
        "torch.manual_seed(1); np.random.seed(1); random.seed(1); before = states()\n"
        "import interactive_training as it\n"
        "list(it.train(it.Run('moons', it.Recipe(optimizer='AdamW')), 2))\n"
        "assert states() == before\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", TASKS)
def test_drawing_between_steps_changes_no_run(name: str) -> None:
    task = TASKS[name]()
    disturbed, alone = (Run(task, Recipe(lr=0.01)) for _ in range(2))
    for _ in train(disturbed, 12):
        draw_outside()
    take(alone, 12)
    assert different(disturbed, alone) == []


@pytest.mark.parametrize("name", ["named", "dropout and BatchNorm"])
def test_drawing_in_another_thread_changes_no_run(name: str) -> None:
    task = TASKS[name]()
    disturbed, alone = (Run(task, Recipe(lr=0.01)) for _ in range(2))
    over = threading.Event()

    def cell() -> None:
        while not over.is_set():
            draw_outside()

    thread = threading.Thread(target=cell)
    thread.start()
    take(disturbed, 60)
    over.set()
    thread.join()
    take(alone, 60)
    assert different(disturbed, alone) == []


@pytest.mark.parametrize("name", ["dropout and BatchNorm", "own", "recurrent", "noisy surface"])
def test_without_its_own_stream_a_run_would_be_disturbed(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Run, "surroundings", lambda _: nullcontext())
    monkeypatch.setattr(
        FromGenerator, "_dropout", lambda _, x, p, training, inplace: torch.dropout(x, p, training)
    )
    task = TASKS[name]()
    disturbed, alone = (Run(task, Recipe(lr=0.01)) for _ in range(2))
    for _ in train(disturbed, 4):
        draw_outside()
    take(alone, 4)
    assert different(disturbed, alone) != []


def test_two_runs_in_turn_do_not_share_a_stream() -> None:
    runs = [Run(own(), Recipe(lr=0.01), seed=s) for s in (1, 2, 1)]
    alone = runs[2]
    for _ in zip(train(runs[0], 8), train(runs[1], 8), strict=True):
        pass
    take(alone, 8)
    assert different(runs[0], alone) == []
    assert different(runs[0], runs[1]) != []


class Drawn(torch.autograd.Function):
    """Adds noise to the gradient, as some privacy methods do: a draw within backward."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> torch.Tensor:
        return gradients[0] + 0.1 * torch.randn_like(gradients[0])


class NoisyGradient(Noisy):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return Drawn.apply(super().forward(x))  # type: ignore[no-any-return]


def test_a_draw_within_backward_belongs_to_the_run() -> None:
    data = small().data
    assert data is not None
    task = Task.of(NoisyGradient(), data.inputs, data.targets, batch_size=9)
    disturbed, alone = (Run(task, Recipe(lr=0.01)) for _ in range(2))
    with untouched():
        take(alone, 5)
    for _ in train(disturbed, 5):
        draw_outside()
    assert different(disturbed, alone) == []


def test_a_draw_within_a_hook_belongs_to_the_run() -> None:
    model = nn.Sequential(nn.Linear(2, 4), nn.Linear(4, 2))
    model[0].register_forward_hook(lambda _, __, out: out + torch.rand_like(out))
    data = small().data
    assert data is not None
    with untouched():
        run = Run(Task.of(model, data.inputs, data.targets, batch_size=9), Recipe())
        take(run, 3)


def test_measuring_an_own_model_spends_nothing_of_its_stream() -> None:
    watched, alone = (Run(own(), Recipe(lr=0.01)) for _ in range(2))
    for _ in train(watched, 6):
        watched.accuracy()
    take(alone, 6)
    assert different(watched, alone) == []


def test_a_model_that_fails_in_its_forward_gives_the_states_back() -> None:
    class Failing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(2, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if self.training and torch.rand(()) > 0:
                raise RuntimeError("not today")
            return self.layer(x)  # type: ignore[no-any-return]

    data = small().data
    assert data is not None
    run = Run(Task.of(Failing(), data.inputs, data.targets, batch_size=9), Recipe())
    before = run.fork()
    with untouched(), pytest.raises(RuntimeError, match="not today"):
        take(run, 1)
    assert different(run, before) == []


@pytest.mark.parametrize("shape", [(8, 16), (3, 5, 7), (0, 4)])
@pytest.mark.parametrize("p", [0.0, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_dropout_draws_the_mask_that_torch_would(
    shape: tuple[int, ...], p: float, dtype: torch.dtype
) -> None:
    """Value, gradient and the place in the stream afterwards are those of torch's own dropout."""
    found = []
    for mine in (True, False):
        generator = torch.Generator().manual_seed(3)
        x = torch.linspace(-1, 1, max(1, int(np.prod(shape)))).to(dtype)[: int(np.prod(shape))]
        x = x.reshape(shape).requires_grad_()
        if mine:
            with FromGenerator(generator):
                y = nn.functional.dropout(x, p, training=True)
        else:
            torch.manual_seed(3)
            y = nn.functional.dropout(x, p, training=True)
            generator = torch.default_generator
        y.float().sum().backward()
        assert x.grad is not None
        found.append((y.detach().clone(), x.grad, generator.get_state()))
    assert all(same_bits(a, b) for a, b in zip(*found, strict=True))


def test_how_a_model_draws_is_told_from_its_layers() -> None:
    plain = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    assert draws(plain, CPU) == "never"
    assert draws(nn.Sequential(plain, nn.Dropout(0.1)), CPU) == "dropout"
    assert draws(nn.Sequential(plain, nn.Dropout(0.1), nn.Dropout2d(0.1)), CPU) == "unknown"
    assert draws(nn.LSTM(2, 2), CPU) == "unknown"
    assert draws(Noisy(), CPU) == "unknown"
    assert draws(nn.Dropout(), torch.device("cuda")) == "unknown"
    plain.register_forward_pre_hook(lambda *_: None)
    assert draws(plain, CPU) == "unknown"


def pairs_apart() -> bool:
    """Whether numpy's normal numbers, made in pairs, stay with the run or the notebook."""
    mine, yours = np.random.RandomState(5), np.random.RandomState(7)
    states = OutsideStates(torch.Generator(), 5, CPU)
    np.random.seed(7)
    right = True
    for turn in range(6):
        right &= np.random.randn() == yours.randn()
        with states.lent(spent=False):
            np.random.randn(3)
        with states.lent():
            right &= np.random.randn() == mine.randn()
        if turn == 3:
            saved, states = states.capture(), OutsideStates(torch.Generator(), 0, CPU)
            states.restore(saved)
    with states.lent():
        np.random.seed(1)
    return right and np.random.rand() == yours.rand()


def test_the_rest_of_a_pair_of_normal_numbers_is_lent_as_well(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert pairs_apart()
    monkeypatch.setattr(NumpyState, "put", lambda self: np.random.set_bit_generator(self.stream))
    assert not pairs_apart()


def test_an_accelerators_state_is_lent_with_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for the accelerator: one state, which a model's draw moves on by one."""

    class Accelerator:
        state = torch.tensor([100])

        def get_rng_state(self) -> torch.Tensor:
            return self.state.clone()

        def set_rng_state(self, state: torch.Tensor) -> None:
            self.state = state.clone()

    class Generator:
        def __init__(self, _: torch.device) -> None:
            pass

        def manual_seed(self, seed: int) -> "Generator":
            self.seed = seed
            return self

        def get_state(self) -> torch.Tensor:
            return torch.tensor([self.seed])

    device, mine = Accelerator(), torch.Generator()
    monkeypatch.setattr(torch, "get_device_module", lambda _: device)
    monkeypatch.setattr(torch, "Generator", Generator)
    states = OutsideStates(mine, 5, torch.device("cuda"))
    for expected in (5, 6):
        with states.lent():
            assert device.state == expected
            device.state += 1
        assert device.state == 100
    saved = states.capture()
    with states.lent(spent=False):
        device.state += 1
    assert states.device == 7
    other = OutsideStates(mine, 1, torch.device("cuda"))
    other.restore(saved)
    assert other.device == 7


MANY_THREADS = """
import sys, threading, time
import numpy as np, torch
from interactive_training.engine.randomness import OutsideStates, apart, drawing

def again(work):
    while time.monotonic() < end:
        work()

def aside():
    with apart():
        np.random.rand()

def draw(states):
    with states.lent():
        np.random.rand(); torch.rand(1)

def lent():
    draw(run)
    count[0] += 1

run, alone = (OutsideStates(torch.Generator(), 3, torch.device("cpu")) for _ in range(2))
sys.setswitchinterval(1e-6)
count = [0]
end = time.monotonic() + 2
works = (aside, aside, lent, lambda: drawing(torch.rand))
threads = [threading.Thread(target=again, args=(work,)) for work in works]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
for _ in range(count[0]):
    draw(alone)
same = all(np.array_equal(a, b) for a, b in zip(run.numpy.legacy, alone.numpy.legacy))
print(count[0] > 20, same and torch.equal(run.generator.get_state(), alone.generator.get_state()))
"""


def test_threads_that_need_the_outside_states_take_turns() -> None:
    # Exchanged by two at once, numpy's stream is freed while it is in use: the process dies.
    done = subprocess.run([sys.executable, "-c", MANY_THREADS], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "True True\n"), done.stderr
