"""Where a run's random numbers come from: its own generator, never the notebook's.

A run's generator is seeded and consumed exactly as `torch.manual_seed(seed)` and torch's own
generator would be, so a plain script that seeds torch draws the same weights, the same order of
the data and the same dropout masks.
"""

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import torch
from torch import nn
from torch.overrides import TorchFunctionMode

T = TypeVar("T")

# The outside generators are the same for all threads: one at a time has them.
_turn = threading.RLock()
# The stream of those that keep nothing. It stays: another thread that draws from `np.random` just
# now may be in the middle of it, and numpy does not hold on to it.
_scratch = np.random.MT19937(0)

# The calls through which initialization draws; all of them take a generator.
_DRAWS = (
    torch.Tensor.uniform_,
    torch.Tensor.normal_,
    nn.init.uniform_,
    nn.init.normal_,
    nn.init.kaiming_uniform_,
)

# Modules of torch.nn that draw in C++ or by calls that take no generator.
_DRAW_INSIDE = (
    nn.Dropout1d,
    nn.Dropout2d,
    nn.Dropout3d,
    nn.AlphaDropout,
    nn.FeatureAlphaDropout,
    nn.RReLU,
    nn.FractionalMaxPool2d,
    nn.FractionalMaxPool3d,
    nn.RNNBase,
    nn.MultiheadAttention,
    nn.Transformer,
)


class FromGenerator(TorchFunctionMode):
    """While active in a thread, initialization and `nn.Dropout` draw from `generator`.

    It changes no number: the same calls on torch's own generator give the same values.
    """

    def __init__(self, generator: torch.Generator) -> None:
        super().__init__()
        self.generator = generator

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if func is nn.functional.dropout:
            return self._dropout(*args, **kwargs)
        if func in _DRAWS:
            kwargs = {**kwargs, "generator": self.generator}
        return func(*args, **kwargs)

    def _dropout(
        self, x: torch.Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
    ) -> torch.Tensor:
        if not training or p == 0 or x.numel() == 0:
            return x
        if p == 1:
            return x.mul_(0) if inplace else x * 0
        mask = torch.empty_like(x).bernoulli_(1 - p, generator=self.generator).div_(1 - p)
        return x.mul_(mask) if inplace else x * mask


class OutsideStates:
    """The random states of torch, numpy and Python that a model with draws of its own uses.

    Such a model calls the outside generators, so the run lends them its states for one step and
    puts the notebook's back; other threads of ours wait until then. What a cell draws meanwhile
    comes from the run's states. Those other than torch's are made when they are first asked for.
    """

    def __init__(self, generator: torch.Generator, seed: int, device: torch.device) -> None:
        self.generator = generator  # torch's own stream, which the run draws from as well
        self.seed = seed
        self.device: torch.Tensor | None = None
        if device.type != "cpu":
            self.device = torch.Generator(device).manual_seed(seed).get_state()
            self.accelerator = torch.get_device_module(device)

    @cached_property
    def numpy(self) -> "NumpyState":
        """The run's state of `np.random`."""
        return NumpyState.seeded(np.random.MT19937(0), self.seed)

    @cached_property
    def python(self) -> Any:
        """The run's state of `random`."""
        return random.Random(self.seed).getstate()  # noqa: S311  not for secrets

    @property
    def states(self) -> tuple[Any, ...]:
        """The run's states, in the order of `swap`."""
        return self.generator.get_state(), self.numpy, self.python, self.device

    def swap(self, states: tuple[Any, ...]) -> tuple[Any, ...]:
        """Put states in force, and return those that were."""
        before = (
            torch.get_rng_state(),
            NumpyState.now(),
            random.getstate(),
            None if self.device is None else self.accelerator.get_rng_state(),
        )
        torch.set_rng_state(states[0])
        states[1].put()
        random.setstate(states[2])
        if self.device is not None:
            self.accelerator.set_rng_state(states[3])
        return before

    @contextmanager
    def lent(self, *, spent: bool = True) -> Iterator[None]:
        """Put the run's states in place of the notebook's for the time of a `with` block.

        With `spent=False` the numbers drawn in it are still to come for the run.
        """
        with _turn:
            numpys = self.numpy if spent else deepcopy(self.numpy)  # which draws will move on
            notebooks = self.swap(self.states)
            try:
                yield
            finally:
                after = self.swap(notebooks)
                if spent:
                    torchs, self.numpy, self.python, self.device = after
                    self.generator.set_state(torchs)
                else:
                    self.numpy = numpys

    def capture(self) -> dict[str, Any]:
        """The states other than torch's as plain numbers and tensors, which a file can hold."""
        keys, *rest = self.numpy.legacy
        version, words, next_gauss = self.python
        return {
            "numpy": [torch.from_numpy(keys.astype(np.int64)), *rest],
            "python": [version, torch.tensor(words), next_gauss],
            "device": self.device,
        }

    def restore(self, saved: dict[str, Any]) -> None:
        """Put captured states back."""
        keys, *rest = saved["numpy"]
        self.numpy = NumpyState.of(("MT19937", keys.numpy().astype(np.uint32), *rest))
        version, words, next_gauss = saved["python"]
        self.python = (version, tuple(words.tolist()), next_gauss)
        if self.device is not None and saved["device"] is not None:
            self.device = saved["device"]


