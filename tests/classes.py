"""Lectures and classes for the tests of grading: fixtures as students get them, notebooks with chosen answers, course directories."""

import copy
import re
import tempfile
from functools import cache
from pathlib import Path

import nbformat
import numpy as np
import torch

from grading.authoring.release import _generate, as_text, write_course
from grading.marking.given import Given, Twins
from grading.marking.judge import judge
from grading.marking.remote import Channel
from grading.marking.worker import Lecture
from grading.sandbox import Limits
from grading.sources import grade_id, is_solution, read_lecture

LIMITS = Limits(seconds=30, cell_seconds=3, memory=3 * 2**29)
FIXTURES = Path(__file__).with_name("fixtures")
ATTACKS = sorted(Path(__file__).with_name("attacks").glob("*.py"))


@cache
def lecture(name: str) -> Lecture:
    """A fixture's lecture, released by nbgrader itself."""
    pristine = read_lecture(FIXTURES / f"{name}.py")
    with tempfile.TemporaryDirectory() as folder:
        course = write_course(Path(folder), [])
        source = course / "source" / name / f"{name}.ipynb"
        source.parent.mkdir(parents=True)
        source.write_text(as_text(copy.deepcopy(pristine)), encoding="utf-8")
        _generate(course, name)
        released = nbformat.read(course / "release" / name / f"{name}.ipynb", as_version=4)
    return Lecture(name, pristine, released)


def right(of: Lecture) -> dict[str, str]:
    """Grade id -> the reference answer."""
    return {grade_id(cell): cell.source for cell in of.pristine.cells if is_solution(cell)}


def answered(of: Lecture, answers: dict[str, str], helper: str | list[str] = "") -> nbformat.NotebookNode:
    """The released notebook with these answers; helper cells, one or a list of them, stand before the first answer."""
    notebook = copy.deepcopy(of.released)
    for cell in notebook.cells:
        cell.source = answers.get(grade_id(cell), cell.source)
    if helper:
        first = next(number for number, cell in enumerate(notebook.cells) if is_solution(cell))
        texts = [helper] if isinstance(helper, str) else helper
        notebook.cells[first:first] = [nbformat.v4.new_code_cell(text) for text in texts]
    return notebook


def parts(attack: str) -> tuple[dict[str, str], bool]:
    """Grade id, or "helper" -> text of the cells of an attack; and whether its other answers are right."""
    cells = re.split(r"^# (?:--- )?cell: (\S+)$", attack, flags=re.M)
    return dict(zip(cells[1::2], cells[2::2], strict=True)), "# rest: right" in attack


def write(notebook: nbformat.NotebookNode, path: Path) -> Path:
    """Save as a student's tool would."""
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)
    return path


def course(folder: Path, of: Lecture, submissions: dict[str, nbformat.NotebookNode]) -> Path:
    """A course directory with the lecture and a notebook for each student."""
    for part, notebook in (("source", of.pristine), ("release", of.released)):
        write(notebook, folder / part / of.name / f"{of.name}.ipynb")
    for student, notebook in submissions.items():
        write(notebook, folder / "submitted" / student / of.name / f"{of.name}.ipynb")
    return folder


class Bench:
    """A student's process, and a judge in this one."""

    def __init__(self, box, code, given=""):
        self.process = box.spawn(LIMITS)
        self.channel = Channel(self.process)
        self.channel.run("import numpy as np\nimport torch", "set-up")
        self.channel.run(given, "given")
        self.printed, self.error = self.channel.run(code, "answer")
        self.twins = Twins(Given([given], {"np", "torch"}), {"__name__": "__main__", "np": np, "torch": torch}, self.channel)

    def judge(self, source, points=1, shown=True):
        return judge("check", source, points, self.channel, self.twins, 0, shown)
