"""Assignments: what the machine can see of a written work, and that it says so; the template alone earns nothing, a sound work all."""

import json
import subprocess
import sys

import nbformat
import pytest

from grading import __main__ as cli
from grading.authoring.release import released_text
from grading.sources import NOTEBOOKS, is_solution, read_lecture, works
from helpers import written

WORDS = "The network reads slices of patients whom nobody had seen before and tells where the tumour begins while another reader waits beside it. "
WRITTEN = [work for work in works() if work != "final_project"]  # that one is the brief: nothing is written into it
PICTURE = "\n![a map of the methods: two groups, apart by what they assume](map.png)\n"


def sound(work):
    """The released template, filled in as a good student would."""
    notebook = nbformat.reads(released_text(work), as_version=4)
    wanted = written.WORKS[work]
    lengths = iter(wanted.sections.values())
    cited = f"[1-{wanted.references - 1}] and [{wanted.references}]"
    for cell in notebook.cells:
        if not is_solution(cell):
            continue
        if cell.metadata.nbgrader.grade_id == "references":
            cell.source = "\n".join(f"[{n}] Doe, Roe. A title. A venue, 2023. doi:10.1234/abc.{n}" for n in range(1, wanted.references + 1))
        else:
            cell.source = WORDS * (next(lengths)[0] // 22 + 1) + cited + PICTURE
    if wanted.slides:
        notebook.cells += [nbformat.v4.new_markdown_cell("# One message", metadata={"slideshow": {"slide_type": "slide"}}) for _ in range(wanted.slides[0])]
    return notebook


def looked_at(notebook, work, tmp_path):
    path = tmp_path / f"{work}.ipynb"
    nbformat.write(notebook, path)
    return {point.what.partition(",")[0]: point for point in written.check(path)}


@pytest.mark.parametrize("work", WRITTEN)
def test_the_template_is_released_and_in_sync(work):
    text = (NOTEBOOKS / f"{work}.ipynb").read_text(encoding="utf-8")
    assert text == released_text(work), f"run `python -m grading release {work}`"
    assert "model answer" not in text.lower() and text.count("YOUR ANSWER HERE") == sum(is_solution(cell) for cell in read_lecture(work).cells)


@pytest.mark.parametrize("work", WRITTEN)
def test_the_rubric_has_the_points_of_the_cells_and_three_levels(work):
    notebook = read_lecture(work)
    rubric = next(cell.source for cell in notebook.cells if cell.source.startswith("## How it is graded"))
    rows = [[part.strip() for part in line.strip("|").split("|")] for line in rubric.splitlines() if line.startswith("| ") and not line.startswith("| Criterion")]
    assert all(len(row) == 5 and all(row) for row in rows)
    points = [cell.metadata.nbgrader.points for cell in notebook.cells if is_solution(cell)]
    assert sorted(int(row[1]) for row in rows) == sorted(points)
    headings = [line[3:].lstrip("0123456789. ") for cell in notebook.cells if cell.cell_type == "markdown" for line in cell.source.splitlines() if line.startswith("## ")]
    assert [heading for heading in headings if heading in written.WORKS[work].sections] == list(written.WORKS[work].sections)


@pytest.mark.parametrize("work", WRITTEN)
def test_the_empty_template_earns_nothing_and_a_sound_work_all(work, tmp_path):
    empty = looked_at(nbformat.reads(released_text(work), as_version=4), work, tmp_path)
    assert [point.what for point in empty.values() if point.there] == []
    full = looked_at(sound(work), work, tmp_path)
    assert [(point.what, point.todo) for point in full.values() if not point.there] == []


def test_each_fault_is_named(tmp_path):
    def change(old, new, count=-1):
        notebook = sound("assignment_2")
        for cell in notebook.cells:
            cell.source = cell.source.replace(old, new, count)
        return {what: point.todo for what, point in looked_at(notebook, "assignment_2", tmp_path).items() if not point.there}

    assert "[16] is cited" in change("and [15]", "and [16]")["citations that resolve"]
    assert "[15]" in change("and [15]", "")["references that are cited"]
    assert change("doi:10.1234/abc.3\n", "doi: none\n")["references with year and DOI"].startswith("3;")
    assert "without words" in change("![a map of the methods: two groups, apart by what they assume]", "![]")["figures"]
    assert "at least 80" in change(WORDS, "Short. ")["section 'Question'"]
    assert "at most 300" in change(WORDS, WORDS * 9)["section 'Question'"]
    assert "write '## Search'" in change("## 2 Search", "## 2 Seeking")["section 'Search'"]


def test_a_figure_of_a_cell_counts_with_its_description(tmp_path):
    notebook = sound("assignment_1")
    for cell in notebook.cells:
        cell.source = cell.source.replace(PICTURE, "")
    for alt in ("bars with intervals", "points over years"):
        data = {"image/png": "iVBORw0KGgo="}
        notebook.cells.append(nbformat.v4.new_code_cell("show.figure(fig)", outputs=[nbformat.v4.new_output("display_data", data, metadata={"image/png": {"alt": alt}})]))
    assert looked_at(notebook, "assignment_1", tmp_path)["figures"].there
    notebook.cells[-1].outputs[0].metadata = {}
    assert not looked_at(notebook, "assignment_1", tmp_path)["figures"].there


def test_what_is_no_work_or_no_notebook_is_refused(tmp_path):
    (tmp_path / "assignment_1.ipynb").write_text("{")
    with pytest.raises(ValueError, match="can't be read as a notebook"):
        written.check(tmp_path / "assignment_1.ipynb")
    with pytest.raises(ValueError, match="is none of assignment_1"):
        written.check(tmp_path / "homework.ipynb")


def test_slides_are_exported_by_nbconvert(tmp_path):
    nbformat.write(sound("assignment_1"), tmp_path / "assignment_1.ipynb")
    line = [sys.executable, "-m", "nbconvert", "--to", "slides", str(tmp_path / "assignment_1.ipynb")]
    done = subprocess.run(line, capture_output=True, text=True)
    page = tmp_path / "assignment_1.slides.html"
    assert done.returncode == 0 and page.read_text(encoding="utf-8").count("One message") == written.WORKS["assignment_1"].slides[0], done.stderr


def test_form_and_marks_become_the_grade_of_the_part(tmp_path, capsys):
    course = tmp_path / "course"
    cli.main(["course", str(course), "assignment_2"])
    for student, notebook in {"anna": sound("assignment_2"), "bert": nbformat.reads(released_text("assignment_2"), as_version=4)}.items():
        place = course / "submitted" / student / "assignment_2" / "assignment_2.ipynb"
        place.parent.mkdir(parents=True)
        nbformat.write(notebook, place)
    (course / "submitted" / "carl" / "assignment_2").mkdir(parents=True)
    (course / "submitted" / "carl" / "assignment_2" / "assignment_2.ipynb").write_text(json.dumps({"cells": 3}))
    assert cli.main(["form", "assignment_2", "--course", str(course)]) == 0
    said = capsys.readouterr().out
    assert "anna: 100%" in said and "bert: 0%" in said and "carl: 0%, missing" in said
    assert cli.main(["autograde", "assignment_2", "--course", str(course)]) == 0
    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as book:
        grades = {grade.name: grade for grade in book.find_submission_notebook("assignment_2", "assignment_2", "anna").grades}
        assert len(grades) == 7 and all(grade.needs_manual_grade for grade in grades.values())
        for grade in grades.values():
            grade.manual_score, grade.needs_manual_grade = grade.max_score / 2, False
        book.db.commit()
    assert cli.main(["grades", "--course", str(course)]) == 0
    text = (course / "course_grades" / "course_grades.csv").read_text(encoding="utf-8-sig")
    anna = next(line for line in text.splitlines() if line.startswith("anna")).split(",")
    assert float(anna[4]) == pytest.approx(0.8 * 50 + 0.2 * 100)
