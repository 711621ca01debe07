"""The judge's torch has no compiler until a solution asks for it, and the steps are the same."""

from __future__ import annotations

import subprocess
import sys

LOADED = "'sympy' in sys.modules"  # the compiler brings it
SCRIPT = f"""
import sys
import torch
if {{lean}}:
    from interactive_training.exercises.lean import without_compiler
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
