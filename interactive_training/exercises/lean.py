"""Torch without its compiler, until somebody asks for it."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import torch  # noqa: F401  before it has a stand-in for its part

COMPILER = "torch._dynamo"


class Absent(ModuleType):
    """Stands for the compiler; whatever optimizers do not need brings the real one."""

    @staticmethod
    def graph_break() -> None:
        """Do nothing, as the real one does where nothing is compiled."""

    @staticmethod
    def disable(function: Callable[..., Any], *_: Any, **__: Any) -> Callable[..., Any]:
        """Return the function as it is: nothing here would compile it."""
        return function

    def __getattr__(self, name: str) -> Any:
        if name in ("__file__", "__spec__"):  # only looked at, by inspect and import
            raise AttributeError(name)
        if sys.modules.get(COMPILER) is self:
            del sys.modules[COMPILER]
        return getattr(importlib.import_module(COMPILER), name)


def without_compiler() -> None:
    """Keep torch's first optimizer from importing the compiler: 70 MB that it never uses."""
    if COMPILER not in sys.modules:
        sys.modules[COMPILER] = Absent(COMPILER)
