"""Torch without its compiler, until somebody asks for it.

Torch's first optimizer imports `torch._dynamo`, and with it a computer algebra: 70 MB and some two
seconds, for a compiler that a plain training step never calls.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import torch  # noqa: F401  before it has a stand-in for its part

COMPILER = "torch._dynamo"
CACHE = "__dynamo_disable"  # where torch keeps what `disable` made of a function


class Absent(ModuleType):
    """Stands for the compiler; whatever optimizers do not need brings the real one."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.left_alone: list[Callable[..., Any]] = []

    @staticmethod
    def graph_break() -> None:
        """Do nothing, as the real one does where nothing is compiled."""

    def disable(self, function: Any = None, *args: Any, wrapping: bool = True) -> Any:
        """Return the function as it is: nothing here would compile it."""
        if wrapping:  # not torch's own call, which caches what it gets
            return self.real().disable(function, *args, wrapping=wrapping)
        self.left_alone.append(function)
        return function

    def real(self) -> ModuleType:
        """The compiler itself, from now on for everybody."""
        if sys.modules.get(COMPILER) is self:
            del sys.modules[COMPILER]
        compiler = importlib.import_module(COMPILER)
        while self.left_alone:  # torch asks the real one about these when it calls them next
            vars(self.left_alone.pop()).pop(CACHE, None)
        return compiler

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name != "__path__":  # only looked at, by inspect or warnings
            raise AttributeError(name)
        return getattr(self.real(), name)


def without_compiler() -> None:
    """Keep torch's first optimizer from importing the compiler; `torch.compile` still does."""
    if COMPILER not in sys.modules:
        sys.modules[COMPILER] = Absent(COMPILER)