def drawing(work: Callable[[], T]) -> tuple[T, bool]:
    """What `work` returns, and whether it drew random numbers of torch on the way."""
    generator = torch.Generator()
    before = generator.get_state()
    with apart(generator):
        found = work()
    return found, not torch.equal(before, generator.get_state())


@contextmanager
def apart(generator: torch.Generator | None = None) -> Iterator[None]:
    """Random states of its own for a `with` block: whatever is drawn in it, no run notices.

    Torch's are those of `generator`, or of one at its default.
    """
    states = OutsideStates(generator or torch.Generator(), 0, torch.device("cpu"))
    with _turn:
        states.numpy = NumpyState.seeded(_scratch, 0)
        with states.lent():
            yield


@dataclass
class NumpyState:
    """A state of `np.random`: a stream, and what is left of the last pair of normal numbers.

    The streams are exchanged whole, since copying one costs more than a small step of training.
    """

    stream: Any
    has_gauss: int = 0
    gauss: float = 0.0

    @classmethod
    def seeded(cls, stream: Any, seed: int) -> "NumpyState":
        """The state after `np.random.seed(seed)`, in a stream."""
        np.random.RandomState(stream).seed(seed % 2**32)
        return cls(stream)

    @classmethod
    def of(cls, legacy: tuple[Any, ...]) -> "NumpyState":
        """The state in the form in which `np.random.get_state()` gives it."""
        name, keys, position, has_gauss, gauss = legacy
        stream = np.random.MT19937(0)
        stream.state = {"bit_generator": name, "state": {"key": keys, "pos": position}}
        return cls(stream, has_gauss, gauss)

    @property
    def legacy(self) -> tuple[Any, ...]:
        """Keys, position, and the rest of a pair, as in `np.random.get_state()`."""
        state = self.stream.state["state"]
        return state["key"], state["pos"], self.has_gauss, self.gauss

    @classmethod
    def now(cls) -> "NumpyState":
        """The state in force."""
        state: Any = np.random.get_state(legacy=False)
        return cls(np.random.get_bit_generator(), state["has_gauss"], state["gauss"])  # type: ignore[attr-defined]

    def put(self) -> None:
        """Put this state in force."""
        # This forgets the rest of a pair.
        np.random.set_bit_generator(self.stream)  # type: ignore[attr-defined]
        if self.has_gauss:
            state: Any = np.random.get_state(legacy=False)
            np.random.set_state(state | {"has_gauss": self.has_gauss, "gauss": self.gauss})


def draws(model: nn.Module, device: torch.device) -> str:
    """How a model draws random numbers in forward: "never", by "dropout" alone, or "unknown"."""
    found = "never"
    for module in model.modules():
        known = type(module).__module__.startswith(("torch.nn.", "interactive_training."))
        hooked = module._forward_hooks or module._forward_pre_hooks
        noisy = isinstance(module, _DRAW_INSIDE) or getattr(module, "noisy", False)
        if not known or hooked or noisy:
            return "unknown"
        if isinstance(module, nn.Dropout):
            # An accelerator draws its masks in a kernel that takes no generator.
            found = "dropout" if device.type == "cpu" else "unknown"
    return found
