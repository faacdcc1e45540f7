"""A whole term of thirty students, by the commands that an instructor types: release, lectures, assignments, project, exam, grades, exports.

fixtures/term/sheet.csv holds, in a line for each student, what they hand in, when, and what a person gives for it; then, as in a spreadsheet,
the formula by which each part was computed by hand from the course's own scheme, and the total and the letter as numbers.
"""

import csv
import shutil
import unicodedata
from pathlib import Path

import nbformat
import pytest
from nbgrader.api import Gradebook

from grading import __main__ as cli
from grading.authoring.release import released_text
from grading.exam import paper
from grading.exam.grade import KEY
from grading.sources import grade_id, is_solution, lectures
from grading.term.scheme import DEFAULT
from tests.test_whole_class import Class
from tests.test_written import sound

SHEET = Path(__file__).with_name("fixtures") / "term" / "sheet.csv"
LECTURES = {"lecture_1": "01_course_overview", "lecture_2": "02_introduction_to_mia"}
PARTS = ("assignment_1", "assignment_2", "final_project", "final_exam", "lectures")
EXAMINED = lectures()[:10]  # the sheet's exam is of these: 42 points
REFLECTION = "reflection"
FULL = {"presentation": "final_project_presentation", "report": "final_project_report", "talk": "assignment_1_talk"}  # marks that a person keeps in a table


def sheet():
    """The rows of the sheet."""
    with SHEET.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def by_hand(formula):
    """What a cell of the sheet comes to: plain arithmetic and nothing else."""
    assert formula.startswith("=") and set(formula[1:]) <= set("0123456789.+*/ "), formula
    return eval(formula[1:], {"__builtins__": {}})


def hand_in(course, student, work, notebook, moment=""):
    """Lay a submission, a notebook or bytes, where nbgrader's layout has it."""
    place = course / "submitted" / folder_of(student) / work
    place.mkdir(parents=True, exist_ok=True)
    content = notebook if isinstance(notebook, bytes) else nbformat.writes(notebook).encode()
    (place / f"{work}.ipynb").write_bytes(content)
    if moment:
        (place / "timestamp.txt").write_text(f"{moment}\n")


def folder_of(student):
    """The name of a student's folder: a Mac writes björn in decomposed letters."""
    return unicodedata.normalize("NFD", student)


def mark(course, work, student, percent, again=False):
    """What a person does in formgrader: a mark for each answer that waits; for an answer that was marked before, too, if they look again."""
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as book:
        for grade in book.find_submission_notebook(work, work, folder_of(student)).grades:
            if grade.needs_manual_grade or again:
                grade.manual_score, grade.needs_manual_grade = grade.max_score * percent / 100, False
        book.db.commit()


def run(*words):
    """A command, as typed."""
    assert cli.main([str(word) for word in words]) == 0, words


def write(path, head, rows):
    """A table that the instructor keeps."""
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([head, *rows])


def read(path):
    """A table that a command wrote."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def lectures_of(course, rows):
    """Everybody's first lectures: the first exercises right, the others left; one of them again, after it was graded."""
    for column, lecture in LECTURES.items():
        whole = Class(lecture)
        right = {name: texts[0] for name, texts in whole.right.items()}
        for row in [row for row in rows if row[column]]:
            early = 3 if (row["id"], column) == ("s13", "lecture_2") else int(row[column])
            answers = dict(list(right.items())[:early]) | ({REFLECTION: "I predicted the wrong order."} if row["reflection"] and column == "lecture_1" else {})
            hand_in(course, row["id"], lecture, b"\x89PNG\r\n\x1a\n" + bytes(99) if row["story"].startswith("the first lecture is a picture") and column == "lecture_1" else whole.notebook(answers))
        run("autograde", lecture, "--course", course, "--workers", 2)
        if column == "lecture_2":
            hand_in(course, "s13", lecture, whole.notebook(right), "2027-02-01 10:00:00 UTC")
            run("autograde", lecture, "--course", course, "--workers", 2)
    mark(course, LECTURES["lecture_1"], "s01", 100)


def assignments_of(course, rows):
    """Both assignments, complete or as released, with marks by a person; one of them twice."""
    for number, work in ((1, "assignment_1"), (2, "assignment_2")):
        template = nbformat.reads(released_text(work), as_version=4)
        done = {"100": sound(work), "0": template}
        those = [row for row in rows if row[f"form_{number}"]]
        for row in those:
            twice = row["id"] == "s12" and number == 2
            notebook = sound(work) if row[f"mark_{number}"] != "0" else done["0"]
            if row[f"form_{number}"] == "0" and row[f"mark_{number}"] != "0":  # a person finds worth in what a machine finds no form in
                notebook = short(template)
            hand_in(course, row["id"], work, notebook, "2027-03-20 12:00:00 UTC" if twice else row[f"at_{number}"])
        run("autograde", work, "--course", course, "--workers", 2)
        for row in those:
            mark(course, work, row["id"], 50 if row["id"] == "s12" and number == 2 else float(row[f"mark_{number}"]))
        if number == 2:
            again = sound(work)
            next(cell for cell in again.cells if is_solution(cell)).source += " Written anew."
            hand_in(course, "s12", work, again, next(row["at_2"] for row in rows if row["id"] == "s12"))
            run("autograde", work, "--course", course)
            mark(course, work, "s12", 100, again=True)
        run("form", work, "--course", course)


