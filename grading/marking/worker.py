"""One submission from file to report: rebuild, run in the jail, judge outside. A pure function; it knows no database."""

import ast
import contextlib
import hashlib
import json
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from textwrap import indent
from typing import Any

import nbformat
from nbformat import NotebookNode

from grading.authoring.exercises import exercises_of, given_cells, tagged
from grading.marking.given import Given, Twins
from grading.marking.judge import Verdict, judge
from grading.marking.rebuild import Unreadable, rebuild
from grading.marking.remote import Channel
from grading.names import defined, needed
from grading.sandbox import Ended, Process
from grading.sources import grade_id, is_check, is_solution, tags

SET_UP = ("parameters", "setup")
HELPER = "-helper-"  # stands in the name of a student's own cell, between that of the answer which follows it and its number
OUTPUT = 1_000_000  # characters of all that a submission's cells print


@dataclass(frozen=True)
class Lecture:
    """What grading knows of a lecture.

    Attributes:
        name: such as "04_classification".
        pristine: the instructor's notebook; released: the student's.
    """

    name: str
    pristine: NotebookNode
    released: NotebookNode

    @cached_property
    def key(self) -> str:
        """Changes when anything that grading depends on changes in the lecture."""
        text = nbformat.writes(self.pristine) + nbformat.writes(self.released)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @cached_property
    def exercise_of(self) -> dict[str, str]:
        """Grade id of a check or solution cell -> grade id of its exercise."""
        return {grade_id(cell): each.name for each in exercises_of(self.pristine) for cell in [*each.checks, *each.solutions]}

    @cached_property
    def checks(self) -> dict[str, float]:
        """Grade id of each check -> its points, in order."""
        return {grade_id(cell): float(cell.metadata.nbgrader.points) for cell in self.pristine.cells if is_check(cell)}

    @cached_property
    def modules(self) -> tuple[str, ...]:
        """What the student's side imports, to be imported once before the first fork."""
        code = [cell for cell in self.pristine.cells if cell.cell_type == "code"]
        sources = [cell.source for cell in code if is_solution(cell) or "given" in tags(cell)]
        sources += [imports(cell.source) for cell in code]
        return _imports([self.set_up(), *sources])

    @cached_property
    def _checks_read(self) -> set[str]:
        return set().union(*(needed(cell.source) for cell in self.pristine.cells if is_check(cell)))

    @cached_property
    def given(self) -> Given:
        """What the lecture gives to its checks."""
        return Given([cell.source for cell in given_cells(self.pristine)], defined(self.set_up()))

    @cached_property
    def judge_given(self) -> str:
        """The given cells' parts for the judge's side; empty if no check reads a name of them."""
        return self.given.here if self._checks_read & (self.given.names - self.given.beside) else ""

    @cached_property
    def judge_set_up(self) -> str:
        """The set-up for the judge's side; empty if nothing there reads a name of it."""
        return self.set_up() if (self._checks_read | needed(self.judge_given)) & defined(self.set_up()) else ""

    @cached_property
    def judge_modules(self) -> tuple[str, ...]:
        """What the judge's side imports, to be imported once before the first fork."""
        return _imports([self.judge_set_up, self.judge_given, *(cell.source for cell in self.pristine.cells if is_check(cell))])

    @cached_property
    def visible(self) -> dict[str, str]:
        """Grade id of each check -> the text that students have."""
        return {grade_id(cell): cell.source for cell in self.released.cells if is_check(cell)}

    def set_up(self, profile: str = "ci") -> str:
        """The parameters and the set-up cell as one text, with the profile put in."""
        parts = [tagged(self.pristine, tag) for tag in SET_UP]
        text = "\n".join(cell.source for cell in parts if cell is not None)
        return f"{text}\n".replace("run = helpers.start", f'PROFILE = "{profile}"\nrun = helpers.start')


def imports(source: str) -> str:
    """The import statements at the top level of a cell, as text."""
    return "\n".join(ast.unparse(node) for node in ast.parse(source).body if isinstance(node, (ast.Import, ast.ImportFrom)))


def lent(source: str) -> str:
    """What a demonstration, which is not run, lends to answers: its imports, functions and classes, as text; a definition that fails is left out."""
    parts = [imports(source)]
    for node in ast.parse(source).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            parts.append(f"try:\n{indent(ast.unparse(node), '    ')}\nexcept Exception:\n    pass")
    return "\n".join(part for part in parts if part)


def _imports(sources: list[str]) -> tuple[str, ...]:
    """Modules that some code imports, once each, in order."""
    found = []
    for node in ast.walk(ast.parse("\n".join(sources))):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found += [f"{node.module}.{alias.name}" for alias in node.names if node.module == "helpers"] or [node.module]
    if any("torch.optim" in source or ".backward(" in source for source in sources):
        found.append("torch._dynamo")  # an optimizer imports it at its first step, and that takes seconds
    return tuple(dict.fromkeys(found))


