"""The built wheel carries all that the package reads while it runs."""

import json
import subprocess
import sys
import zipfile
from email.parser import Parser
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = (ROOT / "interactive_training", ROOT / "interactive_training_server")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (path,) = folder.glob("*.whl")
    with zipfile.ZipFile(path) as opened:
        yield opened


def test_every_source_style_and_script_file_is_inside(wheel):
    kinds = {".py", ".js", ".css", ".npz", ".md", ".typed"}
    here = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in package.rglob("*")
        if path.suffix in kinds
    }
    here.add("interactive_training/py.typed")
    assert here <= set(wheel.namelist())


def test_notebooks_are_inside_the_package(wheel):
    course = {
        f"interactive_training/notebooks/{p.name}" for p in (ROOT / "notebooks").glob("*.ipynb")
    }
    inside = {name for name in wheel.namelist() if name.endswith(".ipynb")}
    assert inside == course


def test_nothing_else_is_inside(wheel):
    for name in wheel.namelist():
        assert name.startswith(
            ("interactive_training/", "interactive_training_server/", "interactive_training-")
        )
        assert "__pycache__" not in name
        assert ".ipynb_checkpoints" not in name


def test_jupyter_finds_the_extension_of_its_server(wheel):
    (there,) = (name for name in wheel.namelist() if "/jupyter_server_config.d/" in name)
    assert there.endswith("/etc/jupyter/jupyter_server_config.d/interactive_training.json")
    enabled = json.loads(wheel.read(there))["ServerApp"]["jpserver_extensions"]
    assert enabled == {"interactive_training_server": True}


def test_digits_are_read_from_the_wheel(wheel, tmp_path):
    wheel.extractall(tmp_path)
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); import interactive_training.data as data;"
        "print(data.__file__); print(data.digits())"
    )
    # -P and a foreign folder: this checkout must not stand in for the wheel.
    command = [sys.executable, "-P", "-c", program, str(tmp_path)]
    shown = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    assert shown.startswith(str(tmp_path))
    assert "inputs=(1197, 64)" in shown
    with np.load(tmp_path / "interactive_training/data/digits.npz", allow_pickle=False) as stored:
        assert stored["pixels"].dtype == np.uint8


def test_licences_and_command_are_declared(wheel):
    folder = next(name.split("/")[0] for name in wheel.namelist() if ".dist-info/" in name)
    about = Parser().parsestr(wheel.read(f"{folder}/METADATA").decode())
    assert about["License-Expression"] == "BSD-3-Clause"
    assert set(about.get_all("License-File")) == {
        "LICENSE",
        "interactive_training/data/LICENSES.md",
    }
    assert about["Requires-Python"] == ">=3.11"
    commands = wheel.read(f"{folder}/entry_points.txt").decode()
    assert "interactive-training = interactive_training.cli:main" in commands
