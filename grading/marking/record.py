"""The one writer: reports become nbgrader's gradebook, executed notebooks and grades.csv. It decides nothing and runs nothing."""

import copy
import csv
import os
import re
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from grading.files import write_text
from grading.marking.worker import Lecture, Report
from grading.sources import grade_id, is_check, is_solution
from grading.text import line, markdown

_FORMULA = re.compile(r"([;\t|,]\s*)([=+@])")  # where a spreadsheet with another separator would see a cell begin
COLUMNS = ["student", "lecture", "exercise", "points", "max_points", "reason"]
ATTEMPT_COLUMNS = ["student", "item", "points", "max_points", "submitted"]


def gradebook_url(course: Path, url: str | None = None) -> str:
    """Where the gradebook is: the given address or file, seen from here; else `gradebook.db` in the course directory."""
    file = url.removeprefix("sqlite:///") if url else str(course / "gradebook.db")
    return url if url and "://" in file else f"sqlite:///{Path(file).absolute()}"


def venv_on_path() -> None:
    """nbgrader calls a bare `alembic`: put this environment's programs where it finds them."""
    programs = str(Path(sys.executable).parent)
    if programs not in os.environ.get("PATH", "").split(os.pathsep):
        os.environ["PATH"] = programs + os.pathsep + os.environ.get("PATH", "")


def executed(lecture: Lecture, report: Report) -> NotebookNode:
    """The student's answers in the released notebook, with what their cells printed and what each check said.

    Nothing hidden is in it, and nothing of the student's that a browser could run.
    """
    notebook = copy.deepcopy(lecture.released)
    run: dict[str, list[tuple[str, str, str]]] = {}
    waiting: list[tuple[str, str, str]] = []
    for kind, source, output, error in report.cells:
        if kind == "helper":
            waiting.append((source, output, error))
        else:
            run[kind] = [*waiting, (source, output, error)]
            waiting = []
    verdicts = {verdict.check: verdict for verdict in report.verdicts}
    cells = []
    for cell in notebook.cells:
        name = grade_id(cell)
        if is_solution(cell) and cell.cell_type == "markdown":
            cell.source = markdown(report.manual.get(name, cell.source))
        elif is_solution(cell):
            *helpers, (cell.source, output, error) = run.get(name) or [(cell.source, "", "")]
            for source, printed, problem in helpers:
                cells.append(nbformat.v4.new_code_cell(source, outputs=_outputs(printed, problem), metadata={"tags": ["student-helper"]}))
            cell.outputs = _outputs(output, error)
        elif is_check(cell):
            verdict = verdicts[name]
            text = f"{verdict.points:g} of {verdict.max_points:g} points\n"
            cell.outputs = _outputs(verdict.output + text, verdict.reason)
        elif cell.cell_type == "code":
            cell.metadata.setdefault("tags", []).append("not-run-in-grading")
        cells.append(cell)
    for note in reversed([*report.look, *report.notes]):
        text = f"**Note from grading.** {markdown(line(note))}"
        cells.insert(0, nbformat.v4.new_markdown_cell(text, metadata={"tags": ["grading-note"]}))
    notebook.cells = cells
    for number, cell in enumerate(notebook.cells):
        if "grading-note" in cell.metadata.get("tags", []) or "student-helper" in cell.metadata.get("tags", []):
            cell.id = f"added-{number}"
    return notebook


def _outputs(text: str, error: str) -> list[NotebookNode]:
    made = [nbformat.v4.new_output("stream", name="stdout", text=text)] if text else []
    if error:
        made.append(nbformat.v4.new_output("error", ename="Check", evalue=error, traceback=[error]))
    return made


