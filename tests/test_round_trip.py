"""The released course works with stock nbgrader, command by command: generate, submit, autograde, feedback, export."""

import csv
import os
import subprocess
import sys

import nbformat
import pytest
from nbgrader.api import Gradebook

from grading.authoring.release import instructor_notebook, released_text, write_course
from grading.sources import is_solution

NAME = "98_made_up"
ANSWERED = {"full": {"background-mean", "weighting", "reflection"}, "partly": {"weighting"}, "empty": set()}
WRONG = {"partly": {"background-mean": "def background_level(values):\n    return float(values.mean()) if values.size else float('nan')\n"}}
# For two values mean and median agree, so the wrong answer to the first exercise costs nothing in the second, whose check calls it.
POINTS = {
    "full": {"background-mean-value": 2, "background-mean-empty": 1, "weighting-value": 1, "weighting-equal": 1},
    "partly": {"background-mean-value": 0, "background-mean-empty": 0, "weighting-value": 1, "weighting-equal": 1},
    "empty": {"background-mean-value": 0, "background-mean-empty": 0, "weighting-value": 0, "weighting-equal": 0},
}


def nbgrader(folder, *arguments):
    """Run one nbgrader command in a course directory; fail with what it said."""
    environment = {**os.environ, "DLMIA_RESULTS": str(folder / "results")}
    environment.pop("MPLBACKEND", None)
    command = [sys.executable, "-m", "nbgrader", *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, f"nbgrader {' '.join(arguments)} failed:\n{done.stderr[-3000:]}"


def submission(released, solved, answered, wrong):
    """What a student hands in: the released notebook with some solution cells filled in."""
    solutions = {cell.id: cell.source for cell in solved.cells if is_solution(cell)}
    notebook = nbformat.from_dict(released)
    for cell in notebook.cells:
        if cell.id in wrong:
            cell.source = wrong[cell.id]
        elif cell.id in answered:
            cell.source = solutions[cell.id]
    return notebook


@pytest.fixture
def course(made_up, tmp_path):
    """A course directory with the made-up lecture generated and three submissions."""
    write_course(tmp_path, [str(made_up)])
    nbgrader(tmp_path, "generate_assignment", NAME)
    released = tmp_path / "release" / NAME / f"{NAME}.ipynb"
    assert same_cells(released.read_text(encoding="utf-8"), released_text(made_up))
    solved = instructor_notebook(made_up)
    for student, answered in ANSWERED.items():
        handed_in = tmp_path / "submitted" / student / NAME / f"{NAME}.ipynb"
        handed_in.parent.mkdir(parents=True)
        notebook = submission(nbformat.read(released, as_version=4), solved, answered, WRONG.get(student, {}))
        nbformat.write(notebook, handed_in)
    return tmp_path


def same_cells(one, other):
    """Whether two notebooks hold the same cells, metadata and checksums included."""
    return nbformat.reads(one, as_version=4).cells == nbformat.reads(other, as_version=4).cells


def test_release_to_grades_with_stock_nbgrader(course):
    nbgrader(course, "autograde", NAME)
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
        assert gradebook.find_assignment(NAME).max_score == 8
        for student, points in POINTS.items():
            graded = gradebook.find_submission_notebook(NAME, NAME, student)
            assert {grade.name: grade.auto_score for grade in graded.grades if grade.name in points} == points, student
            reflection = gradebook.find_grade("reflection", NAME, NAME, student)
            assert reflection.max_score == 3
            assert bool(reflection.needs_manual_grade) is ("reflection" in ANSWERED[student])
            reflection.manual_score = 2 if "reflection" in ANSWERED[student] else 0
            reflection.needs_manual_grade = False
        gradebook.db.commit()

    nbgrader(course, "generate_feedback", NAME)
    feedback = (course / "feedback" / "partly" / NAME / f"{NAME}.html").read_text(encoding="utf-8")
    assert "so you took the mean" in feedback

    nbgrader(course, "export", "--to", "grades.csv")
    with open(course / "grades.csv", encoding="utf-8", newline="") as file:
        rows = {row["student_id"]: row for row in csv.DictReader(file)}
    assert {student: float(row["raw_score"]) for student, row in rows.items()} == {"full": 7, "partly": 2, "empty": 0}
    assert {float(row["max_score"]) for row in rows.values()} == {8}