@dataclass
class Report:
    """What grading one submission gave; plain data, so that it can be cached and sent.

    Attributes:
        student, lecture: whose, and of what.
        verdicts: one for each check of the lecture, in order.
        notes: what was mended; look: why a human should look, empty when there is no reason.
        cells: (grade id, "helper", "given" ...; source; what it printed; its error or "") of what was run, for the executed notebook.
        manual: grade id -> text of answers that a person grades; those that were left empty are not in it.
        culprit: grade id of the answer that stopped the run, or the name of an extra cell (see HELPER); empty when nothing did.
        told: a cell of the student's printed something or failed.
        seconds: wall time.
    """

    student: str
    lecture: str
    verdicts: list[Verdict] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    look: list[str] = field(default_factory=list)
    cells: list[tuple[str, str, str, str]] = field(default_factory=list)
    manual: dict[str, str] = field(default_factory=dict)
    culprit: str = ""
    told: bool = False
    seconds: float = 0.0

    @property
    def points(self) -> float:
        """All points of the checks."""
        return sum(verdict.points for verdict in self.verdicts)

    def to_json(self) -> str:
        """As text; the same report gives the same bytes."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "Report":
        """Back from `to_json`."""
        raw = json.loads(text)
        raw["verdicts"] = [Verdict(**verdict) for verdict in raw["verdicts"]]
        raw["cells"] = [tuple(cell) for cell in raw["cells"]]
        return cls(**raw)


def work(process: Process, path: Path, student: str, lecture: Lecture, seed: int, without: tuple[str, ...] = (), shown: bool = False) -> Report:
    """Grade one submitted file with a student process that was made for it. Runs in a trusted fork of its own.

    Args:
        process: empty yet, in the jail.
        path: the notebook; student: whose it is.
        seed: of every generator.
        without: grade ids of answers and names of extra cells that are not run, since they stopped an earlier run; "helpers" for all extra cells.
        shown: run the visible checks only, and report all that is said; otherwise run all of them, and report nothing that the student's
            process said, since it has met hidden inputs.

    Returns:
        The report, with a verdict for each check; its `culprit` names what stopped the run, if something did.
    """
    report = Report(student, lecture.name)
    try:
        rebuilt = rebuild(path, lecture.released)
    except Unreadable as problem:
        report.look = [str(problem)]
        report.verdicts = [Verdict(name, 0, points, str(problem)) for name, points in lecture.checks.items()]
        return report
    report.notes, report.look = rebuilt.notes, rebuilt.look
    manual = [grade_id(cell) for cell in lecture.pristine.cells if is_solution(cell) and cell.cell_type == "markdown"]
    stubs = {grade_id(cell): cell.source for cell in lecture.released.cells}
    answers = {name: rebuilt.answers[name].source for name in manual}
    report.manual = {name: text for name, text in answers.items() if text.split() != stubs.get(name, "").split()}
    channel = Channel(process, seed)
    trusted: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(lecture.judge_set_up, "<set-up>", "exec"), trusted)
    twins = Twins(lecture.given, trusted, channel, bool(lecture.judge_given))

    def run(source: str, name: str, kind: str) -> None:
        nonlocal room
        try:
            output, error = channel.run(source, name)
            room -= len(output) + len(error)
            output, error = (output, error) if room >= 0 else ("(no more output is kept)", error[:200])
            report.told = report.told or (kind != "setup" and not kind.startswith("given:") and bool(output or error))
            report.cells.append((kind, source, output, error) if shown else (kind, source, "", ""))
        except Ended as problem:
            report.culprit = report.culprit or name
            report.cells.append((kind, source, "", f"Stopped: {problem}."))

    room = OUTPUT
    run(lecture.set_up(), "setup", "setup")
    for cell in lecture.pristine.cells:
        name = grade_id(cell)
        if cell.cell_type != "code":
            continue
        if not (is_solution(cell) or is_check(cell)) and (needs := lent(cell.source)):
            with contextlib.suppress(Ended):
                channel.run(needs, cell.id)
        if "given" in tags(cell):
            run(cell.source, cell.id, f"given:{cell.id}")
        elif is_solution(cell):
            answer = rebuilt.answers[name]
            for number, helper in enumerate(answer.helpers if "helpers" not in without else ()):
                if (helper_name := f"{name}{HELPER}{number}") not in without:
                    run(helper, helper_name, "helper")
            if name not in without:
                run(answer.source, name, name)
        elif is_check(cell):
            source = lecture.visible.get(name, "") if shown else cell.source
            verdict = judge(name, source, lecture.checks[name], channel, twins, seed, shown)
            if verdict.ended:
                report.culprit = report.culprit or lecture.exercise_of.get(name, "")
            report.verdicts.append(verdict)
    return report
