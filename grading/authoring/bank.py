"""The answer bank: right answers keep full points, stubs and wrong answers lose them with a message that teaches.

One answer is run in one forked child: parameters, set-up, given cells, the answer, then each check cell by itself.
"""

import ast
import importlib
import linecache
import re
import time
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path

from nbformat import NotebookNode

from grading import forked
from grading.authoring.exercises import Exercise, exercises_of, given_cells, tagged
from grading.authoring.stub import released
from grading.sources import ANSWERS, SourceError, grade_id, read_lecture, source_path

SECONDS = 20  # for one answer with all its checks
UNANSWERED = "NotImplementedError"  # what a stub raises
EXPECT = re.compile(r"^# expect:\s*([\w-]+(?:\s*,\s*[\w-]+)*)\s*:\s*(\S.*?)\s*$")


@dataclass
class Outcome:
    """What one answer earned: check id -> failure message, None where the check passed."""

    failures: dict[str, str | None]

    @property
    def lost(self) -> list[str]:
        """The checks that failed."""
        return [check for check, message in self.failures.items() if message is not None]


@dataclass
class Report:
    """The bank's verdict on one exercise; `faults` is empty when all is well."""

    name: str
    points: float
    right: int = 0
    wrong: int = 0
    seconds: float = 0.0
    faults: list[str] = field(default_factory=list)
    details: list[str] = field(default_factory=list)

    def line(self) -> str:
        """One line for a person."""
        verdict = "ok" if not self.faults else f"{len(self.faults)} fault{'s' * (len(self.faults) > 1)}"
        counts = f"right {self.right:>2}   wrong {self.wrong:>2}"
        return f"{self.name:<32} {self.points:>3g} points   {counts}   {self.seconds:5.1f} s   {verdict}"


class Lecture:
    """One lecture source, read once, with its imports made, ready to run answers."""

    def __init__(self, lecture: str, answers: Path = ANSWERS) -> None:
        path = source_path(lecture)
        self.name, self.answers = path.stem, answers
        self.notebook = read_lecture(path)
        self.exercises = {exercise.name: exercise for exercise in exercises_of(self.notebook) if exercise.solutions}
        _import_all([tagged(self.notebook, "setup"), *given_cells(self.notebook), *_cells(self.exercises.values())])

    def exercise(self, name: str) -> Exercise:
        """The exercise with that grade id or heading id ("1.1a")."""
        for exercise in self.exercises.values():
            if name in (exercise.name, exercise.id):
                return exercise
        raise SourceError(f"{self.name} has no exercise '{name}'. It has: {', '.join(self.exercises) or 'none'}.")

    def run(self, exercise: Exercise, answer: str) -> Outcome:
        """What `answer`, the text of a solution cell, earns at every check of the exercise."""
        try:
            return Outcome(forked.call(lambda: self._judge(exercise, answer), SECONDS))
        except forked.ChildFailed as error:
            return Outcome({check: f"no answer: {error}" for check in exercise.points})

    def _judge(self, exercise: Exercise, answer: str) -> dict[str, str | None]:
        import matplotlib
        import matplotlib.pyplot as plt
        import torch

        matplotlib.use("agg")
        torch.set_num_threads(1)  # a child of a process that has already used threads must not use them again
        namespace = {"__name__": "__main__"}
        used = [self.exercise(name).solutions[0] for name in exercise.uses]
        with redirect_stdout(StringIO()):
            _run(self._parameters(), namespace, "parameters")
            for cell in [tagged(self.notebook, "setup"), *given_cells(self.notebook), *used]:
                if cell is not None:
                    _run(cell.source, namespace, cell.id)
        broken = _failure(answer, namespace, "answer")
        failures: dict[str, str | None] = {}
        for check in exercise.checks:
            failures[grade_id(check)] = broken or _failure(check.source, dict(namespace), grade_id(check))
            plt.close("all")
        return failures

    def _parameters(self) -> str:
        cell = tagged(self.notebook, "parameters")
        return (cell.source if cell else "") + f'\nLECTURE = "{self.name}"\nPROFILE = "ci"\n'


