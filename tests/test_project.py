"""What is written twice agrees: README and pyproject, constraints and requirements."""

import re
import tomllib
from pathlib import Path
from urllib.parse import unquote

import pytest
import yaml

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LINKS = re.findall(r"\]\(([^)\s]+)\)", README)
ADDRESS = PROJECT["urls"]["Homepage"]


def own_name(address):
    """The part "owner/name" of the project's address."""
    return "/".join(address.split("/")[-2:])


@pytest.mark.parametrize("link", [link for link in LINKS if not link.startswith("http")])
def test_readme_links_lead_to_files(link):
    path, _, heading = link.partition("#")
    assert not path or (ROOT / path).exists()
    if not path:
        headings = re.findall(r"^#+ (.*)$", README, flags=re.MULTILINE)
        assert heading in {
            re.sub(r"[^\w -]", "", text).lower().replace(" ", "-") for text in headings
        }


def test_readme_and_pyproject_give_the_same_address():
    assert PROJECT["urls"]["Binder"] in LINKS
    mentioned = re.findall(r"https://(?:github\.com|mybinder\.org/v2/gh)/([\w.-]+/[\w.-]+)", README)
    assert own_name(ADDRESS) in mentioned
    others = set(mentioned) - {own_name(ADDRESS)}
    # The one other project named is the neighbour with the same import name.
    assert others == {"yuntian-group/interactive-training"}
    for address in PROJECT["urls"].values():
        assert own_name(ADDRESS) in address


def test_binder_opens_a_notebook_that_exists():
    opened = unquote(PROJECT["urls"]["Binder"].split("urlpath=lab/tree/")[1])
    assert (ROOT / opened).is_file()
    assert opened in (ROOT / "Makefile").read_text(encoding="utf-8")


def test_citation_and_changelog_know_the_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == PROJECT["version"]
    assert citation["repository-code"] == ADDRESS
    assert citation["license"] == PROJECT["license"]
    assert "## [Unreleased]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def canonical(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def test_constraints_are_pins_and_cover_every_direct_requirement():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.]*", line) for line in lines)
    assert "torch==2.13.0" in lines
    pinned = {canonical(line.split("==")[0]) for line in lines}
    assert len(pinned) == len(lines)
    extras = PROJECT["optional-dependencies"]
    for need in [*PROJECT["dependencies"], *extras["test"], *extras["data"]]:
        assert canonical(re.split(r"[<>=!\[]", need)[0]) in pinned
