"""Who may import whom, and what may not appear anywhere in the package."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "interactive_training"
NAME = "interactive_training"

# A layer may import from the layers named beside it, and from itself.
MAY_IMPORT = {
    "data": set(),
    "engine": {"data"},
    "probes": {"data", "engine"},
    "exercises": {"data", "engine", "probes"},
    "figures": set(),
    "live": {"figures"},
    "labs": {"data", "engine", "probes", "exercises", "figures", "live"},
    "cli": {"data", "engine", "probes", "exercises", "figures", "live", "labs"},
    "": {"data", "engine"},
}
# Packages that only these layers may import, wherever the import stands.
RESERVED = {
    "torch": {"", "data", "engine", "probes", "exercises", "labs", "cli"},
    "ipywidgets": {"labs", "live"},
    "anywidget": {"live", "labs"},
    "traitlets": {"labs", "live"},
    "IPython": {"labs", "live"},
    "matplotlib": {"figures", "live", "labs"},
    "libcst": {"engine"},
    "sklearn": set(),
    "jupyterlab": {"cli"},
    # They run whatever code a file holds.
    "pickle": set(),
    "dill": set(),
    "cloudpickle": set(),
}
FILES = sorted(ROOT.rglob("*.py"))
MODULES = [pytest.param(path, id=path.relative_to(ROOT).as_posix()) for path in FILES]


def layer_of(path):
    """The layer a file belongs to: its first folder, "cli", or "" for the package's front door."""
    first = path.relative_to(ROOT).parts[0]
    return {"__init__.py": "", "cli.py": "cli"}.get(first, first)


def imports(tree, path):
    """Every imported module's full name, relative imports resolved, with its node."""
    package = [NAME, *path.relative_to(ROOT).parts[:-1]]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*start, *([node.module] if node.module else [])])
            for alias in node.names:
                yield f"{base}.{alias.name}", node


def trespasses(source, path):
    """Name every import in `source`, standing at `path`, that this layer may not have."""
    layer = layer_of(path)
    found = []
    for name, _ in imports(ast.parse(source), path):
        parts = name.split(".")
        if parts[0] == NAME:
            below = parts[1] if len(parts) > 1 and parts[1] in MAY_IMPORT else ""
            front_door = below == "" and layer not in ("", "cli", "labs")
            if below != layer and (front_door or (below and below not in MAY_IMPORT[layer])):
                found.append(name)
        elif layer not in RESERVED.get(parts[0], {layer}) or "pyplot" in parts:
            found.append(name)
    return found


@pytest.mark.parametrize("path", MODULES)
def test_imports_point_down_only(path):
    assert trespasses(path.read_text(encoding="utf-8"), path) == []


@pytest.mark.parametrize(
    ("where", "line"),
    [
        ("data/real.py", "from interactive_training.engine import Run"),
        ("data/real.py", "from ..engine.recipe import Recipe"),
        ("engine/run.py", "from interactive_training import labs"),
        ("engine/run.py", "from interactive_training import Run"),
        ("engine/run.py", "def f():\n    import matplotlib"),
        ("engine/run.py", "import ipywidgets"),
        ("figures/loss.py", "import torch"),
        ("figures/loss.py", "from interactive_training.engine.run import Run"),
        ("figures/loss.py", "from matplotlib import pyplot as plt"),
        ("live/figure.py", "from torch import nn"),
        ("live/figure.py", "from interactive_training.data import digits"),
        ("probes/flow.py", "from interactive_training.exercises import check"),
        ("labs/bowl.py", "import matplotlib.pyplot as plt"),
        ("labs/bowl.py", "import pickle"),
        ("__init__.py", "from interactive_training.labs import TrainingLab"),
    ],
)
def test_a_trespass_is_seen(where, line):
    assert trespasses(line, ROOT / where)


@pytest.mark.parametrize(
    ("where", "line"),
    [
        ("engine/run.py", "from interactive_training.data import digits"),
        ("engine/run.py", "from .recipe import Recipe"),
        ("engine/run.py", "def f():\n    import libcst"),
        ("live/figure.py", "from matplotlib.figure import Figure"),
        ("live/figure.py", "from interactive_training.figures.style import LINES"),
        ("labs/bowl.py", "from interactive_training.engine.run import Run"),
        ("__init__.py", "from interactive_training.engine.run import Run"),
    ],
)
def test_an_import_that_points_down_passes(where, line):
    assert trespasses(line, ROOT / where) == []


@pytest.mark.parametrize("path", MODULES)
def test_no_pyplot_and_no_code_made_from_text(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            assert node.id not in ("pyplot", "plt")
        if isinstance(node, ast.Attribute):
            assert node.attr != "pyplot"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in ("eval", "exec"), f"line {node.lineno}"


def speaks_for_itself(node):
    """Whether `node` is private, or a second half whose first half carries the docstring."""
    return node.name.startswith("_") or any(
        ast.unparse(decorator).endswith((".setter", ".deleter", "overload"))
        for decorator in node.decorator_list
    )


@pytest.mark.parametrize("path", MODULES)
def test_everything_public_has_a_docstring(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree), "the module"
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    open_nodes = [tree]
    while open_nodes:
        for node in open_nodes.pop().body:
            if isinstance(node, kinds) and not speaks_for_itself(node):
                assert ast.get_docstring(node), f"{node.name}, line {node.lineno}"
                if isinstance(node, ast.ClassDef):
                    open_nodes.append(node)


def loaded_by(module):
    """Import `module` in a fresh interpreter and return the top-level packages that came along."""
    program = f"import {module}, sys; print(*{{name.partition('.')[0] for name in sys.modules}})"
    command = [sys.executable, "-c", program]
    return set(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split())


def test_importing_the_package_loads_no_picture_widget_or_parser():
    heavy = {"matplotlib", "libcst", "ipywidgets", "anywidget", "IPython", "jupyterlab", "pandas"}
    assert loaded_by("interactive_training") & heavy == set()


def test_importing_figures_loads_no_torch_of_its_own():
    """The front door brings torch; the folder alone must not need it."""
    for path in FILES:
        if layer_of(path) == "figures":
            names = {
                name.split(".")[0]
                for name, _ in imports(ast.parse(path.read_text(encoding="utf-8")), path)
            }
            allowed = {"numpy", "matplotlib", NAME} | sys.stdlib_module_names
            assert names <= allowed