def check_exercise(lecture: Lecture, exercise: Exercise) -> Report:
    """Run every answer of one exercise: the reference, the made stubs and the files of the bank."""
    start = time.perf_counter()
    report = Report(exercise.name, sum(exercise.points.values()))
    reference = lecture.run(exercise, exercise.solutions[0].source)
    _expect_full(report, "the reference solution", reference)
    for label, text in made_stubs(exercise).items():
        outcome = lecture.run(exercise, text)
        kept = [check for check in exercise.points if check not in outcome.lost]
        report.details.append(f"{label}: {len(kept)} checks passed")
        if kept:
            report.faults.append(f"{label} gets points at {', '.join(kept)}: let the check assert first what only a working answer passes")
        astray = [check for check in outcome.lost if not outcome.failures[check].startswith(UNANSWERED)] if text == released(exercise) else []
        if astray:
            report.faults.append(f"{label} is not told that it is empty at {', '.join(astray)}: let NotImplementedError, a RuntimeError, pass")
    folder = lecture.answers / lecture.name / exercise.name
    files = sorted(folder.glob("*.py")) if folder.is_dir() else []
    for file in files:
        if file.name.startswith("right_"):
            report.right += 1
            _expect_full(report, file.name, lecture.run(exercise, file.read_text(encoding="utf-8")))
        elif file.name.startswith("wrong_"):
            report.wrong += 1
            _expect_wrong(report, file, exercise, lecture)
        else:
            report.faults.append(f"{file.name}: call it right_<how>.py or wrong_<misconception>.py")
    where = f"tests/answers/{lecture.name}/{exercise.name}"
    if report.right < 1:
        report.faults.append(f"{where} holds no right_<how>.py: write a right answer that differs from the reference")
    if report.wrong < 3:
        report.faults.append(f"{where} holds {report.wrong} wrong_<misconception>.py: at least three are needed")
    report.seconds = time.perf_counter() - start
    return report


def made_stubs(exercise: Exercise) -> dict[str, str]:
    """Answers that nobody writes but everybody submits: the untouched stub, `return None`, and one that always raises."""
    stubs = {"the empty stub": released(exercise)}
    source = exercise.solutions[0].source
    for label, body in (("an answer that returns None", "return None"), ("an answer that always raises", 'raise ValueError("no")')):
        text = _with_bodies(source, body)
        if text is not None:
            stubs[label] = text
    return stubs


def _with_bodies(source: str, body: str) -> str | None:
    """`source` with every outermost function, and every method of a class, reduced to `body`; None if it holds no function."""
    tree = ast.parse(source)
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    for function in functions:
        function.body = ast.parse(f"def f():\n    {body}").body[0].body
    return ast.unparse(tree) if functions else None


def _expect_full(report: Report, label: str, outcome: Outcome) -> None:
    report.details.append(f"{label}: {_shown(outcome)}")
    for check in outcome.lost:
        report.faults.append(f"{label} loses {check}: {outcome.failures[check] or 'no message'}")


def _expect_wrong(report: Report, file: Path, exercise: Exercise, lecture: Lecture) -> None:
    text = file.read_text(encoding="utf-8")
    expected = EXPECT.match(text.split("\n", 1)[0])
    if not expected:
        report.faults.append(f"{file.name}: the first line must read `# expect: check-id[, check-id]: a phrase of the message`")
        return
    checks, phrase = [name.strip() for name in expected[1].split(",")], expected[2]
    unknown = [name for name in checks if name not in exercise.points]
    if unknown:
        report.faults.append(f"{file.name} expects {', '.join(unknown)}, but the checks are {', '.join(exercise.points)}")
        return
    outcome = lecture.run(exercise, text)
    report.details.append(f"{file.name}: {_shown(outcome)}")
    for check in checks:
        if check not in outcome.lost:
            report.faults.append(f"{file.name} passes {check}, which should catch it")
    for check in outcome.lost:
        if not outcome.failures[check]:
            report.faults.append(f"{file.name} loses {check} without a word: give every assert a message")
    message = outcome.failures[checks[0]]
    if message and phrase.casefold() not in message.casefold():
        report.faults.append(f"{file.name}: the message of {checks[0]} should hold '{phrase}' but reads '{message}'")


def _shown(outcome: Outcome) -> str:
    lost = "; ".join(f"{check}: {message}" for check, message in outcome.failures.items() if message is not None)
    return f"loses {lost}" if lost else "full points"


def _run(source: str, namespace: dict, label: str) -> None:
    """Run a cell's text so that tracebacks and `inspect.getsource` see it."""
    name = f"<{label}>"
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    exec(compile(source, name, "exec"), namespace)


def _failure(source: str, namespace: dict, label: str) -> str | None:
    """The message with which a cell fails; None if it runs, '' for an assert without a message."""
    try:
        _run(source, namespace, label)
    except AssertionError as error:
        return str(error)
    except (Exception, SystemExit) as error:
        return f"{type(error).__name__}: {error}"
    return None


def _cells(exercises) -> list[NotebookNode]:
    return [cell for exercise in exercises for cell in [*exercise.solutions, *exercise.checks]]


def _import_all(cells: list[NotebookNode | None]) -> None:
    """Import once, here, what the cells import, so that no child has to; what can't be imported fails where it is used."""
    for cell in filter(None, cells):
        with suppress(SyntaxError):
            for node in ast.walk(ast.parse(cell.source)):
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
                if "torch.optim" in cell.source:
                    names.append("torch._dynamo")  # the first optimizer imports it, which takes five seconds
                for name in names:
                    with suppress(Exception):
                        importlib.import_module(name)
