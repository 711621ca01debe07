"""One lab a cell: running a cell again closes the labs that its last run made."""

from typing import Any, Protocol
from weakref import WeakValueDictionary


class Closable(Protocol):
    """Something that a cell made and that can be closed."""

    def close(self) -> None:
        """Let go of threads and widgets."""
        ...


_labs: "WeakValueDictionary[tuple[str, int, int], Closable]" = WeakValueDictionary()


def take_over(lab: Closable) -> None:
    """Remember `lab` for the cell that is running, and close what an earlier run of it left.

    Front ends that do not say which cell is running keep their labs until they are closed.
    """
    cell, count = _running()
    if not cell:
        return
    for key, old in list(_labs.items()):
        if key[0] == cell and key[1] != count:
            _labs.pop(key, None)
            old.close()
    _labs[cell, count, id(lab)] = lab


def _running() -> tuple[str, int]:
    from IPython.core.getipython import get_ipython

    shell: Any = get_ipython()
    kernel = getattr(shell, "kernel", None)
    if kernel is None:
        return "", 0
    parent = kernel.get_parent("shell") or {}
    return str(parent.get("metadata", {}).get("cellId", "")), int(shell.execution_count)
