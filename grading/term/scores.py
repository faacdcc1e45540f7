"""What was scored, by whom and when: attempts from the gradebook and from tables, students and extensions. It computes no grade."""

import csv
import unicodedata
from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from grading.marking.record import gradebook_url, venv_on_path
from grading.sources import SourceError
from grading.term.scheme import Scheme
from grading.term.teams import read_teams

STUDENTS, SCORES, EXTENSIONS = "students.csv", "scores.csv", "extensions.csv"
MADE = ("attempts.csv", "exam_scores.csv", "form_scores.csv", "challenge_scores.csv")  # by this course's own commands
STATUS = ("active", "withdrawn")


@dataclass(frozen=True)
class Student:
    """One student: id as in `submitted/`, name, e-mail, status, and what a learning platform calls them."""

    id: str
    name: str = ""
    email: str = ""
    status: str = "active"
    lms_id: str = ""
    login: str = ""
    section: str = ""


@dataclass(frozen=True)
class Attempt:
    """One scored submission of one item.

    Attributes:
        points, most: what it got, of how many; submitted: when, or None if nobody knows.
        source: the file or gradebook that says so; waits: a person has still to grade a part of it.
    """

    points: float
    most: float
    submitted: datetime | None
    source: str
    waits: bool = False


@dataclass
class Scores:
    """Everything that grades are computed from; `attempts[student][item]` in the order in which they were read."""

    students: dict[str, Student] = field(default_factory=dict)
    attempts: dict[str, dict[str, list[Attempt]]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(list)))
    extensions: dict[tuple[str, str], datetime] = field(default_factory=dict)


def read_scores(course: Path, scheme: Scheme, url: str | None = None) -> Scores:
    """Gradebook and tables of a course directory.

    Args:
        course: with gradebook.db, and what there is of students.csv, scores.csv, extensions.csv and the tables that commands made.
        scheme: for its time zone and the names of its parts; url: of the gradebook, None for the one in the directory.

    Raises:
        SourceError: a table is crooked: which file, which line, and what to mend.
    """
    scores = Scores(students=_students(course / STUDENTS))
    listed = bool(scores.students)
    known = {item for part in scheme.parts.values() for item in part.items}
    for file in (*MADE, SCORES):
        for row, where in rows_of(course / file, ("student", "item", "points", "max_points")):
            item = row["item"]
            if file == SCORES and item not in known and not item[:2].isdigit():
                raise SourceError(f"{where}: the scheme has no item {item!r}; it has {', '.join(sorted(known))}, and lectures.")
            moment = scheme.time(row["submitted"], where) if row.get("submitted") else None
            points, most = _number(row["points"], where), _number(row["max_points"], where)
            if most <= 0 or points < 0:
                raise SourceError(f"{where}: {points:g} of {most:g} points can't be; points are at least 0, of more than 0.")
            scores.attempts[row["student"]][item].append(Attempt(points, most, moment, where))
    _add_gradebook(scores, course, url)
    _share(scores, scheme, read_teams(course))
    for row, where in rows_of(course / EXTENSIONS, ("student", "part", "due")):
        if row["part"] not in scheme.parts:
            raise SourceError(f"{where}: the scheme has no part {row['part']!r}; it has {', '.join(scheme.parts)}.")
        key = row["student"], row["part"]
        if key in scores.extensions:
            raise SourceError(f"{where}: {key[0]} has an extension for {key[1]} already; leave one line.")
        scores.extensions[key] = scheme.time(row["due"], where)
    if not listed:
        scores.students = {student: Student(student) for student in sorted(scores.attempts)}
        return scores
    for student in [*scores.attempts, *(student for student, _ in scores.extensions)]:
        if student not in scores.students:
            raise SourceError(f"{student!r} has scores or an extension, but does not stand in {STUDENTS}: add a line, or mend the id.")
    return scores


def _share(scores: Scores, scheme: Scheme, teams: dict[str, str]) -> None:
    """What one member of a team handed in for the project counts for all who have nothing of their own for that item."""
    project = scheme.parts.get("final_project")
    for item in project.items if project else ():
        owned = {student for student in teams if scores.attempts.get(student, {}).get(item)}
        for student in sorted(set(teams) - owned):
            for mate in sorted(mate for mate in owned if teams[mate] == teams[student]):
                shared = [replace(one, source=f"{one.source}, of {mate}, team {teams[student]}") for one in scores.attempts[mate][item]]
                scores.attempts[student][item] += shared


def _students(path: Path) -> dict[str, Student]:
    """Students by id; none if there is no such table."""
    found: dict[str, Student] = {}
    lines: dict[str, str] = {}
    for row, where in rows_of(path, ("id",)):
        told = {key: row.get(key, "") for key in Student.__dataclass_fields__}
        one = Student(**{**told, "status": told["status"] or "active"})
        folded = one.id.casefold()
        if not one.id:
            raise SourceError(f"{where}: a student without an id.")
        if folded in lines:
            raise SourceError(f"{where}: the id {one.id!r} stands in {lines[folded]} already; each student has one line.")
        if one.status not in STATUS:
            raise SourceError(f"{where}: the status is active or withdrawn, not {one.status!r}.")
        found[one.id], lines[folded] = one, where
    return found


def rows_of(path: Path, columns: tuple[str, ...]) -> list[tuple[dict[str, str], str]]:
    """Rows of a table, each with its place; text in Unicode's composed form, without blanks at the ends. None without the file."""
    if not path.is_file():
        return []
    with path.open(encoding="utf-8-sig", newline="") as file:
        try:
            reader = csv.DictReader(file)
            missing = set(columns) - set(reader.fieldnames or [])
            if missing:
                raise SourceError(f"{path.name} has no column {', '.join(sorted(missing))}; it needs {', '.join(columns)}.")
            return [
                ({key: _plain(value) for key, value in row.items() if key}, f"{path.name}, line {reader.line_num}")
                for row in reader
                if any(row.values())
            ]
        except (UnicodeDecodeError, csv.Error) as problem:
            raise SourceError(f"{path.name} can't be read as a table in UTF-8: {problem}.") from None


def _plain(value: str | None) -> str:
    return unicodedata.normalize("NFC", value or "").strip()


def _number(text: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not abs(value) < float("inf"):
        raise SourceError(f"{where}: {text!r} is no number of points.")
    return value


def _add_gradebook(scores: Scores, course: Path, url: str | None) -> None:
    """The submissions that nbgrader's gradebook holds now, one an item and student."""
    address = gradebook_url(course, url)
    if address.startswith("sqlite:///") and not Path(address.removeprefix("sqlite:///")).is_file():
        return
    venv_on_path()
    from nbgrader.api import Gradebook

    with Gradebook(address) as book:
        for assignment in book.assignments:
            for one in book.assignment_submissions(assignment.name):
                moment = one.timestamp.replace(tzinfo=UTC) if one.timestamp else None  # nbgrader keeps naive UTC
                attempt = Attempt(one.score, one.max_score, moment, "gradebook", bool(one.needs_manual_grade))
                student = unicodedata.normalize("NFC", one.student.id)
                if one.max_score > 0:
                    scores.attempts[student][assignment.name].append(attempt)
