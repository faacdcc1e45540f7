"""The environment's three descriptions agree, and none of them names a package index."""

import re
import tomllib
from importlib import metadata

import yaml
from packaging.requirements import Requirement

from grading.authoring.environment import ENVIRONMENT, LOCK, ROOT, pins, render


def test_environment_yml_is_the_lock():
    assert ENVIRONMENT.read_text(encoding="utf-8") == render(LOCK.read_text(encoding="utf-8")), "run `make lock`"
    listed = yaml.safe_load(ENVIRONMENT.read_text(encoding="utf-8"))["dependencies"][-1]["pip"]
    assert listed[:-1] == pins(LOCK.read_text(encoding="utf-8"))


def test_binder_builds_from_it():
    """repo2docker reads environment.yml at the top, unless a folder of its own hides it, and stages the whole repository if pip is given a path."""
    assert not [name for name in ("binder", ".binder") if (ROOT / name).exists()]
    content = yaml.safe_load(ENVIRONMENT.read_text(encoding="utf-8"))
    option, place = content["dependencies"][-1]["pip"][-1].split()
    assert option == "--editable" and place == "." and content["name"]
    pinned = {Requirement(pin).name for pin in pins(LOCK.read_text(encoding="utf-8"))}
    assert {"jupyterlab", "ipykernel", "ipywidgets"} <= pinned, "what a notebook opens in on Binder"


def test_every_locked_package_is_pinned_by_hash():
    lock = LOCK.read_text(encoding="utf-8")
    entries = re.split(r"\n(?=[a-z0-9])", lock.strip())
    assert len(entries) == len(pins(lock))
    assert all("--hash=sha256:" in entry for entry in entries)


def test_the_lock_names_no_host():
    for path in (LOCK, ENVIRONMENT):
        assert not re.search(r"https?://|--(extra-)?index-url|--find-links", path.read_text(encoding="utf-8")), path.name


def test_every_dependency_is_locked_within_its_range():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = [lines for name, lines in project["optional-dependencies"].items() if name != "federated"]  # in an environment of its own
    locked = {}
    for pin in pins(LOCK.read_text(encoding="utf-8")):
        requirement = Requirement(pin)
        locked.setdefault(requirement.name, []).append(next(iter(requirement.specifier)).version)
    for text in [*project["dependencies"], *(line for extra in extras for line in extra)]:
        requirement = Requirement(text)
        assert requirement.name in locked, f"{requirement.name} is not in the lock: run `make lock`"
        assert all(requirement.specifier.contains(version) for version in locked[requirement.name]), text


def test_make_lock_names_every_extra_but_the_federated_one():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = set(re.findall(r"--extra (\w+)", (ROOT / "Makefile").read_text(encoding="utf-8")))
    assert named == set(project["optional-dependencies"]) - {"federated"}


def test_what_is_installed_is_what_is_locked():
    for pin in pins(LOCK.read_text(encoding="utf-8")):
        requirement = Requirement(pin)
        if requirement.marker is None or requirement.marker.evaluate():
            assert requirement.specifier.contains(metadata.version(requirement.name)), f"{pin} is locked, another version is installed"
