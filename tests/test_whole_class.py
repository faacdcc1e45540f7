"""A whole class of each lecture, made from the answer bank, from release to feedback by the commands that the README shows: every expected point.

One lecture has sixty students; the others have twelve, whose damages and attacks differ from lecture to lecture.

A wrong answer is expected to lose what it loses in the bank, which runs it in an ordinary process: so this also compares the jailed grader,
whose judge never runs a student's code, with an ordinary kernel.
"""

import copy
import html
import json
import re
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from itertools import cycle, islice
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode
from nbgrader.api import Gradebook

from grading import __main__ as cli
from grading.authoring.bank import Lecture, made_stubs
from grading.authoring.release import released_text
from grading.authoring.stub import released as stub_of
from grading.marking.record import read_grades
from grading.sources import grade_id, is_check, is_solution, lectures
from tests.classes import ATTACKS, parts
from tests.damages import SURVIVED

SIXTY = {"right": 14, "partly": 16, "wrong": 8, "empty": 3, "broken": 10, "hostile": 9}
TWELVE = {"right": 2, "partly": 3, "wrong": 1, "empty": 1, "broken": 4, "hostile": 1}
OF_SIXTY = "08_anomaly_detection"  # many answers for each exercise, and checks that cost little
HOSTILE_CELLS = [attack for attack in ATTACKS if set(parts(attack.read_text(encoding="utf-8"))[0]) == {"helper"}]
LOST = {  # what no rebuilding can save: what was handed in, and what is said about it
    "cut-off": (lambda text: text[: len(text) // 2].encode(), "cut off"),
    "picture": (lambda _text: b"\x89PNG\r\n\x1a\n" + bytes(400), "not a notebook"),
}


@dataclass
class Student:
    """One submission: `content` of the file called `name`, the checks that it must lose, and words that grading must say of it."""

    content: bytes
    lost: set[str]
    name: str = ""
    says: str = ""


class Class:
    """A lecture's class: which answers there are, what each loses, and the submissions."""

    def __init__(self, lecture: str) -> None:
        self.lecture = lecture
        self.sizes = SIXTY if lecture == OF_SIXTY else TWELVE
        self.place = lectures().index(lecture)
        self.bank = Lecture(lecture)
        self._lost: dict[tuple[str, str], list[str]] = {}
        self.exercises = list(self.bank.exercises.values())
        self.released = nbformat.reads(released_text(lecture), as_version=4)
        self.points = {check: points for exercise in self.exercises for check, points in exercise.points.items()}

    @cached_property
    def right(self) -> dict[str, list[str]]:
        """Exercise -> its right answers, the reference first."""
        return {each.name: [each.solutions[0].source, *self._files(each.name, "right")] for each in self.exercises}

    @cached_property
    def wrong(self) -> dict[str, list[str]]:
        """Exercise -> its wrong answers, the stub last."""
        return {each.name: [*self._files(each.name, "wrong"), stub_of(each)] for each in self.exercises}

    def _files(self, exercise: str, kind: str) -> list[str]:
        return [path.read_text(encoding="utf-8") for path in sorted((self.bank.answers / self.lecture / exercise).glob(f"{kind}_*.py"))]

    def loses(self, exercise: str, text: str) -> list[str]:
        """The checks that an answer loses in the bank."""
        key = exercise, text
        if key not in self._lost:
            self._lost[key] = self.bank.run(self.bank.exercise(exercise), text).lost
        return self._lost[key]

    def notebook(self, answers: dict[str, str], helper: str = "") -> NotebookNode:
        """The released notebook with these answers, and a cell of the student's own before the first of them."""
        notebook = copy.deepcopy(self.released)
        for cell in notebook.cells:
            cell.source = answers.get(grade_id(cell), cell.source)
        if helper:
            first = next(number for number, cell in enumerate(notebook.cells) if is_solution(cell) and cell.cell_type == "code")
            notebook.cells.insert(first, nbformat.v4.new_code_cell(helper))
        return notebook

    def student(self, answers: dict[str, str], helper: str = "") -> Student:
        """Who hands in these answers, and leaves the other stubs as they are."""
        lost = set().union(*(self.loses(name, text) for name, text in answers.items() if text not in self.right[name]))
        lost |= {check for each in self.exercises if each.name not in answers for check in each.points}
        return Student(nbformat.writes(self.notebook(answers, helper)).encode(), lost)

    def students(self) -> dict[str, Student]:
        """All of them, by name."""
        right = {name: cycle(texts) for name, texts in self.right.items()}
        wrong = {name: cycle(texts) for name, texts in self.wrong.items()}
        made: dict[str, Student] = {}
        for number in range(self.sizes["right"]):
            made[f"right-{number:02}"] = self.student({name: next(texts) for name, texts in right.items()})
        for number in range(self.sizes["partly"]):
            chosen = {name: next((wrong if (number + place) % 3 == 0 else right)[name]) for place, name in enumerate(right)}
            made[f"partly-{number:02}"] = self.student(chosen)
        for number in range(self.sizes["wrong"]):
            made[f"wrong-{number:02}"] = self.student({name: next(texts) for name, texts in wrong.items()})
        stubs = [made_stubs(each) for each in self.exercises]
        for number, label in enumerate(islice(cycle(stubs[0]), self.sizes["empty"])):
            answers = {each.name: texts.get(label, stub_of(each)) for each, texts in zip(self.exercises, stubs, strict=True)}
            made[f"empty-{number:02}"] = self.student(answers)
        return made | self._broken() | self._hostile()

    def _broken(self) -> dict[str, Student]:
        """Right answers in notebooks as careless students leave them: nothing is lost, or all of it with a reason."""
        answers = {name: texts[0] for name, texts in self.right.items()}
        made = {}
        for damage in self._mine(SURVIVED, self.sizes["broken"] - len(LOST) - 1):
            notebook = json.loads(json.dumps(self.notebook(answers)))
            damage(notebook)
            made[f"broken-{damage.__name__}"] = Student(json.dumps(notebook).encode(), set())
        text = nbformat.writes(self.notebook(answers))
        made["broken-name"] = Student(text.encode(), set(), name=f"Copy of {self.lecture} (1).ipynb", says="instead of")
        for name, (spoil, says) in LOST.items():
            made[f"broken-{name}"] = Student(spoil(text), set(self.points), says=says)
        return made

    def _hostile(self) -> dict[str, Student]:
        """Attacks in a cell of one's own, before untouched stubs or before right answers: exactly the points of the answers."""
        made = {}
        for attack in self._mine(HOSTILE_CELLS, self.sizes["hostile"]):
            cells, rest = parts(attack.read_text(encoding="utf-8"))
            answers = {name: texts[0] for name, texts in self.right.items()} if rest else {}
            made[f"hostile-{attack.stem}"] = self.student(answers, cells["helper"])
        return made

    def _mine(self, everything: list, count: int) -> list:
        """`count` of these, spread over all of them; other ones for each lecture."""
        step = max(1, len(everything) // count)
        return [everything[(self.place + number * step) % len(everything)] for number in range(count)]


def hand_in(course: Path, lecture: str, students: dict[str, Student]) -> None:
    """Lay submissions where nbgrader's layout has them."""
    for name, student in students.items():
        path = course / "submitted" / name / lecture / (student.name or f"{lecture}.ipynb")
        path.parent.mkdir(parents=True)
        path.write_bytes(student.content)


@pytest.mark.notebook
@pytest.mark.parametrize("lecture", lectures())
def test_from_release_to_feedback(lecture, tmp_path, capsys):
    course, whole = tmp_path / "course", Class(lecture)
    students = whole.students()
    assert len(students) == sum(whole.sizes.values())
    assert cli.main(["course", str(course), lecture]) == 0
    hand_in(course, lecture, students)
    assert cli.main(["autograde", lecture, "--course", str(course), "--workers", "2"]) == 0
    said = capsys.readouterr().out
    assert f"{len(students)} submissions graded" in said and f"{len(LOST)} want a human's look" in said

    expected = {name: {check: 0 if check in one.lost else points for check, points in whole.points.items()} for name, one in students.items()}
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as book:
        found = {name: book.find_submission_notebook(lecture, lecture, name).grades for name in students}
        found = {name: {grade.name: grade.auto_score for grade in grades if grade.name in whole.points} for name, grades in found.items()}
    other = {(name, check): found[name][check] for name in students for check in whole.points if found[name][check] != expected[name][check]}
    assert not other, f"points that differ from those expected: {other}"

    table = Counter()
    for row in read_grades(course / "grades.csv"):
        table[row["student"]] += float(row["points"])
        assert row["reason"] or float(row["points"]) == float(row["max_points"]), f"points lost without a word: {row}"
        assert students[row["student"]].says in row["reason"] or float(row["points"]), row
    assert table == {name: sum(checks.values()) for name, checks in expected.items()}

    assert cli.main(["feedback", lecture, "--course", str(course), "--workers", "2"]) == 0
    pages = {page.parents[1].name: page.read_text(encoding="utf-8") for page in course.glob(f"feedback/*/{lecture}/*.html")}
    assert pages.keys() == students.keys()
    assert "instead of" in pages["broken-name"]
    hidden = hidden_lines(whole)
    told = {name: plain(page) for name, page in pages.items()}
    assert hidden and not [(name, line) for name, text in told.items() for line in hidden if line in text]


def hidden_lines(whole: Class) -> set[str]:
    """Lines of hidden checks that nobody else wrote: not visible, and in no answer."""
    texts = [cell.source for cell in whole.bank.notebook.cells if is_check(cell)]
    hidden = {line.strip() for text in texts for part in re.findall(r"### BEGIN HIDDEN TESTS\n(.*?)### END", text, re.S) for line in part.splitlines()}
    told = "\n".join([*(cell.source for cell in whole.released.cells), *(text for texts in [*whole.right.values(), *whole.wrong.values()] for text in texts)])
    return {line for line in hidden if len(line) > 30 and line not in told}


def plain(page: str) -> str:
    """A page's text without its tags."""
    return html.unescape(re.sub(r"<[^>]+>", "", page))
