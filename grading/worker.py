"""One submission from file to report: rebuild, run in the jail, judge outside. A pure function; it knows no database."""

import ast
import hashlib
import json
import time
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from grading import forked
from grading.exercises import exercises_of, tagged
from grading.judge import Verdict, judge
from grading.rebuild import Rebuilt, Unreadable, rebuild
from grading.remote import Channel
from grading.sandbox import Ended, Limits, Process, Sandbox
from grading.sources import grade_id, is_check, is_solution, tags

SET_UP = ("parameters", "setup")


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
        """What the cells that grading runs import, to be imported once before the first fork."""
        code = [cell for cell in self.pristine.cells if cell.cell_type == "code"]
        run = [cell.source for cell in code if is_check(cell) or is_solution(cell) or "given" in tags(cell)]
        found = []
        for node in ast.walk(ast.parse("\n".join([self.set_up(), *run]))):
            if isinstance(node, ast.Import):
                found += [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                found += [f"{node.module}.{alias.name}" for alias in node.names if node.module == "helpers"] or [node.module]
        return tuple(dict.fromkeys(found))

    def set_up(self, profile: str = "ci") -> str:
        """The parameters and the set-up cell as one text, with the profile put in."""
        parts = [tagged(self.pristine, tag) for tag in SET_UP]
        text = "\n".join(cell.source for cell in parts if cell is not None)
        return f"{text}\n".replace("run = helpers.start", f'PROFILE = "{profile}"\nrun = helpers.start')


@dataclass
class Report:
    """What grading one submission gave; plain data, so that it can be cached and sent.

    Attributes:
        student, lecture: whose, and of what.
        verdicts: one for each check of the lecture, in order.
        notes: what was mended; look: why a human should look, empty when there is no reason.
        cells: (grade id, "helper", "given" ...; source; what it printed; its error or "") of what was run, for the executed notebook.
        manual: grade id -> text of answers that a person grades.
        seconds: wall time.
    """

    student: str
    lecture: str
    verdicts: list[Verdict] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    look: list[str] = field(default_factory=list)
    cells: list[tuple[str, str, str, str]] = field(default_factory=list)
    manual: dict[str, str] = field(default_factory=dict)
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


def grade(path: Path, student: str, lecture: Lecture, sandbox: Sandbox, seed: int = 0, limits: Limits = Limits()) -> Report:  # noqa: B008 - frozen
    """Grade one submitted file.

    Args:
        path: the notebook; student: whose it is.
        sandbox: started, reused for many submissions.
        seed: of every generator; limits: what the submission may use.

    Returns:
        The report. Whatever the submission does, there is one, with a verdict for each check.
    """
    begin = time.perf_counter()
    report = Report(student, lecture.name)
    try:
        rebuilt = rebuild(path, lecture.released)
    except Unreadable as problem:
        report.look = [str(problem)]
        report.verdicts = [Verdict(name, 0, points, str(problem)) for name, points in lecture.checks.items()]
        return report
    except OSError as problem:
        report.look = [f"The file can't be read: {problem.strerror}."]
        report.verdicts = [Verdict(name, 0, points, report.look[0]) for name, points in lecture.checks.items()]
        return report
    report.notes, report.look = rebuilt.notes, rebuilt.look
    manual = [grade_id(cell) for cell in lecture.pristine.cells if is_solution(cell) and cell.cell_type == "markdown"]
    report.manual = {name: rebuilt.answers[name].source for name in manual}
    _judge_all(report, rebuilt, lecture, sandbox, seed, limits)
    if any(answer.helpers for answer in rebuilt.answers.values()) and any(verdict.ended for verdict in report.verdicts):
        notes = [*report.notes, "The student's own extra cells stopped the run; it was repeated without them."]
        again = Report(student, lecture.name, notes=notes, look=report.look, manual=report.manual)
        for answer in rebuilt.answers.values():
            answer.helpers.clear()
        _judge_all(again, rebuilt, lecture, sandbox, seed, limits)
        report = again if again.points >= report.points else report
    report.seconds = time.perf_counter() - begin
    return report


def _judge_all(report: Report, rebuilt: Rebuilt, lecture: Lecture, sandbox: Sandbox, seed: int, limits: Limits) -> None:
    """Run the cells and the checks in a fresh pair of processes: the jailed one, and a trusted fork of this one."""
    process = sandbox.spawn(limits)
    done: dict[str, Any] = {}
    try:
        told = forked.call(lambda: _in_fork(process, rebuilt, lecture, seed), limits.seconds + 30)
        done = {verdict["check"]: Verdict(**verdict) for verdict in told["verdicts"]}
        report.cells = [tuple(cell) for cell in told["cells"]]
    except forked.ChildFailed as problem:
        report.look.append(f"Judging stopped: {str(problem).strip().splitlines()[-1]}")
    finally:
        why = process.ended
        process.close()
    for name, points in lecture.checks.items():
        verdict = done.get(name) or Verdict(name, 0, points, "This could not be judged: the judge stopped before it.", ended=True)
        if verdict.ended and why:
            verdict = Verdict(name, 0, points, f"This could not be judged: {why}.", verdict.output, True)
        report.verdicts.append(verdict)


def _in_fork(process: Process, rebuilt: Rebuilt, lecture: Lecture, seed: int) -> dict:
    """What the trusted fork does: set up both sides, then walk through the pristine notebook."""
    process.close = lambda: None  # only the parent may end processes
    channel, cells, verdicts = Channel(process, seed), [], []
    trusted: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(lecture.set_up(), "<set-up>", "exec"), trusted)

    def run(source: str, name: str, kind: str) -> None:
        try:
            told = channel.run(source, name)
            error = told["error"]
            output = "".join(part for part in (told["output"], told["shown"]) if part)
            cells.append((kind, source, output, f"{error['type']}: {error['message']}" if error else ""))
        except Ended as problem:
            cells.append((kind, source, "", f"Stopped: {problem}."))

    run(lecture.set_up(), "setup", "setup")
    for cell in lecture.pristine.cells:
        name = grade_id(cell)
        if cell.cell_type != "code":
            continue
        if "given" in tags(cell):
            run(cell.source, cell.id, f"given:{cell.id}")
        elif is_solution(cell):
            answer = rebuilt.answers[name]
            for number, helper in enumerate(answer.helpers):
                run(helper, f"{name}-helper-{number}", "helper")
            run(answer.source, name, name)
        elif is_check(cell):
            verdicts.append(asdict(judge(name, cell.source, lecture.checks[name], channel, trusted, seed)))
    return {"cells": cells, "verdicts": verdicts}
