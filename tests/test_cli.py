"""The command line: copies that never overwrite, topics by number or word, a doctor that sees."""

import json
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.sign import NotebookNotary

from interactive_training import cli
from interactive_training.exercises.presets import PRESETS


def write_notebook(path, heading):
    code = nbformat.v4.new_code_cell("# not a heading\n", id="code")
    words = nbformat.v4.new_markdown_cell(f"Before.\n# {heading}\n## Second\n", id="words")
    nbformat.write(nbformat.v4.new_notebook(cells=[code, words]), path)


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A small course in place of the real one, and a list of what would have been opened."""
    source = tmp_path / "course"
    (source / "pictures").mkdir(parents=True)
    (source / "pictures" / "bowl.png").write_bytes(b"png")
    (source / ".ipynb_checkpoints").mkdir()
    write_notebook(source / ".ipynb_checkpoints" / "x.ipynb", "Hidden")
    write_notebook(source / "01_five_lines.ipynb", "Five lines, one step")
    write_notebook(source / "02_the_bowl.ipynb", "The bowl")
    write_notebook(source / "12_the_map.ipynb", "The map")
    monkeypatch.setattr(cli, "notebooks", lambda: sorted(source.glob("*.ipynb")))
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "jupyter"))
    monkeypatch.chdir(tmp_path)
    opened = []
    monkeypatch.setattr(cli, "launch", lambda notebook: opened.append(notebook) or 0)
    return source, opened


@pytest.mark.parametrize(
    ("topic", "name"),
    [("1", "01"), ("01", "01"), ("12", "12"), ("bowl", "02"), ("Five-Lines", "01"), ("map", "12")],
)
def test_topic_finds_its_notebook(course, topic, name):
    assert cli.main(["lab", topic]) == 0
    (opened,) = course[1]
    assert opened.parent == Path("interactive-training-notebooks")
    assert opened.name.startswith(name)


@pytest.mark.parametrize(
    ("topic", "reason"), [("the", "more than one"), ("3", "no notebook"), ("cat", "no notebook")]
)
def test_unclear_topic_names_the_choices_and_copies_nothing(course, capsys, topic, reason):
    assert cli.main(["lab", topic]) == 1
    error = capsys.readouterr().err
    assert reason in error
    assert "12_the_map" in error
    assert course[1] == []
    assert not Path("interactive-training-notebooks").exists()


def test_copies_everything_but_hidden_files(course, tmp_path):
    assert cli.main(["lab", "--to", "mine/copies"]) == 0
    copied = sorted(p.relative_to("mine/copies").as_posix() for p in Path("mine").rglob("*.*"))
    assert copied == [
        "01_five_lines.ipynb",
        "02_the_bowl.ipynb",
        "12_the_map.ipynb",
        "pictures/bowl.png",
    ]
    assert course[1] == [Path("mine/copies/01_five_lines.ipynb")]


def test_work_done_in_a_copy_is_kept_and_a_lost_copy_comes_back(course, capsys):
    assert cli.main(["lab", "--to", "mine"]) == 0
    assert capsys.readouterr().out == ""
    Path("mine/02_the_bowl.ipynb").write_text("my work", encoding="utf-8")
    Path("mine/12_the_map.ipynb").unlink()
    assert cli.main(["lab", "--to", "mine"]) == 0
    assert Path("mine/02_the_bowl.ipynb").read_text(encoding="utf-8") == "my work"
    assert Path("mine/12_the_map.ipynb").exists()
    assert "kept your own mine/02_the_bowl.ipynb" in capsys.readouterr().out


def test_the_course_is_trusted_and_what_somebody_made_of_it_is_not(course):
    Path("mine").mkdir()
    write_notebook(Path("mine/02_the_bowl.ipynb"), "Another bowl")
    assert cli.main(["lab", "--to", "mine"]) == 0
    trusted = [
        NotebookNotary().check_signature(nbformat.read(notebook, as_version=4))
        for notebook in sorted(Path("mine").glob("*.ipynb"))
    ]
    assert trusted == [True, False, True]


def test_folder_that_cannot_be_written_is_named(course, capsys):
    Path("taken").write_text("a file", encoding="utf-8")
    assert cli.main(["lab", "--to", "taken"]) == 1
    assert "name another folder with --to" in capsys.readouterr().err
    assert cli.main(["lab", "--to", str(course[0] / "inside")]) == 1
    assert "inside the originals" in capsys.readouterr().err
    assert course[1] == []


def test_list_prints_titles(course, capsys):
    assert cli.main(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:4] == [
        "01_five_lines            Five lines, one step",
        "02_the_bowl              The bowl",
        "12_the_map               The map",
        "",
    ]
    for row in PRESETS:
        assert f"{row.name:<28} {row.notice}" in lines
    assert [line for line in lines if line.endswith("for name one of")] == [
        "TrainingLab.preset(name), for name one of",
        "BowlLab.preset(name), for name one of",
    ]


@pytest.mark.parametrize("way", ["the command", "make lab"])
def test_jupyterlab_is_told_not_to_ask_about_news(monkeypatch, way):
    """As JupyterLab itself reads its settings, not as we wrote them."""
    from jupyterlab import commands, labapp
    from jupyterlab_server.settings_utils import get_settings

    started = []
    monkeypatch.setattr(labapp, "main", started.extend)
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", "")

    def asks():
        lab = Path(commands.get_app_dir())
        folders = [str(lab / "no settings"), str(lab / "schemas"), str(lab / "no settings")]
        name = "@jupyterlab/apputils-extension:notification"
        found, _ = get_settings(*folders, schema_name=name)
        return found["schema"]["properties"]["fetchNews"]["default"]

    assert asks() == "none"  # which opens the question
    if way == "the command":
        assert cli.launch(Path("somewhere/01.ipynb")) == 0
        assert started[0] == str(Path("somewhere/01.ipynb"))
    else:
        root = Path(cli.__file__).parents[1]
        done = subprocess.run(["make", "-n", "lab"], cwd=root, capture_output=True, text=True)
        (folder,) = re.findall(r'JUPYTER_CONFIG_PATH="(.+)" \S*python -m jupyterlab', done.stdout)
        monkeypatch.setenv("JUPYTER_CONFIG_PATH", folder)
    assert asks() == "false"


def test_notebooks_are_found_in_a_checkout_and_in_a_wheel(tmp_path, monkeypatch):
    package = tmp_path / "interactive_training"
    package.mkdir()
    monkeypatch.setattr(cli, "__file__", str(package / "cli.py"))
    with pytest.raises(cli.CannotGoOn, match="install the package again"):
        cli.notebooks()
    for folder in (tmp_path / "notebooks", package / "notebooks"):
        folder.mkdir()
        write_notebook(folder / "01_x.ipynb", "X")
        assert cli.notebooks() == [folder / "01_x.ipynb"]


def test_title_without_heading_is_the_name(tmp_path):
    path = tmp_path / "07_plain.ipynb"
    path.write_text(json.dumps({"cells": []}), encoding="utf-8")
    assert cli.title(path) == "07_plain"


def test_doctor_finds_this_installation_sound(capsys):
    code = cli.main(["doctor"])
    report = capsys.readouterr().out
    assert code == 0, report
    for name in ("python", "torch", "ipykernel", "jupyterlab", "anywidget", "jupyterlab-manager"):
        assert name in report
    assert "ok    interactive_training_server" in report
    assert "mend" not in report


@pytest.mark.parametrize(
    ("package", "version", "sick"),
    [
        ("ipykernel", "7.0.1", True),
        ("ipykernel", "7.1.0", False),
        ("ipykernel", "6.31.0", False),
        ("torch", "2.9.1", True),
        ("torch", "2.10.0+cpu", False),
        ("ipywidgets", "8.1.4", True),
    ],
)
def test_doctor_judges_versions(monkeypatch, capsys, package, version, sick):
    real = cli.metadata.version
    monkeypatch.setattr(
        cli.metadata, "version", lambda name: version if name == package else real(name)
    )
    assert cli.main(["doctor"]) == int(sick)
    line = next(line for line in capsys.readouterr().out.splitlines() if package in line)
    assert line.startswith("mend" if sick else "ok")
    assert not sick or f"pip install '{package}>=" in line


def test_doctor_sees_what_is_missing_or_broken(monkeypatch, capsys):
    def missing(name):
        if name == "anywidget":
            raise cli.metadata.PackageNotFoundError(name)
        return "99.0"

    def broken(name):
        if name == "torch":
            raise OSError("libtorch_cpu.so: cannot open shared object file")

    monkeypatch.setattr(cli.metadata, "version", missing)
    monkeypatch.setattr(cli, "import_module", broken)
    monkeypatch.setattr("jupyter_core.paths.jupyter_path", lambda *_: [])
    monkeypatch.setattr("jupyter_core.paths.jupyter_config_path", lambda *_: [])
    assert cli.main(["doctor"]) == 1
    report = capsys.readouterr().out
    assert "mend  anywidget is missing: pip install anywidget" in report
    assert "mend  torch 99.0 does not load (OSError: libtorch" in report
    assert "mend  @jupyter-widgets/jupyterlab-manager is not where JupyterLab looks" in report
    assert "mend  interactive_training_server is not where Jupyter's server looks" in report


@pytest.mark.parametrize(
    ("version", "numbers"),
    [
        ("2.13.0+cpu", (2, 13, 0)),
        ("2.11rc1", (2, 11)),
        ("8.1.5", (8, 1, 5)),
        ("7.1.0a2", (7, 1, 0)),
    ],
)
def test_release(version, numbers):
    assert cli.release(version) == numbers


def test_runs_as_a_program():
    program = "import sys; from interactive_training.cli import main; sys.exit(main(['--help']))"
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert shown.returncode == 0
    assert "doctor" in shown.stdout
