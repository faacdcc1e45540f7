"""Course grades as tables: for a person, part by part, and for Canvas and Moodle. Nothing is computed here."""

import csv
import io
from pathlib import Path

from grading.files import write_text
from grading.term.grades import CourseGrade
from grading.term.scheme import Scheme

FORMULA = ("=", "+", "-", "@", "\t")


def write_tables(grades: list[CourseGrade], scheme: Scheme, folder: Path) -> list[Path]:
    """Write course_grades.csv, course_grades_by_item.csv, canvas.csv and moodle.csv.

    Args:
        grades: everybody's; scheme: for the order of the parts; folder: made if need be.

    Returns:
        What was written.
    """
    made = {
        "course_grades.csv": _overview(grades),
        "course_grades_by_item.csv": _by_item(grades),
        "canvas.csv": _canvas(grades, scheme),
        "moodle.csv": _moodle(grades, scheme),
    }
    for name, rows in made.items():
        write_text(folder / name, _text(rows, bom=name.startswith("course")))
    return [folder / name for name in made]


def _overview(grades: list[CourseGrade]) -> list[list]:
    parts = [part.part for part in grades[0].parts] if grades else []
    rows = [["student", "name", "status", *(f"{part} (%)" for part in parts), "total (%)", "letter", "notes"]]
    for grade in grades:
        shares = [f"{part.percent:.2f}" for part in grade.parts]
        rows.append([grade.student.id, grade.student.name, grade.student.status, *shares, f"{grade.total:.2f}", grade.letter, "; ".join(grade.notes)])
    return rows


def _by_item(grades: list[CourseGrade]) -> list[list]:
    rows = [["student", "part", "weight (%)", "item", "counts (%)", "points", "max_points", "late factor", "attempts", "why"]]
    for grade in grades:
        for part in grade.parts:
            for item in part.items:
                points, most = (item.chosen.points, item.chosen.most) if item.chosen else (0, "")
                whose = [grade.student.id, part.part, part.weight, item.item]
                rows.append([*whose, f"{item.percent:.2f}", points, most, f"{item.factor:.2f}", item.attempts, item.why])
    return rows


def _canvas(grades: list[CourseGrade], scheme: Scheme) -> list[list]:
    """Canvas's gradebook import: its five columns, one column a part, a row of points possible; percentages as points of 100."""
    parts = list(scheme.parts)
    rows = [["Student", "ID", "SIS User ID", "SIS Login ID", "Section", *parts], ["    Points Possible", "", "", "", "", *["100"] * len(parts)]]
    for grade in grades:
        if grade.student.status == "active":
            one = grade.student
            rows.append([one.name or one.id, one.lms_id, one.id, one.login or one.id, one.section, *_shares(grade, parts)])
    return rows


def _moodle(grades: list[CourseGrade], scheme: Scheme) -> list[list]:
    """Moodle's gradebook import maps columns by their heads; students are found by e-mail or ID number."""
    parts = list(scheme.parts)
    rows = [["ID number", "Full name", "Email address", *parts, "Course total"]]
    for grade in grades:
        if grade.student.status == "active":
            rows.append([grade.student.id, grade.student.name, grade.student.email, *_shares(grade, parts), f"{grade.total:.2f}"])
    return rows


def _shares(grade: CourseGrade, parts: list[str]) -> list[str]:
    of = {part.part: part.percent for part in grade.parts}
    return [f"{of[part]:.2f}" for part in parts]


def _text(rows: list[list], bom: bool) -> str:
    """A table as text; what a spreadsheet would take for a formula is disarmed. With `bom` spreadsheets read Unicode names aright."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    for row in rows:
        writer.writerow([f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell for cell in row])
    return ("\ufeff" if bom else "") + out.getvalue()
