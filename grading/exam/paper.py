"""A paper for each student, drawn by a seed so that all are equally hard, and its two notebooks: with the key, and as given out."""

import hashlib
import unicodedata
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import yaml
from nbformat import NotebookNode

from grading.exam.model import Choice, Code, Numeric, Question, Template, bank
from grading.exam.verify import results, source_of
from grading.marking.worker import Lecture
from grading.sources import SourceError, lectures, syllabus

NAME = "final_exam"
LETTERS = "ABCDEFGH"


@dataclass(frozen=True)
class Asked:
    """One question of a paper: number, where it comes from, what it is, its points and minutes."""

    number: int
    template: Template
    question: Question
    points: int
    minutes: int


@dataclass(frozen=True)
class Paper:
    """A student's paper; the same key and student give the same one."""

    student: str
    seed: int
    asked: tuple[Asked, ...]

    @property
    def points(self) -> int:
        """All points."""
        return sum(one.points for one in self.asked)

    @property
    def minutes(self) -> int:
        """All minutes."""
        return sum(one.minutes for one in self.asked)


@cache
def blueprint() -> dict:
    """What every paper is made of; see grading/exam/blueprint.yaml."""
    return yaml.safe_load(Path(__file__).with_name("blueprint.yaml").read_text(encoding="utf-8"))


def draw(student: str, key: str, templates: tuple[Template, ...] | None = None) -> Paper:
    """A student's paper.

    Args:
        student: their id; key: the course's secret word, so that nobody can draw a paper in advance.
        templates: the bank, or another one.

    Raises:
        SourceError: the bank lacks questions for a slot of the blueprint.
    """
    student = unicodedata.normalize("NFC", student)  # a Mac's folder spells the same name in other letters
    plan, templates = blueprint(), bank() if templates is None else templates
    seed = int.from_bytes(hashlib.sha256(f"{key}\0{student}".encode()).digest()[:4])
    rng = np.random.default_rng(seed)
    chosen: list[Template] = []
    standing = set(lectures())  # a lecture that is not there yet is not asked about
    for lecture in [name for name in syllabus()["lectures"] if name in standing and any(one.lecture == name for one in templates)]:
        own = [one for one in templates if one.lecture == lecture]
        slots = [[one for one in own if one.kind == kind] for kind in plan["each_lecture"]["slots"]]
        fitting = [picks for picks in product(*slots) if sum(one.difficulty for one in picks) == plan["each_lecture"]["difficulty"]]
        apart = [picks for picks in fitting if len({one.point for one in picks}) == len(picks)] or fitting  # of several points, if it can be
        if not apart:
            raise SourceError(f"The bank has no questions of {lecture} whose kinds and difficulties fit the blueprint.")
        chosen += apart[rng.integers(len(apart))]
        if lecture in plan["code"]["lectures"]:
            codes = [one for one in own if one.kind == "code" and one.difficulty == plan["code"]["difficulty"]]
            if not codes:
                raise SourceError(f"The bank has no code question of {lecture} of difficulty {plan['code']['difficulty']}.")
            chosen.append(codes[rng.integers(len(codes))])
    kinds = plan["kinds"]
    asked = (Asked(n, one, one.question(seed), kinds[one.kind]["points"], kinds[one.kind]["minutes"]) for n, one in enumerate(chosen, 1))
    return Paper(student, seed, tuple(asked))


def notebooks(paper: Paper) -> Lecture:
    """The paper as grading wants it: the notebook with the key, and the one that the student gets."""
    both = []
    for released in (False, True):
        cells = [_cell("markdown", "title", _title(paper)), _cell("code", "parameters", f'PAPER = "{paper.seed:08x}"', ["parameters"])]
        cells.append(_cell("code", "setup", "import numpy as np", ["setup"]))
        letters: dict[str, int] = {}
        for one in paper.asked:
            point = one.template.point
            letters[point] = letters.get(point, -1) + 1
            cells += _cells(one, f"{point}{'abcdefgh'[letters[point]]}", paper.seed, released)
        notebook = nbformat.v4.new_notebook(cells=cells)
        notebook.metadata = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}, "language_info": {"name": "python"}}
        both.append(notebook)
    return Lecture(NAME, *both)


def options_of(choice: Choice, seed: int, number: int) -> list[str]:
    """The options in the order in which this paper shows them."""
    options = [choice.right, *(option for option, _ in choice.wrong)]
    return [options[i] for i in np.random.default_rng([seed, number]).permutation(len(options))]


def _title(paper: Paper) -> str:
    return f"""# Final exam

Paper {paper.seed:08x} - {len(paper.asked)} questions, {paper.points} points, {blueprint()["minutes"]} minutes.
Everybody's paper has the same points in each lecture, and the same difficulty.

Each answer is a function: put `return` and your answer where the error is raised. A number goes without its unit; a choice is its letter, such
as `return "B"`. The cell below an answer tells whether it has the right form, and nothing more. No network is needed. Save the notebook and hand
it in."""


def _cell(kind: str, name: str, source: str, tags: list[str] | None = None, **nbgrader: Any) -> NotebookNode:
    make = {"markdown": nbformat.v4.new_markdown_cell, "code": nbformat.v4.new_code_cell}[kind]
    cell = make(source, id=name)
    if tags:
        cell.metadata["tags"] = tags
    if nbgrader:
        cell.metadata["nbgrader"] = {"grade_id": name, "schema_version": 3, "task": False, **nbgrader}
    return cell