class Recorder:
    """Writes reports of one lecture, one by one; the same report twice leaves the same records.

    Args:
        course: the course directory.
        lecture: what was graded.
        url: the gradebook's address, None for the course's own.
    """

    def __init__(self, course: Path, lecture: Lecture, url: str | None = None) -> None:
        from nbgrader.api import Gradebook
        from nbgrader.preprocessors import SaveCells

        venv_on_path()
        self.course, self.lecture = course, lecture
        address = gradebook_url(course, url)
        resources = {"nbgrader": {"notebook": lecture.name, "assignment": lecture.name, "db_url": address}}
        with Gradebook(address) as book:
            book.update_or_create_assignment(lecture.name)
        try:
            SaveCells().preprocess(copy.deepcopy(lecture.pristine), resources)
        except RuntimeError as problem:
            raise RuntimeError(
                f"The exercises of {lecture.name} are others than when submissions were first recorded in {address}, so it takes no results. "
                f"Use another gradebook (--gradebook), or put the old one aside and grade everything again. nbgrader says: {problem}"
            ) from None
        self.book = Gradebook(address)
        self.manual = [grade_id(cell) for cell in lecture.pristine.cells if is_solution(cell) and cell.cell_type == "markdown"]
        self.rows: list[dict] = []
        self.failed: dict[str, str] = {}  # student -> why the gradebook did not take the result

    def write(self, report: Report, submitted: datetime | None = None) -> None:
        """One student's points into the gradebook, executed notebook into `autograded/`, rows for grades.csv.

        What goes wrong with one student is kept in `failed`, and does not stop the others.

        Args:
            report: the student's; submitted: when the file was handed in, naive UTC as nbgrader keeps it, None if nobody knows.
        """
        self.rows += rows(self.lecture, report)
        try:
            self._write(report, submitted)
        except Exception as problem:
            self.book.db.rollback()
            self.failed[report.student] = f"{type(problem).__name__}: {problem}"

    def _write(self, report: Report, submitted: datetime | None) -> None:
        lecture, book = self.lecture.name, self.book
        notebook = executed(self.lecture, report)
        folder = self.course / "autograded" / report.student / lecture
        before = _texts(folder / f"{lecture}.ipynb")
        write_text(folder / f"{lecture}.ipynb", nbformat.writes(notebook) + "\n")
        if submitted:
            write_text(folder / "timestamp.txt", f"{submitted:%Y-%m-%d %H:%M:%S.%f} UTC\n")
        else:
            (folder / "timestamp.txt").unlink(missing_ok=True)
        self._remember(report.student, submitted)
        book.update_or_create_student(report.student)
        with book.db.no_autoflush:  # nbgrader queries while its new submission is not yet in the session
            book.update_or_create_submission(lecture, report.student, timestamp=submitted)
        grades = {grade.name: grade for grade in book.find_submission_notebook(lecture, lecture, report.student).grades}
        for verdict in report.verdicts:
            grade = grades[verdict.check]
            lost = verdict.points < verdict.max_points
            changed = grade.auto_score != verdict.points
            grade.auto_score = verdict.points
            grade.needs_manual_grade = _waits(grade, changed, bool(report.look) and lost)  # a row in formgrader
        for name in self.manual:
            answered = name in report.manual
            grade = grades[name]
            grade.auto_score = None if answered else 0.0
            changed = name in before and before[name] != _texts_of(notebook)[name]
            grade.needs_manual_grade = _waits(grade, changed, answered)
        book.db.commit()

    def _remember(self, student: str, submitted: datetime | None) -> None:
        """Before another submission takes its place, what the one before had got goes into attempts.csv: nbgrader keeps one only."""
        from nbgrader.api import MissingEntry

        try:
            old = self.book.find_submission(self.lecture.name, student)
        except MissingEntry:
            return
        if old.timestamp == submitted or old.max_score <= 0:
            return
        path = self.course / "attempts.csv"
        moment = f"{old.timestamp:%Y-%m-%d %H:%M:%S}+00:00" if old.timestamp else ""
        row = dict(zip(ATTEMPT_COLUMNS, (student, self.lecture.name, f"{old.score:g}", f"{old.max_score:g}", moment), strict=True))
        new = not path.is_file()
        with path.open("a", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, ATTEMPT_COLUMNS)
            writer.writeheader() if new else None
            writer.writerow(row)

    def close(self, whole: bool = True) -> None:
        """Write grades.csv: other lectures' rows as they were, and this lecture's rows anew.

        Args:
            whole: everybody who handed in was written; otherwise the rows of those who were not stay as they were.
        """
        self.book.close()
        path = self.course / "grades.csv"
        if path.is_file() and not _is_table(path):
            aside = path.with_suffix(".edited.csv")
            path.replace(aside)
            print(f"{path} has other columns than it was written with. It is kept as {aside.name}, and a new one begun.", file=sys.stderr)
        written = {row["student"] for row in self.rows}
        here = self.lecture.name
        kept = [row for row in read_grades(path) if row["lecture"] != here or not (whole or row["student"] in written)]
        if not (kept or self.rows):
            return
        everything = sorted([*kept, *self.rows], key=lambda row: (row["lecture"], row["student"]))
        part = path.with_name(f".{path.name}.{os.getpid()}.part")
        with part.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS, extrasaction="ignore")
            writer.writeheader()
            writer.writerows(everything)
        part.replace(path)


def read_grades(path: Path) -> list[dict]:
    """The rows of a grades.csv; none if there is no such file, or another table is in it."""
    if not _is_table(path):
        return []
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def _is_table(path: Path) -> bool:
    """Whether a file is a table with the columns of grades.csv; a spreadsheet may have added others."""
    if not path.is_file():
        return False
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        return set(COLUMNS) <= set(next(csv.reader(file), []))


def _waits(grade: Any, changed: bool, otherwise: bool) -> bool:
    """Whether a person should look at a grade: where one has decided, if it has changed since (formgrader takes the mark away again)."""
    return grade.needs_manual_grade or changed if grade.manual_score is not None else otherwise


def _texts(path: Path) -> dict[str, str]:
    """Grade id -> text of the written answers in an executed notebook of an earlier run; empty if there is none."""
    try:
        return _texts_of(nbformat.read(path, as_version=4))
    except (OSError, ValueError, nbformat.ValidationError):
        return {}


def _texts_of(notebook: NotebookNode) -> dict[str, str]:
    return {grade_id(cell): cell.source for cell in notebook.cells if is_solution(cell) and cell.cell_type == "markdown"}


def rows(lecture: Lecture, report: Report) -> list[dict]:
    """One row an exercise: its points and why some are missing. Text that a spreadsheet would take for a formula is disarmed."""
    made: dict[str, dict] = {}
    for verdict in report.verdicts:
        name = lecture.exercise_of.get(verdict.check, verdict.check)
        row = made.setdefault(name, dict.fromkeys(COLUMNS, ""))
        row.update(student=report.student, lecture=lecture.name, exercise=name)
        row["points"] = float(row["points"] or 0) + verdict.points
        row["max_points"] = float(row["max_points"] or 0) + verdict.max_points
        row["reason"] = " | ".join(dict.fromkeys(part for part in [*str(row["reason"]).split(" | "), verdict.reason] if part))
    for row in made.values():
        for key in ("student", "reason"):
            text = _FORMULA.sub(r"\1'\2", line(row[key], 2000))
            row[key] = "'" + text if text[:1] in ("=", "+", "-", "@") else text
    return list(made.values())
