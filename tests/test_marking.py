"""From submissions to feedback on the command line, and the check that a student runs at home."""

import shutil

import nbformat
import pytest

from grading import __main__ as cli
from grading.authoring.release import as_text, instructor_notebook, released_text, write_course
from grading.marking import home
from grading.marking.record import read_grades

NAME = "98_made_up"


@pytest.fixture
def course(made_up, tmp_path):
    """A course directory with the made-up lecture, and three students: one right, one half right, one who wrote nothing."""
    folder = write_course(tmp_path / "course", [str(made_up)])
    text = {"right": as_text(instructor_notebook(made_up)), "empty": released_text(made_up)}
    release = folder / "release" / NAME / f"{NAME}.ipynb"
    release.parent.mkdir(parents=True)
    release.write_text(text["empty"], encoding="utf-8")
    half = nbformat.reads(text["empty"], as_version=4)
    right = nbformat.reads(text["right"], as_version=4)
    sources = {cell.id: cell.source for cell in right.cells}
    for cell in half.cells:
        if cell.metadata.get("nbgrader", {}).get("grade_id") == "background-mean":
            cell.source = sources[cell.id]
    text["half"] = nbformat.writes(half)
    for student, content in text.items():
        place = folder / "submitted" / student / NAME
        place.mkdir(parents=True)
        (place / f"{NAME}.ipynb").write_text(content, encoding="utf-8")
    return folder


def test_from_submissions_to_feedback(course, capsys):
    assert cli.main(["autograde", NAME, "--course", str(course), "--workers", "2"]) == 0
    said = capsys.readouterr().out
    assert "3 submissions graded" in said and "median 3 of 5" in said
    points = {(row["student"], row["exercise"]): (float(row["points"]), row["reason"]) for row in read_grades(course / "grades.csv")}
    assert points["right", "background-mean"] == (3, "") and points["right", "weighting"] == (2, "")
    assert points["half", "background-mean"] == (3, "") and points["half", "weighting"][0] == 0
    assert points["empty", "weighting"][0] == 0 and "NotImplementedError" in points["empty", "weighting"][1]

    assert cli.main(["feedback", NAME, "--course", str(course)]) == 0
    pages = {page.parent.parent.name: page.read_text(encoding="utf-8") for page in course.glob("feedback/*/*/*.html")}
    assert set(pages) == {"right", "half", "empty"}
    assert "write combined" in pages["half"]
    assert not any("HIDDEN TESTS" in page for page in pages.values())
    hidden = [cell.source.split("### BEGIN HIDDEN TESTS")[1] for cell in read_source(course) if "HIDDEN TESTS" in cell.source]
    lines = [line.strip() for text in hidden for line in text.splitlines() if line.strip().startswith("assert")]
    assert lines and not any(line in page for line in lines for page in pages.values())


def read_source(course):
    """The instructor's cells."""
    return nbformat.read(course / "source" / NAME / f"{NAME}.ipynb", as_version=4).cells


def test_nbgraders_own_export_reads_the_gradebook(course, tmp_path):
    from nbgrader.api import Gradebook

    assert cli.main(["autograde", NAME, "--course", str(course), "--workers", "1"]) == 0
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as book:
        scores = {student: book.find_submission(NAME, student).score for student in ("right", "half", "empty")}
        assert scores == {"right": 5, "half": 3, "empty": 0}
        assert book.find_submission(NAME, "right").needs_manual_grade  # its reflection
        assert not book.find_submission(NAME, "empty").needs_manual_grade


def test_a_student_s_name_is_no_pattern(course):
    shutil.move(course / "submitted" / "half", course / "submitted" / "ha[lf]*")
    assert cli.main(["autograde", NAME, "--course", str(course), "--workers", "1"]) == 0
    assert cli.main(["feedback", NAME, "--course", str(course), "--workers", "1"]) == 0
    assert {page.parent.parent.name for page in course.glob("feedback/*/*/*.html")} == {"right", "ha[lf]*", "empty"}


@pytest.mark.parametrize("option", ["--workers=0", "--timeout=0", "--cell-timeout=-1", "--memory=0", "--memory=nan", "--workers=many"])
def test_options_out_of_range_grade_nothing(course, option, capsys):
    with pytest.raises(SystemExit):
        cli.main(["autograde", NAME, "--course", str(course), option])
    assert option.split("=")[0] in capsys.readouterr().err and not (course / "gradebook.db").exists()


def test_feedback_before_grading_is_one_sentence(course, capsys):
    shutil.rmtree(course / "autograded", ignore_errors=True)
    assert cli.main(["feedback", NAME, "--course", str(course)]) == 2
    assert "autograde" in capsys.readouterr().err


def test_an_answer_may_call_what_a_demonstration_defines_and_not_use_what_it_computes(course, capsys):
    answer = "def background_level(values):\n    if not values.size:\n        raise ValueError('none')\n    return sorted_middle(values)"
    computed = answer.replace("sorted_middle(values)", "np.median(values) + 0 * level[0]")
    for student, text in (("half", answer), ("right", computed)):
        path = course / "submitted" / student / NAME / f"{NAME}.ipynb"
        notebook = nbformat.read(path, as_version=4)
        next(cell for cell in notebook.cells if cell.id == "background-mean").source = text
        nbformat.write(notebook, path)
    assert cli.main(["autograde", NAME, "--course", str(course), "--workers", "1"]) == 0
    points = {(row["student"], row["exercise"]): (float(row["points"]), row["reason"]) for row in read_grades(course / "grades.csv")}
    assert points["half", "background-mean"] == (3, "")
    assert points["right", "background-mean"][0] == 0 and "level" in points["right", "background-mean"][1]
    path = course / "submitted" / "half" / NAME / f"{NAME}.ipynb"
    outcomes, _ = home.check(path, released=course / "release" / NAME / f"{NAME}.ipynb")
    assert not [outcome.reason for outcome in outcomes if outcome.check.startswith("background") and outcome.reason]


def test_nobody_handed_in(course, capsys):
    shutil.rmtree(course / "submitted")
    assert cli.main(["autograde", NAME, "--course", str(course)]) == 2
    assert "Nobody handed in 98_made_up" in capsys.readouterr().err


def test_check_at_home(course):
    submitted = course / "submitted" / "half" / NAME / f"{NAME}.ipynb"
    outcomes, notes = home.check(submitted, released=course / "release" / NAME / f"{NAME}.ipynb")
    right = {outcome.check for outcome in outcomes if not outcome.reason}
    assert right == {"background-mean-value", "background-mean-empty"} and not notes
    assert all("combined" in outcome.reason for outcome in outcomes if outcome.check not in right)