def _cells(one: Asked, exercise: str, seed: int, released: bool) -> list[NotebookNode]:
    name = f"q{one.number:02}"
    question, kind = one.question, type(one.question)
    effort = f"{one.points} point{'s' * (one.points > 1)} - about {one.minutes} minute{'s' * (one.minutes > 1)}"
    text = f"### Exercise {exercise} - question {one.number}\n\n{effort}\n\n{question.text}"
    if kind is Choice:
        options = options_of(question, seed, one.number)
        text += "\n\n" + "\n".join(f"- **{letter}** {option}" for letter, option in zip(LETTERS, options, strict=False))
    stub, body, visible, hidden = {Numeric: _numeric, Choice: _choice, Code: _code}[kind](one, seed)
    answer = f'{stub}\n    raise NotImplementedError("Question {one.number}")\n' if released else f"{stub}\n{body}\n"
    check = visible if released else f"{visible}\n### BEGIN HIDDEN TESTS\n{hidden}\n### END HIDDEN TESTS"
    return [
        _cell("markdown", f"{name}-text", text),
        _cell("code", name, answer, grade=False, locked=False, solution=True),
        _cell("code", f"{name}-answer", check, grade=True, locked=True, solution=False, points=one.points),
    ]


def _numeric(one: Asked, seed: int) -> tuple[str, str, str, str]:
    question, name = one.question, f"answer_{one.number:02}"
    unit = f", in {question.unit}" if question.unit else ""
    stub = f'def {name}() -> float:\n    """Question {one.number}: a number{unit}."""'
    form = 'assert isinstance(value, int | float) and value == value, "return a number, such as 0.25"'
    near = "abs(float(value) - {0!r}) <= {1!r}"
    tests = [f"assert not {near.format(float(wrong), question.tolerance)}, {slip!r}" for wrong, slip in question.traps]
    tests.append(f'assert {near.format(float(question.answer), float(question.tolerance))}, "that is not the right number"')
    return stub, f"    return {float(question.answer)!r}", f"# Question {one.number}: is it a number?\nvalue = {name}()\n{form}", "\n".join(tests)


def _choice(one: Asked, seed: int) -> tuple[str, str, str, str]:
    question, name = one.question, f"answer_{one.number:02}"
    options = options_of(question, seed, one.number)
    letter_of = dict(zip(options, LETTERS, strict=False))
    right, known = letter_of[question.right], list(letter_of.values())
    stub = f'def {name}() -> str:\n    """Question {one.number}: one letter, {known[0]} to {known[-1]}."""'
    form = f"assert isinstance(value, str) and value.strip().upper() in {known!r}, \"return one letter, such as 'B'\""
    tests = [f"assert value.strip().upper() != {letter_of[option]!r}, {why!r}" for option, why in question.wrong]
    tests.append(f'assert value.strip().upper() == {right!r}, "that is not the right letter"')
    return stub, f'    return "{right}"', f"# Question {one.number}: is it a letter?\nvalue = {name}()\n{form}", "\n".join(tests)


SAME = """def same(a, b):
    a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    return a.shape == b.shape and np.allclose(a, b, rtol={tolerance}, atol={tolerance}, equal_nan=True)


def all_same(results):
    return all(same(a, b) for a, b in zip(given, results, strict=True))

"""


def _code(one: Asked, seed: int) -> tuple[str, str, str, str]:
    question = one.question
    right = results(question, question.body)
    same = SAME.format(tolerance=question.tolerance)
    given = ", ".join(f"{question.name}({', '.join(map(as_source, call))})" for call in question.calls)
    example = f"{question.name}({', '.join(map(as_source, question.calls[0]))})"
    told = 'f"this example should give {expected}, and gives {example}"'
    compared = same.partition("\n\n\n")[0]
    shown = f"example, expected = {example}, {as_source(right[0])}\nassert same(example, expected), {told}"
    visible = f"# Question {one.number}: one example\n{compared}\n\n\n{shown}"
    tests = [same.partition("\n\n\n")[2], f"given = [{given}]"]
    for wrong, slip in question.wrong:
        values = results(question, wrong)
        if not any(isinstance(value, Exception) for value in values):
            tests.append(f"assert not all_same([{', '.join(map(as_source, values))}]), {slip!r}")
    tests.append(f'assert all_same([{", ".join(map(as_source, right))}]), "on another input of this kind the result is not right"')
    body = "\n".join(source_of(question, question.body).splitlines()[len(question.stub.rstrip().splitlines()) :])
    return question.stub.rstrip(), body, visible, "\n".join(tests)


def as_source(value: Any) -> str:
    """Numbers, text, lists and arrays as Python source that gives them again; numbers that are not finite by their names in NumPy."""
    if isinstance(value, np.ndarray):
        return f"np.array({as_source(value.tolist())}, dtype={str(value.dtype)!r}).reshape({value.shape!r})"
    if isinstance(value, np.generic):
        return as_source(value.item())
    if isinstance(value, float) and not np.isfinite(value):
        return "np.nan" if value != value else "np.inf" if value > 0 else "-np.inf"
    if isinstance(value, list | tuple):
        inside = ", ".join(as_source(one) for one in value)
        return f"[{inside}]" if isinstance(value, list) else f"({inside}{',' * (len(value) == 1)})"
    return repr(value)
