"""The command `interactive-training`: open the course, list it, and mend an installation."""

from __future__ import annotations

import argparse
import filecmp
import json
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module, metadata
from pathlib import Path


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 all is well, 1 something has to be mended.

    `arguments` are the words after the program's name; None takes them from the shell. Words
    that cannot be understood end the program with code 2, as argparse does.
    """
    parser = argparse.ArgumentParser(
        prog="interactive-training",
        description="Change a real PyTorch training run while it runs.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    lab = commands.add_parser("lab", help="copy the notebooks to a folder and open one")
    lab.add_argument("topic", nargs="?", default="01", metavar="TOPIC", help="a number or a word")
    lab.add_argument(
        "--to",
        type=Path,
        default=Path("interactive-training-notebooks"),
        metavar="FOLDER",
        help="where the copies go (default: ./%(default)s); what you changed there is kept",
    )
    commands.add_parser("list", help="name the notebooks, and the presets of the labs")
    commands.add_parser("doctor", help="look for what keeps the labs from working")
    chosen = parser.parse_args(arguments)
    try:
        if chosen.command == "lab":
            return open_lab(chosen.topic, chosen.to)
        return show_list() if chosen.command == "list" else examine()
    except CannotGoOn as reason:
        print(reason, file=sys.stderr)
        return 1


class CannotGoOn(Exception):
    """What is in the way, in one sentence that says what to do."""


def open_lab(topic: str, folder: Path) -> int:
    """Copy the notebooks into `folder`, keep what was changed there, and open one of them.

    `topic` is a notebook's number or part of its name. Raises CannotGoOn where no notebook or
    more than one fits, or where `folder` cannot be written.
    """
    notebook = find(topic)
    for name in copy_notebooks(notebook.parent, folder):
        print(f"kept your own {folder / name}; another --to folder gets the original")
    trust(notebook.parent)
    return launch(folder / notebook.name)


def trust(folder: Path) -> None:
    """Let Jupyter show the outputs of the course's own notebooks, wherever they are copied.

    JupyterLab shows no lab that is saved in a notebook with outputs that it does not trust, so a
    page that is loaded again would have a still picture in its place.
    """
    import nbformat
    from nbformat.sign import NotebookNotary

    notary = NotebookNotary()  # type: ignore[no-untyped-call]
    for notebook in sorted(folder.glob("*.ipynb")):
        notary.sign(nbformat.read(notebook, as_version=4))  # type: ignore[no-untyped-call]


def launch(notebook: Path) -> int:
    """Start JupyterLab on `notebook`, without the toast that asks about news, until it is shut."""
    from jupyterlab import labapp

    # JupyterLab reads labconfig/ in every folder of this path.
    folders = [str(Path(__file__).parent), os.environ.get("JUPYTER_CONFIG_PATH", "")]
    os.environ["JUPYTER_CONFIG_PATH"] = os.pathsep.join(filter(None, folders))
    options = [str(notebook)]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        options.append("--allow-root")
    labapp.main(options)
    return 0


def show_list() -> int:
    """Print each notebook's file name and title on a line, then the labs' presets."""
    from interactive_training.exercises.presets import PRESETS

    for notebook in notebooks():
        print(f"{notebook.stem:<24} {title(notebook)}")
    lab = ""
    for preset in PRESETS:
        if preset.lab != lab:
            lab = preset.lab
            print(f"\n{lab}.preset(name), for name one of")
        print(f"{preset.name:<28} {preset.notice}")
    return 0


def notebooks() -> list[Path]:
    """Find the course: inside an installed package, or at the root of a source checkout."""
    package = Path(__file__).parent
    for folder in (package / "notebooks", package.parent / "notebooks"):
        if found := sorted(folder.glob("*.ipynb")):
            return found
    raise CannotGoOn("No notebooks came with this installation; install the package again.")


def find(topic: str) -> Path:
    """Return the one notebook that `topic` means: "3", "03" and "gradient" all may."""
    course = notebooks()
    wanted = topic.zfill(2) if topic.isdigit() else topic.lower().replace("-", "_")
    by_number = topic.isdigit()
    fitting = [
        notebook
        for notebook in course
        if (notebook.stem.split("_")[0] == wanted if by_number else wanted in notebook.stem.lower())
    ]
    if len(fitting) == 1:
        return fitting[0]
    names = ", ".join(notebook.stem for notebook in fitting or course)
    problem = "fits more than one notebook" if fitting else "fits no notebook"
    raise CannotGoOn(f"{topic!r} {problem}; choose one of: {names}.")


def title(notebook: Path) -> str:
    """Read the first heading of a notebook; the file's name stands in where there is none."""
    for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "markdown":
            for line in "".join(cell["source"]).splitlines():
                if line.startswith("#"):
                    return line.lstrip("# ").strip()
    return notebook.stem


