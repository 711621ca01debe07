"""Binder's folder, read as repo2docker reads it. No image is built: that needs a network."""

import json
import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from repo2docker.app import Repo2Docker

ROOT = Path(__file__).parents[1]
BINDER = ROOT / "binder"


@pytest.fixture(scope="module")
def environment():
    return yaml.safe_load((BINDER / "environment.yml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def pack():
    """The build pack that repo2docker picks for this folder."""
    app = Repo2Docker()
    before = Path.cwd()
    os.chdir(ROOT)
    try:
        for kind in app.buildpacks:
            found = kind(app.base_image)
            # A Docker engine would report this; without it repo2docker only reads.
            found.platform = "linux/amd64"
            if found.detect():
                found.dockerfile = found.render()
                return found
    finally:
        os.chdir(before)
    raise AssertionError("repo2docker recognizes nothing here")


def test_python_is_pinned(environment):
    pins = [need for need in environment["dependencies"] if str(need).startswith("python=")]
    assert pins == ["python=3.12"]


def test_kernel_is_new_enough(environment):
    assert "ipykernel>=7.1" in environment["dependencies"]


def test_torch_comes_from_conda_and_never_from_pip(environment):
    needs = environment["dependencies"]
    assert any(str(need).startswith("pytorch-cpu>=2.10") for need in needs)
    # A pip section would be a mapping in this list.
    assert all(isinstance(need, str) for need in needs)


def test_every_dependency_of_the_package_is_there(environment):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    renamed = {"torch": "pytorch-cpu", "matplotlib": "matplotlib-base"}
    there = {re.split(r"[<>=!]", need)[0] for need in environment["dependencies"]}
    for need in project["dependencies"]:
        name = re.split(r"[<>=!]", need)[0]
        assert renamed.get(name, name) in there


@pytest.mark.parametrize("name", ["postBuild", "start"])
def test_scripts_can_run(name):
    path = BINDER / name
    assert path.read_text(encoding="utf-8").startswith("#!/bin/bash\n")
    assert path.stat().st_mode & 0o777 == 0o755
    assert subprocess.run(["bash", "-n", path]).returncode == 0


def test_post_build_stops_at_the_first_error_and_leaves_torch_alone():
    text = (BINDER / "postBuild").read_text(encoding="utf-8")
    assert "set -eux" in text
    assert all("--no-deps" in line for line in text.splitlines() if "pip install" in line)


def test_news_toast_is_off():
    (copied,) = (
        line.split()[1]
        for line in (BINDER / "postBuild").read_text(encoding="utf-8").splitlines()
        if line.startswith("cp ")
    )
    settings = json.loads((BINDER.parent / copied).read_text(encoding="utf-8"))
    assert settings["@jupyterlab/apputils-extension:notification"]["fetchNews"] == "false"


def test_repo2docker_takes_conda_with_the_pinned_python(pack):
    assert type(pack).__name__ == "CondaBuildPack"
    assert pack.python_version == "3.12"


def test_repo2docker_solves_the_environment_before_it_copies_the_repository(pack):
    solve = pack.dockerfile.index('--file "binder/environment.yml"')
    copy = pack.dockerfile.index(" src/ ")
    post_build = pack.dockerfile.index("RUN ./binder/postBuild")
    # Otherwise each commit would solve anew, for minutes.
    assert solve < copy < post_build
    assert "binder/start" in pack.dockerfile