def short(template):
    """An assignment of a few words in each section: every answer is there, and nothing that the machine asks for."""
    notebook = nbformat.from_dict(template)
    for cell in notebook.cells:
        if is_solution(cell):
            cell.source = "Few words."
    return notebook


def exam_of(course, rows, monkeypatch):
    """The exam: the questions about the first lectures right, the others left."""
    monkeypatch.setattr(paper, "lectures", lambda: EXAMINED)
    (course / KEY).write_text("f" * 32 + "\n")
    run("exam", "draw", "--course", course)
    assert not (course / "exam" / "s03").exists(), "who withdrew gets no paper"
    for row in [row for row in rows if row["exam"]]:
        drawn = paper.draw(row["id"], "f" * 32)
        known = {f"q{one.number:02}" for one in drawn.asked if one.template.lecture in EXAMINED[: int(row["exam"])]}
        key = {grade_id(cell): cell.source for cell in paper.notebooks(drawn).pristine.cells if is_solution(cell)}
        given = nbformat.read(course / "exam" / row["id"] / "final_exam.ipynb", as_version=4)
        for cell in given.cells:
            if grade_id(cell) in known:
                cell.source = key[grade_id(cell)]
        hand_in(course, row["id"], "final_exam", given, row["exam_at"])
    run("exam", "grade", "--course", course, "--workers", 2)


@pytest.mark.notebook
def test_a_term_from_release_to_exported_grades(tmp_path, capsys, monkeypatch):
    course, rows = tmp_path / "course", sheet()
    assert len(rows) == 30
    run("course", course, *LECTURES.values(), "assignment_1", "assignment_2")
    shutil.copy(DEFAULT, course / "scheme.yaml")
    write(course / "students.csv", ["id", "name", "email", "status", "lms_id"], [[row["id"], row["name"], f"m{n}@example.org", row["status"], 1000 + n] for n, row in enumerate(rows)])
    lectures_of(course, rows)
    assignments_of(course, rows)
    exam_of(course, rows, monkeypatch)
    kept = [[row["id"], item, row[column], 100, row["project_at"] if column != "talk" else ""] for row in rows for column, item in FULL.items() if row[column]]
    write(course / "scores.csv", ["student", "item", "points", "max_points", "submitted"], kept)
    write(course / "extensions.csv", ["student", "part", "due", "reason"], [["s08", "final_project", "2027-04-26 23:59", "ill"]])
    capsys.readouterr()
    run("grades", "--course", course)
    said = capsys.readouterr().out
    assert "30 course grades" in said and "s02: assignment_1 is missing" in said and "s20: final_project_presentation is missing" in said

    overview = {row["student"]: row for row in read(course / "course_grades" / "course_grades.csv")}
    items = read(course / "course_grades" / "course_grades_by_item.csv")
    assert list(overview) == sorted(row["id"] for row in rows)
    for row in rows:
        found, where = overview[row["id"]], f"{row['id']}: {row['story']}"
        assert {part: float(found[f"{part} (%)"]) for part in PARTS} == pytest.approx({part: by_hand(row[part]) for part in PARTS}, abs=0.006), where
        assert float(found["total (%)"]) == pytest.approx(float(row["total"]), abs=0.006) and found["letter"] == row["letter"], where
        weighed = 0.1 * by_hand(row["assignment_1"]) + 0.1 * by_hand(row["assignment_2"]) + 0.6 * by_hand(row["final_project"]) + 0.2 * by_hand(row["final_exam"])
        assert weighed == pytest.approx(float(row["total"]), abs=0.006), f"{where}: the sheet disagrees with itself"
        assert all(item["why"] for item in items if item["student"] == row["id"]), "every part says where it comes from"
    assert next(item["attempts"] for item in items if item["student"] == "s13" and item["item"] == LECTURES["lecture_2"]) == "2"
    assert "by extension" in next(item["why"] for item in items if item["student"] == "s08" and item["item"] == "final_project_report")

    active = [row for row in rows if row["status"] == "active"]
    canvas = read(course / "course_grades" / "canvas.csv")[1:]
    moodle = read(course / "course_grades" / "moodle.csv")
    assert [row["SIS User ID"] for row in canvas] == [row["ID number"] for row in moodle] == sorted(row["id"] for row in active)
    for sent in (canvas, moodle):
        for found in sent:
            row = next(row for row in rows if row["id"] == found.get("SIS User ID", found.get("ID number")))
            assert {part: float(found[part]) for part in PARTS[:-1]} == pytest.approx({part: by_hand(row[part]) for part in PARTS[:-1]}, abs=0.006)
    assert {row["ID number"]: float(row["Course total"]) for row in moodle} == pytest.approx({row["id"]: float(row["total"]) for row in active}, abs=0.006)
    report = (course / "course_grades" / "class_report.html").read_text(encoding="utf-8")
    assert "29 students, 1 who withdrew" in report and report.count("<img alt=") >= 1

    before = {path.name: path.read_bytes() for path in (course / "course_grades").iterdir()}
    run("grades", "--course", course)
    assert {path.name: path.read_bytes() for path in (course / "course_grades").iterdir()} == before, "two runs give the same"
    with (course / "students.csv").open("a", encoding="utf-8") as file:
        file.write("S07,Another Gita,gita@example.org,active,2000\n")
    capsys.readouterr()
    assert cli.main(["grades", "--course", str(course)]) == 2
    assert "the id 'S07' stands in students.csv, line 8 already" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in (course / "course_grades").iterdir()} == before, "a refusal loses nothing"