def copy_notebooks(source: Path, folder: Path) -> list[str]:
    """Copy all files of `source` that `folder` lacks; return the names of those that differ.

    A file that is there is never written, so work done in it cannot be lost.
    """
    if folder.resolve().is_relative_to(source.resolve()):
        raise CannotGoOn(f"{folder} lies inside the originals; name another folder with --to.")
    changed = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for original in sorted(source.rglob("*")):
            name = original.relative_to(source)
            if original.is_dir() or any(part.startswith(".") for part in name.parts):
                continue
            copy = folder / name
            if not copy.exists():
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(original, copy)
            elif not filecmp.cmp(original, copy, shallow=False):
                changed.append(str(name))
    except OSError as error:
        raise CannotGoOn(
            f"{folder} cannot be written ({error.strerror}); name another folder with --to."
        ) from error
    return changed


@dataclass(frozen=True)
class Need:
    """One thing a lab needs: a package, the versions that work and the remedy for the others."""

    package: str
    oldest: tuple[int, ...]
    remedy: str
    broken: tuple[int, ...] | None = None


NEEDS = (
    Need("torch", (2, 10), "pip install 'torch>=2.10'"),
    Need("matplotlib", (3,), "pip install matplotlib"),
    Need("ipykernel", (6,), "pip install 'ipykernel>=7.1'", broken=(7, 0)),
    Need("jupyterlab", (4, 4), "pip install 'jupyterlab>=4.4'"),
    Need("ipywidgets", (8, 1, 5), "pip install 'ipywidgets>=8.1.5'"),
    Need("anywidget", (0,), "pip install anywidget"),
    Need("libcst", (1,), "pip install libcst"),
)

# What the browser loads, as a folder among Jupyter's data, and the package that brings it.
IN_THE_BROWSER = {
    "@jupyter-widgets/jupyterlab-manager": "jupyterlab_widgets",
    "anywidget": "anywidget",
}


def examine() -> int:
    """Print one line for each thing a lab needs; return 1 when something has to be mended."""
    python = ".".join(map(str, sys.version_info[:3]))
    lines = [
        (f"python {python}", "" if sys.version_info >= (3, 11) else "install Python 3.11 or newer")
    ]
    lines += [check(need) for need in NEEDS]
    lines += [check_browser(name, package) for name, package in IN_THE_BROWSER.items()]
    lines.append(check_server())
    for what, remedy in lines:
        print(f"mend  {what}: {remedy}" if remedy else f"ok    {what}")
    return 1 if any(remedy for _, remedy in lines) else 0


def check(need: Need) -> tuple[str, str]:
    """Name a package with its version, and the remedy if it is missing, too old or broken."""
    try:
        version = metadata.version(need.package)
    except metadata.PackageNotFoundError:
        return f"{need.package} is missing", need.remedy
    numbers = release(version)
    what = f"{need.package} {version}"
    if numbers < need.oldest:
        return f"{what} is too old", need.remedy
    if need.broken and numbers[: len(need.broken)] == need.broken:
        return f"{what} loses what a running lab sends to the page", need.remedy
    try:
        import_module(need.package)
    except Exception as error:  # whatever a damaged installation raises is the finding
        again = f"pip install --force-reinstall {need.package}=={version}"
        return f"{what} does not load ({type(error).__name__}: {error})", again
    return what, ""


def release(version: str) -> tuple[int, ...]:
    """Read the leading numbers of a version: "2.13.0+cpu" is (2, 13, 0), "2.11rc1" is (2, 11)."""
    numbers = []
    for part in version.split("+")[0].split("."):
        digits = part[: len(part) - len(part.lstrip("0123456789"))]
        if digits:
            numbers.append(int(digits))
        if digits != part:
            break
    return tuple(numbers)


def check_browser(name: str, package: str) -> tuple[str, str]:
    """Say whether JupyterLab finds the browser half `name` that `package` brings."""
    from jupyter_core.paths import jupyter_path

    for folder in jupyter_path("labextensions"):
        if (Path(folder) / name / "package.json").is_file():
            return f"{name} in the browser", ""
    return f"{name} is not where JupyterLab looks", f"pip install --force-reinstall {package}"


def check_server() -> tuple[str, str]:
    """Say whether Jupyter's server is told of the extension without which pictures lag."""
    from jupyter_core.paths import jupyter_config_path

    for folder in jupyter_config_path():
        if (Path(folder) / "jupyter_server_config.d" / "interactive_training.json").is_file():
            return "interactive_training_server in Jupyter's server", ""
    again = "pip install --force-reinstall --no-deps interactive-training"
    return "interactive_training_server is not where Jupyter's server looks", again
