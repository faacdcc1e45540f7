"""The guides, as written: the instructor's in an empty directory with a small class, the contributor's in a copy of the repository."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from tests.test_whole_class import Class
from tests.test_written import sound

ROOT = Path(__file__).parents[1]
GUIDE, ADDING = ROOT / "docs" / "instructor_guide.md", ROOT / "docs" / "adding.md"
LECTURE = "01_course_overview"


def blocks(text, kind):
    """The fenced blocks of one kind, in order."""
    return re.findall(rf"^```{kind}\n(.*?)^```$", text, re.M | re.S)


def run_blocks(document, folder):
    """Run a document's bash blocks, one after the other, in a folder; what they print."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    said = []
    for block in blocks(document.read_text(encoding="utf-8"), "bash"):
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", block], cwd=folder, env={**os.environ, "PATH": path}, capture_output=True, text=True)
        assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"
        said.append(done.stdout)
    return "\n".join(said)


def incoming(folder, answers, moment, also=()):
    """What a learning platform gives: a folder for each student."""
    for student, notebook in answers.items():
        place = folder / student / LECTURE
        place.mkdir(parents=True)
        nbformat.write(notebook, place / f"{LECTURE}.ipynb")
        (place / "timestamp.txt").write_text(f"{moment}\n")
    for student, work, notebook in also:
        (folder / student / work).mkdir(parents=True)
        nbformat.write(notebook, folder / student / work / f"{work}.ipynb")


@pytest.mark.notebook
def test_the_guide_works_as_written_in_an_empty_directory(tmp_path):
    whole = Class(LECTURE)
    right = {name: texts[0] for name, texts in whole.right.items()}
    answers = {"anna": whole.notebook(right), "bert": whole.notebook(dict(list(right.items())[:3])), "chen": whole.notebook({})}
    incoming(tmp_path / "incoming", answers, "2027-02-01 10:00:00 UTC", [("anna", "assignment_1", sound("assignment_1"))])
    incoming(tmp_path / "incoming_again", {"chen": whole.notebook(right)}, "2027-02-02 10:00:00 UTC")
    told = run_blocks(GUIDE, tmp_path)
    assert "3 submissions graded" in told and "4 course grades" in told and "3 submissions of 01_course_overview compared" in told
    grades = (tmp_path / "course" / "course_grades" / "course_grades_by_item.csv").read_text(encoding="utf-8-sig")
    chen = next(line for line in grades.splitlines() if line.startswith("chen,lectures"))
    assert ",17.0,20.0," in chen and "the best of 2 attempts" in chen, "handed in again, and graded again"
    assert sorted(path.name for path in (tmp_path / "course" / "exam").iterdir()) == ["anna", "bert", "chen"], "who withdrew writes no exam"
    assert (tmp_path / "course" / "feedback" / "bert" / LECTURE / f"{LECTURE}.html").is_file()
    shutil.rmtree(tmp_path / "given_out")


@pytest.mark.notebook
def test_the_worked_examples_of_adding_work_in_a_copy_of_the_repository(tmp_path):
    for folder in ("grading", "helpers", "solutions"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for folder in ("fixtures", "attacks"):
        shutil.copytree(ROOT / "tests" / folder, tmp_path / "tests" / folder)
    for file in ("data_manifest.yaml", "pyproject.toml", "README.md"):
        shutil.copy(ROOT / file, tmp_path / file)
    for folder in ("notebooks", "docs"):
        (tmp_path / folder).mkdir()
    told = run_blocks(ADDING, tmp_path)
    assert "| [16 " in (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "abdomen_mr" in told and "(300, 484)" in told
    released = (tmp_path / "notebooks" / "16_background.ipynb").read_text(encoding="utf-8")
    assert "Exercise 15.2b" in released and "HIDDEN" not in released and "background.std()" not in released


def test_every_command_that_is_named_exists():
    from grading import __main__ as cli

    named = set()
    for document in (GUIDE, ADDING, ROOT / "README.md", ROOT / "CONTRIBUTING.md"):
        named |= set(re.findall(r"python -m grading ([a-z-]+)", document.read_text(encoding="utf-8")))
    with pytest.raises(SystemExit):
        cli.main(["--help"])
    for command in sorted(named):
        with pytest.raises(SystemExit) as ended:
            cli.main([command, "--help"])
        assert ended.value.code == 0, command
