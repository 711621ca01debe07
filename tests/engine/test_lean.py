"""Torch has no compiler until somebody asks for it, and the steps are the same."""

from __future__ import annotations

import subprocess
import sys

LOADED = "'sympy' in sys.modules"  # the compiler brings it
SCRIPT = f"""
import sys
import torch
if {{lean}}:
    from interactive_training.engine.lean import without_compiler
    without_compiler()
torch.manual_seed(0)
w = torch.randn(5, requires_grad=True)
for optimizer in (torch.optim.SGD([w], lr=0.1, momentum=0.9), torch.optim.Adam([w])):
    for _ in range(3):
        optimizer.zero_grad()
        (w**4).sum().backward()
        optimizer.step()
print({LOADED})
print(w.tolist())
print(torch.compile(torch.sin, backend="eager")(torch.ones(1)).item())
print({LOADED})
"""


def printed(*, lean: bool) -> list[str]:
    command = [sys.executable, "-c", SCRIPT.format(lean=lean)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\n")


def test_the_compiler_comes_only_when_asked_for() -> None:
    lean, usual = printed(lean=True), printed(lean=False)
    assert (lean[0], lean[3]) == ("False", "True")
    assert (usual[0], usual[3]) == ("True", "True")
    assert lean[1:3] == usual[1:3]


ASKED = f"""
import sys
import torch
from interactive_training.labs import BowlLab, TrainingLab
from interactive_training.engine.lean import CACHE
TrainingLab("digits").advance(3)
BowlLab()._repr_mimebundle_()
add = torch.optim.Optimizer.add_param_group.__wrapped__
print({LOADED}, hasattr(add, CACHE))
alone = torch._dynamo.disable(torch.sin)
print({LOADED}, hasattr(add, CACHE), alone(torch.zeros(1)).item())
torch.optim.SGD([torch.zeros(1)])
print(getattr(add, CACHE) is add)
"""


def test_a_lab_does_without_and_who_asks_gets_the_real_one() -> None:
    done = subprocess.run([sys.executable, "-c", ASKED], capture_output=True, text=True, check=True)
    # What torch kept of the stand-in is forgotten, so that a compiled step meets no leftovers.
    assert done.stdout.split("\n")[:3] == ["False True", "True False 0.0", "False"]
