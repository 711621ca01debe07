"""What all tests share."""

import pytest
import torch
from hypothesis import settings

# The same examples at every run: a test that fails by chance tells nothing about the change.
settings.register_profile("steady", derandomize=True)
settings.load_profile("steady")

# The same numbers on every machine: no run takes an accelerator by itself.
REAL = torch.accelerator.current_accelerator
torch.accelerator.current_accelerator = lambda **_: None  # type: ignore[assignment]


@pytest.fixture
def on_the_accelerator(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let runs find what the machine has, for tests marked gpu."""
    monkeypatch.setattr(torch.accelerator, "current_accelerator", REAL)
