"""The released set-up cell in a made-up Colab: torch stays, whatever the working directory, the state of the clone, and the number of runs."""

import os
import shutil
import subprocess
import sys

import pytest

from grading.authoring.opening import write_opening
from grading.sources import OPENING_CELL
from helpers import missing
from tests.colab_image import LACKED, TORCH, Image

LECTURE = "04_classification"
SAID = f"torch {TORCH}"
STATE = """
from importlib import metadata
print("STATE", metadata.version("torch"), torch.__version__, helpers.__file__, "monai" in sys.modules)
"""


@pytest.fixture(scope="module")
def colab(tmp_path_factory):
    """As a student meets it: nothing of the course, and none of what it needs beyond the image."""
    image = Image(tmp_path_factory.mktemp("colab"), LACKED)
    image.publish()
    return image


@pytest.fixture(scope="module")
def ready(tmp_path_factory):
    """All packages are there, but not the course; nothing can be installed."""
    return Image(tmp_path_factory.mktemp("ready"), [])


def state(done):
    """What the last line says: torch's versions for pip and for itself, where helpers are, whether monai was imported."""
    assert done.returncode == 0, done.stderr[-3000:]
    assert SAID in done.stdout
    return done.stdout.strip().splitlines()[-1].split()[1:]


def test_a_fresh_image_gets_what_it_lacks_and_keeps_its_torch(colab):
    before = sorted(path.name for path in colab.site.glob("*.dist-info"))
    done = colab.run(LECTURE, then=STATE)
    assert state(done)[:2] == [TORCH, TORCH] and str(colab.site) in state(done)[2]
    assert "Installing" in done.stdout and "medmnist" in done.stdout
    after = {path.name for path in colab.site.glob("*.dist-info")}
    assert set(before) <= after, "no version that was there has changed"
    assert {name.partition("-")[0] for name in after - set(before)} >= {"dlmia", "monai", "medmnist", "captum"}
    assert not any(colab.content.iterdir()), "nothing is left in the working directory"
    again = colab.run(LECTURE, then=OPENING_CELL.read_text(encoding="utf-8") + STATE, pip=False)  # in one kernel, twice
    assert state(again) == state(done) and "Installing" not in again.stdout and again.stdout.count(SAID) == 2, "nothing more is asked for"


def test_a_clone_beside_or_above_is_taken_as_it_is(ready):
    clone = ready.content / "dlmia"
    shutil.copytree(missing.PROJECT.parent / "helpers", clone / "helpers", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "data_manifest.yaml"):
        shutil.copyfile(missing.PROJECT.parent / name, clone / name)
    (clone / "notebooks" / "mine").mkdir(parents=True)
    for where in (ready.content, clone, clone / "notebooks" / "mine"):
        done = ready.run(LECTURE, where, STATE, pip=False)
        assert state(done)[2].startswith(str(clone)) and "Installing" not in done.stdout, where
    shutil.rmtree(clone)


def test_without_a_network_a_sentence_says_what_is_missing(ready, colab):
    done = ready.run(LECTURE, pip=False)
    assert done.returncode and "upstream" in done.stderr, "git names the address that it can't reach"
    lonely = colab.run(
        LECTURE, then=STATE.replace("print", "helpers.missing.requirements = lambda: ['no-such-package>=1']\nhelpers.complete()\nprint"), pip=False
    )
    assert "could not install them: no-such-package>=1" in lonely.stderr and "Settings, Internet, on" in lonely.stderr


def test_a_working_directory_that_is_not_ours(colab, tmp_path):
    (tmp_path / "locked").mkdir()
    (tmp_path / "locked").chmod(0)
    tmp_path.chmod(0o555)
    try:
        assert state(colab.run(LECTURE, tmp_path, STATE, pip=False))[0] == TORCH
        assert sorted(os.listdir(tmp_path)) == ["locked"]
    finally:
        tmp_path.chmod(0o755)
        (tmp_path / "locked").chmod(0o755)


def test_what_is_old_is_kept_and_what_is_missing_named(monkeypatch):
    monkeypatch.setattr(missing, "requirements", lambda: ["torch>=99", "no-such-package>=1", "numpy>=2.0"])
    lacking, kept = missing.needs()
    assert lacking == ["no-such-package>=1"]
    assert [line.partition("==")[0] for line in kept] == ["torch", "numpy"], "an older torch is kept, too"


def test_requirements_are_those_of_the_project(monkeypatch, tmp_path):
    here = missing.requirements()
    assert any(text.startswith("torch>=") for text in here) and not any("nbgrader" in text for text in here)
    monkeypatch.setattr(missing, "PROJECT", tmp_path / "none")
    assert sorted(map(missing._name, missing.requirements())) == sorted(map(missing._name, here))


def test_all_is_there_where_the_tests_run(monkeypatch):
    monkeypatch.setattr(subprocess, "run", None)
    assert missing.complete() == []


def test_the_set_up_cell_costs_little_more_than_torch():
    """What it adds to the imports that it can't do without is less than they take; heavy packages wait until a cell wants them."""
    needed = "import time\nimport torch\nimport matplotlib.pyplot\nimport pandas\nneeded = time.process_time()\n"
    cell = 'LECTURE, PROFILE, SEED = "04_classification", "ci", 0\n' + OPENING_CELL.read_text(encoding="utf-8")
    heavy = "('monai', 'sklearn', 'skimage', 'nilearn', 'lifelines', 'SimpleITK', 'captum', 'medmnist', 'torchvision')"
    tell = f"\nprint('COST', needed, time.process_time() - needed, *[name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", needed + cell + tell], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    _, needs, adds, *loaded = done.stdout.splitlines()[-1].split()
    assert not loaded, f"the set-up cell imports {loaded}"
    assert float(adds) < float(needs)


def test_the_set_up_cell_is_written_into_sources(tmp_path):
    source = tmp_path / "source.py"
    cell = OPENING_CELL.read_text(encoding="utf-8").strip()
    source.write_text(f'# %% [markdown]\n# # x\n\n# %% tags=["setup"]\n{cell.replace("import torch", "import torch as t")}\n\n# %%\n1 + 1\n')
    assert write_opening([source]) == [source] and write_opening([source]) == []
    assert cell in source.read_text() and source.read_text().endswith("\n\n# %%\n1 + 1\n")
